"""`quantlab paper-sessions index ROOT`: bring ledger and disk together, then write the exports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quantlab.cli.asking import find, say
from quantlab.cli.options import of_root, with_format
from quantlab.errors import ConfigError
from quantlab.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quantlab.sessions.reconcile import Findings

MOST_NAMED = 20
"""How many of a kind are named for people; JSON has them all."""


@click.command()
@of_root
@with_format("text", "json")
def index(root: str | None, ledger: str | None, form: str) -> None:
    """Bring the ledger of ROOT and its folders together, say what was found, and write the exports."""
    from quantlab.cli.output import as_json
    from quantlab.clock import utc_now
    from quantlab.exports.index import NAMES, write
    from quantlab.sessions.reconcile import reconcile
    from quantlab.sessions.roots import adopt_root
    from quantlab.store.engine import open_store

    location = find(root, ledger)
    if location.root is None:
        raise ConfigError(
            "index needs a folder; expected ROOT, and --ledger URL where the ledger is elsewhere."
        )
    now, folder = utc_now(), location.root
    first = adopt_root(location, now=now, say=say)
    # Files that are behind are made anew by `reconcile`, which says so.
    with open_store(location) as store:
        findings = reconcile(store, folder, now=now, say=say)
        if first is not None:
            findings.adopted = sorted([*first.adopted, *findings.adopted])
            findings.unreadable = {**first.unreadable, **findings.unreadable}
        head = write(store, folder)
    paths = [str(folder / name) for name in NAMES]
    if form == "json":
        exports = {"ledger_sequence": head.sequence, "ledger_hash": head.hash, "exports": paths}
        click.echo(as_json({"root_dir": str(folder.absolute()), **_as_dict(findings), **exports}))
        return
    for line in (*_lines(findings), f"Wrote {', '.join(paths)} (ledger sequence {head.sequence})."):
        click.echo(printable(line))


def _as_dict(findings: Findings) -> dict[str, Any]:
    import msgspec

    named: dict[str, Any] = msgspec.to_builtins(findings)
    named["copies"] = [copy._asdict() for copy in findings.copies]
    return named


def _lines(findings: Findings) -> Iterator[str]:
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


def _named(findings: Findings) -> Iterator[tuple[str, list[str]]]:
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


def _changed(changes: dict[str, dict[str, Any]]) -> str:
    return ", ".join(
        f"{field} {_short(told.get('before'))} -> {_short(told.get('after'))}"
        for field, told in changes.items()
    )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."  # noqa: PLR2004 - half a line
