"""`quantlab ledger …`: head, verify, rebuild, backup, restore, export, import, migrate."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quantlab.cli.asking import find, given_by_hand, say
from quantlab.cli.options import with_ledger
from quantlab.clock import utc_now
from quantlab.errors import ConfigError
from quantlab.store.location import LEDGER_FILE
from quantlab.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from quantlab.sessions.maintenance import Findings
    from quantlab.store.engine import Store
    from quantlab.store.location import Location

PROGRESS_AFTER_SECONDS = 1.0
LINES_AT_ONCE = 1_000
"""Lines of an export that are written together."""

place = click.argument("place", metavar="[ROOT]", required=False)
ledger_url = with_ledger(name="url")
key_file = click.option(
    "--sign-key",
    "key_file",
    type=click.Path(path_type=Path),
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
some_file = click.Path(path_type=Path)


def _split(context: click.Context, _parameter: click.Parameter, words: tuple[str, ...]) -> Path:
    """Tell FILE, the last word, from the ROOT that may stand before it."""
    if len(words) not in (1, 2):
        raise click.UsageError(f"{len(words)} words given; expected FILE, or ROOT and FILE.", context)
    context.params["place"] = words[0] if len(words) == 2 else None  # noqa: PLR2004 - ROOT and FILE
    return Path(words[-1])


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
    from quantlab.sessions.maintenance import read_head_document
    from quantlab.signing import read_key

    key = None if key_file is None else read_key(key_file)
    with _opened_to_read(place, url) as store:
        _print_fields(read_head_document(store, key), form)


@ledger.command()
@place
@ledger_url
@click.option(
    "--against",
    multiple=True,
    metavar="FILE|SEQUENCE:HASH",
    help="A kept head, an exported ledger or an index export (repeatable).",
)
@key_file
@in_format
def verify(
    place: str | None, url: str | None, against: tuple[str, ...], key_file: Path | None, form: str
) -> int:
    """Check events, chain, guards and projection.

    Exits 0 when all holds and 1 when not.
    """
    from quantlab.sessions import maintenance
    from quantlab.sessions.witness import read_witness
    from quantlab.signing import read_key

    key = None if key_file is None else read_key(key_file)
    if key is not None and not against:
        raise ConfigError("--sign-key checks signed heads; expected --against FILE with it.")
    witnesses = [read_witness(text, key) for text in against]
    with _opened_to_read(place, url) as store:
        findings = maintenance.verify(store, witnesses, _progress("events verified"))
        _print_findings(findings, str(store.location), form)
    return 1 if findings.faults else 0


@ledger.command()
@place
@ledger_url
def rebuild(place: str | None, url: str | None) -> None:
    """Make projections and files anew from the events.

    Guards and views are made anew too.
    """
    from quantlab.sessions import maintenance

    with _opened(place, url) as store:
        made = maintenance.rebuild(store, _progress("sessions projected"))
        click.echo(f"{_count(made, 'session')} projected anew in {store.location}.")
        remade = maintenance.remake_files(store, say)
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
    from quantlab.sessions.backup import back_up

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
    from quantlab.sessions.restoring import restore as restore_backup
    from quantlab.store.refusals import translated

    location = _located(place, url, must_exist=False)
    with translated(location):
        restored, kept = restore_backup(location, file, now=utc_now(), force=force)
    click.echo(f"{location}: restored from {file} up to {restored.sequence}:{restored.hash}.")
    if kept is not None:
        click.echo(f"What was there before is kept as {kept}.")
    click.echo("Run 'quantlab paper-sessions index' to bring in what session folders know beyond it.")


@ledger.command()
@place
@ledger_url
@click.option("--output", type=some_file, metavar="FILE", help="Written whole; without it, standard output.")
def export(place: str | None, url: str | None, output: Path | None) -> None:
    """Write the whole ledger as JSON Lines.

    A header comes first, then one event a line, as stored.
    """
    from quantlab.exports.files import writing_whole
    from quantlab.sessions import maintenance
    from quantlab.sessions.backup import require_target

    with _opened_to_read(place, url) as store:
        lines = maintenance.export(store, _progress("events exported"))
        if output is None:
            while some := b"".join(islice(lines, LINES_AT_ONCE)):
                click.echo(some, nl=False)
            return
        with writing_whole(require_target(store.location, output)) as handle:
            handle.writelines(lines)


@ledger.command(name="import")
@place_and_file
@ledger_url
def import_(place: str | None, file: Path, url: str | None) -> None:
    """Bring an exported ledger into an empty one.

    Or into one that holds its first events; every hash stays intact.
    """
    from quantlab.sessions.restoring import import_export

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
    from quantlab.store.engine import open_store
    from quantlab.store.revision import HEAD_REVISION

    location = _located(place, url, must_exist=True)
    with open_store(location, create=False):
        click.echo(f"{location}: schema {HEAD_REVISION}, which is this program's.")


def _located(place: str | None, url: str | None, *, must_exist: bool) -> Location:
    location = find(place, url)
    root = location.root
    if root is not None and root.exists() and not root.is_dir():
        raise ConfigError(f"{root} is a file; expected a folder of paper sessions or a ledger URL.")
    if must_exist and root is not None and not url and not root.is_dir():
        raise ConfigError(f"{root} does not exist; expected a folder of paper sessions or a ledger URL.")
    if root is not None and url and not given_by_hand("url"):
        _note_its_own(root, location)
    return location


def _note_its_own(root: Path, location: Location) -> None:
    """Say that a root's own ledger is not the one that is meant, where the environment alone decides so."""
    own = root / LEDGER_FILE
    if own.exists() and not location.is_own_of(root):
        say(
            f"NOTE: this is about {location}, which QUANTLAB_LEDGER names; {root} has a ledger of its own, which "
            f"'--ledger sqlite:///{own}' reaches."
        )


@contextmanager
def _opened_to_read(place: str | None, url: str | None) -> Iterator[Store]:
    from quantlab.store.engine import open_to_read

    with open_to_read(_located(place, url, must_exist=True)) as store:
        yield store


@contextmanager
def _opened(place: str | None, url: str | None) -> Iterator[Store]:
    from quantlab.store.engine import open_store

    with open_store(_located(place, url, must_exist=True), create=False, upgrade=False) as store:
        yield store


def _progress(what: str) -> Callable[[int], None]:
    """Return a function that says how far it is, on stderr, once it takes long; then every second."""
    last = time.monotonic()

    def tell(count: int) -> None:
        nonlocal last
        if time.monotonic() - last >= PROGRESS_AFTER_SECONDS:
            last = time.monotonic()
            click.echo(f"{count:,} {what} …", err=True)

    return tell


def _print_fields(fields: dict[str, Any], form: str) -> None:
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
