"""`quantlab ledger …`: head, verify, rebuild, backup, restore, export, import, migrate, grant."""

from __future__ import annotations

import json
import logging
import sys
import time
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quantlab.base.clock import utc_now
from quantlab.base.errors import ConfigError
from quantlab.base.levels import PROGRESS
from quantlab.base.remedies import INDEX
from quantlab.base.text import printable
from quantlab.cli.asking import find_ledger, given_by_hand
from quantlab.cli.configured import named_by
from quantlab.cli.options import FILE, TEXT, with_ledger
from quantlab.ledger.location import LEDGER_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from quantlab.ledger.location import Location
    from quantlab.ledger.maintenance import Findings
    from quantlab.ledger.store import Store

logger = logging.getLogger(__name__)

PROGRESS_AFTER_SECONDS = 1.0
LINES_AT_ONCE = 1_000
"""Lines of an export that are written together."""

place = click.argument("place", metavar="[ROOT]", required=False)
ledger_url = with_ledger(name="url")
key_file = click.option(
    "--sign-key",
    "key_file",
    type=FILE,
    metavar="FILE",
    help="The operator's key: 32 bytes or more, readable by its owner alone.",
)
in_format = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For whom.",
)


def _split(context: click.Context, parameter: click.Parameter, words: tuple[str, ...]) -> Path:
    """Tell FILE, the last word, from the ROOT that may stand before it."""
    if len(words) not in (1, 2):
        raise click.UsageError(f"{len(words)} words given; expected FILE, or ROOT and FILE.", context)
    context.params["place"] = words[0] if len(words) == 2 else None  # noqa: PLR2004 - ROOT and FILE
    return FILE.convert(words[-1], parameter, context)


place_and_file = click.argument("file", nargs=-1, metavar="[ROOT] FILE", callback=_split)


@click.group()
def ledger() -> None:
    """Verify, back up, move and rebuild a ledger; ROOT is a folder of paper sessions or a ledger URL."""


@ledger.command()
@place
@ledger_url
@key_file
@in_format
def head(place: str | None, url: str | None, key_file: Path | None, form: str) -> None:
    """Print the ledger's head.

    Kept elsewhere, it shows later whether history was cut or rewritten.
    """
    from quantlab.ledger.maintenance import read_head_document
    from quantlab.ledger.signing import read_key

    key = None if key_file is None else read_key(key_file)
    with _opened_to_read(place, url) as store:
        _print_fields(read_head_document(store, key), form)


@ledger.command()
@place
@ledger_url
@click.option(
    "--against",
    type=TEXT,
    multiple=True,
    metavar="FILE|SEQUENCE:HASH",
    help="A kept head, an exported ledger or an index export (repeatable).",
)
@key_file
@in_format
def verify(
    place: str | None, url: str | None, against: tuple[str, ...], key_file: Path | None, form: str
) -> int:
    """Check events, chain, definitions and projection.

    What ROOT's own files say of its ledger is held against it too. Exits 0 when all holds and 1 when not.
    """
    from quantlab.exports.later import own_witnesses
    from quantlab.folders.heads import own_heads
    from quantlab.ledger import maintenance
    from quantlab.ledger.signing import read_key
    from quantlab.ledger.witness import read_witness

    key = None if key_file is None else read_key(key_file)
    if key is not None and not against:
        raise ConfigError("--sign-key checks signed heads; expected --against FILE with it.")
    witnesses = [read_witness(text, key) for text in against]
    with _opened_to_read(place, url) as store:
        own: list[maintenance.ToldHead] = [*own_witnesses(store.location), *own_heads(store.location)]
        findings = maintenance.verify(store, [*own, *witnesses], _progress("events verified"))
        _print_findings(findings, str(store.location), form)
    return 1 if findings.faults else 0


