"""Documents from events alone."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs
from support.flow_program import PAPER, root_of, said, session_of

from quantlab.domain.documents import data_facts_of, documents
from quantlab.domain.events import Aborted, Adopted, Amended, Event, Recorded, encode
from quantlab.folders.kept import paper_header

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("artifacts")
    assert said(where, *PAPER).code == 0
    return where


@pytest.fixture(scope="module")
def recorded(folder: Path) -> list[Recorded]:
    with closing(sqlite3.connect(root_of(folder) / "ledger.db")) as connection:
        return [Recorded(*row) for row in connection.execute("SELECT * FROM events ORDER BY sequence")]


def later(before: Recorded, kind: str, event: Event) -> Recorded:
    return Recorded(
        before.sequence + 1, before.session_id, before.session_version + 1, kind, 1,
        "2026-02-01T00:00:00.000000+00:00", "operator", encode(event), before.hash, "f" * 64,
    )  # fmt: skip


def adopted(**more: Any) -> Recorded:
    whole: dict[str, Any] = {
        "folder": "old", "terminal": False, "fields": {"status": "running"}, "digests": {}, "unreadable": [],
        "documents": {"session_status.json": {"status": "running", "odd": 1}},
    } | more  # fmt: skip
    return Recorded(
        1,
        "old",
        1,
        "adopted",
        1,
        "2026-01-01T00:00:00.000000+00:00",
        "import",
        encode(Adopted(**whole)),
        "0",
        "1",
    )


def test_documents_are_the_files_byte_for_byte(folder: Path, recorded: list[Recorded]) -> None:
    made = documents(recorded)
    assert set(made) == {"session_metadata.json", "metadata.json", "session_status.json", "config.json",
                         "metrics.json", "report.json"}  # fmt: skip
    assert made == {name: (session_of(folder) / name).read_bytes() for name in made}


def test_a_session_that_runs_has_no_results(recorded: list[Recorded]) -> None:
    made = documents(recorded[:1])
    assert set(made) == {"session_metadata.json", "metadata.json", "session_status.json", "config.json"}
    status = json.loads(made["session_status.json"])
    assert (status["status"], status["terminal"], status["status_reason"]) == ("running", False, "active")
    assert "finished_at" not in status


def test_an_abort_is_told_in_the_status(recorded: list[Recorded]) -> None:
    made = documents([recorded[0], later(recorded[0], "aborted", Aborted(message="Why.", signal="SIGINT"))])
    status = json.loads(made["session_status.json"])
    assert (status["status"], status["message"], status["terminal"]) == ("aborted", "Why.", True)
    assert json.loads(made["metadata.json"])["status"] == "aborted"


def test_an_amendment_is_applied_to_its_file(recorded: list[Recorded]) -> None:
    changes: dict[str, dict[str, Any]] = {
        "request_id": {"before": None, "after": "x"},
        "mode": {"before": "paper"},
    }
    event = Amended(file="session_status.json", changes=changes, fields={}, lifecycle=False)
    status = json.loads(documents([*recorded, later(recorded[-1], "amended", event)])["session_status.json"])
    assert status["request_id"] == "x"
    assert "mode" not in status


def test_facts_of_the_prices_are_the_heartbeats(recorded: list[Recorded]) -> None:
    facts = data_facts_of(recorded)
    assert facts is not None
    assert facts["source"] == "synthetic"
    assert data_facts_of(recorded[:1]) is None


def test_an_adopted_session_has_documents_of_its_own() -> None:
    assert documents([adopted()]) == {}


def test_an_adopted_session_that_was_closed_gets_a_status_and_keeps_its_fields() -> None:
    birth = adopted()
    made = documents([birth, later(birth, "aborted", Aborted(message="Dead."))])
    assert list(made) == ["session_status.json"]
    status = json.loads(made["session_status.json"])
    assert (status["status"], status["odd"], status["terminal"]) == ("aborted", 1, True)


def test_an_adopted_session_with_metadata_gets_both() -> None:
    birth = adopted(documents={"session_metadata.json": {"run_id": "old", "status": "running"}})
    made = documents([birth, later(birth, "aborted", Aborted(message="Dead."))])
    assert json.loads(made["metadata.json"]) == {"run_id": "old", "status": "aborted"}


def test_a_session_that_begins_otherwise_is_a_defect(recorded: list[Recorded]) -> None:
    with pytest.raises((TypeError, KeyError)):
        documents(recorded[1:])


def test_what_the_session_set_after_an_amendment_outlasts_it(recorded: list[Recorded]) -> None:
    edited = Amended(
        file="session_status.json",
        changes={"status": {"before": "running", "after": "success"}, "note": {"after": "mine"}},
        fields={"status": "success"},
        lifecycle=True,
    )
    amended = later(recorded[0], "amended", edited)
    aborted = later(amended, "aborted", Aborted(message="Closed.", signal=None))
    status = json.loads(documents([recorded[0], amended, aborted])["session_status.json"])
    assert (status["status"], status["message"], status["note"]) == ("aborted", "Closed.", "mine")


def test_a_heartbeat_whose_facts_are_spelled_null_has_none(recorded: list[Recorded]) -> None:
    """Ours leaves the word out; an exported ledger of another program may spell it."""
    silent = '{"stage":"prices_loaded","bars_done":0,"bars_expected":null,"data":null}'
    assert data_facts_of([structs.replace(recorded[1], type="heartbeat", payload=silent)]) is None


def test_only_a_session_that_ran_here_heads_a_report() -> None:
    with pytest.raises(TypeError, match="Session old begins with 'adopted', not 'started'"):
        paper_header([adopted()])
