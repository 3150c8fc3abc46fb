"""Prove a session: run it again from what it kept, and record whether the result is the same to the last digit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from quantlab import ledger, projections
from quantlab.errors import ConfigError, DataError, QuantlabError, StrategyError
from quantlab.events import NAMES, OPERATOR, Event, Proved, Started, Succeeded
from quantlab.exports import artifacts
from quantlab.ledger import Entry
from quantlab.research.rerun import first_difference_from_kept, rerun
from quantlab.sessions.adoption import home_of
from quantlab.sessions.claims import first_false_claim
from quantlab.sessions.recorder import Recorder
from quantlab.store.location import no_session

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from quantlab.events import Recorded
    from quantlab.lifecycle import Row
    from quantlab.store.engine import Store

OfKind = TypeVar("OfKind", bound=Event)
IDENTICAL, DIFFERENT, IMPOSSIBLE = "identical", "different", "impossible"


@dataclass(frozen=True)
class Kept:
    """What a session that succeeded left to run it again: configuration, facts of its prices, result digest."""

    config: dict[str, Any]
    data: dict[str, Any]
    result_digest: str


def prove(store: Store, folder: Path | None, session_id: str, *, now: datetime) -> Proved:
    """Run a session again, record a `proved` event and return it.

    It is identical where every fill and the equity of every bar are equal to the last digit, and where nothing that the
    ledger or the session's files show of the result says otherwise, whoever wrote it there.

    Args:
        store: The ledger.
        folder: The session's; None where only a shared ledger was named, which then says where it is.
        session_id: Which one.
        now: The time of the call.

    Raises:
        ConfigError: there is no such session, or its folder is not on this machine.
        QuantlabError: the session did not succeed: there is nothing to prove.
        LedgerError: the outcome can't be recorded.
    """
    with store.read() as connection:
        row = projections.read_row(connection, session_id)
        recorded = ledger.read_session(connection, session_id)
    if row is None:
        raise no_session(store.location, session_id)
    kept = kept_by(recorded, session_id)
    outcome = _compared(row, recorded, folder or _folder_of(row), kept)
    entry = Entry(
        session_id=session_id,
        session_version=recorded[-1].session_version + 1,
        event=outcome,
        occurred_at=now,
        actor=OPERATOR,
    )
    Recorder(store).record(entry)
    return outcome


def _folder_of(row: Row) -> Path:
    home = home_of(row)
    if home is None:
        raise ConfigError(
            f"The folder of session {row['session_id']} is not on this machine (root {row['root']} on host "
            f"{row['host']}); nothing was recorded. Prove it there, or name the folder."
        )
    return home / str(row["path"])


def kept_by(recorded: Sequence[Recorded], session_id: str) -> Kept:
    """Return what a session's events say of its configuration, prices and result.

    Raises:
        QuantlabError: it did not run here, or did not succeed.
    """
    started, end = _first(recorded, Started), _first(recorded, Succeeded)
    data = artifacts.data_facts_of(recorded)
    if started is None or end is None or data is None:
        raise QuantlabError(
            f"Session {session_id} can't be run again: only a session that QuantLab itself ran and that succeeded "
            "has kept what that takes."
        )
    return Kept(started.config, data, end.result_digest)


def _first(recorded: Sequence[Recorded], kind: type[OfKind]) -> OfKind | None:
    """Return the first event of a kind; only those that bear its name are decoded."""
    found = (one.event for one in recorded if one.type == NAMES[kind])
    return cast("OfKind | None", next(found, None))


def _compared(row: Row, recorded: Sequence[Recorded], folder: Path, kept: Kept) -> Proved:
    try:
        result = rerun(folder, kept.config, kept.data)
    except (DataError, StrategyError) as error:
        return Proved(outcome=IMPOSSIBLE, detail=str(error))
    if result.result_digest != kept.result_digest:
        difference: str | None = first_difference_from_kept(folder, result)
    else:
        difference = first_false_claim(row, recorded, folder, result)
    same = f"{len(result.prices)} bars and {len(result.simulation.fills)} fills, equal to the last digit"
    return Proved(
        outcome=IDENTICAL if difference is None else DIFFERENT,
        detail=same if difference is None else difference,
        result_digest=result.result_digest,
    )
