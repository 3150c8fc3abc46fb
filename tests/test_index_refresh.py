"""When the root's index is written again: what is behind, what is broken, and many sessions that end at once."""

from __future__ import annotations

import json
import multiprocessing
import threading
from typing import TYPE_CHECKING, Any

import pytest
from index_files import as_json
from root_files import ONE, TWO, as_ordinary_user, unprivileged_root
from sessions_builder import NOW, Sessions, ago, one_of_each

from quantlab.errors import QuantlabError
from quantlab.events import GENESIS_HASH
from quantlab.exports import index
from quantlab.exports.index import JSON, NAMES, refresh, shown, write
from quantlab.ledger import Head
from quantlab.sessions.recorder import Recorder
from quantlab.store.engine import open_store
from quantlab.store.location import locate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    with Sessions(tmp_path / "root") as built:
        yield built


def test_exports_that_show_the_ledger_are_not_written_again(sessions: Sessions) -> None:
    sessions.success(ONE, ago(hours=1))
    assert [refresh(sessions.store, sessions.root) for _ in range(2)] == [True, False]


def test_exports_that_are_behind_are_written(sessions: Sessions) -> None:
    sessions.success(ONE, ago(hours=1))
    refresh(sessions.store, sessions.root)
    sessions.proved(ONE, NOW)
    assert refresh(sessions.store, sessions.root)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_export_is_written(sessions: Sessions, name: str) -> None:
    refresh(sessions.store, sessions.root)
    (sessions.root / name).unlink()
    assert refresh(sessions.store, sessions.root)


def test_an_empty_ledgers_exports_are_not_written_again(sessions: Sessions) -> None:
    assert [refresh(sessions.store, sessions.root) for _ in range(2)] == [True, False]


def test_exports_of_another_ledger_are_replaced(sessions: Sessions, tmp_path: Path) -> None:
    with Sessions(tmp_path / "other") as other:
        one_of_each(other)
        write(other.store, sessions.root)
    sessions.success(ONE, ago(hours=1))
    assert refresh(sessions.store, sessions.root)
    assert len(as_json(sessions.root)["sessions"]) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"\xff" * 100])
def test_an_export_that_cannot_be_read_is_replaced(sessions: Sessions, content: bytes) -> None:
    refresh(sessions.store, sessions.root)
    (sessions.root / JSON).write_bytes(content)
    assert shown(sessions.root) is None
    assert refresh(sessions.store, sessions.root)


def test_exports_that_cannot_be_written_are_warned_about_or_an_error() -> None:
    with unprivileged_root() as outer:
        outer.chmod(0o777)
        root = outer / "root"
        with as_ordinary_user(), Sessions(root) as sessions:
            write(sessions.store, root)
            sessions.success(ONE, ago(hours=1))
            before = (root / JSON).read_bytes()
            root.chmod(0o555)
            said: list[str] = []
            assert refresh(sessions.store, root, warn=said.append) is False
            with pytest.raises(QuantlabError, match="can't be written"):
                refresh(sessions.store, root)
            root.chmod(0o755)
            assert (said[0].startswith("WARNING: "), (root / JSON).read_bytes()) == (True, before)


def test_an_export_that_may_not_be_read_is_replaced() -> None:
    with unprivileged_root() as root:
        root.chmod(0o777)
        with as_ordinary_user(), Sessions(root) as sessions:
            write(sessions.store, root)
            (root / JSON).chmod(0)
            assert refresh(sessions.store, root)


def end_one(root: Path, number: int, gate: Any, written: Any) -> None:
    """End a session in a process of its own, at the same moment as the others."""
    with open_store(locate(root, None)) as store:
        sessions = Sessions.__new__(Sessions)
        sessions.root, sessions.store = root, store
        sessions.recorder, sessions._versions = Recorder(store), {}
        sessions.started(f"s{number:03}", NOW)
        gate.wait()
        sessions.failed(f"s{number:03}", NOW)
        if refresh(store, root):
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


def test_an_export_waits_until_a_look_finds_nothing_new(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 1:
            sessions.success(TWO, ago(minutes=9))

    sessions.success(ONE, ago(hours=1))
    monkeypatch.setattr("quantlab.exports.index.time.sleep", nap)
    index._let_others_end(sessions.store, Head(0, GENESIS_HASH))
    assert len(naps) == 2


def test_an_export_does_not_wait_for_ever(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_LONGEST_WAIT_SECONDS", 0.0)
    sessions.success(ONE, ago(hours=1))
    assert refresh(sessions.store, sessions.root)
    assert as_json(sessions.root)["n_sessions"] == 1
