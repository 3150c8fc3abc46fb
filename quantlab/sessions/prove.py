"""Prove a session: run it again from what it kept, and record whether the result is the same to the last digit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantlab.base.errors import ConfigError, ConflictError, DataError, StrategyError
from quantlab.domain.events import ENDS, OPERATOR, Proved
from quantlab.folders.adoption import home_of
from quantlab.folders.kept import kept_by
from quantlab.ledger import log, projection
from quantlab.ledger.location import no_session
from quantlab.ledger.log import Entry
from quantlab.ledger.recorder import Recorder
from quantlab.runner.rerun import first_difference_from_kept, rerun
from quantlab.runner.strategy import KeptCodeError
from quantlab.sessions.claims import first_false_claim
from quantlab.sessions.forward.so_far import follows_still, prove_so_far

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from quantlab.domain.events import Recorded
    from quantlab.domain.session import Session
    from quantlab.folders.kept import Kept
    from quantlab.ledger.store import Store

IDENTICAL, DIFFERENT, IMPOSSIBLE = "identical", "different", "impossible"
_TRIES = 20
"""How often a place is looked for anew; a session that catches up takes one in milliseconds."""


def prove(
    store: Store, folder: Path | None, session_id: str, *, now: datetime, run_kept_code: bool = False
) -> Proved:
    """Run a session again, record a `proved` event and return it.

    It is identical where every fill and the equity of every bar are equal to the last digit, and where nothing that the
    ledger or the session's files show of the result says otherwise, whoever wrote it there. A session that follows the
    market and goes on is proved as of its last bar, against what it recorded bar by bar.

    Args:
        store: The ledger.
        folder: The session's; None where only a shared ledger was named, which then says where it is.
        session_id: Which one.
        now: The time of the call.
        run_kept_code: Also run a strategy's code that came from another machine.

    Raises:
        ConfigError: there is no such session, its folder is not on this machine, or its code is another machine's.
        QuantlabError: the session did not succeed, or follows the market and saw no bar yet: there is nothing to prove.
        LedgerError: the outcome can't be recorded.
    """
    with store.read() as connection:
        session = projection.read_row(connection, session_id)
        recorded = log.read_events(connection, session_id)
    if session is None:
        raise no_session(store.location, session_id)
    goes_on = follows_still(session, recorded)
    if goes_on:
        outcome = prove_so_far(recorded, folder or _folder_of(session), run_kept_code=run_kept_code)
    else:
        kept = kept_by(recorded, session_id)
        kept.require_own_code(session_id, run_kept_code=run_kept_code)
        outcome = _compared(session, recorded, folder or _folder_of(session), kept)
    if not _record(store, session_id, outcome, now, goes_on=goes_on):
        return prove(store, folder, session_id, now=now, run_kept_code=run_kept_code)
    return outcome


def _record(store: Store, session_id: str, outcome: Proved, now: datetime, *, goes_on: bool) -> bool:
    """Append the proof behind the session's last event; one that goes on may move on in between.

    False where the session has ended meanwhile: that it was proved on its way says nothing of its result.
    """
    for left in range(_TRIES, 0, -1):
        with store.read() as connection:
            recorded = log.read_events(connection, session_id)
        if goes_on and any(one.type in ENDS for one in recorded):
            return False
        entry = Entry(
            session_id=session_id,
            session_version=recorded[-1].session_version + 1,
            event=outcome,
            occurred_at=now,
            actor=OPERATOR,
        )
        try:
            Recorder(store).record(entry)
        except ConflictError:
            if left == 1:
                raise
        else:
            return True
    return False


def _folder_of(session: Session) -> Path:
    home = home_of(session)
    if home is None:
        raise ConfigError(
            f"The folder of session {session.session_id} is not on this machine (root {session.root} on host "
            f"{session.host}); nothing was recorded. Prove it there, or name the folder."
        )
    return home / session.path


def _compared(session: Session, recorded: Sequence[Recorded], folder: Path, kept: Kept) -> Proved:
    try:
        result = rerun(folder, kept.config, kept.data, kept.strategy)
    except KeptCodeError as error:
        return Proved(outcome=DIFFERENT, detail=str(error))
    except (DataError, StrategyError) as error:
        return Proved(outcome=IMPOSSIBLE, detail=str(error))
    if result.result_digest != kept.result_digest:
        difference: str | None = first_difference_from_kept(folder, result)
    else:
        difference = first_false_claim(session, recorded, folder, result)
    same = f"{len(result.prices)} bars and {len(result.simulation.fills)} fills, equal to the last digit"
    return Proved(
        outcome=IDENTICAL if difference is None else DIFFERENT,
        detail=same if difference is None else difference,
        result_digest=result.result_digest,
    )
