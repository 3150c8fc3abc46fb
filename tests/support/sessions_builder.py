"""Ledgers for tests, built as the program builds them: events through the recorder, on real SQLite."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from quantlab.base.clock import iso
from quantlab.domain.events import (
    OPERATOR,
    Aborted,
    Adopted,
    Amended,
    Event,
    Failed,
    Heartbeat,
    Proved,
    Resolved,
    Started,
    Succeeded,
    Vanished,
)
from quantlab.ledger.location import Location, locate
from quantlab.ledger.log import Entry
from quantlab.ledger.reader import Reader, open_reader
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
"""The time at which tests ask."""

SUMMARY = {"total_return": 0.25, "sharpe_simple": 1.5, "max_drawdown": -0.1, "trades": 3, "win_rate": 2 / 3}


def ago(**how_long: float) -> datetime:
    """Return a time before `NOW`."""
    return NOW - timedelta(**how_long)


class Sessions:
    """A root and its ledger; every method records one event of a session and returns the builder's own self."""

    def __init__(self, root: Path, url: str | None = None) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self.location: Location = locate(root, url)
        self.store = open_store(self.location)
        self.recorder = Recorder(self.store)
        self._versions: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    def reader(self) -> Reader:
        """Open the ledger for reading."""
        return open_reader(self.location)

    def record(self, session_id: str, at: datetime, event: Event, actor: str = "session") -> Self:
        """Record any event as the session's next."""
        version = self._versions.get(session_id, 0) + 1
        entry = Entry(
            session_id=session_id, session_version=version, event=event, occurred_at=at, actor=actor
        )
        self.recorder.record(entry)
        self._versions[session_id] = version
        return self

    def started(
        self,
        session_id: str,
        at: datetime,
        *,
        ticker: str = "ETH-USD",
        prices: str = "yahoo",
        config_hash: str = "c" * 64,
        request_id: str | None = "req_1",
        host: str = "elsewhere",
        pid: int = 4242,
        process: str | None = None,
        config: dict[str, Any] | None = None,
        **told: Any,
    ) -> Self:
        """Record a session's start; `config` adds to its configuration, `told` are fields of the event."""
        asked = {
            "ticker": ticker,
            "start": "2023-01-01",
            "end": "2024-01-01",
            "interval": "1d",
            "prices": prices,
        }
        event = Started(
            config=asked | (config or {}),
            config_hash=config_hash,
            folder=session_id,
            root=str(self.root),
            host=host,
            pid=pid,
            process=process,
            request_id=request_id,
            git_commit=None,
            code_version="0.1.0",
            python_version="3.11.9",
            python_executable="python",
            packages={"numpy": "2.0"},
            reproduce="quantlab run",
            **told,
        )
        return self.record(session_id, at, event)

    def beat(
        self,
        session_id: str,
        at: datetime,
        *,
        stage: str = "simulating",
        done: int = 120,
        expected: int | None = 730,
        data: dict[str, Any] | None = None,
    ) -> Self:
        return self.record(
            session_id, at, Heartbeat(stage=stage, bars_done=done, bars_expected=expected, data=data)
        )

    def loaded(
        self,
        session_id: str,
        at: datetime,
        *,
        source: str = "yahoo",
        data_hash: str = "d" * 64,
        doubts: tuple[str, ...] = (),
        made_up: bool = False,
    ) -> Self:
        data: dict[str, Any] = {"source": source, "hash": data_hash, "doubts": list(doubts)}
        data |= {"made_up": True} if made_up else {}
        return self.beat(session_id, at, stage="prices_loaded", done=0, data=data)

    def succeeded(
        self, session_id: str, at: datetime, *, digest: str = "e" * 64, **figures: float | None
    ) -> Self:
        summary = {**SUMMARY, **figures}
        artifacts = [
            {"file_name": name, "size_bytes": 1, "sha256": "0" * 64}
            for name in ("trades.csv", "run_report.md")
        ]
        event = Succeeded(
            summary=summary,
            best_result=summary,
            figures={**summary, "final_equity": 1250.0},
            result_digest=digest,
            bars=730,
            artifacts=artifacts,
            warnings=[],
        )
        return self.record(session_id, at, event)

    def failed(
        self, session_id: str, at: datetime, *, error: str = "DataError", message: str = "No prices."
    ) -> Self:
        return self.record(session_id, at, Failed(error_type=error, message=message, exit_code=3))

    def aborted(self, session_id: str, at: datetime, *, message: str = "SIGTERM") -> Self:
        return self.record(session_id, at, Aborted(message=message, signal="SIGTERM"))

    def adopted(
        self,
        session_id: str,
        at: datetime,
        *,
        terminal: bool = True,
        unreadable: tuple[str, ...] = (),
        missing: tuple[str, ...] = (),
        disagree: tuple[str, ...] = (),
        **fields: Any,
    ) -> Self:
        event = Adopted(
            folder=session_id,
            terminal=terminal,
            fields={"status": "success", "mode": "paper", "report_present": False, **fields},
            documents={},
            digests={},
            unreadable=list(unreadable),
            evidence={"missing": list(missing), "disagree": list(disagree)},
        )
        return self.record(session_id, at, event, actor="import")

    def amended(
        self,
        session_id: str,
        at: datetime,
        *,
        lifecycle: bool = True,
        field: str = "status_reason",
        before: Any = "completed",
        after: Any = "fine",
    ) -> Self:
        event = Amended(
            file="session_status.json",
            changes={field: {"before": before, "after": after}},
            fields={field: after} if lifecycle else {},
            lifecycle=lifecycle,
        )
        return self.record(session_id, at, event, actor=OPERATOR)

    def vanished(self, session_id: str, at: datetime) -> Self:
        return self.record(session_id, at, Vanished(folder=session_id), actor=OPERATOR)

    def proved(self, session_id: str, at: datetime, *, outcome: str = "identical") -> Self:
        event = Proved(outcome=outcome, detail="every bar and fill is equal")
        return self.record(session_id, at, event, actor=OPERATOR)

    def resolved(self, session_id: str, at: datetime, *, reason: str = "known") -> Self:
        return self.record(session_id, at, Resolved(reason=reason), actor=OPERATOR)

    def success(self, session_id: str, at: datetime, *, data_hash: str | None = None, **started: Any) -> Self:
        """Record a whole session that ended well a minute after it started; another configuration has other prices."""
        self.started(session_id, at, **started)
        source, prices = started.get("prices", "yahoo"), data_hash or started.get("config_hash", "d" * 64)
        self.loaded(session_id, at + timedelta(seconds=5), source=source, data_hash=prices)
        return self.succeeded(session_id, at + timedelta(minutes=1))


