"""The operators' page beside the index: written with it where that is configured, and never a reason to fail."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support.flow_program import PAPER, Said, document, said, session_of
from support.forward_market import WARMUP, Market, begun, stepped
from support.root_files import ONE, TWO, running
from support.sessions_builder import NOW, Sessions, ago

from quantlab.exports import index, index_pace
from quantlab.exports.index import refresh, refresh_after_end, rewrite
from quantlab.exports.index_pace import Refresh
from quantlab.exports.page import made as made_module
from quantlab.folders.page import NAME, PageBeside, beside_the_index
from quantlab.folders.roots import open_root_store
from quantlab.ledger.location import locate
from quantlab.sessions.abort import abort
from quantlab.sessions.forward.drive import DriveOptions
from quantlab.sessions.forward.resume import resume

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BESIDE = PageBeside()


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    with Sessions(tmp_path / "root") as built:
        built.success(ONE, ago(hours=1))
        yield built


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise RuntimeError("no such shape")

    monkeypatch.setattr(made_module, "made", fail)


def aside(root: Path) -> list[str]:
    return [one.name for one in root.iterdir() if one.name.endswith(".tmp")]


def test_the_page_shows_the_head_that_the_index_shows(sessions: Sessions) -> None:
    assert refresh(sessions.store, sessions.root, now=NOW, beside=BESIDE)
    assert BESIDE.shown(sessions.root) == index.shown(sessions.root)
    assert ONE in (sessions.root / NAME).read_text(encoding="utf-8")


def test_nobody_who_does_not_want_it_gets_a_page(sessions: Sessions) -> None:
    assert beside_the_index(wanted=False) is None
    refresh(sessions.store, sessions.root, now=NOW, beside=None)
    assert not (sessions.root / NAME).exists()


def test_a_page_that_lags_behind_its_index_is_written(sessions: Sessions) -> None:
    refresh(sessions.store, sessions.root, now=NOW)
    written = [refresh(sessions.store, sessions.root, now=NOW, beside=BESIDE) for _ in range(2)]
    assert written == [True, False]


def test_a_page_of_no_head_is_replaced(sessions: Sessions) -> None:
    (sessions.root / NAME).write_text("<html>")
    assert BESIDE.shown(sessions.root) is None
    refresh(sessions.store, sessions.root, now=NOW, beside=BESIDE)
    assert BESIDE.shown(sessions.root) is not None


def test_the_page_rests_with_an_index_that_is_slow_to_write(sessions: Sessions) -> None:
    index_pace.note(sessions.root, Refresh(NOW, 4.0))
    refresh_after_end(sessions.store, sessions.root, now=NOW, beside=BESIDE)
    assert not (sessions.root / NAME).exists()


def test_the_time_that_the_page_takes_counts_for_the_pace(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter([0.0, 0.1, 30.0])
    monkeypatch.setattr("quantlab.exports.index.time.monotonic", lambda: next(ticks))
    monkeypatch.setattr(PageBeside, "write", lambda *_, **__: None)
    rewrite(sessions.store, sessions.root, now=NOW, beside=BESIDE)
    kept = index_pace.read(sessions.root)
    assert kept is not None
    assert kept.seconds == 30.0


@pytest.mark.usefixtures("broken")
def test_a_page_that_cannot_be_made_is_warned_about_and_the_old_one_stays(
    sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    (sessions.root / NAME).write_text("the old one")
    assert refresh(sessions.store, sessions.root, now=NOW, beside=BESIDE)
    assert index.shown(sessions.root) is not None
    assert (sessions.root / NAME).read_text() == "the old one"
    (line,) = caplog.messages
    assert line.startswith(f"the page {sessions.root / NAME} was not written (RuntimeError: no such")
    assert f"'quantlab paper-sessions page {sessions.root}' makes it." in line


def test_a_page_that_cannot_be_written_is_warned_about(
    sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    (sessions.root / NAME).mkdir()
    assert refresh(sessions.store, sessions.root, now=NOW, beside=BESIDE)
    assert len(caplog.messages) == 1
    assert aside(sessions.root) == []


def paper(folder: Path, *words: str) -> Said:
    return said(folder, *PAPER, "--no-charts", "--quiet", *words)


def page_in(folder: Path) -> Path:
    return folder / "outputs" / "paper_sessions" / NAME


@pytest.mark.parametrize("text", ["page = true\n", "[all]\npage = true\n", "[run]\npage = true\n"])
def test_the_file_asks_for_a_page(tmp_path: Path, text: str) -> None:
    (tmp_path / "quantlab.toml").write_text(text)
    done = paper(tmp_path)
    assert (done.code, done.err) == (0, "")
    assert session_of(tmp_path).name in page_in(tmp_path).read_text(encoding="utf-8")


def test_flag_and_environment_ask_for_a_page_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unasked, by_flag, by_variable = (tmp_path / name for name in ("unasked", "flag", "variable"))
    for folder in (unasked, by_flag, by_variable):
        folder.mkdir()
    assert paper(unasked).code == 0
    assert paper(by_flag, "--page").code == 0
    monkeypatch.setenv("QUANTLAB_RUN_PAGE", "true")
    assert paper(by_variable).code == 0
    assert [page_in(folder).exists() for folder in (unasked, by_flag, by_variable)] == [False, True, True]


def test_every_command_that_refreshes_the_index_refreshes_the_page(tmp_path: Path) -> None:
    (tmp_path / "quantlab.toml").write_text("page = true\n")
    assert paper(tmp_path).code == 0
    commands = [
        ("prove", "latest"),
        ("index", "--quiet"),
        ("resolve", "latest", "--reason", "seen"),
    ]
    for words in commands:
        page_in(tmp_path).unlink()
        done = said(tmp_path, "paper-sessions", *words)
        assert (done.code, done.err) == (0, ""), words
        assert page_in(tmp_path).exists(), words


def test_a_session_that_fails_leaves_a_page_that_says_so(tmp_path: Path) -> None:
    done = said(tmp_path, "--paper", "--prices", "gone.csv", "--ticker", "ETH", "--page")
    assert done.code == 3
    assert "critical: failed" in page_in(tmp_path).read_text(encoding="utf-8")


@pytest.mark.usefixtures("broken")
def test_a_broken_page_harms_no_session(tmp_path: Path) -> None:
    done = paper(tmp_path, "--page")
    assert done.code == 0
    assert done.err.startswith("WARNING: the page ")
    assert "Traceback" not in done.err
    assert document(session_of(tmp_path) / "session_status.json")["status"] == "success"
    assert not page_in(tmp_path).exists()


def test_a_page_asked_for_twice_in_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "quantlab.toml").write_text("page = true\n[all]\npage = false\n")
    assert "quantlab.toml: page: it stands there twice, on top and in [all]" in paper(tmp_path).error


def test_a_page_that_is_neither_true_nor_false_is_refused(tmp_path: Path) -> None:
    (tmp_path / "quantlab.toml").write_text("page = 'yes'\n")
    assert "quantlab.toml: page: expected true or false, got a text." in paper(tmp_path).error


def test_check_tells_where_the_page_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "quantlab.toml").write_text("page = true\n[paper-sessions.index]\npage = false\n")
    told = json.loads(said(tmp_path, "check").out)["settings"]
    found = {one["option"]: (one["value"], one["source"]) for one in told}
    assert found["run --page"] == ("True", "quantlab.toml: page")
    assert found["paper-sessions index --page"] == ("False", "quantlab.toml: [paper-sessions.index] page")


def test_an_operator_who_closes_a_session_sees_it_on_the_page(sessions: Sessions) -> None:
    running(sessions)
    abort(sessions.store, sessions.root, TWO, "power cut", now=NOW, page=True)
    assert "warning: aborted" in (sessions.root / NAME).read_text(encoding="utf-8")


def test_a_session_that_followed_the_market_ends_on_the_page(tmp_path: Path) -> None:
    market = Market(tmp_path / "prices.csv")
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 2)
    stepped(market, folder)
    assert not (folder.parent / NAME).exists()
    drive = DriveOptions(clock=market.clock, page=True)
    with open_root_store(locate(folder.parent, None), now=market.now) as store:
        resume(store, folder, folder.name, drive, one_turn=True, finish_now="enough")
    assert BESIDE.shown(folder.parent) == index.shown(folder.parent) is not None


def test_many_ends_leave_the_page_of_the_last(sessions: Sessions) -> None:
    refresh(sessions.store, sessions.root, now=NOW, beside=BESIDE)
    sessions.success(TWO, ago(minutes=30))
    index_pace.note(sessions.root, Refresh(NOW, 0.1))
    refresh_after_end(sessions.store, sessions.root, now=NOW, beside=BESIDE)
    assert TWO in (sessions.root / NAME).read_text(encoding="utf-8")
