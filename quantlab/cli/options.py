"""The values that flags take, and the options that several commands have in common."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[..., Any]

MOST = 999_999_999
"""What a whole number in a flag may be: as minutes 1,900 years, which times can still be reckoned with."""
OF_A_ROOT = "The ledger, where it is not the root's own"


class WholeNumber(click.ParamType[int]):
    """A positive whole number, in plain digits."""

    name = "integer"

    def __init__(self, what: str) -> None:
        self.what = what

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number; anything else is a usage error."""
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"[0-9]{1,9}", str(value)) or int(value) == 0:
            wanted = f"a positive whole number of {self.what}, at most {MOST:,}"
            self.fail(f"{value!r}; expected {wanted}.", param, ctx)
        return int(value)


class NonEmpty(click.ParamType[str]):
    """A text that is there: neither an unset shell variable nor the next flag may pass for a value."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text; an empty one, or what is spelled like a flag, is a usage error."""
        text = str(value)
        if not text.strip():
            self.fail("it is empty; expected a value (is a shell variable unset?).", param, ctx)
        if text.startswith("--"):
            self.fail(f"{text!r} is a flag; expected a value before it.", param, ctx)
        return text


TEXT = NonEmpty()


def of_root(command: Command) -> Command:
    """Give a command its ROOT argument and the option --ledger."""
    return click.argument("root", required=False)(with_ledger()(command))


def with_ledger(what: str = OF_A_ROOT, name: str = "ledger") -> Callable[[Command], Command]:
    """Give a command the option --ledger.

    Args:
        what: What the command does with that ledger, for its help.
        name: The parameter's name.
    """
    help_ = f"{what} (also QUANTLAB_LEDGER)."
    return click.option("--ledger", name, type=TEXT, metavar="URL", envvar="QUANTLAB_LEDGER", help=help_)


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
