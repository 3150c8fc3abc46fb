"""`alerts --new`: what was not told before, handed to a command or a webhook: at least once, and in peace never twice.

What was told stands in a file of its own, written whole once everything was delivered. An alert is known by its
session, its code and the place in the ledger of the event that it is about: a later such event makes it a new one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from quantlab.base import platform
from quantlab.base.errors import ConfigError, QuantlabError
from quantlab.base.files import json_bytes, write_whole
from quantlab.base.waiting import answer_within
from quantlab.queries.alerts import Alerts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from quantlab.ledger.location import Location
    from quantlab.ledger.reader import Reader
    from quantlab.queries.alerts import Alert

    Key = tuple[str | None, str, int | str | None]

TOLD = ".alerts_told.json"
"""The file of what was told, in the root."""
TOKEN = "QUANTLAB_WEBHOOK_TOKEN"  # noqa: S105 - the variable's name
PATIENCE_SECONDS = 10.0
COMMAND_SECONDS = 60.0
WAITS = (1.0, 3.0)
"""Seconds before the second and the third try."""
TURN_SECONDS = 120.0
"""How long a call waits for another one that is telling the same; longer than that one may take."""
STALE = "PAPER_SESSION_STALE"
_ABOUT = "'adopted', 'failed', 'aborted', 'succeeded', 'proved', 'resolved'"
"""Events that make an alert a new one; a session is stale since its last event, whatever that was."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
TOO_MANY, SERVER_ERRORS, REDIRECTS = 429, 500, range(300, 400)


class ToldAlerts(NamedTuple):
    """What was told: up to which place in the ledger it was looked at, and the alerts that stood there."""

    sequence: int
    keys: frozenset[Key]


class Message(Alerts):
    """What is delivered: the answer, with a text for people before it."""

    text: str


def place_of(told: str | None, location: Location) -> Path:
    """Return the file of what was told.

    Raises:
        ConfigError: no root keeps it, and nobody named one, or that one can't be it.
    """
    from quantlab.base.files import require_target

    if told is not None:
        require_target(Path(told))
        return Path(told)
    if location.root is None:
        raise ConfigError(
            "--new: a ledger's URL has no folder to keep what was told; expected ROOT, or --told FILE."
        )
    return location.root / TOLD


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """Be the only one who tells what that file keeps.

    Raises:
        QuantlabError: another one takes too long.
        ConfigError: the file can't be kept there.
    """
    from quantlab.base.platform import file_lock

    if not file.parent.is_dir():
        raise ConfigError(
            f"{file.parent} is no folder; expected ROOT, a folder of paper sessions, or --told FILE."
        )
    lock = file_lock(f"{file}.lock")
    try:
        taken = lock.wait(TURN_SECONDS)
    except OSError as error:
        raise ConfigError(
            f"{file}: what was told can't be kept there ({error.strerror or error}); expected a folder that can be "
            "written, or --told FILE."
        ) from error
    try:
        if not taken:
            raise QuantlabError(
                f"Another call is telling what {file} keeps, and does not end; look at what it waits for."
            )
        yield
    finally:
        lock.close()


def read_told(file: Path) -> ToldAlerts:
    """Return what was told before; nothing where there is no such file.

    Raises:
        QuantlabError: it holds something else.
    """
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        return ToldAlerts(
            int(kept["ledger_sequence"]), frozenset((one[0], one[1], one[2]) for one in kept["told"])
        )
    except FileNotFoundError:
        return ToldAlerts(0, frozenset())
    except (OSError, ValueError, TypeError, ArithmeticError, LookupError, RecursionError) as error:
        # It may be somebody's file of another kind, so nobody is told to delete it.
        raise QuantlabError(
            f"{file} is not what was told ({type(error).__name__}); nothing was told now. Name another with --told, or "
            "move it away to be told of all that stands."
        ) from error


def write_told(file: Path, sequence: int, keys: Iterable[Key]) -> None:
    """Keep what was told, whole or not at all.

    Raises:
        QuantlabError: it can't be written; the next call tells the same again.
    """
    ordered = sorted(keys, key=lambda key: (key[0] or "", key[1], str(key[2])))
    write_whole(file, json_bytes({"ledger_sequence": sequence, "told": [list(key) for key in ordered]}))


def head_sequence(reader: Reader) -> int:
    """Return the place of the ledger's last event."""
    found = reader.row("SELECT sequence FROM ledger_head")
    return 0 if found is None else int(found["sequence"])


def tell(
    reader: Reader,
    found: Alerts,
    file: Path,
    *,
    command: str | None,
    webhook: str | None,
    show: Callable[[Alerts], None],
) -> None:
    """Deliver and show those alerts of an answer that were not told before, and keep that they were.

    Raises:
        QuantlabError: they could not be delivered; nothing counts as told.
    """
    before = read_told(file)
    keyed = [
        (_key(reader, one["session_id"], one["alert_code"], one["message"]), one) for one in found["alerts"]
    ]
    new = [one for key, one in keyed if key not in before.keys]
    document = message(found, new)
    if new and command is not None:
        to_command(command, document)
    if new and webhook is not None:
        to_webhook(webhook, document)
    show({**found, "alerts": new, "new_alerts": len(new)})
    sys.stdout.flush()
    standing = {key for key, _ in keyed}
    kept = {key for key in before.keys - standing if key == _key(reader, key[0], key[1], key[2])}
    if standing | kept != before.keys or not file.exists():
        write_told(file, head_sequence(reader), [*standing, *kept])


