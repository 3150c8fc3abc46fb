"""The root's index: every session in paper_sessions_index.csv, .json and .md, off one snapshot of the ledger."""

from __future__ import annotations

import csv
import io
import logging
import re
import time
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import msgspec
import sqlalchemy as sa

from quantlab.base.errors import LedgerDamagedError, QuantlabError
from quantlab.base.files import writing_whole
from quantlab.base.process import name_of, names_of, this_host
from quantlab.base.remedies import INDEX
from quantlab.exports import index_pace
from quantlab.exports.index_pace import Refresh
from quantlab.exports.index_rows import COLUMNS, CSV_COLUMNS, markdown_header, rendered
from quantlab.exports.later import require_none_later
from quantlab.ledger.log import Head
from quantlab.ledger.refusals import translated
from quantlab.ledger.sqlite.locks import file_lock
from quantlab.ledger.sqlite.opening import open_to_write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from quantlab.base.values import Cells, JsonObject
    from quantlab.exports.later import Ask
    from quantlab.ledger.store import Store

logger = logging.getLogger(__name__)

Condition = tuple[str, dict[str, object]]
"""The end of a query, and its parameters."""
CSV, JSON, MARKDOWN = (f"paper_sessions_index.{kind}" for kind in ("csv", "json", "md"))
NAMES = (CSV, JSON, MARKDOWN)

MARKDOWN_SESSIONS = 1_000
"""The page shows the newest so many: a browser opens it, and nobody reads more."""

_ROWS_AT_A_TIME = 1_000
_SHOWN = re.compile(rb'"ledger_sequence":([0-9]+),"ledger_hash":"([0-9a-f]{64})"')
_HEAD_BYTES = 16_384
_POLL_SECONDS, _SETTLED_POLLS, _LONGEST_WAIT_SECONDS = 0.05, 4, 1.0


class Beside(Protocol):
    """A file that is written with the exports, and never keeps them, or a session, from ending well."""

    def shown(self, root: Path) -> Head | None:
        """Return the state of the ledger that it shows in a root; None where it shows none."""

    def write(self, store: Store, root: Path, *, now: datetime) -> None:
        """Write it, whole or not at all; where that is not possible, that is a warning."""


def refresh_after_end(store: Store, root: Path, *, now: datetime, beside: Beside | None = None) -> bool:
    """Bring a root's exports up to the end of a session, unless the last refresh was slow and not long ago.

    They tell by `ledger_sequence` how far they are; the next end that is due, or any other command that writes,
    brings them up.

    Args:
        store: The ledger.
        root: Where the exports stand.
        now: When the session ended.
        beside: What else is written with them.

    Returns:
        Whether this call wrote them.
    """
    if not index_pace.is_due(index_pace.read(root), now):
        return False
    return refresh_or_warn(store, root, now=now, after_an_end=True, beside=beside)


def refresh_or_warn(
    store: Store, root: Path, *, now: datetime, after_an_end: bool = False, beside: Beside | None = None
) -> bool:
    """Bring a root's exports up as `refresh` does; where they can't be written, that is a warning."""
    try:
        return refresh(store, root, now=now, after_an_end=after_an_end, beside=beside)
    except LedgerDamagedError as error:
        logger.warning("%s", error)
    except QuantlabError as error:
        again = INDEX.of(root, *store.location.option(root))
        logger.warning("%s The ledger has it all; '%s' writes them.", error, again)
    return False


def refresh(
    store: Store, root: Path, *, now: datetime, after_an_end: bool = False, beside: Beside | None = None
) -> bool:
    """Bring a root's exports up to the ledger, unless another process has done so meanwhile.

    Of many sessions that end at once a few write, and the last one that writes shows them all.

    Args:
        store: The ledger.
        root: Where the exports stand.
        now: The time of the call.
        after_an_end: Also leave it where another process has begun a slow refresh while this one waited for its turn.
        beside: What else is written with them.

    Returns:
        Whether this call wrote them.

    Raises:
        QuantlabError: they can't be written; the old ones, if any, are untouched.
    """
    called = time.monotonic()
    with _snapshot(store) as ask:
        mine, ended = _head(ask), _ended(ask)
    with file_lock(root / index_pace.LOCK):
        if _is_shown(store, mine, shown(root)) and (
            beside is None or _is_shown(store, mine, beside.shown(root))
        ):
            return False
        turn_at = now + timedelta(seconds=time.monotonic() - called)
        last = index_pace.read(root)
        if after_an_end and not index_pace.is_due(last, turn_at):
            return False
        _debounce(store, ended, is_alone=not index_pace.is_one_of_many(last, turn_at))
        at = now + timedelta(seconds=time.monotonic() - called)
        rewrite(store, root, now=at, beside=beside)
    return True


