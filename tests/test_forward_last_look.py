"""A step with nothing new says so without a look where file and session are as the last look left them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.forward_market import WARMUP, Market
from test_forward import rows
from test_forward_commands import begun
from test_import_weight import HEAVY, loaded

from quantlab.cli.main import run
from quantlab.sessions.forward import resume as resuming
from quantlab.sessions.forward.last_look import NOTE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow  # sessions are begun through the command line
Output = pytest.CaptureFixture[str]


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return Market(tmp_path / "prices.csv")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sessions that were looked at."""
    seen: list[str] = []
    real: Any = resuming.resume

    def noted(store: object, folder: Path, session_id: str, *args: object, **how: object) -> Any:
        seen.append(session_id)
        return real(store, folder, session_id, *args, **how)

    monkeypatch.setattr(resuming, "resume", noted)
    return seen


def stepped(folder: Path, capsys: Output) -> dict[str, Any]:
    assert run(["paper-sessions", "step", str(folder)]) == 0
    line: dict[str, Any] = json.loads(capsys.readouterr().out)
    return line


def test_a_step_with_nothing_new_says_what_a_look_said(
    market: Market, capsys: Output, looks: list[str]
) -> None:
    folder = begun(market, capsys)
    market.to(WARMUP + 2)
    took = stepped(folder, capsys)
    again = stepped(folder, capsys)
    assert (took["bars_taken"], looks) == (2, [folder.name])
    assert again == {**took, "bars_taken": 0}
    assert list(again) == list(took)
    (folder / NOTE).unlink()
    assert stepped(folder, capsys) == again
    assert looks == [folder.name] * 2


def test_it_loads_nothing_heavy(market: Market, capsys: Output) -> None:
    folder = begun(market, capsys)
    said = loaded(market.file.parent, HEAVY, "paper-sessions", "step", str(folder))
    assert said == "[]"


def test_a_file_that_grew_is_looked_at(market: Market, capsys: Output, looks: list[str]) -> None:
    folder = begun(market, capsys)
    assert stepped(folder, capsys)["bars_taken"] == 0
    market.to(WARMUP + 1)
    assert stepped(folder, capsys)["bars_taken"] == 1
    assert looks == [folder.name]


def test_a_bar_that_has_not_closed_is_looked_at_until_it_has(
    market: Market, capsys: Output, looks: list[str]
) -> None:
    folder = begun(market, capsys)
    today = datetime.now(UTC) + timedelta(hours=1)
    market.show([*market.rows[:WARMUP], (today, *market.rows[WARMUP][1:])])
    for _ in range(2):
        assert stepped(folder, capsys)["bars_taken"] == 0
    assert looks == [folder.name] * 2


def test_a_bar_that_is_waited_for_is_looked_for(market: Market, capsys: Output, looks: list[str]) -> None:
    shifted: Any = [(at + timedelta(days=700), *values) for at, *values in market.rows]
    market.rows = shifted
    market.to(WARMUP)
    folder = begun(market, capsys, "--patience", "2600000")
    late = datetime.now(UTC) - timedelta(days=5)
    market.show([*market.rows[:WARMUP], (late, *market.rows[WARMUP][1:])])
    for _ in range(2):
        assert stepped(folder, capsys)["bars_taken"] == 0
    assert looks == [folder.name] * 2


def test_a_session_that_went_on_otherwise_is_looked_at(
    market: Market, capsys: Output, looks: list[str]
) -> None:
    folder = begun(market, capsys)
    market.to(WARMUP + 2)
    stepped(folder, capsys)
    assert run(["paper-sessions", "prove", str(folder)]) == 0
    capsys.readouterr()
    stepped(folder, capsys)
    assert looks == [folder.name] * 2
    assert rows(folder, "SELECT COUNT(*) FROM session_bars") == [(2,)]


@pytest.mark.parametrize("noted", ["", "[]", "{}", '{"version": 3, "prices": 4, "content": 5}', "\ud83d"])
def test_a_note_that_is_none_is_passed_over(
    market: Market, capsys: Output, looks: list[str], noted: str
) -> None:
    folder = begun(market, capsys)
    (folder / NOTE).write_bytes(noted.encode("utf-8", "surrogatepass"))
    assert stepped(folder, capsys)["bars_taken"] == 0
    assert looks == [folder.name]


def test_a_session_that_has_ended_is_told_as_ever(market: Market, capsys: Output) -> None:
    folder = begun(market, capsys, "--bars", "1")
    market.to(WARMUP + 1)
    stepped(folder, capsys)
    assert run(["paper-sessions", "step", str(folder)]) == 1
    assert "has ended" in capsys.readouterr().err
