"""A ledger as a notebook reads it: frames of its sessions, and of what each of them left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from quantlab.base.clock import utc_now
from quantlab.base.errors import ConfigError
from quantlab.domain.names import EQUITY, TRADES
from quantlab.folders.roots import open_root
from quantlab.ledger.location import Location, is_url, locate, no_session
from quantlab.queries import detail, listing

if TYPE_CHECKING:
    import pandas as pd

    from quantlab.base.values import JsonObject

TIMES = ("created_at", "started_at", "updated_at", "finished_at")


def open(root: str | Path, ledger: str | None = None) -> Ledger:  # noqa: A001 - as its users say it: quantlab.open
    """Open the ledger of a root, or of a URL, to read it.

    A root that has session folders and no ledger yet is adopted, as by every command.

    Args:
        root: A folder of paper sessions, such as outputs/paper_sessions, or a ledger's URL.
        ledger: The URL of the root's ledger, where it is not the root's own.

    Raises:
        ConfigError: there is no such folder.
        LedgerError: its ledger can't be read.
    """
    location = locate(None, root) if isinstance(root, str) and is_url(root) else locate(Path(root), ledger)
    opened = Ledger(location)
    opened.require_readable()
    return opened


@dataclass(frozen=True)
class Ledger:
    """The sessions of a root. Every answer is read anew, so a notebook that stays open sees what came since."""

    location: Location

    def sessions(self) -> pd.DataFrame:
        """Return one row a session, newest first: the columns of `session_list`, times as timestamps in UTC."""
        import pandas as pd

        with open_root(self.location, now=utc_now()) as reader:
            frame = pd.DataFrame(list(listing.sessions(reader, listing.ListFilter())))
        for name in TIMES:
            if name in frame:
                frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601")
        return frame

    def session(self, session_id: str) -> Session:
        """Return one session.

        Raises:
            ConfigError: the ledger knows none of that id.
        """
        with open_root(self.location, now=utc_now()) as reader:
            facts = detail.session(reader, session_id)
        if facts is None:
            raise no_session(self.location, session_id)
        return Session(session_id, facts)

    def require_readable(self) -> None:
        """Refuse what holds no ledger now rather than at the first question."""
        open_root(self.location, now=utc_now()).close()


@dataclass(frozen=True)
class Session:
    """One session: what the ledger tells of it, and the tables that it left.

    Attributes:
        session_id: Its id.
        facts: What `paper-sessions show` prints, by name.
    """

    session_id: str
    facts: JsonObject

    def trades(self) -> pd.DataFrame:
        """Return trades.csv, one row a fill, its bar's time as a timestamp in UTC.

        Raises:
            ConfigError: the session left none, or its folder is elsewhere.
        """
        return self._table(TRADES, "timestamp")

    def equity(self) -> pd.DataFrame:
        """Return cash, units, mark and equity of every bar, by time in UTC.

        Raises:
            ConfigError: as `trades`.
        """
        return self._table(EQUITY, "time").set_index("time")

    def _table(self, name: str, time: str) -> pd.DataFrame:
        import pandas as pd

        file = Path(str(self.facts["path"])) / name
        if not file.is_file():
            raise ConfigError(
                f"Session {self.session_id} has no {name} on this machine; expected {file}, which a session "
                "that succeeded leaves where it ran."
            )
        table = pd.read_csv(file, float_precision="round_trip")
        table[time] = pd.to_datetime(table[time], utc=True, format="ISO8601")
        return table
