from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sessions_builder import NOW, Sessions, one_of_each

from quantlab.base.clock import iso, utc_now
from quantlab.domain.promotion import CHECKS
from quantlab.domain.session import NAMES
from quantlab.domain.vocabulary import newest_first
from quantlab.ledger.schema import paper_sessions
from quantlab.ledger.sql import views
from quantlab.queries.alerts import alerts
from quantlab.queries.detail import session
from quantlab.queries.health import health, unknown_statuses
from quantlab.queries.listing import ListFilter, sessions
from quantlab.queries.promotion import promotion

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from quantlab.ledger.reader import Reader

HOUR = timedelta(hours=1)
SOON = "'9'"
"""As SQL, a time that every session is before."""


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sessions]:
    with Sessions(tmp_path_factory.mktemp("root")) as built:
        yield one_of_each(built)


@pytest.fixture
def reader(ledger: Sessions) -> Iterator[Reader]:
    with ledger.reader() as opened:
        yield opened


def any_client(ledger: Sessions, sql: str) -> list[dict[str, Any]]:
    """Ask as somebody would who has no program of ours."""
    connection = sqlite3.connect(ledger.root / "ledger.db")
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(sql)]
    finally:
        connection.close()


def test_the_words_that_views_are_made_of_are_the_projection_s_columns() -> None:
    assert (*NAMES, "promotion_ready") == tuple(column.name for column in paper_sessions.columns)


def test_both_engines_have_the_same_views() -> None:
    assert list(views.of(sqlite=True)) == list(views.of(sqlite=False))


def test_health_is_its_view(ledger: Sessions, reader: Reader) -> None:
    assert any_client(ledger, "SELECT * FROM session_health") == [health(reader)]


def test_promotion_is_its_view(ledger: Sessions, reader: Reader) -> None:
    viewed = any_client(
        ledger, f"SELECT * FROM session_promotion ORDER BY broker_promotion_ready DESC, {newest_first(SOON)}"
    )
    found = promotion(reader, now=NOW, max_candidates=99)
    assert [(row["session_id"], row["broker_promotion_blockers"].split()) for row in viewed] == [
        (row["session_id"], row["broker_promotion_blockers"])
        for row in found["ready_candidates"] + found["blocked_sessions"]
    ]


def test_alerts_are_their_view_at_the_database_s_own_time(tmp_path: Path) -> None:
    with Sessions(tmp_path) as built:
        half_past = utc_now() - timedelta(seconds=30)
        built.started("stale", half_past - timedelta(minutes=83)).started("lively", half_past - HOUR / 2)
        built.started("failed", half_past - 2 * HOUR).failed("failed", half_past - HOUR)
        viewed = any_client(built, "SELECT * FROM session_alerts ORDER BY session_id")
        with built.reader() as reader:
            asked = alerts(reader, now=utc_now(), stale_after=HOUR, is_alive=lambda *_: None)["alerts"]
    assert [alert["session_id"] for alert in asked] == ["failed", "stale"]
    assert [
        {name: row[name] for name in alert if name not in ("path", "process_alive")}
        for row, alert in zip(viewed, asked, strict=True)
    ] == [
        {name: value for name, value in alert.items() if name not in ("path", "process_alive")}
        for alert in asked
    ]


def test_the_list_is_its_view(ledger: Sessions, reader: Reader) -> None:
    viewed = any_client(
        ledger, "SELECT session_id FROM session_list ORDER BY created_at DESC, session_id DESC"
    )
    assert [row["session_id"] for row in viewed] == [
        row["session_id"] for row in sessions(reader, ListFilter())
    ]


def test_the_timeline_tells_every_kind_of_event(ledger: Sessions) -> None:
    rows = any_client(ledger, "SELECT type, message FROM session_timeline ORDER BY sequence")
    told = {row["type"]: row["message"] for row in rows}
    assert told == {
        "started": None,
        "heartbeat": None,
        "succeeded": None,
        "failed": "DataError: No prices.",
        "aborted": "SIGTERM",
        "adopted": "old_session",
        "amended": "session_status.json",
        "proved": "identical: every bar and fill is equal",
        "vanished": "20260307_080000_paper_gone0009",
    }


def test_duplicates_say_whether_their_results_agree(tmp_path: Path) -> None:
    with Sessions(tmp_path) as built:
        for name, digest in (("a", "1" * 64), ("b", "2" * 64)):
            built.started(name, NOW).loaded(name, NOW).succeeded(name, NOW, digest=digest)
        built.started("c", NOW, config_hash="f" * 64)
        (found,) = any_client(built, "SELECT * FROM session_duplicates")
    assert (found["sessions"], found["different_results"], found["agree"]) == (2, 2, 0)


def test_duplicates_without_two_results_do_not_say_that_they_agree(tmp_path: Path) -> None:
    with Sessions(tmp_path) as built:
        built.started("a", NOW).loaded("a", NOW).failed("a", NOW)
        built.started("b", NOW).loaded("b", NOW).succeeded("b", NOW)
        (found,) = any_client(built, "SELECT * FROM session_duplicates")
    assert found["agree"] is None