def one_of_each(sessions: Sessions) -> Sessions:
    """Record sessions in every state that an operator meets; times are relative to `NOW`."""
    sessions.success("20260301_080000_paper_aaaa0001", ago(days=9))
    sessions.success("20260302_080000_paper_aaaa0002", ago(days=8))
    sessions.success("20260303_080000_paper_synt0003", ago(days=7), prices="synthetic", config_hash="5" * 64)
    sessions.started(
        "20260304_080000_paper_fail0004", ago(days=6), ticker="SPY", config_hash="4" * 64, request_id="req_4"
    )
    sessions.failed("20260304_080000_paper_fail0004", ago(days=6) + timedelta(seconds=30))
    sessions.started("20260305_080000_paper_abor0005", ago(days=5), config_hash="3" * 64, request_id=None)
    sessions.aborted("20260305_080000_paper_abor0005", ago(days=5) + timedelta(seconds=90))
    sessions.started("20260310_100000_paper_stal0006", ago(hours=2), config_hash="2" * 64)
    sessions.beat("20260310_100000_paper_stal0006", ago(minutes=83))
    sessions.started("20260310_115900_paper_live0007", ago(minutes=1), config_hash="1" * 64)
    sessions.adopted(
        "old_session",
        ago(days=1),
        terminal=False,
        status="paused",
        unreadable=("report.json",),
        created_at=iso(ago(days=30)),
        activity_at=iso(ago(days=30)),
    )
    sessions.success("20260306_080000_paper_edit0008", ago(days=4), config_hash="6" * 64)
    sessions.amended("20260306_080000_paper_edit0008", ago(days=3))
    sessions.proved("20260306_080000_paper_edit0008", ago(days=2))
    sessions.success("20260307_080000_paper_gone0009", ago(days=3), config_hash="7" * 64)
    return sessions.vanished("20260307_080000_paper_gone0009", ago(days=2))
