"""The root's index: every session in paper_sessions_index.csv, .json and .md, off one snapshot of the ledger."""

from __future__ import annotations

import csv
import io
import re
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from quantlab.errors import QuantlabError
from quantlab.exports.files import writing_whole
from quantlab.exports.index_rows import COLUMNS, CSV_COLUMNS, markdown_header, rendered
from quantlab.ledger import Head
from quantlab.store.engine import connect_sqlite
from quantlab.store.home import name_of, names_of, this_host
from quantlab.store.lock import file_lock
from quantlab.store.refusals import translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from quantlab.store.engine import Store

Condition = tuple[str, dict[str, Any]]
"""The end of a query, and its parameters."""
CSV, JSON, MARKDOWN = (f"paper_sessions_index.{kind}" for kind in ("csv", "json", "md"))
NAMES = (CSV, JSON, MARKDOWN)

_LOCK = ".paper_sessions_index.lock"
_ROWS_AT_A_TIME = 1_000
_SHOWN = re.compile(rb'"ledger_sequence":([0-9]+),"ledger_hash":"([0-9a-f]{64})"')
_HEAD_BYTES = 16_384
_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.05, 0.5


def refresh(store: Store, root: Path, *, warn: Callable[[str], None] | None = None) -> bool:
    """Bring a root's exports up to the ledger, unless another process has done so meanwhile.

    Of many sessions that end at once a few write, and the last one that writes shows them all.

    Args:
        store: The ledger.
        root: Where the exports stand.
        warn: Told when they can't be written; without it that is an error.

    Returns:
        Whether this call wrote them.

    Raises:
        QuantlabError: they can't be written and there is nobody to warn; the old ones, if any, are untouched.
    """
    try:
        with _snapshot(store) as ask:
            mine = _head(ask)
        with file_lock(root / _LOCK):
            if _is_shown(store, root, mine):
                return False
            _let_others_end(store, mine)
            write(store, root)
    except QuantlabError as error:
        if warn is None:
            raise
        again = f"quantlab paper-sessions index {root}{store.location.option(root)}"
        warn(f"WARNING: {error} The ledger has it all; '{again}' writes them.")
        return False
    return True


def write(store: Store, root: Path) -> Head:
    """Write the three exports from one snapshot, each whole or not at all; returns what they show.

    Raises:
        QuantlabError: one can't be written.
    """
    with _snapshot(store) as ask, ExitStack() as files:
        # The json is renamed into place last: what it shows, the other two show as well.
        json_file = files.enter_context(writing_whole(root / JSON))
        markdown_file = files.enter_context(writing_whole(root / MARKDOWN))
        csv_file = files.enter_context(writing_whole(root / CSV))
        head = _head(ask)
        table = io.TextIOWrapper(csv_file, "utf-8", newline="", write_through=False)
        of_root = _of_root(ask, store, root)
        header = _header(ask, of_root, root, head)
        json_file.write(msgspec.json.encode(header)[:-1] + b',"sessions":[')
        markdown_file.write(markdown_header(header).encode())
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        separator = b"\n"
        for rows in ask(*_sessions(of_root, root)):
            lines, cells, page = rendered(rows, head)
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


def _is_shown(store: Store, root: Path, mine: Head) -> bool:
    """Tell whether the exports show this ledger (not one that was here before) at `mine` or later."""
    there = shown(root)
    if there is None or there.sequence < mine.sequence:
        return False
    with _snapshot(store) as ask:
        sql = "SELECT hash FROM events WHERE sequence = :sequence"
        held = [row[0] for rows in ask(sql, {"sequence": there.sequence}) for row in rows]
    return held == [there.hash] or (there.sequence == 0 and there == mine)


def _let_others_end(store: Store, mine: Head) -> None:
    """While others go on recording, wait a moment: one export then shows them all, instead of one each."""
    seen, deadline = mine, time.monotonic() + _LONGEST_WAIT_SECONDS
    while time.monotonic() < deadline:
        with _snapshot(store) as ask:
            head = _head(ask)
        if head == seen:
            return
        seen = head
        time.sleep(_WAIT_SECONDS)


def _head(ask: Callable[..., Any]) -> Head:
    [[row]] = ask("SELECT sequence, hash FROM ledger_head", {})
    return Head(row[0], row[1])


def _header(ask: Callable[..., Any], of_root: Condition, root: Path, head: Head) -> dict[str, Any]:
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


def _sessions(of_root: Condition, root: Path) -> tuple[str, dict[str, Any]]:
    condition, values = of_root
    columns = ", ".join(":prefix || path" if name == "path" else f'"{name}"' for name in COLUMNS)
    prefix = f"{name_of(root)}/"
    return f"SELECT {columns} FROM paper_sessions{condition} ORDER BY session_id", {
        "prefix": prefix,
        **values,
    }


def _of_root(ask: Callable[..., Any], store: Store, root: Path) -> Condition:
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
def _snapshot(store: Store) -> Iterator[Callable[..., Any]]:
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
    with translated(store.location), closing(connect_sqlite(file)) as raw:
        raw.execute("BEGIN")

        def ask(sql: str, values: dict[str, Any]) -> Any:
            cursor = raw.execute(sql, values)
            return iter(lambda: cursor.fetchmany(_ROWS_AT_A_TIME), [])

        yield ask
