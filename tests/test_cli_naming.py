"""What may be left out on a command line: the usual folders, and most of an id."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.asked_program import EDITED, FAILED, GONE, READY, Said, every_state
from support.sessions_builder import Sessions

from quantlab.base.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIVE = "20260310_115900_paper_live0007"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield a working folder whose `outputs/paper_sessions` holds sessions in every state."""
    folder = tmp_path_factory.mktemp("work")
    with every_state(folder / "outputs" / "paper_sessions"):
        yield folder


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(place)
    return place / "outputs" / "paper_sessions"


@pytest.mark.parametrize("command", ["list", "health", "alerts", "promotion", "index"])
def test_without_a_root_it_is_that_of_the_working_folder(
    here: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    said = Said(capsys, "paper-sessions", command, "--format", "json")
    assert (said.code, said.json["root_dir"]) == (0, str(here))


@pytest.mark.parametrize("command", ["list", "health", "alerts", "promotion", "index"])
def test_where_the_usual_folder_is_not_there_a_root_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said = Said(capsys, "paper-sessions", command)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "There is no folder outputs/paper_sessions here; expected ROOT" in said.err


@pytest.mark.parametrize(
    ("word", "session_id"),
    [
        (READY, READY),
        ("aaaa0002", READY),
        ("0004", FAILED),
        ("gone0009", GONE),
        ("edit0008", EDITED),
        ("latest", LIVE),
        ("outputs/paper_sessions/latest", LIVE),
        ("outputs/paper_sessions/0004/", FAILED),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_session_goes_by_its_id_an_end_of_it_or_latest(
    capsys: pytest.CaptureFixture[str], word: str, session_id: str
) -> None:
    assert Said(capsys, "paper-sessions", "show", word, "--format", "json").json["session_id"] == session_id


@pytest.mark.usefixtures("here")
def test_an_end_that_several_ids_have_is_refused_with_their_names(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with Sessions(tmp_path / "root") as built:
        for number in range(7):
            built.adopted(f"s{number}_end", utc_now())
    said = Said(capsys, "paper-sessions", "show", built.root / "_end")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "'_end' is the end of several ids: s6_end, s5_end, s4_end, s3_end, s2_end, …;" in said.err


@pytest.mark.usefixtures("here")
def test_a_name_that_no_session_has_is_answered_with_who_names_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = Said(capsys, "paper-sessions", "show", "nobody")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "'quantlab paper-sessions list outputs/paper_sessions' names them" in said.err


def test_a_folder_of_that_name_comes_before_a_session_s(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = here.parent.parent / "aaaa0001"
    other.mkdir()
    (other / "session_status.json").write_text('{"session_id": "the_folder_here", "status": "success"}')
    try:
        found = Said(capsys, "paper-sessions", "show", "aaaa0001", "--format", "json").json
    finally:
        for name in ("session_status.json", "../ledger.db", "../ledger.db.lock"):
            (other / name).unlink(missing_ok=True)
        other.rmdir()
    assert found["session_id"] == "the_folder_here"


def test_the_end_of_an_id_is_enough_in_a_ledger_that_is_named(
    here: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{here}/ledger.db"
    for word in ("aaaa0002", READY):
        said = Said(capsys, "paper-sessions", "show", word, "--ledger", url, "--format", "json")
        assert said.json["session_id"] == READY


def test_a_session_is_closed_by_the_end_of_its_id(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sessions(tmp_path / "outputs" / "paper_sessions") as built:
        built.started("one_dead", utc_now(), host="elsewhere")
    monkeypatch.chdir(tmp_path)
    said = Said(capsys, "paper-sessions", "abort", "dead", "--reason", "gone", "--force")
    assert (said.code, said.out) == (0, "one_dead is aborted: gone\n")
