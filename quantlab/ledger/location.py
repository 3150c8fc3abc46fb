"""Where a ledger is: the SQLite file of a root, or the URL of a database that roots share."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote, unquote

from quantlab.base.errors import ConfigError
from quantlab.base.remedies import LIST_SESSIONS, Setting

PAPER_ROOT = "paper_sessions"
"""The folder of sessions, below the output folder."""
LEDGER_FILE = "ledger.db"
IN_MEMORY = "sqlite://"
"""The URL of a ledger that lives in this process's memory alone."""
URL_PATTERN = re.compile(r"^(sqlite|postgresql|postgres)(\+[a-z0-9_]+)?://")


@dataclass(frozen=True)
class Location:
    """A ledger's place.

    Attributes:
        root: The folder of sessions; None where only a shared ledger was named.
        file: The SQLite file; None for a server.
        url: The server's URL as given, password and all: never print it, print the location.
    """

    root: Path | None
    file: Path | None
    url: str | None = None

    @property
    def is_sqlite(self) -> bool:
        """Whether SQLite holds the ledger, in a file or, of a root that can't be written, in memory."""
        return self.file is not None or self.url == IN_MEMORY

    @cached_property
    def is_the_roots_own(self) -> bool:
        """Whether the ledger lies in the root, and moves with it."""
        return self.root is not None and self.is_own_of(self.root)

    def is_own_of(self, root: Path) -> bool:
        """Tell whether the ledger lies in a root, whatever either was called."""
        return self.file is not None and os.path.realpath(self.file.parent) == os.path.realpath(root)

    def option(self, root: Path) -> tuple[Setting, ...]:
        """Return what has to be given besides the root where something is done with this ledger."""
        return () if self.is_own_of(root) else (Setting("ledger", "URL"),)

    @cached_property
    def base(self) -> str:
        """The absolute path of the root, or of the folder that the file is in; empty where there is neither."""
        folder = self.root or (self.file.parent if self.file is not None else None)
        return "" if folder is None else os.path.abspath(folder)  # noqa: PTH100 - keeps links

    def __str__(self) -> str:
        return str(self.file) if self.file is not None else _redacted(self.url or "")

    def __repr__(self) -> str:
        return f"Location({self})"


def is_url(word: str) -> bool:
    """Tell a ledger's URL, well formed or not, from a path."""
    if ":" not in word and "=" not in word:
        return False  # as are most roots, and questions have to start fast
    from quantlab.base.secrets import is_url as is_like_one

    return is_like_one(word)


def _redacted(url: str) -> str:
    from quantlab.base.secrets import redacted

    return redacted(url)


def locate(root: Path | None, url: str | None) -> Location:
    """Find the ledger of a root, or the one that a URL names.

    Raises:
        ConfigError: neither was given, or the URL is of no kind that a ledger can have.
    """
    if not url:
        if root is None:
            raise ConfigError("No ledger was named; expected a folder of paper sessions or a ledger URL.")
        return Location(root=root, file=root / LEDGER_FILE)
    if not URL_PATTERN.match(url):
        raise ConfigError(
            f"The ledger URL {_redacted(url)!r} is of no known kind; expected sqlite:///FILE or "
            "postgresql+psycopg://USER@HOST/DATABASE."
        )
    if url.startswith("sqlite"):
        return Location(root=root, file=_sqlite_file(url))
    return Location(root=root, file=None, url=_with_driver(url))


def no_session(location: Location, session_id: str) -> ConfigError:
    """Say that a ledger knows no such session, and which command names those that it knows."""
    root = location.root
    url = Setting("ledger", "URL")
    asked = (
        LIST_SESSIONS.with_settings(url) if root is None else LIST_SESSIONS.of(root, *location.option(root))
    )
    return ConfigError(f"No session {session_id!r} in {root or location}; ", asked, " names them.")


def require_path(what: str, value: str) -> None:
    """Refuse a ledger's URL where a path belongs: a folder of that name would show its password.

    Raises:
        ConfigError: it is one.
    """
    if is_url(value):
        raise ConfigError(
            f"{what}: {_redacted(value)} is a URL; expected a path. A ledger's URL goes into ",
            Setting("ledger"),
            " or QUANTLAB_LEDGER.",
        )


def sqlite_uri(file: Path, mode: str) -> str:
    """Return SQLite's own URI for a file, with the opening mode (`rw`, `ro`)."""
    return f"file:{quote(str(file.absolute()))}?mode={mode}"


def _sqlite_file(url: str) -> Path:
    path, question_mark, _query = url.split("://", 1)[1].partition("?")
    if question_mark:
        raise ConfigError(
            f"The ledger URL {_redacted(url)!r} has options, of which a SQLite ledger takes none; expected "
            "sqlite:///FILE, a ? in its name as %3F."
        )
    name = unquote(path)
    if not name.startswith("/") or not name[1:]:
        raise ConfigError(
            f"The ledger URL {_redacted(url)!r} names no file; expected sqlite:///FILE, such as sqlite:///ledger.db."
        )
    return Path(name[1:])


def _with_driver(url: str) -> str:
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)
