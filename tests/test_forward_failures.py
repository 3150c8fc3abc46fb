"""The failures of a forward session, each really made: what it records, and how the next driver goes on."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.forward_market import BEGAN, WARMUP, Market, begun, stepped
from test_forward import FORWARD, replayed, rows
from test_forward_commands import words

from quantlab.base import process
from quantlab.base.errors import DataError, LedgerBusyError
from quantlab.cli.following import standing
from quantlab.cli.main import run
from quantlab.exports import bundle
from quantlab.ledger.recorder import Recorder
from quantlab.runner.stopping import StopRequested
from quantlab.sessions.forward import driver
from quantlab.sessions.forward import resume as resuming
from quantlab.trading.prices import live

if TYPE_CHECKING:
    from pathlib import Path

    from support.fork_server import Server

    from quantlab.sessions.forward.follow import Follower

pytestmark = pytest.mark.slow  # a start asks git which code it is
Output = pytest.CaptureFixture[str]
STRATEGY = """\
from quantlab import Bars, Signals, crossed_above, sma

min_bars = 20


def decide(bars: Bars) -> Signals:
    if len(bars) > {most}:
        raise ValueError("no more than {most} bars are dealt with")
    fast, slow = sma(bars.close, 5), sma(bars.close, 20)
    return Signals(enter=crossed_above(fast, slow), leave=crossed_above(slow, fast), values={{"slow": slow}})