def _key(reader: Reader, session_id: str | None, code: str, otherwise: int | str | None) -> Key:
    """Return what an alert is known by: the place in the ledger of the event that it is about."""
    if session_id is None:
        return None, code, otherwise
    of_them = "" if code == STALE else f" AND type IN ({_ABOUT})"
    row = reader.row(
        f"SELECT MAX(sequence) AS sequence FROM events WHERE session_id = :id{of_them}", id=session_id
    )
    return session_id, code, None if row is None else row["sequence"]


def message(found: Alerts, new: Sequence[Alert]) -> Message:
    """Return what is delivered: a text for people, then the answer with the new alerts alone."""
    kinds = [one["alert_code"].removeprefix("PAPER_SESSION_") for one in new]
    lines = [
        f"{one['severity']}: {kind} {one['session_id'] or ''}: {one['message']}"
        for kind, one in zip(kinds, new, strict=True)
    ]
    head = f"QuantLab, {found['root_dir']}: {len(new)} new alert{'' if len(new) == 1 else 's'}"
    return {"text": "\n".join([head, *lines]), **found, "alerts": list(new)}


def to_command(command: str, document: Message) -> None:
    """Hand a command the message on its standard input; what it prints goes to our standard error.

    Raises:
        QuantlabError: it ends with another code than 0, or does not end.
    """
    sys.stderr.flush()
    process = subprocess.Popen(  # noqa: S602 - the operator's own command line, pipes and all; no file may name it
        command, shell=True, stdin=subprocess.PIPE, stdout=2, start_new_session=True
    )
    try:
        process.communicate((json.dumps(document) + "\n").encode(), timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise _not_told(f"--exec: the command did not end within {COMMAND_SECONDS:g} s") from error
    finally:
        if process.poll() is None:
            platform.end_group(process)
    if process.returncode != 0:
        raise _not_told(f"--exec: the command ended with {process.returncode}")


def require_url(url: str) -> None:
    """Refuse an address that is neither https nor of this machine; what was given may be secret and is not repeated.

    Raises:
        ConfigError: it is such a one.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError("--webhook: it is no URL; expected https://HOST/PATH.") from error
    safe = parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)
    if not host or not safe or not url.isascii() or any(one.isspace() for one in url):
        raise ConfigError(
            "--webhook: expected https://HOST/PATH, or http of this machine alone (localhost, 127.0.0.1, ::1)."
        )
    if "@" in parts.netloc:
        raise ConfigError(f"--webhook: it holds a user; expected none. A token belongs into {TOKEN}.")


def to_webhook(url: str, document: Message, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Post the message; tries three times where the server may be able to take it later.

    Raises:
        QuantlabError: it was not taken.
    """
    host = urlsplit(url).hostname
    data = json.dumps(document).encode()
    for wait in (*WAITS, None):
        again, why = _post(url, data)
        if why is None:
            return
        if not again or wait is None:
            raise _not_told(f"--webhook: {host} {why}")
        sleep(wait)


def _post(url: str, data: bytes) -> tuple[bool, str | None]:
    """Post once; returns whether another try may help, and what went wrong."""
    import http.client
    import ssl
    import urllib.error
    import urllib.request

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            """Follow nothing: the token and the alerts are for the address that was given."""

    headers = {"Content-Type": "application/json", "User-Agent": "quantlab"}
    if os.environ.get(TOKEN):
        headers["Authorization"] = f"Bearer {os.environ[TOKEN]}"
    handlers: list[urllib.request.BaseHandler] = [NoRedirect()]
    if urlsplit(url).hostname in LOOPBACK:
        handlers.append(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, data, headers, method="POST")  # noqa: S310 - https or loopback: `require_url`
    try:
        opener = urllib.request.build_opener(*handlers)
        answer_within(PATIENCE_SECONDS, lambda: opener.open(request, timeout=PATIENCE_SECONDS).close())
    except urllib.error.HTTPError as error:
        error.close()
        further = " (a redirect, which is not followed)" if error.code in REDIRECTS else ""
        return error.code == TOO_MANY or error.code >= SERVER_ERRORS, f"answered {error.code}{further}"
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            return False, "has a certificate that can't be trusted"
        if isinstance(reason, TimeoutError):
            return True, f"did not answer within {PATIENCE_SECONDS:.0f} s"
        return True, f"can't be reached ({type(reason).__name__})"
    except ValueError as error:  # a token with a line break in it
        return False, f"was not asked: {TOKEN} can't be sent ({type(error).__name__})"
    return False, None


def _not_told(why: str) -> QuantlabError:
    return QuantlabError(f"{why}; nothing is taken for told, and the next call tells it again.")
