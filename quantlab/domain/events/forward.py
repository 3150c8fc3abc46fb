"""How a session follows the market: its bars, what was revised of them, and who drove it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from quantlab.base.values import JsonObject
from quantlab.domain.columns import Columns, column, replace
from quantlab.domain.events.event import Event, Kind

if TYPE_CHECKING:
    from quantlab.domain.session import Session


class ForwardColumns(Columns):
    """What a row knows of a session that follows the market; all of it unknown for a replay."""

    watermark: str | None = column(
        "time",
        "a forward session's: when the last bar that it took had closed",
        default=None,
        export=28,
        from_folder=False,
    )
    next_due: str | None = column(
        "time",
        "a forward session's: when its next bar can be believed",
        default=None,
        from_folder=False,
        export=29,
    )
    drives: int | None = column(
        "integer", "how often a forward session was begun or taken up again", default=None, from_folder=False
    )
    equity: float | None = column(
        "number",
        "a forward session's cash and position at its last bar",
        default=None,
        from_folder=False,
        export=30,
    )
    units: float | None = column("number", "the units that it held then", default=None, from_folder=False)
    last_fill_at: str | None = column(
        "time", "the opening time of the bar of its last fill", default=None, from_folder=False
    )
    forward_bars: int | None = column(
        "key", "bars that it saw after it had begun", default=None, from_folder=False
    )
    late_bars: int | None = column(
        "key", "those among them that nobody could have acted on in time", default=None, from_folder=False
    )
    missing_bars: int | None = column(
        "key", "bars that were expected and never came in time", default=None, from_folder=False
    )
    corrections: int | None = column(
        "key", "bars that the source changed after they were seen", default=None, from_folder=False
    )
    scale: float | None = column(
        "number", "from the source's prices today to those of its tape", default=None, from_folder=False
    )
    code_changes: int | None = column(
        "integer",
        "how often its code or its packages were others when it went on",
        default=None,
        from_folder=False,
    )


class Bar(Event, frozen=True, kw_only=True):
    """A closed bar was seen and decided on.

    Attributes:
        driver: Who drove: host, pid, process.
        bar: Index on the tape, the warm-up counted.
        opened_at: Opening time of the bar, ISO 8601 UTC; so closed_at, seen_at and source_time.
        prices: open, high, low, close and volume in the session's scale; a volume that is unknown is null.
        scale: Factors from the source's prices and volume to the session's.
        tape_hash: Running hash over the tape up to this bar.
        signal: What the strategy wanted: enter, leave (reasons or null) and size.
        values: What its rule looked at, by name.
        wanted: What that came to: `buy`, `sell` or nothing.
        did: What the engine did.
        why: Why, out of a closed set.
        fill: The fill in this bar, or null.
        state: The engine's state after it.
        equity: Cash and position at its mark.
        next_due: When the next bar can be believed.
        missing_before: Opening times of bars that were expected before it and never came.
        late: Whether nobody could have acted on it in time.
        totals: forward_bars, late_bars, missing_bars, fills and last_fill_at up to this bar.
        filled_from: The file that it came from in the source's stead; null where it is the source's own.
    """

    name: ClassVar[str] = "bar"
    kind: ClassVar[Kind] = Kind.PROGRESS
    line: ClassVar[tuple[str, ...]] = ("opened_at", "why")
    kept_for: ClassVar[str | None] = '"no bar is kept for anything"'

    driver: JsonObject
    bar: int
    opened_at: str
    closed_at: str
    seen_at: str
    source_time: str | None = None
    prices: list[float | None]
    scale: list[float]
    tape_hash: str
    signal: list[Any]
    values: dict[str, float | None]
    wanted: str
    did: str
    why: str
    fill: JsonObject | None = None
    state: JsonObject
    equity: float
    next_due: str | None
    missing_before: list[str]
    late: bool
    totals: JsonObject
    filled_from: str | None = None

    def apply(self, session: Session, at: str) -> Session:
        """Return the session as of this bar."""
        return replace(
            session,
            updated_at=at,
            activity_at=at,
            stage="following",
            bars_done=self.totals["forward_bars"],
            watermark=self.closed_at,
            next_due=self.next_due,
            equity=self.equity,
            units=self.state["quantity"],
            forward_bars=self.totals["forward_bars"],
            late_bars=self.totals["late_bars"],
            missing_bars=self.totals["missing_bars"],
            last_fill_at=self.totals["last_fill_at"],
        )


class Revised(Event, frozen=True, kw_only=True):
    """The source changed its mind about bars that had been seen; the tape stays as it was.

    Attributes:
        revision: `adjusted` (many bars by one factor), `corrected` (one bar) or `late` (a bar that had been missing).
        bar: Index on the tape, of an adjustment the last one; null for a late bar.
        opened_at: Opening time of that bar, ISO 8601 UTC; so seen_at.
        was: What the source said before: open, high, low, close, volume; null for a late bar.
        now: What it says now.
        factor: Of an adjustment: old price over new price, old volume over new volume.
        scale: Factors from the source's prices and volume to the session's, from now on.
    """

    name: ClassVar[str] = "revised"
    kind: ClassVar[Kind] = Kind.PROGRESS
    line: ClassVar[tuple[str, ...]] = ("revision", "opened_at")

    revision: str
    bar: int | None
    opened_at: str
    seen_at: str
    was: list[float | None] | None
    now: list[float | None]
    factor: list[float] | None = None
    reaches_last: bool = False
    scale: list[float]

    def apply(self, session: Session, at: str) -> Session:
        """Return the session with one more correction, or on the source's new scale."""
        return replace(
            session,
            updated_at=at,
            activity_at=at,
            scale=self.scale[0],
            corrections=(session.corrections or 0) + (self.revision == "corrected"),
        )


class Resumed(Event, frozen=True, kw_only=True):
    """A driver took the session up again.

    Attributes:
        host: Where it drives; so pid and process.
        code: Version, commit and digest of its code.
        packages: Versions of the packages that results depend on.
        strategy_digest: Of the strategy that it decides with; null for the built-in.
        changed: What of these is another than before.
        took_over: The driver before, and the operator's reason, where it was taken over while it may live; else null.
    """

    name: ClassVar[str] = "resumed"
    kind: ClassVar[Kind] = Kind.PROGRESS
    line: ClassVar[tuple[str, ...]] = ("host", "pid")

    host: str
    pid: int
    process: str | None
    code: JsonObject
    packages: dict[str, str]
    strategy_digest: str | None
    changed: list[str]
    took_over: JsonObject | None = None

    def apply(self, session: Session, at: str) -> Session:
        """Return the session in the hands of this driver."""
        return replace(
            session,
            updated_at=at,
            activity_at=at,
            stage="resumed",
            host=self.host,
            pid=self.pid,
            process=self.process,
            drives=(session.drives or 0) + 1,
            code_changes=(session.code_changes or 0) + bool(self.changed),
        )
