"""Clocks that are set back or forward, and hosts whose clocks differ: order is the ledger's, time is only told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support import audit
from support.ledger_history import entry, heartbeat, open_root, started, stored

from quantlab.base.clock import iso
from quantlab.domain.config import RunConfig
from quantlab.ledger.location import locate
from quantlab.ledger.log import Entry
from quantlab.ledger.reader import open_reader
from quantlab.ledger.recorder import Recorder
from quantlab.queries.alerts import alerts
from quantlab.runner.options import LaunchOptions
from quantlab.sessions.launch import launch_paper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CONFIG = RunConfig(paper=True, prices="synthetic")


def _ticking(*offsets: timedelta) -> Callable[[], datetime]:
    """A clock that is set by one offset after the other, call by call, and then stands at the last."""
    steps: Iterator[timedelta] = iter(offsets)
    last = offsets[-1]
    return lambda: NOON + next(steps, last)


def _launch(outdir: Path, clock: Callable[[], datetime]) -> dict[str, Any]:
    launched = launch_paper(
        CONFIG, LaunchOptions(outdir=outdir, reproduce=lambda *_: "quantlab run", clock=clock)
    )
    names = ("status", "started_at", "updated_at", "finished_at", "duration_seconds")
    (row,) = stored(
        outdir / "paper_sessions" / "ledger.db",
        f"SELECT {', '.join(names)} FROM paper_sessions WHERE session_id = '{launched.identity}'",
    )
    return dict(zip(names, row, strict=True))


SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
JUMPS = {
    "set back a day while the session runs": [SECOND] * 4 + [-DAY] * 20,
    "set forward a day while the session runs": [SECOND] * 4 + [DAY] * 20,
    "set back at every event": [SECOND * -place for place in range(40)],
    "standing still": [SECOND],
}


@pytest.mark.parametrize("offsets", JUMPS.values(), ids=JUMPS.keys())
def test_a_clock_that_jumps_neither_stops_a_session_nor_makes_it_last_less_than_nothing(
    tmp_path: Path, offsets: list[timedelta]
) -> None:
    row = _launch(tmp_path, _ticking(*offsets))
    root = tmp_path / "paper_sessions"
    assert (row["status"], row["duration_seconds"] >= 0) == ("success", True)
    assert audit.ledger_faults(root) == []
    assert audit.healed_faults(root) == []


def test_events_keep_their_order_when_the_clock_is_set_back(tmp_path: Path) -> None:
    _launch(tmp_path, _ticking(*JUMPS["set back at every event"]))
    types = stored(tmp_path / "paper_sessions" / "ledger.db", "SELECT type FROM events ORDER BY sequence")
    assert (types[0], types[-1]) == (("started",), ("succeeded",))


def _beat(root: Path, name: str, *, begun: datetime, beat: datetime) -> None:
    with open_root(root) as store:
        recorder = Recorder(store)
        for version, (event, at) in enumerate([(started(name), begun), (heartbeat(7), beat)], 1):
            recorder.record(Entry(session_id=name, session_version=version, event=event, occurred_at=at))


def _codes(root: Path, now: datetime) -> dict[str | None, str]:
    with open_reader(locate(root, None)) as reader:
        found = alerts(reader, now=now, stale_after=timedelta(minutes=60), is_alive=lambda *_: None)
    return {one["session_id"]: one["alert_code"] for one in found["alerts"]}


HOURS = timedelta(hours=1)


@pytest.mark.parametrize(
    ("begun", "beat", "stale"),
    [
        (NOON - 3 * HOURS, NOON + 24 * HOURS, True),  # the clock was ahead once, and began long ago
        (NOON + 23 * HOURS, NOON + 24 * HOURS, True),  # no time of it can be believed
        (NOON - timedelta(minutes=2), NOON + 24 * HOURS, False),  # it began just now, by its own account
        (NOON - 3 * HOURS, NOON + timedelta(minutes=4), False),  # two hosts' clocks, some minutes apart
        (NOON - 3 * HOURS, NOON - timedelta(minutes=59), False),
        (NOON - 3 * HOURS, NOON - timedelta(minutes=60), True),
    ],
)
def test_a_time_in_the_future_does_not_hide_a_stale_session(
    tmp_path: Path, begun: datetime, beat: datetime, stale: bool
) -> None:
    _beat(tmp_path, "s", begun=begun, beat=beat)
    assert _codes(tmp_path, NOON) == ({"s": "PAPER_SESSION_STALE"} if stale else {})


def test_sessions_of_hosts_whose_clocks_differ_stand_in_commit_order(tmp_path: Path) -> None:
    with open_root(tmp_path) as store:
        recorder = Recorder(store)
        for version in (1, 2, 3):
            for name, ahead in (("east", 2 * HOURS), ("west", -2 * HOURS)):
                event = started(name) if version == 1 else heartbeat(version)
                at = NOON + ahead + timedelta(seconds=version)
                recorder.record(Entry(session_id=name, session_version=version, event=event, occurred_at=at))
    held = stored(tmp_path / "ledger.db", "SELECT session_id, session_version FROM events ORDER BY sequence")
    assert held == [(name, version) for version in (1, 2, 3) for name in ("east", "west")]
    assert audit.ledger_faults(tmp_path) == []


@pytest.mark.parametrize("year", [1, 1970, 2038, 9999])
def test_times_at_the_ends_of_the_calendar_are_stored_and_compared(tmp_path: Path, year: int) -> None:
    at = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    with open_root(tmp_path) as store:
        one = entry("s", 1, started("s"))
        Recorder(store).record(Entry(session_id="s", session_version=1, event=one.event, occurred_at=at))
    assert stored(tmp_path / "ledger.db", "SELECT updated_at FROM paper_sessions") == [(iso(at),)]
    assert list(_codes(tmp_path, NOON)) == ["s"]
