"""What a session's documents say: which file goes before which, and what is no answer."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.legacy_root import legacy_id, make_legacy_session
from support.root_files import facts_of

from quantlab.domain.events import decode, encode
from quantlab.folders.adoption import FolderFacts, read_folder
from quantlab.folders.fields import fields_of, lifecycle_of
from quantlab.folders.places import parse
from quantlab.folders.reading import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        "session_id",
        "status",
        "terminal",
        "updated_at",
        "trades",
        "summary",
        "header",
        "machine_contract",
        "pid",
    ]
)


@pytest.fixture
def local_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


def test_a_legacy_session_is_read_whole(tmp_path: Path) -> None:
    make_legacy_session(tmp_path / legacy_id(0), 0, "success")
    facts = read_folder(tmp_path / legacy_id(0), tmp_path)
    assert facts is not None
    told = {name: value for name, value in facts.fields.items() if value is not None and "_at" not in name}
    assert told == {
        "status": "success",
        "mode": "paper",
        "command": "paper",
        "status_reason": "completed",
        "terminal": True,
        "duration_seconds": 90.0,
        "git_commit": "0123abc",
        "python_version": "3.10.4",
        "config_path": "inline_cli",
        "config_hash": "c0ffee",
        "report_contract_type": "quantlab.paper.result",
        "report_present": True,
        "ticker": "ETH-USD",
        "interval": "1d",
        "initial_cash": 1000.0,
        "start_date": "2022-01-01",
        "end_date": "2023-12-31",
        "total_return": 0.125,
        "sharpe_simple": 1.5,
        "max_drawdown": -0.08,
        "win_rate": 0.5,
        "trades": 4,
    }


def test_the_status_file_goes_before_metadata_and_metadata_before_the_report(tmp_path: Path) -> None:
    facts = facts_of(
        tmp_path / "s",
        session_status={"status": "failed"},
        session_metadata={"status": "success", "mode": "paper"},
        report={"status": "success", "header": {"mode": "run", "git_commit": "abc"}},
    )
    told = (facts.fields["status"], facts.fields["mode"], facts.fields["git_commit"])
    assert told == ("failed", "paper", "abc")


def test_nothing_is_invented(tmp_path: Path) -> None:
    facts = facts_of(tmp_path / "s", session_status={})
    told = {name for name, value in facts.fields.items() if value is not None}
    assert (told, facts.fields["status"]) == ({"status", "report_present"}, "unknown")


def test_the_id_of_the_files_goes_before_the_folders_name(tmp_path: Path) -> None:
    assert facts_of(tmp_path / "s", report={"header": {"run_id": "its id"}}).session_id == "its id"


@pytest.mark.parametrize("given_id", ["../up", "a/b", "..", "a\nb", "\x1b[31m", "", "x" * 256, 7])
def test_an_id_that_could_be_no_folders_name_is_passed_over(tmp_path: Path, given_id: object) -> None:
    assert facts_of(tmp_path / "s", session_status={"session_id": given_id}).session_id == "s"


@pytest.mark.parametrize(
    ("status", "flag", "terminal"),
    [
        ("success", None, True),
        ("failed", None, True),
        ("aborted", None, True),
        ("running", None, False),
        ("paused", None, None),
        ("running", True, True),
        ("success", False, False),
    ],
)
def test_terminal_is_the_flag_and_else_what_a_known_status_says(
    tmp_path: Path, status: str, flag: bool | None, terminal: bool | None
) -> None:
    document = {"status": status} | ({} if flag is None else {"terminal": flag})
    assert facts_of(tmp_path / "s", session_status=document).fields["terminal"] is terminal


@pytest.mark.usefixtures("local_time")
def test_a_time_without_offset_is_local_and_offsets_are_respected(tmp_path: Path) -> None:
    facts = facts_of(
        tmp_path / "s",
        session_status={
            "created_at": "2025-07-01T12:00:00",
            "started_at": "2025-07-01T12:00:00+05:30",
            "updated_at": "2025-07-01T12:00:00Z",
        },
    )
    assert (facts.fields["created_at"], facts.fields["started_at"], facts.fields["updated_at"]) == (
        "2025-07-01T10:00:00.000000+00:00",
        "2025-07-01T06:30:00.000000+00:00",
        "2025-07-01T12:00:00.000000+00:00",
    )


@pytest.mark.parametrize(
    "value", ["yesterday", 1_700_000_000, "9999-12-31T23:59:59-14:00", ["2025-01-01"], "2025-13-01"]
)
def test_what_is_no_time_is_null_and_named(tmp_path: Path, value: object) -> None:
    facts = facts_of(tmp_path / "s", session_status={"updated_at": value})
    assert (facts.fields["updated_at"], facts.unreadable) == (None, ["session_status.json: updated_at"])


def test_a_value_of_the_wrong_type_falls_back_and_is_named(tmp_path: Path) -> None:
    facts = facts_of(
        tmp_path / "s", session_status={"status": 5}, session_metadata={"status": "failed", "summary": 3}
    )
    assert (facts.fields["status"], facts.unreadable) == ("failed", ["session_status.json: status"])


@pytest.mark.parametrize(
    ("trades", "told"), [(3, 3), (3.0, 3), (2.5, None), (True, None), ("3", None), (1e300, None)]
)
def test_trades_are_a_whole_number_or_unknown(tmp_path: Path, trades: object, told: int | None) -> None:
    facts = facts_of(tmp_path / "s", report={"summary": {"trades": trades}})
    assert facts.fields["trades"] == told


def test_figures_that_are_not_finite_are_null(tmp_path: Path) -> None:
    facts = facts_of(
        tmp_path / "s",
        report=b'{"summary": {"total_return": NaN, "win_rate": Infinity, "max_drawdown": 1e999}}',
    )
    assert [facts.fields[name] for name in ("total_return", "win_rate", "max_drawdown")] == [None] * 3
    assert facts.unreadable == []


def test_a_byte_order_mark_is_no_trouble(tmp_path: Path) -> None:
    facts = facts_of(tmp_path / "s", session_status=b'\xef\xbb\xbf{"status": "failed"}')
    assert (facts.fields["status"], facts.unreadable) == ("failed", [])


def test_an_older_readers_copy_of_the_metadata_is_read_where_the_metadata_is_not(tmp_path: Path) -> None:
    facts = facts_of(tmp_path / "s", session_metadata=b"{", metadata={"mode": "paper"})
    assert (facts.fields["mode"], facts.unreadable) == ("paper", ["session_metadata.json"])


def test_a_report_that_cannot_be_read_is_there_all_the_same(tmp_path: Path) -> None:
    facts = facts_of(tmp_path / "s", report=b"")
    assert (facts.fields["report_present"], facts.fields["report_contract_type"]) == (True, None)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(NAMES, JSON, max_size=6))
def test_no_object_breaks_the_fallback_or_the_ledger(document: dict[str, Any]) -> None:
    try:
        read = parse(json.dumps(document).encode(errors="surrogatepass"))
    except UnreadableError:
        return
    fields, problems = fields_of({"session_status.json": read, "report.json": read})
    event = FolderFacts(
        folder="s",
        session_id="s",
        fields=fields,
        documents={"a": read},
        digests={},
        unreadable=problems,
        ledger=None,
        size=0,
    ).adopted()
    assert encode(decode("adopted", encode(event))) == encode(event)


def test_lifecycle_fields_are_told_by_their_place() -> None:
    report = {"status": "success", "machine_contract": {"contract_type": "x", "summary": {}}, "header": 3}
    assert lifecycle_of("report.json", report) == {
        ".status": "success",
        "machine_contract.contract_type": "x",
    }


def test_a_configuration_has_no_lifecycle() -> None:
    assert lifecycle_of("config.json", {"status": "success"}) == {}


def test_a_word_that_no_index_takes_is_passed_over_and_named() -> None:
    fields, problems = fields_of({"session_status.json": {"status": "x" * 256}})
    assert (fields["status"], problems) == ("unknown", ["session_status.json: status"])
