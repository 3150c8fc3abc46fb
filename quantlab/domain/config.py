"""What a session or run computes: the validated configuration and its canonical hash."""

from __future__ import annotations

import hashlib
import math
import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Literal, Self, get_args, get_type_hints

import msgspec

from quantlab.base.errors import ConfigError

if TYPE_CHECKING:
    from quantlab.base.values import JsonObject

INTERVALS = ("1m", "2m", "5m", "15m", "30m", "60m", "90m", "1h", "1d", "5d", "1wk", "1mo", "3mo")
TICKER_PATTERN = r"^[A-Za-z0-9.\-=^_]{1,32}$"
PRICE_SOURCES = ("yahoo", "synthetic", "cache")
FILE_INTERVAL = r"[1-9][0-9]{0,3}(m|h|d|wk)"
"""Lengths of a bar that files may have beside Yahoo's."""
TOLD_BY_FILES = ("ticker", "start", "end")
"""Settings that a price file tells of itself, where the user does not."""
FILE_FIELDS = ("columns", "time_format", "separator", "adjust")
"""Settings that say how a price file is read; nothing else takes them."""
RSI_RANGE = (0, 100)
WHOLE_PRICE_BPS = 10_000
CASH_RANGE = (1e-6, 1e15)
"""Beyond these, sums of squares in a float lose their digits or overflow."""
LARGEST_SHOWN = 10**100
ORDER_RULE_RANGE = (1e-12, 1e15)
"""What a broker's rule may be besides 0, which is none."""
GENERATORS = (1, 2)
MOST_WARMUP = 1_000_000
MOST_COOLDOWN = 1_000_000_000
BUILT_IN_STRATEGY = "rsi_ma_cross_v2"
BUILT_IN_PARAMETERS = ("rsi_buy_max", "rsi_sell_min")
"""The strategy that runs where none is named; its parameters are fields of the configuration."""
ELSEWHERE = (
    *("ticker", "start", "end", "warmup", "paper", "initial_cash", "prices", "generator"),
    *("columns", "time_format", "separator", "adjust"),
)
"""Fields that say on what rules are tried, not what they are."""
KINDS = {
    "float": "a number",
    "int": "a whole number",
    "str": "a text",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
"""What a value may be, in the words of JSON."""

Ticker = Annotated[str, msgspec.Meta(pattern=TICKER_PATTERN)]


class RunConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is computed, and nothing about how fast or where (contract 3, config.json).

    Attributes:
        ticker: Yahoo's symbol.
        start: First day asked for, ISO date, inclusive.
        end: Day after the last one asked for, ISO date, exclusive.
        interval: Length of a bar, in Yahoo's spelling; of a file any whole number of m, h, d or wk.
        fee: Fraction of notional paid on each fill, in [0, 1).
        rsi_buy_max: Buy only below this RSI(14); None for another strategy than the built-in, as is rsi_sell_min.
        rsi_sell_min: Sell above this RSI(14).
        cooldown_days: Bars of rest after each fill.
        paper: A paper session rather than a research run.
        initial_cash: Starting cash, above 0.
        slippage_bps: Fixed slippage in basis points, at least 0.
        slippage_mode: `fixed`, or `atr` for k_atr x ATR(14)/close between 2 and 30 bps.
        k_atr: Factor of the atr mode, at least 0.
        prices: `yahoo`, `synthetic`, `cache`, or the path of a file.
        fill: `next_open`, or `close` for comparison with older results.
        lot_size: Units that are bought in whole multiples of this, rounded down; 0 buys any fraction.
        tick_size: Fill prices are multiples of this, rounded against the trader; 0 rounds nothing.
        min_notional: An order of less money than this is not placed.
        min_fee: Least fee of a fill, in money.
        fee_per_unit: Fee of each unit filled, in money, beside `fee`.
        warmup: Bars before `start` that only warm the strategy up; nothing is traded or counted on them.
        generator: Which synthetic prices: 2, or 1 for those of 0.1.0.
        strategy: The built-in, a registered name, or a file's name without ending (and `:FUNCTION`); never a path.
        strategy_params: Every parameter of another strategy than the built-in, defaults included.
        strategy_digest: SHA-256, in hex, that stands for its code.
        columns: Columns of a price file that don't explain themselves, `time=Datum,open=2`.
        time_format: How its times are written, as for `strptime`, or `s`, `ms`, `us`, `ns`.
        separator: What stands between its cells.
        adjust: `auto` adjusts its prices by an adjusted close beside them, `none` leaves them raw.
    """

    ticker: str = "ETH-USD"
    start: str = "2023-01-01"
    end: str = "2024-01-01"
    interval: str = "1d"
    fee: float = 0.002
    rsi_buy_max: float | None = 60.0
    rsi_sell_min: float | None = 75.0
    cooldown_days: int = 0
    paper: bool = False
    initial_cash: float = 1000.0
    slippage_bps: float = 8.0
    slippage_mode: Literal["fixed", "atr"] = "fixed"
    k_atr: float = 0.05
    prices: str = "yahoo"
    fill: Literal["next_open", "close"] = "next_open"
    lot_size: float = 0.0
    tick_size: float = 0.0
    min_notional: float = 0.0
    min_fee: float = 0.0
    fee_per_unit: float = 0.0
    warmup: int = 0
    generator: int = 2
    strategy: str = BUILT_IN_STRATEGY
    strategy_params: dict[str, bool | int | float | str] | None = None
    strategy_digest: str | None = None

    columns: str | None = None
    time_format: str | None = None
    separator: str | None = None
    adjust: Literal["auto", "none"] = "auto"

    @classmethod
    def as_recorded(cls, config: JsonObject) -> Self:
        """Read a configuration that an event holds; it was validated when it was recorded, by that version's rules."""
        return msgspec.convert({name: config[name] for name in cls.__struct_fields__ if name in config}, cls)

    @property
    def from_file(self) -> bool:
        """Whether the prices are a file of the user's."""
        return self.prices not in PRICE_SOURCES

    def as_dict(self) -> JsonObject:
        """Return the fields in their order, as config.json lists them; those added later only where they say something.

        So every hash made before they were there stays.
        """
        values = msgspec.structs.asdict(self)
        return {name: value for name, value in values.items() if name not in LATER or value != LATER[name]}

    def rule_parameters(self) -> JsonObject:
        """Return the strategy's parameters by name."""
        if self.strategy_params is not None:
            return self.strategy_params
        if self.strategy != BUILT_IN_STRATEGY:
            return {}
        return {"rsi_buy_max": self.rsi_buy_max, "rsi_sell_min": self.rsi_sell_min}


FIRST_FIELDS = 15
"""Fields that the first release had; they are always listed."""
LATER = {field.name: field.default for field in msgspec.structs.fields(RunConfig)[FIRST_FIELDS:]}
"""Fields added later, with their defaults."""


def config_hash(config: RunConfig) -> str:
    """Return the SHA-256, in hex, of the configuration as canonical JSON (sorted keys, no spaces)."""
    return hashlib.sha256(msgspec.json.encode(config.as_dict(), order="sorted")).hexdigest()


def rules_hash(config: RunConfig) -> str:
    """Return the SHA-256, in hex, of what is tried: the variant by which trials are counted, as canonical JSON.

    It covers strategy, parameters, the digest of its code, costs, fill, rest and interval; not the market, the range,
    the prices or the cash. A field that is added later belongs to it, unless `ELSEWHERE` names it.
    """
    rules = {
        name: value for name, value in config.as_dict().items() if name not in (*ELSEWHERE, "strategy_params")
    }
    rules |= {"strategy": config.strategy, "strategy_params": config.rule_parameters()}
    for name in ("rsi_buy_max", "rsi_sell_min"):
        rules.pop(name, None)
    return hashlib.sha256(msgspec.json.encode(rules, order="sorted")).hexdigest()


def validated(values: JsonObject) -> RunConfig:
    """Build a configuration from named values, strictly typed; equal numbers become one, so that -0.0 is 0.0.

    Raises:
        ConfigError: a field is unknown, of another type or out of range; the message names it.
    """
    try:
        config = msgspec.convert(values, RunConfig, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{field_message(error, values)}.") from error
    _check_market(config)
    _check_strategy(config)
    _check_numbers(config)
    return _without_negative_zeros(config)


def field_message(error: msgspec.ValidationError, values: JsonObject) -> str:
    """Return what was wrong, the field first; of a value out of range also the value.

    'Expected `bool`, got `str` - at `$.paper`' becomes 'paper: expected true or false, got a text'.
    """
    found = re.fullmatch(r"(.*?) - at `\$\.?(.*)`", str(error), re.DOTALL)
    if found is None:
        return str(error)
    what, where = re.sub(r"`(\w+)(?: \| null)?`", _kind, found[1]), found[2]
    value = f", got {values[where]!r}" if where in values and ", got " not in what else ""
    if what.startswith("Invalid enum value"):
        words = get_args(get_type_hints(RunConfig)[where])
        return f"{where}: expected one of {', '.join(words)}{value}"
    return f"{where}: {what[:1].lower()}{what[1:]}{value}"


def _kind(name: re.Match[str]) -> str:
    return KINDS.get(name[1], name[0])


def _without_negative_zeros(config: RunConfig) -> RunConfig:
    # A hash is over text, in which -0.0 and 0.0 are two numbers.
    zeros = {
        name: 0.0
        for name, value in msgspec.structs.asdict(config).items()
        if isinstance(value, float) and value == 0.0
    }
    return msgspec.structs.replace(config, **zeros)


def _check_market(config: RunConfig) -> None:
    if not re.fullmatch(TICKER_PATTERN, config.ticker):
        raise ConfigError(
            f"ticker: {config.ticker!r} is no symbol; expected 1 to 32 letters, digits or . - = ^ _ , "
            "such as ETH-USD."
        )
    if not config.prices.strip() or "\x00" in config.prices:
        raise ConfigError("prices: expected yahoo, synthetic, cache or a file's path; got nothing usable.")
    if config.interval not in INTERVALS and not (
        config.from_file and re.fullmatch(FILE_INTERVAL, config.interval)
    ):
        others = "; of a file also any whole number of m, h, d or wk, such as 4h" if config.from_file else ""
        raise ConfigError(
            f"interval: {config.interval!r} is unknown; expected one of {', '.join(INTERVALS)}{others}."
        )
    _check_reading(config)
    start, end = _day("start", config.start), _day("end", config.end)
    if start >= end:
        raise ConfigError(
            f"start: {config.start} is not before end {config.end}; expected start < end (end is exclusive)."
        )


def _check_reading(config: RunConfig) -> None:
    """Hold what says how a file is read against the source; what the words mean is checked where they are used."""
    for name in FILE_FIELDS:
        value = getattr(config, name)
        if value == LATER[name]:
            continue
        if not config.from_file:
            raise ConfigError(f"{name}: it says how a price file is read, but prices are {config.prices}.")
        if not value.strip("\n\r\x00"):
            raise ConfigError(f"{name}: expected a value, got {value!r}.")


def _day(name: str, text: str) -> date:
    """Read a date; `strptime` alone would take 2023-1-5 too, which sorts and hashes as another text."""
    refusal = ConfigError(f"{name}: {text!r} is no date; expected YYYY-MM-DD, such as 2023-01-31.")
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise refusal
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise refusal from error


def _check_strategy(config: RunConfig) -> None:
    """Hold the strategy's fields together: the built-in has its own two, any other one its parameters and digest."""
    limits = {"rsi_buy_max": config.rsi_buy_max, "rsi_sell_min": config.rsi_sell_min}
    if config.strategy == BUILT_IN_STRATEGY:
        for name in ("strategy_params", "strategy_digest"):
            if getattr(config, name) is not None:
                raise ConfigError(
                    f"{name}: expected null for the built-in strategy; its parameters are {', '.join(limits)}."
                )
        for name, limit in limits.items():
            if limit is None:
                raise ConfigError(f"{name}: expected a number in [0, 100], got null.")
        return
    for name, limit in limits.items():
        if limit is not None:
            raise ConfigError(f"{name}: expected null for strategy {config.strategy}; it is the built-in's.")
    if config.strategy_params is None or not re.fullmatch("[0-9a-f]{64}", config.strategy_digest or ""):
        raise ConfigError(
            f"strategy: {config.strategy!r} needs strategy_params and strategy_digest (SHA-256, 64 hex digits)."
        )


def _check_numbers(config: RunConfig) -> None:
    low, high = RSI_RANGE
    least, most = CASH_RANGE
    cash = config.initial_cash
    _check("initial_cash", cash, least <= cash <= most, f"an amount above 0, from {least:g} to {most:g}")
    _check("fee", config.fee, 0 <= config.fee < 1, "a fraction of notional in [0, 1), such as 0.002")
    for name, limit in (("rsi_buy_max", config.rsi_buy_max), ("rsi_sell_min", config.rsi_sell_min)):
        if limit is not None:
            _check(name, limit, low <= limit <= high, "a number in [0, 100]")
    rest = config.cooldown_days
    _check(
        "cooldown_days", rest, 0 <= rest <= MOST_COOLDOWN, f"a whole number of bars in [0, {MOST_COOLDOWN}]"
    )
    slippage = config.slippage_bps
    _check("slippage_bps", slippage, 0 <= slippage < WHOLE_PRICE_BPS, "basis points in [0, 10000)")
    _check("k_atr", config.k_atr, config.k_atr >= 0, "a finite factor, 0 or more")
    least, most = ORDER_RULE_RANGE
    for name in ("lot_size", "tick_size", "min_notional", "min_fee", "fee_per_unit"):
        value = getattr(config, name)
        _check(
            name,
            value,
            value == 0 or least <= value <= most,
            f"0 for none, or a number from {least:g} to {most:g}",
        )
    _check("generator", config.generator, config.generator in GENERATORS, "1 or 2")
    bars = config.warmup
    _check("warmup", bars, 0 <= bars <= MOST_WARMUP, f"a whole number of bars in [0, {MOST_WARMUP}]")


def _check(name: str, value: float, holds: bool, expected: str) -> None:
    # A whole number may be too large to be asked whether it is finite; its range is what counts.
    if not (holds and math.isfinite(value)):
        shown = (
            repr(value) if isinstance(value, float) or abs(value) < LARGEST_SHOWN else "a number of that size"
        )
        raise ConfigError(f"{name}: {shown} is out of range; expected {expected}.")
