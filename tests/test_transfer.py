"""A ledger as JSON Lines: out, and in again with every hash intact."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from support.ledger_history import entry, fill, heartbeat, open_root, record, stored

from quantlab.base.errors import ConfigError, LedgerDamagedError
from quantlab.domain.events.event import event_hash
from quantlab.ledger import maintenance, transfer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

TABLES = ("events", "ledger_head", "paper_sessions", "session_counts")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return fill(folder)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def _exported(file: Path) -> bytes:
    with open_root(file.parent) as store:
        return b"".join(maintenance.export(store))


def _import(root: Path, content: bytes) -> int:
    with open_root(root) as store:
        return maintenance.import_export(store, io.BytesIO(content), "the export")[0]


def test_an_export_begins_with_the_ledger_s_identity_and_head(source: Path) -> None:
    header = json.loads(_exported(source).splitlines()[0])
    ((ledger_id, sequence, digest),) = stored(source, "SELECT ledger_id, sequence, hash FROM ledger_head")
    assert header == {
        "ledger_id": ledger_id,
        "sequence": sequence,
        "hash": digest,
        "format": "quantlab-ledger",
        "format_version": 1,
    }


def test_an_export_holds_every_event_as_it_is_stored(source: Path) -> None:
    lines = [tuple(json.loads(line).values()) for line in _exported(source).splitlines()[1:]]
    assert lines == stored(source, "SELECT * FROM events ORDER BY sequence")


@pytest.mark.parametrize("table", TABLES)
def test_an_imported_ledger_equals_its_source(source: Path, target: Path, table: str) -> None:
    assert _import(target, _exported(source)) == 10
    query = f"SELECT * FROM {table} ORDER BY 1, 2"
    assert stored(target / "ledger.db", query) == stored(source, query)


def test_an_imported_ledger_verifies(source: Path, target: Path) -> None:
    _import(target, _exported(source))
    with open_root(target) as store:
        assert maintenance.verify(store).faults == []


def test_an_imported_ledger_goes_on(source: Path, target: Path) -> None:
    _import(target, _exported(source))
    with open_root(target) as store:
        record(store, [entry("s3", 4, heartbeat(9))])
        assert maintenance.verify(store).faults == []


def test_an_import_goes_on_where_an_earlier_one_ended(source: Path, target: Path) -> None:
    _import(target, _exported(source))
    with open_root(source.parent) as store:
        record(store, [entry("s3", 4, heartbeat(9))])
    assert _import(target, _exported(source)) == 1
    assert stored(target / "ledger.db", "SELECT bars_done FROM paper_sessions WHERE session_id = 's3'") == [
        (9,)
    ]


def test_an_import_of_what_is_there_adds_nothing(source: Path, target: Path) -> None:
    _import(target, _exported(source))
    assert _import(target, _exported(source)) == 0


def test_many_batches_are_imported(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "BATCH", 3)
    assert _import(target, _exported(source)) == 10


def test_an_export_tells_how_far_it_is(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "STEP", 4)
    told: list[int] = []
    with open_root(source.parent) as store:
        list(maintenance.export(store, told.append))
    assert told == [4, 8]


def test_another_ledger_s_export_is_refused(source: Path, target: Path) -> None:
    fill(target)
    with pytest.raises(ConfigError, match="expected an empty ledger"):
        _import(target, _exported(source))


def test_an_older_export_of_the_same_ledger_is_refused(source: Path) -> None:
    older = _exported(source)
    with open_root(source.parent) as store:
        record(store, [entry("s3", 4, heartbeat(9))])
    with pytest.raises(ConfigError, match="11 events"):
        _import(source.parent, older)


def test_ledgers_that_went_different_ways_are_refused(source: Path, target: Path) -> None:
    _import(target, _exported(source))
    with open_root(source.parent) as store:
        record(store, [entry("s3", 4, heartbeat(8)), entry("s3", 5, heartbeat(9))])
    with open_root(target) as store:
        record(store, [entry("s3", 4, heartbeat(9))])
    with pytest.raises(ConfigError, match="went different ways before sequence 11"):
        _import(target, _exported(source))


DAMAGES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "a changed payload": (
        lambda lines: [*lines[:3], lines[3].replace(b"bars_done", b"bars_dome"), *lines[4:]]
    ),
    "a line left out": lambda lines: [*lines[:3], *lines[4:]],
    "two lines that changed places": lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]],
    "a line that is no JSON": lambda lines: [*lines[:3], b"{\n", *lines[4:]],
    "a cut tail": lambda lines: lines[:-2],
    "half a line": lambda lines: [*lines[:-1], lines[-1][:40]],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_export_is_refused_and_leaves_nothing(source: Path, target: Path, damage: str) -> None:
    lines = DAMAGES[damage](_exported(source).splitlines(keepends=True))
    with pytest.raises(LedgerDamagedError, match="Nothing was imported"):
        _import(target, b"".join(lines))
    assert stored(target / "ledger.db", "SELECT count(*) FROM events") == [(0,)]


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"session_id,status\n",
        b"[]\n",
        b'{"ledger_id":"x","sequence":0,"hash":"","format":"other"}\n',
        b'{"ledger_id":"x","sequence":0,"hash":"","format_version":2}\n',
    ],
)
def test_what_is_no_export_is_refused(target: Path, header: bytes) -> None:
    with pytest.raises(ConfigError, match="is no exported ledger"):
        _import(target, header)


def _forged(source: Path, **changed: object) -> bytes:
    """Return an export whose last event says something else, with the hashes that belong to it."""
    header, *events = [json.loads(line) for line in _exported(source).splitlines()]
    last = events[-1] | changed
    last["hash"] = event_hash(last["previous_hash"], list(last.values())[:8])
    header["hash"] = last["hash"]
    return b"".join(json.dumps(one).encode() + b"\n" for one in (header, *events[:-1], last))


DOUBLED = '{"stage":"simulating","bars_done":5,"bars_done":6,"bars_expected":100}'


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"schema_version": 2**70}, "its schema_version is none up to 1"),
        ({"schema_version": 0}, "its schema_version is none up to 1"),
        ({"session_version": 2**70}, "its session_version is none that it can have"),
        ({"payload": DOUBLED}, "'bars_done' stands twice in its payload"),
        ({"payload": '{"stage":"simulating", "bars_done":5'}, "its payload is no JSON"),
        ({"pay\u200bload": "{}"}, r"'pay\\u200bload' is none of its names"),
    ],
)
def test_an_event_that_readers_would_differ_about_is_refused_in_one_line(
    source: Path, target: Path, changed: dict[str, object], told: str
) -> None:
    with pytest.raises(LedgerDamagedError, match=f"line 11 is no event of ours .*{told}") as error:
        _import(target, _forged(source, **changed))
    assert str(error.value).isprintable()
    assert stored(target / "ledger.db", "SELECT count(*) FROM events") == [(0,)]


def test_a_name_that_stands_twice_in_a_line_is_refused(source: Path, target: Path) -> None:
    lines = _exported(source).splitlines(keepends=True)
    lines[3] = lines[3].replace(b'"actor":', b'"actor":"operator","actor":', 1)
    with pytest.raises(LedgerDamagedError, match=r"line 4 is no event of ours .'actor' stands twice"):
        _import(target, b"".join(lines))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b'"sequence":', b'"sequence":1,"sequence":', "'sequence' stands twice in it"),
        (b'"ledger_id":"', b'"ledger_id":"\\u202e', "no name that can be shown"),
        (b'"sequence":10', b'"sequence":10,"\\u200bhash":""', r"'\\u200bhash' is none of its names"),
    ],
)
def test_a_header_that_readers_would_differ_about_is_refused_in_one_line(
    source: Path, target: Path, old: bytes, new: bytes, told: str
) -> None:
    with pytest.raises(ConfigError, match=told) as error:
        _import(target, _exported(source).replace(old, new, 1))
    assert str(error.value).isprintable()


def test_an_export_that_was_laid_out_otherwise_is_still_one(source: Path, target: Path) -> None:
    lines = [json.dumps(json.loads(line), indent=None) for line in _exported(source).splitlines()]
    assert _import(target, "\n".join(lines).encode()) == 10
