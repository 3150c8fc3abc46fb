"""From what was asked of a strategy, by flags or a JSON request, to its code, loaded and with its parameters."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from quantlab.base.errors import ConfigError
from quantlab.domain.config import (
    BUILT_IN_STRATEGY,
    ELSEWHERE,
    RunConfig,
    config_hash,
    field_message,
    validated,
)
from quantlab.domain.names import CONFIG, METADATA, METADATA_COPY
from quantlab.runner.strategy import Chosen, chosen_built_in, kept_source
from quantlab.trading.strategies.apart import SECONDS, Apart
from quantlab.trading.strategies.finding import find_named, find_strategy
from quantlab.trading.strategies.parameters import Text
from quantlab.trading.strategies.signals_file import read_signals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quantlab.base.values import JsonObject
    from quantlab.trading.strategies.source import Source

Values = dict[str, object]
"""What flags or a request gave, by name, before anything looked at it."""
LIMITS = ("rsi_buy_max", "rsi_sell_min")
"""The built-in's parameters, which are flags of their own too."""
OF_LIKE = (set(RunConfig.__struct_fields__) - set(ELSEWHERE)) | {"ticker"}
"""What `--like` takes: the market and the rules, not the range, the prices or the cash."""


class ChosenStrategy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was asked of a strategy."""

    strategy: str | None = None
    strategy_params: dict[str, Any] = {}
    signals: str | None = None
    no_check: bool = False
    strategy_seconds: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = SECONDS
    like: str | None = None


ASKED_NAMES = frozenset(ChosenStrategy.__struct_fields__)


def asked_of(values: Values) -> tuple[ChosenStrategy, Values]:
    """Part what is asked of the strategy from the other values.

    Raises:
        ConfigError: one is of another type or out of range, or two exclude each other.
    """
    mine = {name: value for name, value in values.items() if name in ASKED_NAMES and value is not None}
    try:
        asked = msgspec.convert(mine, ChosenStrategy, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{field_message(error, mine)}.") from error
    if asked.signals is not None and (asked.strategy is not None or asked.strategy_params):
        raise ConfigError(
            "signals: they stand for a strategy; expected either --signals, or --strategy and --param."
        )
    return asked, {name: value for name, value in values.items() if name not in ASKED_NAMES}


@contextmanager
def choosing(values: Values, *, by_name: bool = False) -> Iterator[tuple[Values, Chosen]]:
    """Load the strategy that was asked for; yields the values with its fields, and the strategy.

    Args:
        values: What was given, by name.
        by_name: Take names alone, as of a JSON request: never a path.

    Raises:
        ConfigError: there is no such strategy, or a parameter is of no use.
        StrategyError: its code can't be loaded.
    """
    asked, others = asked_of(values)
    if by_name and asked.like is not None:
        raise ConfigError(
            "like: a request can't name a folder, whose code would run; expected strategy by its name."
        )
    like, earlier, others, source = _like(asked, others)
    source = _source(asked, by_name=by_name) or source
    limits = {name: others[name] for name in LIMITS if others.get(name) is not None}
    params = _one_value_each(asked.strategy_params, limits)
    if source is None or source.kind == "built-in":
        _require_warm_up(others, of_built_in=True)
        yield (
            {**others, **_of_built_in(params)},
            Chosen(source=chosen_built_in().source, like=like, earlier=earlier),
        )
        return
    told = {**others, "strategy": source.name, "strategy_digest": source.digest, **dict.fromkeys(LIMITS)}
    if source.kind == "signals":
        if limits:
            raise ConfigError(f"{next(iter(limits))}: signals take no parameters; leave it out.")
        yield {**told, "strategy_params": {}}, Chosen(source=source, like=like, earlier=earlier)
        return
    if asked.strategy is None and earlier is not None:
        # The kept code with what it ran with, unless told otherwise.
        params = {**(earlier.strategy_params or {}), **params}
    with Apart(source, seconds=asked.strategy_seconds) as apart:
        loaded = apart.load(params)
        _require_warm_up(others, loaded.min_bars)
        checked = not asked.no_check
        chosen = Chosen(
            source=source, checked=checked, apart=apart, like=like, earlier=earlier, loaded=loaded
        )
        yield {**told, "strategy_params": loaded.values}, chosen


def _require_warm_up(values: Values, least: int = 0, *, of_built_in: bool = False) -> None:
    """Refuse a warm-up after which the strategy's signals would still count for nothing; none at all is no warm-up.

    Raises:
        ConfigError: it is shorter than the strategy's `min_bars`.
    """
    warmup = values.get("warmup")
    if not isinstance(warmup, int) or warmup <= 0:
        return
    if of_built_in:
        from quantlab.trading.strategies.strategy import built_in

        least = built_in().min_bars
    if warmup < least:
        raise ConfigError(
            f"warmup: {warmup} bars are fewer than the {least} that the strategy needs before its first signal; "
            f"expected at least {least}, or 0 for none."
        )


def _source(asked: ChosenStrategy, *, by_name: bool) -> Source | None:
    if asked.signals is not None:
        return read_signals(Path(asked.signals))
    if asked.strategy is None:
        return None
    return find_named(asked.strategy) if by_name else find_strategy(asked.strategy)


def _one_value_each(params: Values, limits: Values) -> Values:
    """Join `--param rsi_buy_max=50` and `--rsi_buy_max 50`, which are one."""
    for name, value in limits.items():
        if name in params and _number(params[name]) != value:
            raise ConfigError(f"{name}: {params[name]!r} and {value!r} were both given; expected one value.")
    return {**params, **limits}


def _of_built_in(params: Values) -> Values:
    for name in params:
        if name not in LIMITS:
            from quantlab.trading.strategies.parameters import parameters_of, resolved
            from quantlab.trading.strategies.strategy import built_in

            resolved(parameters_of(built_in().decide, BUILT_IN_STRATEGY), params, BUILT_IN_STRATEGY)
    return {name: _number(value) for name, value in params.items()}


def _number(value: object) -> object:
    try:
        return float(value) if isinstance(value, Text) else value
    except ValueError:
        return str(value)


def _like(
    asked: ChosenStrategy, others: Values
) -> tuple[Values | None, RunConfig | None, Values, Source | None]:
    """Take the configuration of an earlier run or session; what is given beside it wins.

    Raises:
        ConfigError: there is none, or what it keeps is not what ran.
    """
    if asked.like is None:
        return None, None, others, None
    folder = Path(asked.like)
    config, metadata = _document(folder, CONFIG), _metadata(folder)
    earlier = validated(config)
    like = {
        "id": str(metadata.get("run_id") or folder.name),
        "config_hash": config_hash(earlier),
        "result_digest": metadata.get("result_digest"),
    }
    kept = asked.strategy is None and asked.signals is None
    named = {*OF_LIKE} - ({"strategy", "strategy_params", "strategy_digest"} if not kept else set())
    taken = {name: value for name, value in config.items() if name in named and value is not None}
    source = None
    if earlier.strategy != BUILT_IN_STRATEGY and kept:
        source = kept_source(folder, earlier, metadata.get("strategy") or {})
    return like, earlier, {**taken, **others}, source


def _metadata(folder: Path) -> JsonObject:
    name = METADATA if (folder / METADATA).is_file() else METADATA_COPY
    return _document(folder, name)


def _document(folder: Path, name: str) -> JsonObject:
    try:
        document = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(
            f"like: {folder / name} can't be read ({why}); expected a session's or run's folder, such as "
            "outputs/runs/ID."
        ) from error
    if not isinstance(document, dict):
        raise ConfigError(
            f"like: {folder / name} holds no JSON object; expected a session's or run's folder."
        )
    return document
