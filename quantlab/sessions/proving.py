"""Prove a session: run it again from what it kept, and record whether the result is the same to the last digit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quantlab import ledger
from quantlab.errors import DataError, QuantlabError, StrategyError
from quantlab.events import OPERATOR, Proved, Started, Succeeded
from quantlab.exports import artifacts
from quantlab.ledger import Entry
from quantlab.research.rerun import first_difference_from_kept, rerun
from quantlab.sessions.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from quantlab.events import Recorded
    from quantlab.store.engine import Store

IDENTICAL, DIFFERENT, IMPOSSIBLE = "identical", "different", "impossible"


@dataclass(frozen=True)
class Kept:
    """What a session that succeeded left to run it again: configuration, facts of its prices, result digest."""

    config: dict[str, Any]
    data: dict[str, Any]
    result_digest: str


def prove(store: Store, folder: Path, session_id: str, *, now: datetime) -> Proved:
    """Run a session again, record a `proved` event and return it.

    Raises:
        QuantlabError: the session is unknown, or did not succeed: there is nothing to prove.
        LedgerError: the outcome can't be recorded.
    """
    with store.read() as connection:
        recorded = ledger.read_session(connection, session_id)
    outcome = _compared(folder, kept_by(recorded, session_id))
    entry = Entry(
        session_id=session_id,
        session_version=recorded[-1].session_version + 1,
        event=outcome,
        occurred_at=now,
        actor=OPERATOR,
    )
    Recorder(store).record(entry)
    return outcome


def kept_by(recorded: Sequence[Recorded], session_id: str) -> Kept:
    """Return what a session's events say of its configuration, prices and result.

    Raises:
        QuantlabError: it did not run here, or did not succeed.
    """
    births = [one.event for one in recorded if one.type == "started"]
    ends = [one.event for one in recorded if one.type == "succeeded"]
    data = artifacts.data_facts_of(recorded)
    if not births or not ends or data is None:
        raise QuantlabError(
            f"Session {session_id} can't be run again: only a session that QuantLab itself ran and that succeeded "
            "has kept what that takes."
        )
    started, end = births[0], ends[0]
    if not (isinstance(started, Started) and isinstance(end, Succeeded)):
        raise TypeError(f"Session {session_id} holds events of other types than their names.")
    return Kept(started.config, data, end.result_digest)


def _compared(folder: Path, kept: Kept) -> Proved:
    try:
        result = rerun(folder, kept.config, kept.data)
    except (DataError, StrategyError) as error:
        return Proved(outcome=IMPOSSIBLE, detail=str(error))
    if result.result_digest == kept.result_digest:
        detail = (
            f"{len(result.prices)} bars and {len(result.simulation.fills)} fills, equal to the last digit"
        )
        return Proved(outcome=IDENTICAL, detail=detail, result_digest=result.result_digest)
    detail = first_difference_from_kept(folder, result)
    return Proved(outcome=DIFFERENT, detail=detail, result_digest=result.result_digest)
