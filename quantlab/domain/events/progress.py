"""How a session goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from quantlab.base.values import JsonObject
from quantlab.domain.columns import Columns, column, replace
from quantlab.domain.events.event import Event, Kind

if TYPE_CHECKING:
    from quantlab.domain.session import Session


class PriceColumns(Columns):
    """What the facts of its prices bring."""

    prices_made_up: bool = column(
        "flag",
        "whether a synthetic session of this ledger had these very prices when they were loaded",
        default=False,
        from_folder=False,
    )


class Heartbeat(Event, frozen=True, kw_only=True):
    """The loop that does the work got this far; evidence of progress, never a timer's.

    Attributes:
        stage: `prices_loaded`, `simulating`, `simulated`, `reported`.
        data: Facts of the prices (source, hash, range, quality), on `prices_loaded` and `warmed_up`; `made_up` among
            them where a synthetic session of the ledger had the same hash.
        driver: Who drives a forward session: host, pid, process. Its stages are `warming_up`, `warmed_up`, `waiting`,
            `retrying`, `paused` and `stalled`.
        next_due: When its next bar can be believed, ISO 8601 UTC.
        trouble: What keeps it from going on: cause, attempt and next_try; of `stalled` behind, and repaints.
        tape: The bars of its warm-up, compressed, on `warmed_up`.
    """

    name: ClassVar[str] = "heartbeat"
    kind: ClassVar[Kind] = Kind.PROGRESS
    kept_for: ClassVar[str | None] = '"data":'

    stage: str
    bars_done: int
    bars_expected: int | None = None
    data: JsonObject | None = None
    driver: JsonObject | None = None
    next_due: str | None = None
    trouble: JsonObject | None = None
    tape: str | None = None

    def apply(self, session: Session, at: str) -> Session:
        """Return the session as far as it has come, and what is known of its prices."""
        reached = replace(
            session,
            updated_at=at,
            activity_at=at,
            stage=self.stage,
            bars_done=self.bars_done,
            bars_expected=self.bars_expected,
            resolved_at=None,
        )
        if self.driver is not None:
            reached = replace(reached, next_due=self.next_due)
        if self.data is None:
            return reached
        return replace(
            reached,
            price_source=self.data.get("source"),
            data_hash=self.data.get("hash"),
            prices_made_up=session.prices_made_up or self.data.get("made_up") is True,
            data_doubts=" ".join(self.data.get("doubts", ())) or None,
        )


def tells_prices(payload: str) -> bool:
    """Tell whether a heartbeat's payload may hold facts of the prices, without decoding it: most hold none."""
    return '"data":' in payload
