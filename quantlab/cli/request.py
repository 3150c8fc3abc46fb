"""`quantlab request JSON`, the machines' way to the same run (contract 9)."""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import click

from quantlab.base.errors import ConfigError, QuantlabError
from quantlab.cli.asking import given_by_hand
from quantlab.cli.options import TEXT, with_ledger

if TYPE_CHECKING:
    from quantlab.cli.choosing import Values

MAX_BYTES = 1_000_000
FROM_FILE, STANDARD_INPUT = "@", "-"
LONGEST_NUMBER = 20
"""Characters of a number that a message shows."""


@click.command(context_settings={"max_content_width": 100})
@click.argument("json_request", metavar="JSON")
@click.option("--signal-file", type=TEXT, help="Append signals to this file, JSON Lines.")
@click.option("--outdir", type=TEXT, help="Folder that everything is written below.")
@with_ledger("The ledger to record in, where the request names none")
def request(json_request: str, **flags: str | None) -> None:
    """Run what a JSON request asks for; prints one JSON line about what it left, or why it failed.

    JSON is {"schema_version": "1.0", "request_id": TEXT, "command": "run", "params": {…}}; params are the
    flags of `quantlab run`, such as "ticker" and "paper". @FILE reads it from a file, - from standard input.
    """
    from quantlab.cli.launching import failed_answer, launch, machine_answer

    begun: list[tuple[str, Path]] = []
    text = json_request
    try:
        text = _read(json_request, flags["signal_file"])
        given = {name: value for name, value in flags.items() if given_by_hand(name)}
        values = _accepted(text, flags["signal_file"])
        values["ledger"] = values.get("ledger") or flags["ledger"]  # the environment speaks last
        launched = launch(
            {**values, **given}, by_name=True, begun=lambda identity, folder: begun.append((identity, folder))
        )
    except Exception as error:
        from quantlab.cli.main import explained

        known = (*sys.argv[1:], text, os.environ.get("QUANTLAB_LEDGER", ""))
        told = explained(error, sys.argv[1:])
        answer = failed_answer(error, told, _readable_request_id(text), begun[0] if begun else None, known)
        click.echo(json.dumps(answer))
        raise
    click.echo(json.dumps(machine_answer(launched, _readable_request_id(text))))


def _read(given: str, signal_file: str | None) -> str:
    """Return the request's text: what was given, or what the file or stream that it names holds."""
    try:
        if given == STANDARD_INPUT:
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
            return _decoded(data, "standard input")
        if given.startswith(FROM_FILE):
            return _decoded(_bytes_of(given.removeprefix(FROM_FILE)), given.removeprefix(FROM_FILE))
    except ConfigError as error:
        _signal_refusal(signal_file, None, error)
        raise
    return given


def _bytes_of(name: str) -> bytes:
    try:
        with Path(name).open("rb") as handle:
            return handle.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"The request's file {name!r} can't be read: {why}; expected @FILE with JSON in it."
        ) from error


def _decoded(data: bytes, source: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"The request in {source} is not in UTF-8; expected JSON in UTF-8.") from error


def _accepted(text: str, signal_file: str | None) -> Values:
    """Read the request, typed and checked; one that is refused is signalled too, for whoever waits."""
    try:
        asked = parse_request(text)
        if "request_id" in asked["params"]:
            raise ConfigError("Unknown param 'request_id'; expected it beside params, not in them.")
        values = {**asked["params"], "request_id": asked["request_id"]}
        _require_readable(values)
    except QuantlabError as error:
        _signal_refusal(signal_file, _readable_request_id(text), error)
        raise
    return values


def _require_readable(values: Values) -> None:
    """Refuse what can't be read before the strategy's code is loaded.

    Raises:
        ConfigError: a param is unknown, or of another type.
    """
    from quantlab.cli.choosing import asked_of
    from quantlab.cli.launching import read_values

    if "strategy_digest" in values:
        raise ConfigError("Unknown param 'strategy_digest'; it follows from the strategy's code.")
    read_values(asked_of(values)[1])


def _readable_request_id(text: str) -> str | None:
    """Return the name by which the sender waits for an answer, whatever else is wrong with the request."""
    try:
        asked = json.loads(text)
        found = asked.get("request_id") if isinstance(asked, dict) else None
        return found if isinstance(found, str) and found.encode() else None
    except (ValueError, RecursionError):
        return None


class Requested(TypedDict):
    """What a request asks for: the name by which its sender waits for an answer, and the values of the run."""

    request_id: str | None
    params: Values


def parse_request(text: str) -> Requested:
    """Return the request's fields.

    Raises:
        ConfigError: it is no JSON, or a field is missing, unknown or of another type; the message names it.
    """
    import msgspec

    class Request(msgspec.Struct, forbid_unknown_fields=True):
        schema_version: str
        command: str
        request_id: str | None = None
        params: dict[str, Any] = {}

    if not text.strip():
        raise ConfigError(
            'The JSON request is empty; expected an object such as {"schema_version": "1.0", "command": "run"}.'
        )
    if len(text) > MAX_BYTES:
        raise ConfigError(f"The JSON request is longer than {MAX_BYTES:,} characters; expected some hundred.")
    _require_numbers_in_range(text)
    try:
        asked = msgspec.json.decode(text.encode(), type=Request)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ConfigError(
            f"The JSON request is not usable: {error}. Expected schema_version, command, params."
        ) from error
    _require_single_names(text)
    if asked.schema_version != "1.0":
        raise ConfigError(f'schema_version: {asked.schema_version!r} is not known; expected "1.0".')
    if asked.command != "run":
        raise ConfigError(f'command: {asked.command!r} is not known; expected "run".')
    return {"request_id": asked.request_id, "params": asked.params}


def _require_numbers_in_range(text: str) -> None:
    """Refuse a number that no float can hold by the name of its field; the decoder tells its place alone.

    Raises:
        ConfigError: there is one.
    """
    try:
        asked = json.loads(text, parse_float=_in_range, parse_int=_in_range, parse_constant=str)
    except (ValueError, RecursionError):
        return
    params = asked.get("params") if isinstance(asked, dict) else None
    named = {**asked, **params} if isinstance(params, dict) else asked
    for name, value in named.items() if isinstance(named, dict) else ():
        if isinstance(value, _OutOfRange):
            raise ConfigError(
                f"{name}: {value} is out of range; expected a number between -1.8e308 and 1.8e308."
            )


class _OutOfRange(str):
    """A number that no float can hold, as it was written; of a long one the beginning."""

    __slots__ = ()


def _in_range(written: str) -> float | _OutOfRange:
    number = float(written)
    return number if math.isfinite(number) else _OutOfRange(_beginning(written))


def _beginning(written: str) -> str:
    return written if len(written) <= LONGEST_NUMBER else f"{written[:LONGEST_NUMBER]}…"


def _require_single_names(text: str) -> None:
    """Refuse an object that names a field twice: which of the two was meant can't be told."""

    def fields(pairs: list[tuple[str, object]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ConfigError(f"The JSON request names {name!r} twice; expected each field once.")
            seen.add(name)

    json.loads(text, object_pairs_hook=fields)


def _signal_refusal(signal_file: str | None, request_id: str | None, error: QuantlabError) -> None:
    from quantlab.base.clock import utc_now
    from quantlab.ledger.location import is_url
    from quantlab.runner.signals import SignalFile

    if signal_file is None or is_url(signal_file):  # a folder of that name would show a password
        return
    SignalFile(Path(signal_file), request_id).refused(error, at=utc_now())
