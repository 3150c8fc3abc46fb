"""Every error that a user can meet, and the exit code that says who erred.

A message is one line: what was wrong, what was expected, what to do.
"""


class QuantlabError(Exception):
    """An unexpected failure, or work that was interrupted (exit 1)."""

    exit_code = 1


class ConfigError(QuantlabError):
    """Bad flags, a bad JSON request or a bad path (exit 2)."""

    exit_code = 2


class DataError(QuantlabError):
    """Market data missing, empty or unusable (exit 3)."""

    exit_code = 3


class StrategyError(QuantlabError):
    """The strategy itself failed (exit 4)."""

    exit_code = 4


class LedgerError(QuantlabError):
    """The ledger could not be opened, read or written (exit 1)."""


class LedgerBusyError(LedgerError):
    """Other writers held the ledger for longer than the timeout (exit 1)."""


class LedgerDamagedError(LedgerError):
    """The ledger's bytes are not what was once written (exit 1)."""


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