ROWS = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["success", "failed", "running", "on hold"]),
        "terminal": st.sampled_from([None, 0, 1]),
        "mode": st.sampled_from([None, "paper", "run"]),
        "report_present": st.sampled_from([0, 1]),
        "report_contract_type": st.sampled_from([None, "quantlab.paper.result", "quantlab.run.result"]),
        "error_type": st.sampled_from([None, "DataError"]),
        "price_source": st.sampled_from([None, "yahoo", "synthetic"]),
        "trades": st.sampled_from([None, 0, 2]),
        "lifecycle_amended": st.sampled_from([0, 1]),
        "unreadable": st.sampled_from([None, "report.json"]),
        "figures_amended": st.sampled_from([0, 1]),
        "prices_made_up": st.sampled_from([0, 1]),
        "proved_outcome": st.sampled_from([None, "identical", "different", "impossible"]),
        "strategy_doubt": st.sampled_from([None, "unchecked_strategy", "unchecked_signals"]),
        "evidence_missing": st.sampled_from([None, "trades"]),
        "files_disagree": st.sampled_from([None, "trades: 2, 3"]),
        "recorded_elsewhere": st.sampled_from([None, "a ledger"]),
        "data_doubts": st.sampled_from([None, "missing_bars"]),
        "vanished_at": st.sampled_from([None, iso(NOW)]),
    }
)
GOOD = {
    "status": "success",
    "terminal": 1,
    "mode": "paper",
    "report_present": 1,
    "report_contract_type": "quantlab.paper.result",
    "error_type": None,
    "price_source": "yahoo",
    "trades": 2,
    "lifecycle_amended": 0,
    "unreadable": None,
    "figures_amended": 0,
    "prices_made_up": 0,
    "proved_outcome": "identical",
    "strategy_doubt": None,
    "evidence_missing": None,
    "files_disagree": None,
    "recorded_elsewhere": None,
    "data_doubts": None,
    "vanished_at": None,
}
NEARLY_GOOD = st.lists(st.sampled_from(sorted(GOOD)), max_size=2).flatmap(
    lambda names: ROWS.map(lambda row: {**GOOD, **{name: row[name] for name in names}})
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(row=st.one_of(ROWS, NEARLY_GOOD))
def test_the_generated_column_and_the_view_s_checks_agree_on_any_row(
    ledger: Sessions, row: dict[str, Any]
) -> None:
    connection = sqlite3.connect(ledger.root / "ledger.db", isolation_level=None)
    try:
        connection.execute("BEGIN")
        columns = {
            **row,
            "session_id": "x",
            "path": "x",
            "origin": "adopted",
            "ended": 1,
            "last_version": 1,
            "last_sequence": 1,
        }
        names = ", ".join(columns)
        connection.execute(
            f"INSERT INTO paper_sessions ({names}) VALUES ({', '.join(f':{name}' for name in columns)})",
            columns,
        )
        ready, reasons, blockers = connection.execute(
            "SELECT broker_promotion_ready, broker_promotion_reasons, broker_promotion_blockers"
            " FROM session_promotion WHERE session_id = 'x'"
        ).fetchone()
    finally:
        connection.close()
    assert bool(ready) == (blockers == "")
    assert len(reasons.split()) + len(blockers.split()) == sum(
        1
        for check in CHECKS
        if (check.reason is not None or check.blocker.strip("'") in blockers.split())
        and not (check.applies == "price_source IS NOT NULL" and row["price_source"] is None)
        and not (check.applies == "trades IS NOT NULL" and row["trades"] is None)
        and not (check.applies == "proved_outcome IS NOT NULL" and row["proved_outcome"] is None)
    )


def asked_by_commands(reader: Reader) -> list[str]:
    """Return the query plan of everything that the commands ask, a text each."""
    said: list[tuple[str, dict[str, Any]]] = []
    snapshot = reader._snapshot
    answer = snapshot.stream

    def noted(sql: str, parameters: dict[str, Any]) -> Generator[dict[str, Any], None, None]:
        said.append((sql, parameters))
        return answer(sql, parameters)

    snapshot.stream = noted  # type: ignore[method-assign] # the questions are noted on their way
    health(reader)
    alerts(reader, now=NOW, stale_after=HOUR, is_alive=lambda *_: None)
    unknown_statuses(reader)
    promotion(reader, now=NOW)
    session(reader, "20260301_080000_paper_aaaa0001")
    list(sessions(reader, ListFilter(limit=50)))
    list(sessions(reader, ListFilter(statuses=("failed",), since=iso(NOW), ticker="SPY", limit=50)))
    list(sessions(reader, ListFilter(duplicates=True)))
    return [
        "\n".join(str(row["detail"]) for row in answer(f"EXPLAIN QUERY PLAN {sql}", parameters))
        for sql, parameters in said
    ]


def test_no_command_s_query_scans_the_sessions_or_the_events(reader: Reader) -> None:
    steps = [step for plan in asked_by_commands(reader) for step in plan.splitlines()]
    scans = [step for step in steps if "SCAN" in step and "USING" not in step]
    assert [step for step in scans if "paper_sessions" in step or "events" in step] == []
    assert any("paper_sessions" in step for step in steps)


def test_each_index_serves_its_question(reader: Reader) -> None:
    plans = "\n".join(asked_by_commands(reader))
    for index in ("newest", "status", "twins", "ready", "blocked", "unreadable", "unknown", "vanished"):
        assert f"INDEX paper_sessions_{index}" in plans, index


def test_the_latest_session_is_read_off_an_index_and_not_sorted_for(reader: Reader) -> None:
    steps = asked_by_commands(reader)[0].splitlines()
    reads = [place for place, step in enumerate(steps) if step in ("CO-ROUTINE dated", "CO-ROUTINE undated")]
    assert len(reads) == 12
    assert {steps[place + 2] for place in reads} == {"SCAN dated", "SCAN undated"}


def test_the_newest_sessions_come_out_of_their_index_sorted(reader: Reader) -> None:
    (plan,) = [one for one in asked_by_commands(reader) if "paper_sessions_newest (created_at>?)" in one]
    assert plan == "SEARCH paper_sessions USING INDEX paper_sessions_newest (created_at>?)"
