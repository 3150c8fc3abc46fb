"""A strategy's parameters, read off its function's signature; values for them, checked before anything runs."""

from __future__ import annotations

import difflib
import functools
import inspect
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

from quantlab.base.errors import ConfigError, StrategyError
from quantlab.base.remedies import Setting
from quantlab.trading.strategies.base import Range

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Value = bool | int | float | str
KINDS: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
LARGEST_WHOLE = 2**53
"""JSON readers hold whole numbers up to here exactly."""
_TRUE, _FALSE = ("true", "yes", "1", "on"), ("false", "no", "0", "off")


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a strategy.

    Attributes:
        name: As the function names it.
        kind: bool, int, float or str.
        default: Its value where none is given; None where one must be.
        range: What a number may be.
        choices: What it may be at all; empty where anything of its kind may.
    """

    name: str
    kind: type
    default: Value | None
    range: Range | None = None
    choices: tuple[Value, ...] = ()

    @property
    def expected(self) -> str:
        """What a value may be, in words."""
        if self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        return f"{KINDS[self.kind]}{'' if self.range is None else f', {self.range}'}"

    def checked(self, value: object, name: str) -> Value:
        """Return a value for it, which may be a text of the command line.

        Raises:
            ConfigError: it is of another kind, or out of range.
        """
        found = _read(self.kind, value) if isinstance(value, Text) else _typed(self.kind, value)
        in_range = self.range is None or (isinstance(found, int | float) and self.range.holds(found))
        if found is None or not in_range or (self.choices and found not in self.choices):
            raise ConfigError(
                f"{self.name}: {value!r} is no value for strategy {name}; expected {self.expected}"
                f"{'' if self.default is None else f' (default {self.default})'}."
            )
        return found


class Text(str):
    """A value as it was typed, whose kind its parameter knows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(str(self))


def parameters_of(function: Callable[..., object], where: str) -> tuple[Parameter, ...]:
    """Return the parameters of a strategy's function: all arguments but the first, the bars.

    Args:
        function: The strategy.
        where: File and line, for messages.

    Raises:
        StrategyError: the function takes no bars, or an argument that no value can be given for.
    """
    try:
        taken = list(inspect.signature(function).parameters.values())
        hints = _hints(function, taken[1:])
    except Exception as error:
        raise StrategyError(
            f"{where}: the arguments can't be read ({type(error).__name__}: {error}); expected "
            "def decide(bars: Bars, fast: int = 10) -> Signals."
        ) from error
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if not taken or taken[0].kind not in by_place:
        raise StrategyError(
            f"{where}: the function takes no bars; expected them as its first argument, def decide(bars: Bars, …)."
        )
    return tuple(_parameter(one, hints.get(one.name, inspect.Parameter.empty), where) for one in taken[1:])


def written(rule: Callable[..., object]) -> Callable[..., object]:
    """Return the function that somebody wrote: the one in a partial, `__call__` of an object that can be called."""
    while isinstance(rule, functools.partial):
        rule = rule.func
    if isinstance(rule, type) or inspect.isroutine(rule):
        return rule
    called: Callable[..., object] = type(rule).__call__
    return called


def _hints(function: Callable[..., object], taken: Sequence[inspect.Parameter]) -> dict[str, object]:
    """Return the parameters' annotations, read where they stand as texts.

    Those of bars and answer are nobody's business: their names may be imported for a type checker alone.
    """

    def alone() -> None:
        """Bears the annotations of the parameters."""

    alone.__annotations__ = {
        one.name: one.annotation for one in taken if one.annotation is not inspect.Parameter.empty
    }
    known = getattr(inspect.unwrap(written(function)), "__globals__", {})
    return get_type_hints(alone, globalns=known, include_extras=True)


def resolved(parameters: Sequence[Parameter], given: Mapping[str, object], name: str) -> dict[str, Value]:
    """Return a value for every parameter, defaults included, in the function's order.

    Raises:
        ConfigError: a name is unknown (its nearest neighbour is named), a value is of no use or is missing.
    """
    known = {one.name: one for one in parameters}
    for asked in given:
        if asked not in known:
            near = difflib.get_close_matches(asked, known, n=1)
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            hint = f"did you mean {near[0]!r}? {takes[:1].upper()}{takes[1:]}" if near else takes
            raise ConfigError(f"Strategy {name} has no parameter {asked!r}; {hint}.")
    values: dict[str, Value] = {}
    for one in parameters:
        if one.name in given:
            values[one.name] = one.checked(given[one.name], name)
        elif one.default is None:
            raise ConfigError(
                f"Strategy {name} needs a value for {one.name}, {one.expected}; give ",
                Setting("param", f"{one.name}=VALUE"),
                ".",
            )
        else:
            values[one.name] = one.default
    return values


def _parameter(one: inspect.Parameter, hint: object, where: str) -> Parameter:
    if one.kind in (
        inspect.Parameter.VAR_POSITIONAL,
        inspect.Parameter.VAR_KEYWORD,
        inspect.Parameter.POSITIONAL_ONLY,
    ):
        raise StrategyError(
            f"{where}: the argument {one} has no one name and value; expected parameters such as fast: int = 10."
        )
    default = None if one.default is inspect.Parameter.empty else _plain(one.default)
    kind, allowed, choices = _annotated(hint)
    if kind is inspect.Parameter.empty:
        kind = type(default)
    if kind not in KINDS:
        raise StrategyError(
            f"{where}: parameter {one.name} is annotated {_named(hint)}; expected int, float, bool, str or a Literal."
        )
    parameter = Parameter(name=one.name, kind=kind, default=None, range=allowed, choices=choices)
    if default is None:
        return parameter
    try:
        value = parameter.checked(default, one.name)
    except ConfigError as error:
        raise StrategyError(
            f"{where}: the default {default!r} of {one.name} is not {parameter.expected}."
        ) from error
    return Parameter(name=one.name, kind=kind, default=value, range=allowed, choices=choices)


def _annotated(hint: object) -> tuple[Any, Range | None, tuple[Value, ...]]:
    """Return kind, range and choices that an annotation tells."""
    allowed = None
    if get_origin(hint) is Annotated:
        hint, *told = get_args(hint)
        allowed = next((each for each in told if isinstance(each, Range)), None)
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        return (type(choices[0]) if len({type(each) for each in choices}) == 1 else None), allowed, choices
    return hint, allowed, ()


def _typed(kind: type, value: object) -> Value | None:
    """Take a value that has a type already, such as one of JSON; a whole number may stand for a number."""
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return _finite(value)
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return int(value) if abs(value) <= LARGEST_WHOLE else None
    if kind is bool and isinstance(value, bool):
        return value
    return value if kind is str and isinstance(value, str) and value.isprintable() else None


def _plain(default: Any) -> Any:
    """Return numpy's 10 as 10; numpy itself is too heavy for those who only type parameters."""
    return default.item() if getattr(default, "shape", None) == () else default


def _finite(value: float) -> float | None:
    try:
        number = float(value) + 0.0  # 0.0 for -0.0: a hash is over text, in which they are two numbers
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _read(kind: type, text: str) -> Value | None:
    if kind is str:
        return _typed(str, str(text))
    if kind is bool:
        word = text.strip().lower()
        return True if word in _TRUE else False if word in _FALSE else None
    try:
        return _typed(kind, kind(text))
    except (ValueError, OverflowError):
        return None


def _named(hint: object) -> str:
    return getattr(hint, "__name__", None) or str(hint)