@ledger.command()
@place
@ledger_url
def rebuild(place: str | None, url: str | None) -> None:
    """Make projections and files anew from the events.

    Guards and views are made anew too.
    """
    from quantlab.folders.remaking import rebuild_all_files
    from quantlab.ledger import maintenance

    with _opened(place, url) as store:
        made = maintenance.rebuild(store, _progress("sessions projected"))
        click.echo(f"{_count(made, 'session')} projected anew in {store.location}.")
        remade = rebuild_all_files(store)
        if remade is not None:
            click.echo(f"{_count(remade, 'file')} made anew.")


@ledger.command()
@place_and_file
@ledger_url
@click.option("--force", is_flag=True, help="Replace FILE even where it is no earlier backup of this ledger.")
def backup(place: str | None, file: Path, url: str | None, force: bool) -> None:
    """Copy the ledger to FILE, and verify the copy.

    Sessions may go on meanwhile. A server's backup is its export.
    """
    from quantlab.ledger.backup import back_up

    with _opened(place, url) as store:
        saved = back_up(store, file, force=force)
        kind = "backup" if store.location.is_sqlite else "export, which is a server's backup,"
        click.echo(f"{file}: {kind} of {store.location} up to {saved.sequence}:{saved.hash}, verified.")


@ledger.command()
@place_and_file
@ledger_url
@click.option("--force", is_flag=True, help="Replace a ledger that verifies; it is kept beside.")
def restore(place: str | None, file: Path, url: str | None, force: bool) -> None:
    """Bring the backup (or export) FILE back.

    It is verified first, and comes back whole or not at all.
    """
    from quantlab.exports.index import NAMES
    from quantlab.exports.later import set_aside
    from quantlab.ledger.refusals import translated
    from quantlab.ledger.restore import restore as restore_backup

    location = _located(place, url, must_exist=False)
    now = utc_now()
    with translated(location):
        restored, kept = restore_backup(location, file, now=now, force=force)
    click.echo(f"{location}: restored from {file} up to {restored.sequence}:{restored.hash}.")
    if kept is not None:
        click.echo(f"What was there before is kept as {kept}.")
    folder = location.root or (location.file.parent if location.file is not None else None)
    for export in [] if folder is None else set_aside(folder, NAMES, restored, now):
        click.echo(f"An export that knew more is kept as {export}.")
    again = INDEX if folder is None else INDEX.of(folder, *location.option(folder))
    click.echo(f"Run '{again}' to bring in what session folders know beyond it.")


@ledger.command()
@place
@ledger_url
@click.option("--output", type=FILE, metavar="FILE", help="Written whole; without it, standard output.")
def export(place: str | None, url: str | None, output: Path | None) -> None:
    """Write the whole ledger as JSON Lines.

    A header comes first, then one event a line, as stored.
    """
    from quantlab.base.files import remove_abandoned, writing_whole
    from quantlab.ledger import maintenance
    from quantlab.ledger.backup import require_other_file

    with _opened_to_read(place, url) as store:
        lines = maintenance.export(store, _progress("events exported"))
        if output is None:
            while some := b"".join(islice(lines, LINES_AT_ONCE)):
                click.echo(some if hasattr(sys.stdout, "buffer") else some.decode(), nl=False)
            return
        target = require_other_file(store.location, output)
        with writing_whole(target) as handle:
            remove_abandoned(Path(handle.name), target)
            handle.writelines(lines)


@ledger.command(name="import")
@place_and_file
@ledger_url
def import_(place: str | None, file: Path, url: str | None) -> None:
    """Bring an exported ledger into an empty one.

    Or into one that holds its first events; every hash stays intact.
    """
    from quantlab.ledger.restore import import_export

    location = _located(place, url, must_exist=False)
    added, now_at = import_export(location, file, _progress("events imported"))
    click.echo(
        f"{location}: {_count(added, 'event')} imported, up to {now_at.sequence}:{now_at.hash}, verified."
    )


@ledger.command()
@place
@ledger_url
def migrate(place: str | None, url: str | None) -> None:
    """Bring an older ledger to this program's schema.

    A SQLite file is backed up beside it first.
    """
    from quantlab.ledger.revision import HEAD_REVISION
    from quantlab.ledger.store import open_store

    location = _located(place, url, must_exist=True)
    with open_store(location, create=False):
        click.echo(f"{location}: schema {HEAD_REVISION}, which is this program's.")


