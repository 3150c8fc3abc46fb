from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.sessions_builder import NOW, Sessions, ago, one_of_each

from quantlab.base.clock import iso
from quantlab.base.errors import LedgerError
from quantlab.ledger.location import locate
from quantlab.ledger.reader import Reader, open_reader
from quantlab.queries import alerts, detail, health, listing, promotion
from quantlab.queries.rows import absolute_path, finite, root_dir

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOUR = timedelta(hours=1)

QUESTIONS: dict[str, Callable[[Reader], Any]] = {
    "health": health.health,
    "unknown": health.unknown_statuses,
    "alerts": lambda reader: alerts.alerts(reader, now=NOW, stale_after=HOUR, is_alive=lambda *_: None),
    "viewed": lambda reader: reader.rows("SELECT session_id FROM session_alerts ORDER BY session_id"),
    "promotion": lambda reader: promotion.promotion(reader, now=NOW, max_candidates=5),
    "list": lambda reader: list(listing.sessions(reader, listing.ListFilter())),
    "filtered": lambda reader: list(
        listing.sessions(
            reader, listing.ListFilter(statuses=("failed", "success"), since=iso(ago(days=10)), limit=5)
        )
    ),
    "duplicates": lambda reader: list(listing.sessions(reader, listing.ListFilter(duplicates=True))),
    "show": lambda reader: detail.session(reader, "20260306_080000_paper_edit0008"),
}


def answers(root: Path, url: str | None) -> dict[str, str]:
    with Sessions(root, url) as built:
        one_of_each(built)
        with built.reader() as reader:
            return {
                name: json.dumps(ask(reader), sort_keys=True).replace(str(root), "ROOT")
                for name, ask in QUESTIONS.items()
            }


def test_postgresql_answers_every_question_as_sqlite_does(tmp_path: Path, postgres_url: str) -> None:
    shared_file = f"sqlite:///{tmp_path / 'shared.db'}"
    assert answers(tmp_path / "server", postgres_url) == answers(tmp_path / "file", shared_file)


def test_a_server_walks_an_index_to_the_newest_sessions(tmp_path: Path, postgres_url: str) -> None:
    (listed, _), _undated = listing.queries(listing.ListFilter(limit=50))
    asked = {"health": "SELECT * FROM session_health", "list": listed.replace(":most", "50")}
    with Sessions(tmp_path, postgres_url) as built:
        one_of_each(built)
        with built.store.read() as connection:
            # So few rows are cheaper to sort; of a million they are not.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            connection.exec_driver_sql("SET LOCAL enable_sort = off")
            plans = {
                name: "\n".join(connection.exec_driver_sql(f"EXPLAIN {sql}").scalars())
                for name, sql in asked.items()
            }
    backward = "Scan Backward using paper_sessions_"
    walked = [plans["health"].count(f"{backward}{index}") for index in ("ready", "blocked", "status")]
    assert walked == [2, 2, 8]  # each once among times that are believed, once among those that are not
    assert f"{backward}newest" in plans["list"]


def test_a_server_without_a_ledger_says_so(tmp_path: Path, postgres_url: str) -> None:
    with pytest.raises(LedgerError, match="run a session against it first"):
        open_reader(locate(tmp_path, postgres_url))


def test_a_server_has_no_connection_of_sqlite_s(tmp_path: Path, postgres_url: str) -> None:
    with (
        Sessions(tmp_path, postgres_url) as built,
        built.reader() as reader,
        pytest.raises(TypeError, match="no SQLite ledger"),
    ):
        _ = reader.sqlite_connection


def test_a_server_s_snapshot_stays_as_it_was(tmp_path: Path, postgres_url: str) -> None:
    with Sessions(tmp_path, postgres_url) as built, built.reader() as reader:
        before = health.health(reader)["total_sessions"]
        built.started("one", NOW)
        assert (before, health.health(reader)["total_sessions"], reader.is_sqlite) == (0, 0, False)


def asked_at(sessions: Sessions, **how_long: float) -> list[alerts.Alert]:
    with sessions.reader() as reader:
        now, stale_after = NOW, timedelta(**how_long)
        found = alerts.alerts(reader, now=now, stale_after=stale_after, is_alive=lambda *_: False)
    return found["alerts"]


def test_a_session_is_stale_from_the_minute_of_the_threshold_on(tmp_path: Path) -> None:
    with Sessions(tmp_path) as built:
        built.started("at", ago(minutes=60)).started("before", ago(minutes=59, seconds=59.999))
        (alert,) = asked_at(built, minutes=60)
    assert (alert["session_id"], alert["age_minutes"], alert["process_alive"]) == ("at", 60, False)


def test_a_heartbeat_from_the_future_does_not_hide_a_stale_session(tmp_path: Path) -> None:
    with Sessions(tmp_path) as built:
        built.started("one", ago(hours=3)).beat("one", ago(hours=-24))
        (alert,) = asked_at(built, minutes=60)
    assert (alert["age_minutes"], alert["activity_at"]) == (180, iso(ago(hours=-24)))


def test_a_session_whose_every_time_lies_in_the_future_is_stale_with_no_age(tmp_path: Path) -> None:
    with Sessions(tmp_path) as built:
        built.started("one", ago(hours=-24))
        (alert,) = asked_at(built, minutes=60)
    assert alert["age_minutes"] is None


def test_a_clock_that_is_a_few_seconds_ahead_is_believed(tmp_path: Path) -> None:
    with Sessions(tmp_path) as built:
        built.started("one", ago(hours=3)).beat("one", ago(seconds=-10))
        assert asked_at(built, minutes=60) == []


def test_a_running_session_without_any_time_is_stale(tmp_path: Path) -> None:
    with Sessions(tmp_path) as built:
        built.adopted("one", NOW, terminal=False, status="running")
        (alert,) = asked_at(built, minutes=60)
    assert (alert["age_minutes"], alert["stage"]) == (None, None)


def test_the_latest_alert_is_the_one_with_the_latest_activity(tmp_path: Path) -> None:
    with Sessions(tmp_path) as built:
        built.started("a", ago(hours=1)).failed("a", ago(minutes=5))
        built.started("b", ago(hours=2)).aborted("b", ago(minutes=50))
        with built.reader() as reader:
            found = alerts.alerts(reader, now=NOW, stale_after=HOUR, is_alive=lambda *_: None)
    assert (found["latest_alert_session_id"], found["latest_alert_code"]) == ("a", "PAPER_SESSION_FAILED")


def test_a_number_that_is_not_finite_is_shown_as_null() -> None:
    assert finite({"a": float("nan"), "b": float("inf"), "c": 1.5}) == {"a": None, "b": None, "c": 1.5}


def test_a_server_s_name_stands_for_a_root_without_its_password() -> None:
    location = locate(None, "postgresql://me:secret@host/ledger")
    assert "secret" not in root_dir(location)
    assert absolute_path({"path": "one", "root": "/srv/paper"}, location) == "/srv/paper/one"


def test_a_session_that_nobody_knows_is_none(tmp_path: Path) -> None:
    with Sessions(tmp_path) as built, built.reader() as reader:
        assert detail.session(reader, "none") is None
