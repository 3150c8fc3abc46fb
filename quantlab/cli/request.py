"""`quantlab request JSON`, the machines' way to the same run (contract 9)."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import click

from quantlab.cli.asking import given_by_hand
from quantlab.cli.options import TEXT, with_ledger
from quantlab.errors import ConfigError, QuantlabError

MAX_BYTES = 1_000_000
LONGEST_NUMBER = 20
"""Characters of a number that a message shows."""


@click.command(context_settings={"max_content_width": 100})
@click.argument("json_request", metavar="JSON")
@click.option("--signal-file", type=TEXT, help="Append signals to this file, JSON Lines.")
@click.option("--outdir", type=TEXT, help="Folder that everything is written below.")
@with_ledger("The ledger to record in, where the request names none")
def request(json_request: str, **flags: str | None) -> None:
    """Run what a JSON request asks for; prints one JSON line about what it left.

    JSON is {"schema_version": "1.0", "request_id": TEXT, "command": "run", "params": {…}}; params are the
    flags of `quantlab run`, such as "ticker" and "paper".
    """
    from quantlab.cli.launching import launch, machine_answer

    given = {name: value for name, value in flags.items() if given_by_hand(name)}
    values = _accepted(json_request, flags["signal_file"])
    values["ledger"] = values.get("ledger") or flags["ledger"]  # the environment speaks last
    launched = launch({**values, **given})
    click.echo(json.dumps(machine_answer(launched, values["request_id"])))


def _accepted(text: str, signal_file: str | None) -> dict[str, Any]:
    """Read the request, typed and checked; one that is refused is signalled too, for whoever waits."""
    from quantlab.cli.launching import read_values

    try:
        asked = parse_request(text)
        if "request_id" in asked["params"]:
            raise ConfigError("Unknown param 'request_id'; expected it beside params, not in them.")
        values = {**asked["params"], "request_id": asked["request_id"]}
        read_values(values)
    except QuantlabError as error:
        _signal_refusal(signal_file, _readable_request_id(text), error)
        raise
    return values


def _readable_request_id(text: str) -> str | None:
    """Return the name by which the sender waits for an answer, whatever else is wrong with the request."""
    try:
        asked = json.loads(text)
        found = asked.get("request_id") if isinstance(asked, dict) else None
        return found if isinstance(found, str) and found.encode() else None
    except (ValueError, RecursionError):
        return None


def parse_request(text: str) -> dict[str, Any]:
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

    def fields(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ConfigError(f"The JSON request names {name!r} twice; expected each field once.")
            seen.add(name)

    json.loads(text, object_pairs_hook=fields)


def _signal_refusal(signal_file: str | None, request_id: str | None, error: QuantlabError) -> None:
    if signal_file is None:
        return
    from quantlab.clock import utc_now
    from quantlab.exports.signals import SignalFile

    SignalFile(Path(signal_file), request_id, partial(click.echo, err=True)).refused(error, at=utc_now())
