"""Text from outside made fit for a terminal, a Markdown page or a spreadsheet."""

from __future__ import annotations

import re

_LINE_BREAKS = re.compile(r"\r\n|[\t\n\v\f\r\x85\u2028\u2029]")
# C0, DEL, C1, marks that reverse the direction of what follows, and halves of surrogate pairs.
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

_MARKDOWN_SYNTAX = re.compile(
    r"[\\`*\[\]<>|~&@$]"  # code, emphasis, links, HTML, cells, strike-through, entities, mentions, formulas
    r"|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"  # an underscore within a word is plain text
    r"|:(?=//)|(?<=www)\.",  # bare addresses become links
    re.IGNORECASE,
)
_MARKDOWN_BLOCK = re.compile(r"^([0-9]*)([-+#=.)])")

_FORMULA = re.compile(r"[\s\x00-\x1f\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_TEXT_MARK = "'"


def printable(text: str) -> str:
    r"""Return the text as one line that a terminal shows and does not obey.

    Line breaks and tabs become spaces; other control characters (the start of every escape code among
    them), marks that reverse the reading direction and lone surrogates become visible escapes such as
    `\x1b`. Everything else stays.
    """
    if text.isprintable():
        return text
    return _UNPRINTABLE.sub(_visible, _LINE_BREAKS.sub(" ", text))


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - Python's own notation


def markdown_cell(text: str) -> str:
    """Return the text as it has to be written to be read literally in a Markdown table cell or line.

    The result is one line, and holds no `|` or backtick that is not escaped, no markup, no HTML and no
    address that would become a link.
    """
    line = _MARKDOWN_SYNTAX.sub(r"\\\g<0>", printable(text).strip())
    return _MARKDOWN_BLOCK.sub(_escaped_block, line)


def _escaped_block(match: re.Match[str]) -> str:
    """Escape what begins a list, a heading or a rule; a number such as -0.5 or 1.5 is none."""
    digits, mark = match.groups()
    following = match.string[match.end() : match.end() + 1]
    begins_block = mark in "#=" or (mark in "-+" and not following.isdigit()) or following in ("", " ")
    return f"{digits}\\{mark}" if begins_block else match.group()


def without_controls(text: str) -> str:
    r"""Return the text with control characters but tabs and line breaks as visible escapes, such as `\x1b`."""
    return text if text.isprintable() else _CONTROLS.sub(_visible, text)


def csv_cell(text: str) -> str:
    """Return the text as a CSV cell that no spreadsheet takes for a formula.

    The scheme: a text that begins, after any blanks, with `=`, `+`, `-` or `@` (their full-width forms
    too), or with a tab or a line break, is given one apostrophe in front, and so is a text that begins
    with an apostrophe; a plain decimal number such as `-0.5` or `+1e-3`, and any other text, stays as it
    is. So a cell begins with an apostrophe exactly when one was put there: no two texts give the same
    cell, and whoever takes one apostrophe off has the text again. Quoting of commas, quotes and line breaks is the CSV
    writer's work.
    """
    if text.startswith(_TEXT_MARK) or (_FORMULA.match(text) and not _NUMBER.fullmatch(text)):
        return _TEXT_MARK + text
    return text
