"""Make ledgers of many sessions for the benchmarks: real events in a real chain, projected by the program itself.

The events are written with the guards off and in large batches; the guards are put back before anything is measured.
"""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from quantlab.base.clock import iso
from quantlab.domain import events
from quantlab.domain.events.event import event_hash
from quantlab.ledger import log, making, projection
from quantlab.ledger.location import locate
from quantlab.ledger.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import sqlalchemy as sa

BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
BATCH = 20_000
TICKERS = ("ETH-USD", "BTC-USD", "AAPL", "MSFT", "SPY")


def make_ledger(root: Path, sessions: int, *, failing: float = 0.01, seed: int = 7) -> None:
    """Fill a root's new ledger with finished sessions, a share of them failed, aborted or still running."""
    root.mkdir(parents=True, exist_ok=True)
    with open_store(locate(root, None)) as store, store.write() as connection:
        _drop_guards(connection)
        _insert(connection, _history(sessions, failing, random.Random(seed)))
        making.rebuild_guards_and_views(connection)
        projection.rebuild(connection)


def session_id(number: int) -> str:
    """Return the id of the Nth session of a ledger made here."""
    return f"{BEGAN + timedelta(seconds=30 * number):%Y%m%d_%H%M%S}_paper_{number:012x}"


def _drop_guards(connection: sa.Connection) -> None:
    names = (
        connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all()
    )
    for name in names:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")


def _insert(connection: sa.Connection, history: Iterator[tuple[str, int, events.Event, datetime]]) -> None:
    previous, sequence, batch = events.GENESIS_HASH, 0, []
    marks = ", ".join("?" * len(log.COLUMNS))
    statement = f"INSERT INTO events ({', '.join(log.COLUMNS)}) VALUES ({marks})"
    for identity, version, event, at in history:
        sequence += 1
        fields = (
            sequence,
            identity,
            version,
            event.name,
            1,
            iso(at),
            "session",
            events.encode(event),
        )
        digest = event_hash(previous, fields)
        batch.append((*fields, previous, digest))
        previous = digest
        if len(batch) == BATCH:
            connection.exec_driver_sql(statement, batch)
            batch = []
    if batch:
        connection.exec_driver_sql(statement, batch)
    connection.exec_driver_sql("UPDATE ledger_head SET sequence = ?, hash = ?", (sequence, previous))


def _history(
    sessions: int, failing: float, chance: random.Random
) -> Iterator[tuple[str, int, events.Event, datetime]]:
    for number in range(sessions):
        identity, at = session_id(number), BEGAN + timedelta(seconds=30 * number)
        yield identity, 1, _started(identity, number, chance), at
        yield identity, 2, events.Heartbeat(stage="simulated", bars_done=730, bars_expected=730), at
        end = _end(number, failing, chance)
        if end is not None:
            yield identity, 3, end, at + timedelta(seconds=2)


def _started(identity: str, number: int, chance: random.Random) -> events.Started:
    config = {
        "ticker": chance.choice(TICKERS),
        "start": "2022-01-01",
        "end": "2023-12-31",
        "interval": "1d",
        "prices": "yahoo",
    }
    return events.Started(
        config=config,
        config_hash=f"{number % 997:064x}",
        folder=identity,
        root="/srv/quantlab/paper_sessions",
        host="bench",
        pid=4242,
        process=None,
        request_id=None,
        git_commit=None,
        code_version="0.1.0",
        python_version="3.11",
        python_executable="python3",
        packages={},
        reproduce="quantlab run --paper",
    )


def _end(number: int, failing: float, chance: random.Random) -> events.Event | None:
    drawn = chance.random()
    if drawn < failing / 2:
        return events.Failed(error_type="DataError", message="No prices came.", exit_code=3)
    if drawn < failing * 0.9:
        return events.Aborted(message="Stopped by SIGTERM.", signal="SIGTERM")
    if drawn < failing:
        return None
    total = chance.gauss(0.05, 0.2)
    summary = {
        "total_return": total,
        "sharpe_simple": total * 3,
        "max_drawdown": -abs(total),
        "trades": number % 40 + 1,
        "win_rate": 0.5,
    }
    return events.Succeeded(
        summary=summary,
        best_result=summary,
        figures={"final_equity": 1000 * (1 + total)},
        result_digest=f"{number % 997:064x}",
        bars=730,
        artifacts=[],
        warnings=[],
    )


if __name__ == "__main__":
    from pathlib import Path

    make_ledger(Path(sys.argv[1]), int(sys.argv[2]))
