"""Files carry where their session's last event stands in which ledger, and a ledger is held to what they say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support.flow_program import PAPER, said, session_of
from support.ledger_commands import cut
from support.ledger_history import aborted, entry, fill, open_root, record, started, stored

from quantlab.cli.main import run
from quantlab.domain.documents import documents
from quantlab.exports.index import NAMES
from quantlab.folders.heads import recorded_elsewhere
from quantlab.ledger.log import read_events

if TYPE_CHECKING:
    from pathlib import Path

METADATA = "session_metadata.json"


def metadata(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / METADATA).read_text())
    return found


def session(tmp_path: Path) -> Path:
    """Run a session; returns its folder."""
    assert said(tmp_path, *PAPER).code == 0
    return session_of(tmp_path)


def last_own_event(root: Path) -> dict[str, Any]:
    own = "SELECT sequence, hash FROM events WHERE type = 'succeeded'"
    ((sequence, digest),) = stored(root / "ledger.db", own)
    ((ledger_id,),) = stored(root / "ledger.db", "SELECT ledger_id FROM ledger_head")
    return {"id": ledger_id, "sequence": sequence, "hash": digest}


def promoted(root: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert run(["paper-sessions", "promotion", str(root)]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def forget(root: Path) -> None:
    """Take the ledger away, and all that it exported."""
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm", *NAMES):
        (root / name).unlink(missing_ok=True)


def test_files_say_where_the_session_s_last_event_stands_and_an_annotation_changes_nothing(
    tmp_path: Path,
) -> None:
    folder = session(tmp_path)
    assert metadata(folder)["ledger"] == last_own_event(folder.parent)
    assert run(["paper-sessions", "prove", str(folder)]) == 0
    assert run(["paper-sessions", "index", str(folder.parent)]) == 0
    assert metadata(folder)["ledger"] == last_own_event(folder.parent)
    assert stored(folder.parent / "ledger.db", "SELECT count(*) FROM events WHERE type = 'amended'") == [(0,)]


def test_an_adopted_folder_that_another_ledger_recorded_says_so_and_is_not_ready(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = session(tmp_path)
    before = last_own_event(folder.parent)
    forget(folder.parent)
    (blocked,) = promoted(folder.parent, capsys)["blocked_sessions"]
    assert "recorded_elsewhere" in blocked["broker_promotion_blockers"]
    assert blocked["recorded_elsewhere"] == f"{before['id']} {before['sequence']}:{before['hash']}"


@pytest.mark.parametrize(
    "ledger",
    [{"id": "x"}, {"id": "x", "sequence": True, "hash": "h"}, "mine", {"id": 1, "sequence": 1, "hash": "h"}],
)
def test_a_ledger_that_is_named_in_no_way_that_can_be_read_is_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ledger: object
) -> None:
    folder = tmp_path / "root" / "s1"
    folder.mkdir(parents=True)
    (folder / METADATA).write_text(json.dumps({"session_id": "s1", "ledger": ledger}))
    (blocked,) = promoted(tmp_path / "root", capsys)["blocked_sessions"]
    assert "recorded_elsewhere" in blocked["broker_promotion_blockers"]
    assert "no way that can be read" in blocked["recorded_elsewhere"]


def test_a_folder_that_says_nothing_of_a_ledger_was_recorded_nowhere_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "root" / "s1"
    folder.mkdir(parents=True)
    (folder / METADATA).write_text(json.dumps({"session_id": "s1"}))
    (blocked,) = promoted(tmp_path / "root", capsys)["blocked_sessions"]
    assert "recorded_elsewhere" not in blocked["broker_promotion_blockers"]


def test_an_event_that_this_ledger_holds_was_not_recorded_elsewhere(tmp_path: Path) -> None:
    file = fill(tmp_path)
    ((own, digest),) = stored(
        file, "SELECT ledger_id, events.hash FROM ledger_head, events WHERE events.sequence = 4"
    )
    with open_root(tmp_path) as store:
        told = {
            "held": {"id": own, "sequence": 4, "hash": digest},
            "later": {"id": own, "sequence": 99, "hash": digest},
            "silent": None,
        }
        assert set(recorded_elsewhere(store, told)) == {"later"}


def test_sessions_of_earlier_versions_keep_their_documents(tmp_path: Path) -> None:
    with open_root(tmp_path) as store:
        record(store, [entry("s1", 1, started("s1")), entry("s1", 2, aborted())])
        with store.read() as connection:
            made = documents(read_events(connection, "s1"))
    assert "ledger" not in json.loads(made[METADATA])


def test_verify_holds_a_root_s_ledger_against_the_heads_in_its_session_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = session(tmp_path)
    root = folder.parent
    assert run(["ledger", "verify", str(root)]) == 0
    assert f"what 1 session files in {root} say" in capsys.readouterr().out
    for name in NAMES:
        (root / name).unlink()
    before = metadata(folder)
    sequence = before["ledger"]["sequence"]
    for place, what in (
        (sequence + 90, "the ledger has no such event"),
        (1, "the ledger holds another event there"),
    ):
        before["ledger"]["sequence"] = place
        (folder / METADATA).write_text(json.dumps(before))
        assert run(["ledger", "verify", str(root)]) == 1
        assert what in capsys.readouterr().out


def test_verify_passes_over_files_that_say_nothing_or_can_not_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = fill(tmp_path)
    for name, text in (
        ("s1", "{"),
        ("s2", "{}"),
        ("s4", '{"ledger": {"id": "x", "sequence": 7, "hash": "h"}}'),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / METADATA).write_text(text)
    assert run(["ledger", "verify", str(tmp_path)]) == 0
    cut(file)
    assert run(["ledger", "verify", str(tmp_path)]) == 1
    assert "FAULT against" not in capsys.readouterr().out