"""


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return Market(tmp_path / "prices.csv")


def test_a_strategy_that_raises_stalls_it_at_the_bar_and_the_bars_before_hold_its_values(
    market: Market, tmp_path: Path, capsys: Output
) -> None:
    (tmp_path / "mine.py").write_text(STRATEGY.format(most=WARMUP + 5))
    assert run(words(market, "--strategy", str(tmp_path / "mine.py"), "--no-check")) == 0
    folder = tmp_path / "outputs" / "paper_sessions" / json.loads(capsys.readouterr().out)["session_id"]
    market.to(WARMUP + 5)
    assert run(["paper-sessions", "step", str(folder)]) == 0
    held = [json.loads(values)["slow"] for (values,) in rows(folder, "SELECT rule_values FROM session_bars")]
    closes = [row[4] for row in market.rows]
    assert held == pytest.approx([sum(closes[at - 19 : at + 1]) / 20 for at in range(WARMUP, WARMUP + 5)])
    market.to(WARMUP + 6)
    capsys.readouterr()
    assert run(["paper-sessions", "step", str(folder)]) == 4
    told = capsys.readouterr().err
    assert "no more than 125 bars" in told
    assert "It stalls behind 2024-05-05T00:00:00.000000+00:00" in told
    assert rows(folder, "SELECT status, stage, forward_bars FROM paper_sessions") == [
        ("running", "stalled", 5)
    ]
    asked = "SELECT payload FROM events WHERE type = 'heartbeat' ORDER BY sequence DESC LIMIT 1"
    trouble = json.loads(rows(folder, asked)[0][0])["trouble"]
    assert trouble["behind"] == "2024-05-05T00:00:00.000000+00:00"


def test_a_ledger_that_is_away_ends_the_turn_and_the_next_one_goes_on(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(market, tmp_path, bars=FORWARD).folder
    market.to(WARMUP + FORWARD)
    real: Any = vars(Recorder)["record"]
    recorded = 0

    def away_after_ten(self: Recorder, entry: Any) -> Any:
        nonlocal recorded
        recorded += 1
        if recorded > 10:
            raise LedgerBusyError("The ledger is busy.")
        return real(self, entry)

    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "record", away_after_ten)
        with pytest.raises(LedgerBusyError):
            stepped(market, folder)
    assert rows(folder, "SELECT stage, forward_bars FROM paper_sessions") == [("following", 10)]
    done = stepped(market, folder)
    assert done.session.result_digest == replayed(market)


def test_a_disk_that_is_full_loses_nothing_and_the_next_driver_goes_on(
    market: Market, tmp_path: Path, server: Server
) -> None:
    folder = begun(market, tmp_path, bars=FORWARD).folder
    market.to(WARMUP + FORWARD)
    large = (folder.parent / "ledger.db").stat().st_size + 20_000
    full = server.run("paper-sessions", "step", str(folder), file_bytes=large)
    assert (full.code, "Traceback" in full.err) == (1, False)
    seen = rows(folder, "SELECT COUNT(*) FROM session_bars")
    assert seen < [(FORWARD,)]
    done = server.run("paper-sessions", "step", str(folder))
    assert done.code == 0, done.err
    assert rows(folder, "SELECT status, result_digest FROM paper_sessions") == [("success", replayed(market))]


def test_bars_that_the_source_no_longer_keeps_are_filled_from_a_file(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 8)

    def no_longer(*_args: Any) -> Any:
        raise DataError("It keeps bars from 2024-05-04 on, and the session needs them from 2024-04-01 on.")

    with monkeypatch.context() as patched:
        patched.setattr(live.GrowingFile, "closed_bars", no_longer)
        with pytest.raises(DataError, match="needs them from"):
            stepped(market, folder)
    assert rows(folder, "SELECT stage FROM paper_sessions") == [("stalled",)]
    kept = market.file.with_name("kept.csv")
    kept.write_text(market.file.read_text())
    market.file.unlink()
    assert run(["paper-sessions", "step", str(folder), "--prices", str(kept)]) == 0
    assert json.loads(capsys.readouterr().out)["bars_taken"] == 8
    sources = rows(
        folder, "SELECT DISTINCT json_extract(payload, '$.filled_from') FROM events WHERE type = 'bar'"
    )
    assert sources == [(str(kept),)]
    market.to(WARMUP + 9)
    assert stepped(market, folder).bars_taken == 1
    assert run(["paper-sessions", "step", str(folder), "--prices", str(tmp_path / "none.csv")]) == 2
    assert "is no file; expected one with the bars" in capsys.readouterr().err


def test_a_machine_that_slept_catches_up_and_marks_what_came_too_late(market: Market, tmp_path: Path) -> None:
    folder = begun(market, tmp_path, bars=FORWARD).folder

    def sleep_for_days(_seconds: float) -> None:
        market.to(WARMUP + FORWARD)

    done = stepped(market, folder, one_turn=False, sleep=sleep_for_days)
    assert done.session.result_digest == replayed(market)
    assert done.session.late_bars == FORWARD - 1


def test_on_a_terminal_one_line_tells_how_it_stands(market: Market, tmp_path: Path) -> None:
    folder = begun(market, tmp_path).folder
    lines: list[str] = []

    def tell(follower: Follower) -> None:
        lines.append(standing(follower))

    stepped(market, folder, tell=tell)
    market.to(WARMUP + 2)
    stepped(market, folder, tell=tell)
    market.now += timedelta(days=3)  # the file has ended: nobody appends to it any more
    stepped(market, folder, tell=tell)
    seen = "seen to 2024-05-02 00:00Z, next due 2024-05-03 00:00Z"
    assert lines == [
        "warmed up, next due 2024-05-01 00:00Z",
        f"{seen}, equity 1,000.00, no position",
        f"{seen} (overdue), equity 1,000.00, no position",
    ]


def test_a_clock_that_is_set_back_takes_no_bar_twice(market: Market, tmp_path: Path) -> None:
    folder = begun(market, tmp_path, bars=FORWARD).folder
    market.to(WARMUP + 10)
    stepped(market, folder)
    market.now -= timedelta(days=5)
    assert stepped(market, folder).bars_taken == 0
    market.to(WARMUP + FORWARD)
    assert stepped(market, folder).session.result_digest == replayed(market)


def test_it_is_proved_while_a_driver_is_at_work_on_it(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 5)
    stepped(market, folder)
    market.to(WARMUP + 8)
    real: Any = vars(resuming)["go_on"]

    def while_it_is_proved(*args: Any, **how: Any) -> Any:
        assert run(["paper-sessions", "prove", str(folder)]) == 0
        return real(*args, **how)

    monkeypatch.setattr(resuming, "go_on", while_it_is_proved)
    assert stepped(market, folder).bars_taken == 3


def test_a_session_is_followed_while_a_step_is_taken_beside_it(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 1)
    with monkeypatch.context() as patched:
        host, parent = process.this_host(), os.getppid()
        patched.setattr(process, "identity", lambda: (host, parent, process.start_mark(parent)))
        stepped(market, folder)

    def stop(_seconds: float) -> None:
        raise StopRequested("SIGTERM")

    market.to(WARMUP + 2)
    assert stepped(market, folder, one_turn=False, sleep=stop).bars_taken == 1


def test_bars_that_come_fast_share_a_writing_of_the_documents(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(market, tmp_path).folder
    monkeypatch.setattr(driver, "_SHOWN_EVERY", 1e9)
    shown: list[int] = []
    real = bundle.write_files

    def noted(*args: Any, **how: Any) -> None:
        real(*args, **how)
        shown.append(json.loads((folder / "session_status.json").read_text())["bars_done"])

    monkeypatch.setattr(bundle, "write_files", noted)

    def until_ten(_seconds: float) -> None:
        if market.now > BEGAN + (WARMUP + 10) * market.length:
            raise StopRequested("SIGTERM")
        market.to(int((market.now - BEGAN) / market.length) + 1)

    stepped(market, folder, one_turn=False, sleep=until_ten)
    assert shown == [0, 10]
    status = json.loads((folder / "session_status.json").read_text())
    assert (status["stage"], status["bars_done"]) == ("paused", 10)


@pytest.mark.parametrize("factor", [1e-9, 1e17])
def test_prices_that_are_written_with_an_exponent_are_taken_up_again(
    market: Market, tmp_path: Path, factor: float
) -> None:
    market.rows = [
        (at, first * factor, high * factor, low * factor, close * factor, volume)
        for at, first, high, low, close, volume in market.rows
    ]
    market.to(WARMUP)
    folder = begun(market, tmp_path, initial_cash=1000.0).folder
    for bars in (3, 6):
        market.to(WARMUP + bars)
        assert stepped(market, folder).bars_taken == 3
