"""`quantlab paper-sessions index ROOT`: bring ledger and disk together, then write the exports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from quantlab.base.errors import ConfigError
from quantlab.base.text import printable
from quantlab.cli.asking import find_ledger
from quantlab.cli.naming import usual_root
from quantlab.cli.options import of_root, with_format, with_page
from quantlab.cli.output import as_cell, parted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from quantlab.base.values import JsonObject
    from quantlab.folders.reconcile import Reconciled
    from quantlab.ledger.store import Store

MOST_NAMED = 20
"""How many of a kind are named for people; JSON has them all."""


@click.command()
@of_root
@click.option("--quiet", is_flag=True, help="Say nothing where ledger and folders agree, for cron.")
@with_page
@with_format("text", "json")
def index(root: str | None, ledger: str | None, form: str, *, quiet: bool, page: bool) -> None:
    """Bring the ledger of ROOT and its folders together, say what was found, and write the exports."""
    from quantlab.base.clock import utc_now
    from quantlab.cli.output import as_json
    from quantlab.exports.index import NAMES, rewrite
    from quantlab.folders.page import beside_the_index
    from quantlab.folders.reconcile import reconcile
    from quantlab.folders.roots import adopt_root
    from quantlab.ledger.store import open_store

    location = find_ledger(usual_root(root), ledger)
    if location.root is None:
        raise ConfigError(
            "index needs a folder; expected ROOT, and --ledger URL where the ledger is elsewhere."
        )
    now, folder = utc_now(), location.root
    first = adopt_root(location, now=now)
    # Files that are behind are made anew by `reconcile`, which says so.
    with open_store(location) as store:
        findings = reconcile(store, folder, now=now)
        if first is not None:
            findings.adopted = sorted([*first.adopted, *findings.adopted])
            findings.unreadable = {**first.unreadable, **findings.unreadable}
        findings.unreadable = _unreadable_in(store) | findings.unreadable
        head = rewrite(store, folder, now=now, beside=beside_the_index(wanted=page))
    paths = [str(folder / name) for name in NAMES]
    if form == "json":
        exports = {"ledger_sequence": head.sequence, "ledger_hash": head.hash, "exports": paths}
        click.echo(as_json({"root_dir": str(folder.absolute()), **_as_dict(findings), **exports}))
        return
    if quiet and not any(names for _what, names in _named(findings)):
        return
    for line in (*_lines(findings), f"Wrote {', '.join(paths)} (ledger sequence {head.sequence})."):
        click.echo(printable(line))


def _unreadable_in(store: Store) -> dict[str, list[str]]:
    """Return the files that can't be read, by session id, whether or not that was found out just now."""
    import sqlalchemy as sa

    sql = "SELECT session_id, unreadable FROM paper_sessions WHERE unreadable IS NOT NULL ORDER BY session_id"
    with store.read() as connection:
        return {session_id: files.split("\n") for session_id, files in connection.execute(sa.text(sql))}


def _as_dict(findings: Reconciled) -> JsonObject:
    import msgspec

    named: JsonObject = msgspec.to_builtins(findings)
    named["copies"] = [copy._asdict() for copy in findings.copies]
    return named


def _lines(findings: Reconciled) -> Iterator[str]:
    found = dict(_named(findings))
    for what, names in found.items():
        if not names:
            continue
        yield f"{what}: {len(names)}"
        yield from (f"  {name}" for name in names[:MOST_NAMED])
        if len(names) > MOST_NAMED:
            yield f"  and {len(names) - MOST_NAMED} more ('--format json' names them all)"
    if not any(found.values()):
        yield "Ledger and folders agree; nothing was recorded."


def _named(findings: Reconciled) -> Iterator[tuple[str, list[str]]]:
    yield "Adopted", findings.adopted
    yield (
        "Edited",
        [f"{one.session_id} {one.file}: {_changed(one.changes)}" for one in findings.amended],
    )
    yield "Gone", findings.vanished
    yield "Found", [f"{one.session_id} in {Path(one.folder)}" for one in findings.found]
    yield "Copies, left out", [f"{one.folder} of {one.session_id}" for one in findings.copies]
    yield "Made anew", [f"{name}: {', '.join(files)}" for name, files in findings.remade.items()]
    yield "Can't be read", [f"{name}: {', '.join(files)}" for name, files in findings.unreadable.items()]
    yield "At work, left alone", findings.at_work
    yield "Troubles", findings.troubles


def _changed(changes: Mapping[str, Mapping[str, object]]) -> str:
    return ", ".join(
        f"{field} {_short(told.get('before'))} -> {_short(told.get('after'))}"
        for field, told in parted(changes).items()
    )


def _short(value: object) -> str:
    text = "nothing" if value is None else as_cell(value)
    return text if len(text) <= 40 else f"{text[:37]}..."  # noqa: PLR2004 - half a line
