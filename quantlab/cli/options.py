"""The values that flags take, and the options that several commands have in common."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from typing import Any

    from click.shell_completion import CompletionItem

    Command = Callable[..., object]
    _Path = click.Path[Path]
else:
    _Path = click.Path  # not generic in 8.4.0, which will do

DAY_SECONDS = 86_400
MOST = 999_999_999
"""What a whole number in a flag may be: as minutes 1,900 years, which times can still be reckoned with."""
OF_A_ROOT = "The ledger, where it is not the root's own"


class WholeNumber(click.ParamType[int]):
    """A whole number in plain digits, positive unless 0 has a meaning."""

    name = "integer"

    def __init__(self, what: str, *, zero: str | None = None) -> None:
        self.what = what
        self.zero = zero

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number; anything else is a usage error."""
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"[0-9]{1,9}", str(value)) or (int(str(value)) == 0 and self.zero is None):
            wanted = f"a positive whole number of {self.what}, at most {MOST:,}"
            wanted += "" if self.zero is None else f", or 0 {self.zero}"
            self.fail(f"{value!r}; expected {wanted}.", param, ctx)
        return int(str(value))


class Span(NamedTuple):
    """A length of time, and how it was said."""

    length: timedelta
    said: str


class TimeSpan(click.ParamType[Span]):
    """A positive whole number of minutes, hours or days, such as 26h."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Span:
        """Return the length; anything else is a usage error."""
        if isinstance(value, Span):
            return value
        found = re.fullmatch(r"([0-9]{1,6})(m|h|d)", str(value))
        if found is None or int(found[1]) == 0:
            self.fail(f"{value!r}; expected a number with m, h or d behind it, such as 26h.", param, ctx)
        return Span(timedelta(**{_SPANS[found[2]]: int(found[1])}), str(value))


_SPANS = {"m": "minutes", "h": "hours", "d": "days"}


def files(_context: object, _param: object, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete a word as it completes a path."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


class NonEmpty(click.ParamType[str]):
    """A text that is there: neither an unset shell variable nor the next flag may pass for a value."""

    name = "text"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text; an empty one, or what is spelled like a flag, is a usage error."""
        text = str(value)
        if not text.strip():
            self.fail("it is empty; expected a value (is a shell variable unset?).", param, ctx)
        if text.startswith("--"):
            self.fail(f"{text!r} is a flag; expected a value before it.", param, ctx)
        return text

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature, as below
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """Let the shell offer files: most of these texts are paths, or may be one."""
        return files(None, None, incomplete)


class Separator(click.ParamType[str]):
    """What parts the cells of a row: a sign, which may be a blank or a tab."""

    name = "text"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the sign; an empty text is a usage error."""
        if not str(value):
            self.fail("it is empty; expected a sign, such as ';'.", param, ctx)
        return str(value)


class FilePath(_Path):
    """The path of a file that was named: an empty text must not pass for the working folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(
        self, value: str | PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        """Return the path; an empty one is a usage error."""
        if not str(value).strip():
            self.fail("it is empty; expected a file's name (is a shell variable unset?).", param, ctx)
        return super().convert(value, param, ctx)


class Seconds(click.ParamType[float]):
    """A time above 0, of a day at most."""

    name = "float"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds; anything else is a usage error."""
        seconds = click.FLOAT.convert(value, param, ctx)
        if not 0 < seconds <= DAY_SECONDS:
            self.fail(f"{value!r}; expected a number above 0, at most {DAY_SECONDS:,}.", param, ctx)
        return seconds


TEXT = NonEmpty()
FILE = FilePath()


def of_root(command: Command) -> Command:
    """Give a command its ROOT argument and the option --ledger."""
    return click.argument("root", required=False, shell_complete=files)(with_ledger()(command))


def with_ledger(what: str = OF_A_ROOT, name: str = "ledger") -> Callable[[Command], Command]:
    """Give a command the option --ledger.

    Args:
        what: What the command does with that ledger, for its help.
        name: The parameter's name.
    """
    help_ = f"{what} (also QUANTLAB_LEDGER)."
    return click.option("--ledger", name, type=TEXT, metavar="URL", envvar="QUANTLAB_LEDGER", help=help_)


def with_page(command: Command) -> Command:
    """Give a command that brings a root's index up the option --page."""
    return click.option("--page", is_flag=True, help="Write the operators' page beside the index too.")(
        command
    )


def with_format(*formats: str) -> Callable[[Command], Command]:
    """Give a command the option --format; the first one named is its default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="How the answer is written.",
    )
