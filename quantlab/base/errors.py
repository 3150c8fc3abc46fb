"""Every error that a user can meet, and the exit code that says who erred.

A message is one line: what was wrong, what was expected, what to do. It is made of parts, and what to do stands among
them as data (`quantlab.base.remedies`), for who shows it knows how it is typed.
"""

from __future__ import annotations

from quantlab.base.remedies import Action, Remedy, Setting


class QuantlabError(Exception):
    """An unexpected failure, or work that was interrupted (exit 1).

    Args:
        parts: Its message, in order: texts, remedies (an action is put between quotation marks), and errors whose
            message it holds.
    """

    exit_code = 1

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)

    def __str__(self) -> str:
        return "".join(f"'{part}'" if isinstance(part, Action) else str(part) for part in self.args)

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """What to do about it, in the order in which the message names it."""
        found: list[Remedy] = []
        for part in self.args:
            if isinstance(part, QuantlabError):
                found += part.remedies
            elif isinstance(part, Setting | Action):
                found.append(part)
        return tuple(found)


class ConfigError(QuantlabError):
    """Bad flags, a bad JSON request or a bad path (exit 2)."""

    exit_code = 2


class DataError(QuantlabError):
    """Market data missing, empty or unusable (exit 3)."""

    exit_code = 3


class SourceTroubleError(DataError):
    """A source of prices can't be asked just now; asking again may help (exit 3).

    Attributes:
        retry_after: Seconds after which it wants to be asked again at the earliest; None where it doesn't say.
    """

    def __init__(self, *parts: object, retry_after: float | None = None) -> None:
        super().__init__(*parts)
        self.retry_after = retry_after


class StrategyError(QuantlabError):
    """The strategy itself failed (exit 4)."""

    exit_code = 4


class LedgerError(QuantlabError):
    """The ledger could not be opened, read or written (exit 1)."""


class LedgerOlderError(LedgerError):
    """An older program made the ledger, and it was not to be upgraded (exit 1)."""


class LedgerBusyError(LedgerError):
    """Other writers held the ledger for longer than the timeout (exit 1)."""


class LedgerDamagedError(LedgerError):
    """The ledger's bytes are not what was once written (exit 1)."""


class LedgerExchangedError(LedgerDamagedError):
    """The ledger's file, or the log beside it, is no longer the one that was written to (exit 1)."""


class LedgerAwayError(LedgerError):
    """The ledger's server can't be reached just now, or gave the transaction up; asking again may help (exit 1)."""


class LedgerGoneError(LedgerError):
    """The ledger's server stayed away for longer than it was asked again (exit 1)."""


class ConflictError(LedgerError):
    """The session has moved on: another event took this place in it (exit 1)."""


class SessionEndedError(ConflictError):
    """The session has ended; nothing but annotations may follow (exit 1)."""


class SessionAbortedError(QuantlabError):
    """A signal asked the session to stop (exit 1)."""