@ledger.command(short_help="Print the SQL that gives a server's role its rights.")
@place
@ledger_url
@click.option(
    "--role",
    type=click.Choice(["session", "operator", "reader"]),
    required=True,
    help="What it is for: to record, to record and rebuild, to ask.",
)
@click.option("--to", "name", metavar="NAME", help="The database's role.  [default: quantlab_ROLE]")
def grant(place: str | None, url: str | None, role: str, name: str | None) -> None:
    """Print the SQL that gives a role of a PostgreSQL ledger the least rights it needs.

    Run it as the ledger's owner, such as by psql; nothing is changed here.
    """
    from quantlab.ledger.postgres import grants

    location = _located(place, url, must_exist=True)
    if location.is_sqlite:
        raise ConfigError(
            f"{location} is a SQLite file, which has no roles: who may write it, the file's permissions say. Expected "
            "a PostgreSQL ledger's URL."
        )
    with _opened_to_read(place, url) as store, store.read() as connection:
        for statement in grants.statements(connection, role, name or f"quantlab_{role}"):
            click.echo(statement)


def _located(place: str | None, url: str | None, *, must_exist: bool) -> Location:
    location = find_ledger(place, url)
    root = location.root
    if root is not None and root.exists() and not root.is_dir():
        raise ConfigError(f"{root} is a file; expected a folder of paper sessions or a ledger URL.")
    if must_exist and root is not None and not url and not root.is_dir():
        raise ConfigError(f"{root} does not exist; expected a folder of paper sessions or a ledger URL.")
    if root is not None and url and not given_by_hand("url"):
        _note_its_own(root, location)
    return location


def _note_its_own(root: Path, location: Location) -> None:
    """Say that a root's own ledger is not the one that is meant, where environment or file alone decides so."""
    own = root / LEDGER_FILE
    if own.exists() and not location.is_own_of(root):
        logger.info(
            "NOTE: this is about %s, which %s names; %s has a ledger of its own, which "
            "'--ledger sqlite:///%s' reaches.",
            location,
            named_by("ledger", "url"),
            root,
            own,
        )


@contextmanager
def _opened_to_read(place: str | None, url: str | None) -> Iterator[Store]:
    from quantlab.ledger.store import open_store_to_read

    with open_store_to_read(_located(place, url, must_exist=True)) as store:
        yield store


@contextmanager
def _opened(place: str | None, url: str | None) -> Iterator[Store]:
    from quantlab.ledger.store import open_store

    with open_store(_located(place, url, must_exist=True), create=False, upgrade=False) as store:
        yield store


def _progress(what: str) -> Callable[[int], None]:
    """Return a function that says how far it is, on stderr, once it takes long; then every second."""
    last = time.monotonic()

    def tell(count: int) -> None:
        nonlocal last
        if time.monotonic() - last >= PROGRESS_AFTER_SECONDS:
            last = time.monotonic()
            logger.log(PROGRESS, "%s %s …", f"{count:,}", what)

    return tell


def _print_fields(fields: Mapping[str, object], form: str) -> None:
    if form == "json":
        click.echo(json.dumps(fields, indent=2))
        return
    for name, value in fields.items():
        click.echo(printable(f"{name} : {value}"))


def _print_findings(findings: Findings, where: str, form: str) -> None:
    first = findings.first_bad_sequence
    if form == "json":
        _print_fields(findings.as_document(where), form)
        return
    faulty = {fault.check for fault in findings.faults}
    for check, looked_at in findings.checked:
        click.echo(f"{'FAULT' if check in faulty else 'ok':<6}{check:<11} {looked_at}")
    for fault in findings.faults:
        click.echo(printable(f"FAULT {fault.check}: {fault.what}"))
    beyond = "" if first is None else f"; the first bad sequence is {first}"
    click.echo(f"{where}: {'does not hold' + beyond if findings.faults else 'all holds'}.")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
