"""When the root's index is written again: what is behind, what is broken, and many sessions that end at once."""

from __future__ import annotations

import json
import multiprocessing
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.index_files import as_json
from support.permissions import folder_of_ones_own, permissions_bind
from support.root_files import ONE, TWO
from support.sessions_builder import NOW, Sessions, ago, one_of_each

from quantlab.base.errors import QuantlabError
from quantlab.exports import index, index_pace
from quantlab.exports.index import JSON, NAMES, refresh, refresh_or_warn, shown, write
from quantlab.exports.index_pace import Refresh
from quantlab.ledger.location import locate
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    with Sessions(tmp_path / "root") as built:
        yield built


def test_exports_that_show_the_ledger_are_not_written_again(sessions: Sessions) -> None:
    sessions.success(ONE, ago(hours=1))
    assert [refresh(sessions.store, sessions.root, now=NOW) for _ in range(2)] == [True, False]


def test_exports_that_are_behind_are_written(sessions: Sessions) -> None:
    sessions.success(ONE, ago(hours=1))
    refresh(sessions.store, sessions.root, now=NOW)
    sessions.proved(ONE, NOW)
    assert refresh(sessions.store, sessions.root, now=NOW)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_export_is_written(sessions: Sessions, name: str) -> None:
    refresh(sessions.store, sessions.root, now=NOW)
    (sessions.root / name).unlink()
    assert refresh(sessions.store, sessions.root, now=NOW)


def test_an_empty_ledgers_exports_are_not_written_again(sessions: Sessions) -> None:
    assert [refresh(sessions.store, sessions.root, now=NOW) for _ in range(2)] == [True, False]


def test_exports_of_another_ledger_are_replaced(sessions: Sessions, tmp_path: Path) -> None:
    with Sessions(tmp_path / "other") as other:
        one_of_each(other)
        write(other.store, sessions.root)
    sessions.success(ONE, ago(hours=1))
    assert refresh(sessions.store, sessions.root, now=NOW)
    assert len(as_json(sessions.root)["sessions"]) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"\xff" * 100])
def test_an_export_that_cannot_be_read_is_replaced(sessions: Sessions, content: bytes) -> None:
    refresh(sessions.store, sessions.root, now=NOW)
    (sessions.root / JSON).write_bytes(content)
    assert shown(sessions.root) is None
    assert refresh(sessions.store, sessions.root, now=NOW)


def test_exports_that_cannot_be_written_are_warned_about_or_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with folder_of_ones_own() as outer:
        root = outer / "root"
        with permissions_bind(), Sessions(root) as sessions:
            write(sessions.store, root)
            sessions.success(ONE, ago(hours=1))
            before = (root / JSON).read_bytes()
            root.chmod(0o555)
            assert refresh_or_warn(sessions.store, root, now=NOW) is False
            with pytest.raises(QuantlabError, match="can't be written"):
                refresh(sessions.store, root, now=NOW)
            root.chmod(0o755)
            assert ("The ledger has it all" in caplog.text, (root / JSON).read_bytes()) == (True, before)


def test_an_export_that_may_not_be_read_is_replaced() -> None:
    with folder_of_ones_own() as root:
        with permissions_bind(), Sessions(root) as sessions:
            write(sessions.store, root)
            (root / JSON).chmod(0)
            assert refresh(sessions.store, root, now=NOW)


def end_one(root: Path, number: int, gate: Any, written: Any) -> None:
    """End a session in a process of its own, at the same moment as the others."""
    with open_store(locate(root, None)) as store:
        sessions = Sessions.__new__(Sessions)
        sessions.root, sessions.store = root, store
        sessions.recorder, sessions._versions = Recorder(store), {}
        sessions.started(f"s{number:03}", NOW)
        gate.wait()
        sessions.failed(f"s{number:03}", NOW)
        if refresh(store, root, now=NOW):
            with written.get_lock():
                written.value += 1


def test_of_sessions_that_end_at_once_few_write_and_the_last_shows_all(sessions: Sessions) -> None:
    context = multiprocessing.get_context("fork")
    gate, written = context.Barrier(12), context.Value("i", 0)
    processes = [
        context.Process(target=end_one, args=(sessions.root, number, gate, written)) for number in range(12)
    ]
    sessions.store.close()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    document = as_json(sessions.root)
    assert [row["status"] for row in document["sessions"]] == ["failed"] * 12
    assert (document["ledger_sequence"], written.value < 12) == (24, True)


def test_exports_are_whole_at_every_read(sessions: Sessions) -> None:
    write(sessions.store, sessions.root)
    stop = threading.Event()
    torn: list[str] = []

    def watch() -> None:
        while not stop.is_set():
            text = (sessions.root / JSON).read_text()
            document = json.loads(text)
            if len(document["sessions"]) != document["n_sessions"]:
                torn.append(text)

    reader = threading.Thread(target=watch)
    reader.start()
    for number in range(30):
        sessions.adopted(f"s{number}", NOW, path=f"s{number}")
        write(sessions.store, sessions.root)
    stop.set()
    reader.join()
    assert torn == []


def naps_while(
    sessions: Sessions,
    monkeypatch: pytest.MonkeyPatch,
    ending_at: tuple[int, ...],
    *,
    ended: int,
    is_alone: bool = True,
) -> int:
    """Return how many polls an export waits while other sessions end after some of them."""
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) in ending_at:
            sessions.adopted(f"s{len(naps)}", NOW)

    monkeypatch.setattr("quantlab.exports.index.time.sleep", nap)
    index._debounce(sessions.store, ended, is_alone=is_alone)
    return len(naps)


def test_an_export_waits_for_nothing_where_no_other_session_ends(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions.success(ONE, ago(hours=1))
    assert naps_while(sessions, monkeypatch, (), ended=1) == 0


def test_an_export_waits_for_nothing_while_other_sessions_beat(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions.success(ONE, ago(hours=1)).started(TWO, ago(hours=1)).beat(TWO, NOW)
    assert naps_while(sessions, monkeypatch, (), ended=1) == 0


def test_an_export_waits_on_where_ends_pause_for_a_poll(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions.success(ONE, ago(hours=1))
    assert naps_while(sessions, monkeypatch, (3, 6), ended=0) == 6 + index._SETTLED_POLLS


def test_an_export_waits_a_moment_where_another_end_was_shown_just_before(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions.success(ONE, ago(hours=1))
    polls = naps_while(sessions, monkeypatch, (), ended=1, is_alone=False)
    assert polls == index._SETTLED_POLLS - 1


def test_an_end_is_one_of_many_where_a_refresh_is_only_just_over() -> None:
    last = Refresh(NOW, 0.1)
    after = [NOW + timedelta(seconds=seconds) for seconds in (0.1, 0.3, -0.1)]
    assert [index_pace.is_one_of_many(last, moment) for moment in after] == [True, False, False]
    assert not index_pace.is_one_of_many(None, NOW)


def test_an_export_does_not_wait_for_ever(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_LONGEST_WAIT_SECONDS", 0.0)
    sessions.success(ONE, ago(hours=1))
    assert refresh(sessions.store, sessions.root, now=NOW)
    assert as_json(sessions.root)["n_sessions"] == 1
