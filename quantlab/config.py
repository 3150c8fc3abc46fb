"""What a session or run computes: the validated configuration and its canonical hash."""

from __future__ import annotations

import hashlib
import math
import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec

from quantlab.errors import ConfigError

INTERVALS = ("1m", "2m", "5m", "15m", "30m", "60m", "90m", "1h", "1d", "5d", "1wk", "1mo", "3mo")
TICKER_PATTERN = r"^[A-Za-z0-9.\-=^_]{1,32}$"
PRICE_SOURCES = ("yahoo", "synthetic", "cache")
RSI_RANGE = (0, 100)
WHOLE_PRICE_BPS = 10_000
CASH_RANGE = (1e-6, 1e15)
"""Beyond these, sums of squares in a float lose their digits or overflow."""
LARGEST_SHOWN = 10**100
MOST_COOLDOWN = 1_000_000_000
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
Interval = Literal["1m", "2m", "5m", "15m", "30m", "60m", "90m", "1h", "1d", "5d", "1wk", "1mo", "3mo"]


class RunConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is computed, and nothing about how fast or where (contract 3, config.json).

    Attributes:
        ticker: Yahoo's symbol.
        start: First day asked for, ISO date, inclusive.
        end: Day after the last one asked for, ISO date, exclusive.
        interval: Length of a bar, in Yahoo's spelling.
        fee: Fraction of notional paid on each fill, in [0, 1).
        rsi_buy_max: Buy only below this RSI(14).
        rsi_sell_min: Sell above this RSI(14).
        cooldown_days: Bars of rest after each fill.
        paper: A paper session rather than a research run.
        initial_cash: Starting cash, above 0.
        slippage_bps: Fixed slippage in basis points, at least 0.
        slippage_mode: `fixed`, or `atr` for k_atr x ATR(14)/close between 2 and 30 bps.
        k_atr: Factor of the atr mode, at least 0.
        prices: `yahoo`, `synthetic`, `cache`, or the path of a CSV or Parquet file.
        fill: `next_open`, or `close` for comparison with older results.
    """

    ticker: str = "ETH-USD"
    start: str = "2023-01-01"
    end: str = "2024-01-01"
    interval: str = "1d"
    fee: float = 0.002
    rsi_buy_max: float = 60.0
    rsi_sell_min: float = 75.0
    cooldown_days: int = 0
    paper: bool = False
    initial_cash: float = 1000.0
    slippage_bps: float = 8.0
    slippage_mode: Literal["fixed", "atr"] = "fixed"
    k_atr: float = 0.05
    prices: str = "yahoo"
    fill: Literal["next_open", "close"] = "next_open"

    def as_dict(self) -> dict[str, Any]:
        """Return the fields in their order, as config.json lists them."""
        return msgspec.structs.asdict(self)


def config_hash(config: RunConfig) -> str:
    """Return the SHA-256, in hex, of the configuration as canonical JSON (sorted keys, no spaces)."""
    return hashlib.sha256(msgspec.json.encode(config.as_dict(), order="sorted")).hexdigest()


def validated(values: dict[str, Any]) -> RunConfig:
    """Build a configuration from named values, strictly typed; equal numbers become one, so that -0.0 is 0.0.

    Raises:
        ConfigError: a field is unknown, of another type or out of range; the message names it.
    """
    try:
        config = msgspec.convert(values, RunConfig, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{field_message(error, values)}.") from error
    _check_market(config)
    _check_numbers(config)
    return _without_negative_zeros(config)


def field_message(error: msgspec.ValidationError, values: dict[str, Any]) -> str:
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
        name: 0.0 for name, value in config.as_dict().items() if isinstance(value, float) and value == 0.0
    }
    return msgspec.structs.replace(config, **zeros)


def _check_market(config: RunConfig) -> None:
    if not re.fullmatch(TICKER_PATTERN, config.ticker):
        raise ConfigError(
            f"ticker: {config.ticker!r} is no symbol; expected 1 to 32 letters, digits or . - = ^ _ , "
            "such as ETH-USD."
        )
    if config.interval not in INTERVALS:
        raise ConfigError(
            f"interval: {config.interval!r} is unknown; expected one of {', '.join(INTERVALS)}."
        )
    if not config.prices.strip() or "\x00" in config.prices:
        raise ConfigError("prices: expected yahoo, synthetic, cache or a file's path; got nothing usable.")
    start, end = _day("start", config.start), _day("end", config.end)
    if start >= end:
        raise ConfigError(
            f"start: {config.start} is not before end {config.end}; expected start < end (end is exclusive)."
        )


def _day(name: str, text: str) -> date:
    """Read a date; `strptime` alone would take 2023-1-5 too, which sorts and hashes as another text."""
    refusal = ConfigError(f"{name}: {text!r} is no date; expected YYYY-MM-DD, such as 2023-01-31.")
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise refusal
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise refusal from error


def _check_numbers(config: RunConfig) -> None:
    low, high = RSI_RANGE
    least, most = CASH_RANGE
    cash = config.initial_cash
    _check("initial_cash", cash, least <= cash <= most, f"an amount above 0, from {least:g} to {most:g}")
    _check("fee", config.fee, 0 <= config.fee < 1, "a fraction of notional in [0, 1), such as 0.002")
    _check("rsi_buy_max", config.rsi_buy_max, low <= config.rsi_buy_max <= high, "a number in [0, 100]")
    _check("rsi_sell_min", config.rsi_sell_min, low <= config.rsi_sell_min <= high, "a number in [0, 100]")
    rest = config.cooldown_days
    _check(
        "cooldown_days", rest, 0 <= rest <= MOST_COOLDOWN, f"a whole number of bars in [0, {MOST_COOLDOWN}]"
    )
    slippage = config.slippage_bps
    _check("slippage_bps", slippage, 0 <= slippage < WHOLE_PRICE_BPS, "basis points in [0, 10000)")
    _check("k_atr", config.k_atr, config.k_atr >= 0, "a finite factor, 0 or more")


def _check(name: str, value: float, holds: bool, expected: str) -> None:
    # A whole number may be too large to be asked whether it is finite; its range is what counts.
    if not (holds and math.isfinite(value)):
        shown = (
            repr(value) if isinstance(value, float) or abs(value) < LARGEST_SHOWN else "a number of that size"
        )
        raise ConfigError(f"{name}: {shown} is out of range; expected {expected}.")
