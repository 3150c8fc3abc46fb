"""What a session's events say of how it ran: enough to run it again, and to head its report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from quantlab.base import process
from quantlab.base.errors import ConfigError, QuantlabError
from quantlab.base.remedies import Setting
from quantlab.domain import documents, lineage
from quantlab.domain.events import ANNOTATIONS, Event, Started, Succeeded
from quantlab.exports.layout import layout_of
from quantlab.exports.report import ReportHeader
from quantlab.exports.report_judged import at_its_end
from quantlab.trading.strategies.strategy import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quantlab.base.values import JsonObject
    from quantlab.domain.events import Recorded

OfKind = TypeVar("OfKind", bound=Event)


@dataclass(frozen=True)
class Kept:
    """What a session that succeeded left to run it again.

    Attributes:
        config: Its configuration; of a session that followed the market, on the range that it saw.
        data: Facts of its prices.
        result_digest: What it came to.
        strategy: What was recorded of its strategy; None of the built-in's in earlier versions.
        host: Where it ran.
    """

    config: JsonObject
    data: JsonObject
    result_digest: str
    strategy: JsonObject | None
    host: str

    def require_own_code(self, session_id: str, *, run_kept_code: bool) -> None:
        """Refuse to run code of a user's that came from another machine, unless somebody asked for it.

        Raises:
            ConfigError: the session keeps such code.
        """
        require_own_code(session_id, self.config, self.strategy, self.host, run_kept_code=run_kept_code)


def require_own_code(
    session_id: str,
    config: JsonObject,
    strategy: JsonObject | None,
    host: str,
    *,
    run_kept_code: bool,
) -> None:
    """Refuse to run code of a user's that came from another machine, unless somebody asked for it.

    Raises:
        ConfigError: the session keeps such code.
    """
    if config.get("strategy", BUILT_IN) == BUILT_IN or run_kept_code:
        return
    if (strategy or {}).get("kind") != "signals" and host != process.identity()[0]:
        raise ConfigError(
            f"Session {session_id} keeps a strategy's code that ran on {host}, and it has your rights. "
            "Look at it in artifacts/strategy, then ask with ",
            Setting("run_kept_code"),
            ".",
        )


def kept_by(recorded: Sequence[Recorded], session_id: str) -> Kept:
    """Return what a session's events say of its configuration, prices and result.

    Raises:
        QuantlabError: it did not run here, or did not succeed.
    """
    started, end = _first(recorded, Started), _first(recorded, Succeeded)
    data = documents.data_facts_of(recorded)
    if started is None or end is None or data is None:
        raise QuantlabError(
            f"Session {session_id} can't be run again: it {_how_it_stands(recorded)}, and only a session that QuantLab "
            "itself ran and that succeeded, or one that follows the market, has kept what that takes."
        )
    config = started.config
    if started.forward is not None:
        # It was evaluated on the range that it had seen by its end, and its report tells that one.
        config = {**config, "start": data["asked_start"], "end": data["asked_end"]}
    return Kept(config, data, end.result_digest, started.strategy, started.host)


def _how_it_stands(recorded: Sequence[Recorded]) -> str:
    """Say why nothing can be run again, as far as its events tell."""
    last = next((one.type for one in reversed(recorded) if one.type not in ANNOTATIONS), "adopted")
    told = {
        "adopted": "was adopted",
        "failed": "failed",
        "aborted": "was aborted",
        "succeeded": "is incomplete",
    }
    return told.get(last, "is still running")


def _first(recorded: Sequence[Recorded], kind: type[OfKind]) -> OfKind | None:
    """Return the first event of a kind; only those that bear its name are decoded."""
    found = (one.event for one in recorded if one.type == kind.name)
    return cast("OfKind | None", next(found, None))


def paper_header(recorded: Sequence[Recorded]) -> ReportHeader:
    """Return what a session's report says about the session itself, from its events.

    Raises:
        TypeError: the first is no `started`.
    """
    first = recorded[0]
    started = first.event
    if not isinstance(started, Started):
        raise TypeError(f"Session {first.session_id} begins with {first.type!r}, not 'started'.")
    header = header_of(first.session_id, first.occurred_at, started)
    end = _first(recorded, Succeeded)
    return header if end is None else at_its_end(header, end.reasons, end.verdict)


def header_of(session_id: str, created_at: str, started: Started) -> ReportHeader:
    """Return what a session's report says about the session itself, before its end."""
    # What was begun like another by an earlier version keeps the page that it had: `like_changes` came with the line.
    is_told = started.like is not None and started.like_changes is not None
    return ReportHeader(
        run_id=session_id,
        mode="paper",
        created_at=created_at,
        git_commit=started.git_commit,
        python_version=started.python_version,
        packages=started.packages,
        config_hash=started.config_hash,
        request_id=started.request_id,
        strategy=started.config.get("strategy", BUILT_IN),
        reproduce=started.reproduce,
        layout=layout_of(started.code),
        rule=(started.strategy or {}).get("rule", ""),
        params=(started.strategy or {}).get("params", {}),
        lineage=lineage.told(started.like or {}, started.like_changes) if is_told else "",
    )