def rewrite(store: Store, root: Path, *, now: datetime, beside: Beside | None = None) -> Head:
    """Write the three exports, what else belongs with them, and how long that took; returns what they show.

    Raises:
        QuantlabError: one can't be written.
    """
    last = index_pace.read(root)
    if last is not None:  # ends that come meanwhile go by what the last one took
        index_pace.note(root, Refresh(now, last.seconds))
    begun = time.monotonic()
    head = write(store, root)
    if beside is not None:
        at = now + timedelta(seconds=time.monotonic() - begun)
        beside.write(store, root, now=at)
    seconds = time.monotonic() - begun
    index_pace.note(root, Refresh(now + timedelta(seconds=seconds), seconds))
    return head


def write(store: Store, root: Path) -> Head:
    """Write the three exports from one snapshot, each whole or not at all; returns what they show.

    Raises:
        LedgerDamagedError: those that are there know a later head of this ledger; they stay.
        QuantlabError: one can't be written.
    """
    with _snapshot(store) as ask, ExitStack() as files:
        # The json is renamed into place last: what it shows, the other two show as well.
        json_file = files.enter_context(writing_whole(root / JSON))
        markdown_file = files.enter_context(writing_whole(root / MARKDOWN))
        csv_file = files.enter_context(writing_whole(root / CSV))
        head = _head(ask)
        ledger_id = _ledger_id(ask)
        require_none_later(ask, root / JSON, ledger_id, head)
        table = io.TextIOWrapper(csv_file, "utf-8", newline="", write_through=False)
        of_root = _of_root(ask, store, root)
        header = _header(ask, of_root, root, head) | {"ledger_id": ledger_id}
        json_file.write(msgspec.json.encode(header)[:-1] + b',"sessions":[')
        newest = _newest(ask, of_root)
        markdown_file.write(markdown_header(header, shown=len(newest)).encode())
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        separator = b"\n"
        for rows in ask(*_sessions(of_root, root)):
            lines, cells, page = rendered(rows, head, newest)
            json_file.write(separator + b",\n".join(lines))
            separator = b",\n"
            writer.writerows(cells)
            markdown_file.write("".join(page).encode())
        json_file.write(b"\n]}\n")
        table.flush()
        table.detach()
    return head


def shown(root: Path) -> Head | None:
    """Return the state of the ledger that a root's exports show; None where they are not all there."""
    if not all((root / name).is_file() for name in NAMES):
        return None
    try:
        with (root / JSON).open("rb") as handle:
            found = _SHOWN.search(handle.read(_HEAD_BYTES))
    except OSError:
        return None
    return None if found is None else Head(int(found[1]), found[2].decode())


def _is_shown(store: Store, mine: Head, there: Head | None) -> bool:
    """Tell whether what a file shows is this ledger (not one that was here before) at `mine` or later."""
    if there is None or there.sequence < mine.sequence:
        return False
    with _snapshot(store) as ask:
        sql = "SELECT hash FROM events WHERE sequence = :sequence"
        held = [row[0] for rows in ask(sql, {"sequence": there.sequence}) for row in rows]
    return held == [there.hash] or (there.sequence == 0 and there == mine)


def _debounce(store: Store, ended: int, *, is_alone: bool) -> None:
    """While other sessions go on ending, wait a moment: one export then shows them all, instead of one each.

    A session that ends alone waits for nothing; where others ended since, or just before, until no end came for some
    polls.

    Args:
        store: The ledger.
        ended: How many sessions had ended when this process came to write.
        is_alone: Whether no other session ended just before.
    """
    settled = _SETTLED_POLLS if is_alone else 0
    deadline = time.monotonic() + _LONGEST_WAIT_SECONDS
    while time.monotonic() < deadline:
        with _snapshot(store) as ask:
            seen = _ended(ask)
        settled = settled + 1 if seen == ended else 0
        if settled >= _SETTLED_POLLS:
            return
        ended = seen
        time.sleep(_POLL_SECONDS)


