"""What of a ledger's URL may be shown: what is known to be harmless, and nothing else.

A password stands where its owner put it: with an @ or a slash in it, as a setting after the question mark, in the form
that libpq reads (`host=… password=…`), behind a misspelled name. So nothing here looks for passwords alone.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Span = tuple[int, int]

HIDDEN = "***"
# All patterns are linear: whoever gives a long odd word must not be waited for.
_SCHEME = r"(?:postgres|sqlite|mysql|mariadb)[\w+]*:"
_FORM = re.compile(rf"(?:[A-Za-z][A-Za-z0-9+.\-]*:(?=/)|{_SCHEME})/*", re.IGNORECASE)
_LEDGER_FORM = re.compile(
    rf"{_SCHEME}|.*(?:://|password\s*=)|[^/\\:\s]+:[^/\\].*@", re.IGNORECASE | re.DOTALL
)
"""A scheme that a ledger may have been meant to have; any URL; libpq's settings; a user and a password alone."""
_FLAG = re.compile(r"--[a-z-]+=")
_PATH = re.compile(r"[\w./~\\ -]*")
_USER = re.compile(r"[\w.%+@-]*")
_PLAIN = r"\w.,\[\]/%~+*'\"(); -"
_PORT = r":\d{0,5}(?=[/,?'\").;]|$)"
_PLACE = re.compile(rf"(?:\[[0-9A-Fa-f:.]+\])?[{_PLAIN}]*(?:{_PORT}[{_PLAIN}:]*)?")
_VALUE = re.compile(r"[\w./%:,=+*'\"(); -]*")
_HARMLESS = frozenset(
    {
        "application_name",
        "channel_binding",
        "client_encoding",
        "connect_timeout",
        "dbname",
        "gssencmode",
        "host",
        "hostaddr",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "mode",
        "options",
        "port",
        "service",
        "sslcert",
        "sslcrl",
        "sslmode",
        "sslrootcert",
        "target_session_attrs",
        "tcp_user_timeout",
        "user",
    }
)
"""libpq's settings that hold no secret."""
_URL_IN_JSON = re.compile(rf'"(?P<url>{_SCHEME}(?:[^"\\]|\\.)*)"', re.IGNORECASE)
_URL_IN_TEXT = re.compile(rf"{_SCHEME}\S*", re.IGNORECASE)
_USERS_IN_TEXT = re.compile(r"(:/+[^/:\s]*):\S*@")
_SETTING_IN_TEXT = re.compile(r"(?i)(pass\w*\s*=\s*)('[^']*'|[^\s&'\"]+)")


_BETWEEN = re.compile(r"[@:/?#\[\]&=,;%\s]+")
_LONG = 4
"""Letters from which on a word of a password is looked for without quotes around it."""


def redacted(url: str) -> str:
    """Return a ledger's URL, or what was given for one, with asterisks for all that may be secret."""
    text, end = "", 0
    for begin, until in secret_spans(url):
        text += url[end:begin] + HIDDEN
        end = until
    return text + url[end:]


def without_secrets(message: str, words: Sequence[str] = ()) -> str:
    """Return a message without the secrets of the ledgers' URLs in it.

    Args:
        message: One line.
        words: What the program was given: where the message repeats one, it repeats what of it may be shown.
    """
    for word in words:
        value = _FLAG.sub("", word, count=1)
        if is_url(value):
            for form in (value, repr(value)[1:-1], str(Path(value)), repr(str(Path(value)))[1:-1]):
                message = message.replace(one_line(form), redacted(one_line(form)))
    message = _URL_IN_TEXT.sub(lambda found: redacted(found.group()), message)
    message = _USERS_IN_TEXT.sub(rf"\1:{HIDDEN}@", message)
    return _SETTING_IN_TEXT.sub(rf"\1{HIDDEN}", message)


def without_words_of(url: str, message: str) -> str:
    """Return a driver's message about a URL with asterisks for every word in it that may be of the password.

    A driver that read the password's @, / or ? as the URL's own quotes the rest of it as a host or a database.
    """
    secret = [text for begin, end in secret_spans(url) for text in (url[begin:end], unquote(url[begin:end]))]
    words = {word for text in secret for word in (text, *_BETWEEN.split(text)) if word}
    for word in sorted(words, key=len, reverse=True):
        quoted = re.escape(word)
        message = re.sub(rf"(['\"]){quoted}(['\"])", rf"\g<1>{HIDDEN}\g<2>", message)
        if len(word) >= _LONG:
            message = re.sub(rf"(?<!\w){quoted}(?!\w)", HIDDEN, message)
    return message


def one_line(text: str) -> str:
    """Return a text with a blank for every character that can't be printed."""
    return "".join(character if character.isprintable() else " " for character in text)


def is_url(word: str) -> bool:
    """Tell a ledger's URL, well formed or not, from a path."""
    return bool(_LEDGER_FORM.match(word))


def secret_spans(url: str) -> list[Span]:
    """Return where in a ledger's URL there is something that may be secret, in order."""
    form = _FORM.match(url)
    if form is None:
        return [] if _PATH.fullmatch(url) else [(0, len(url))]
    at = url.rfind("@", form.end())
    place = max(form.end(), at + 1)
    query = url.find("?", place) if "?" in url[place:] else len(url)
    spans = [*_of_user(url, form.end(), at), *_of_place(url, place, query), *_of_query(url, query + 1)]
    return [(begin, end) for begin, end in spans if begin < end]


def spans_in_word(word: str) -> list[Span]:
    """Return where in one of the program's arguments there is something that may be secret, in order."""
    if is_url(word) and not word.lstrip().startswith("{"):
        return secret_spans(word)
    urls = [(found.start("url"), found["url"]) for found in _URL_IN_JSON.finditer(word)]
    return [(place + begin, place + end) for place, url in urls for begin, end in secret_spans(url)]


def _of_user(url: str, begin: int, at: int) -> Iterator[Span]:
    if at < 0:
        return
    user, colon, _password = url[begin:at].partition(":")
    if not _USER.fullmatch(user):
        yield begin, at
    elif colon:
        yield begin + len(user) + 1, at


def _of_place(url: str, begin: int, end: int) -> Iterator[Span]:
    if not _PLACE.fullmatch(url[begin:end]):
        yield begin, end


def _of_query(url: str, begin: int) -> Iterator[Span]:
    for part in url[begin:].split("&"):
        name, _equals, value = part.partition("=")
        known = name in _HARMLESS and _VALUE.fullmatch(value) and "pass" not in unquote(value).lower()
        if part and not known:
            named = len(name) + 1 if re.fullmatch(r"\w+", name) and value else 0
            yield begin + named, begin + len(part)
        begin += len(part) + 1