def _ended(ask: Ask) -> int:
    [[row]] = ask("SELECT COALESCE(SUM(sessions), 0) FROM session_counts WHERE status <> 'running'", {})
    return int(row[0])


def _head(ask: Ask) -> Head:
    [[row]] = ask("SELECT sequence, hash FROM ledger_head", {})
    return Head(row[0], row[1])


def _ledger_id(ask: Ask) -> str:
    [[row]] = ask("SELECT ledger_id FROM ledger_head", {})
    return str(row[0])


def _header(ask: Ask, of_root: Condition, root: Path, head: Head) -> JsonObject:
    at = [
        row[0]
        for rows in ask("SELECT occurred_at FROM events WHERE sequence = :s", {"s": head.sequence})
        for row in rows
    ]
    condition, values = of_root
    [[counted]] = ask(f"SELECT count(*) FROM paper_sessions{condition}", values)
    return {
        "generated_at": at[0] if at else None,
        "root_dir": name_of(root),
        "n_sessions": counted[0],
        "ledger_sequence": head.sequence,
        "ledger_hash": head.hash,
    }


def _newest(ask: Ask, of_root: Condition) -> frozenset[str]:
    """Return the ids of the sessions that the page shows; as in lists, those that tell no time come last."""
    condition, values = of_root
    both = f"{condition} AND" if condition else " WHERE"
    # The index of times of creation serves all but the sessions that have none, of which there are few.
    dated = f"SELECT session_id, created_at AS at FROM paper_sessions{both} created_at IS NOT NULL"
    dated += " ORDER BY created_at DESC, session_id DESC LIMIT :most"
    undated = "SELECT session_id, COALESCE(started_at, updated_at) AS at FROM paper_sessions"
    sql = f"SELECT session_id FROM (SELECT * FROM ({dated}) AS dated UNION ALL {undated}{both} created_at IS NULL)"
    sql += " AS listed ORDER BY at DESC NULLS LAST, session_id DESC LIMIT :most"
    return frozenset(row[0] for rows in ask(sql, {"most": MARKDOWN_SESSIONS, **values}) for row in rows)


def _sessions(of_root: Condition, root: Path) -> Condition:
    condition, values = of_root
    columns = ", ".join(":prefix || path" if name == "path" else f'"{name}"' for name in COLUMNS)
    prefix = f"{name_of(root)}/"
    return f"SELECT {columns} FROM paper_sessions{condition} ORDER BY session_id", {
        "prefix": prefix,
        **values,
    }


def _of_root(ask: Ask, store: Store, root: Path) -> Condition:
    """Return the condition that tells this root's sessions in a ledger that several roots share."""
    if store.location.is_own_of(root):
        return "", {}
    asked = ask("SELECT DISTINCT root FROM paper_sessions WHERE host = :host", {"host": this_host()})
    names = names_of(root, [name for rows in asked for (name,) in rows])
    values = {f"root_{place}": name for place, name in enumerate(names)}
    return f" WHERE host = :host AND root IN ({', '.join(f':{name}' for name in values)})", {
        "host": this_host(),
        **values,
    }


@contextmanager
def _snapshot(store: Store) -> Iterator[Ask]:
    """Yield a way to ask for rows, a thousand at a time, all from one moment.

    SQLite is asked through its own cursor: SQLAlchemy's rows cost as much again as everything else here.
    """
    file = store.location.file
    if file is None:
        with store.read() as connection:
            yield (
                lambda sql, values: (
                    connection.execution_options(yield_per=_ROWS_AT_A_TIME)
                    .execute(sa.text(sql), values)
                    .partitions(_ROWS_AT_A_TIME)
                )
            )
        return
    with translated(store.location), closing(open_to_write(file)) as raw:
        raw.execute("BEGIN")

        def ask(sql: str, values: Mapping[str, object]) -> Iterator[list[Cells]]:
            cursor = raw.execute(sql, values)
            return iter(lambda: cursor.fetchmany(_ROWS_AT_A_TIME), [])

        yield ask
