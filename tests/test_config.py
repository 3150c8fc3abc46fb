from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantlab.base.errors import ConfigError
from quantlab.domain.config import (
    FILE_FIELDS,
    INTERVALS,
    LATER,
    RunConfig,
    config_hash,
    field_message,
    validated,
)


def test_defaults_are_the_contracts() -> None:
    assert validated({}).as_dict() == {
        "ticker": "ETH-USD", "start": "2023-01-01", "end": "2024-01-01", "interval": "1d", "fee": 0.002,
        "rsi_buy_max": 60.0, "rsi_sell_min": 75.0, "cooldown_days": 0, "paper": False, "initial_cash": 1000.0,
        "slippage_bps": 8.0, "slippage_mode": "fixed", "k_atr": 0.05, "prices": "yahoo", "fill": "next_open",
    }  # fmt: skip


def test_the_hash_does_not_change() -> None:
    # Ledgers hold it: another spelling of the same configuration would no longer be found.
    assert config_hash(RunConfig()) == config_hash(validated({"fee": 0.002, "ticker": "ETH-USD"}))
    assert config_hash(RunConfig()) != config_hash(RunConfig(fee=0.003))


def test_a_whole_number_is_a_number() -> None:
    assert validated({"fee": 0}).fee == 0.0


@pytest.mark.parametrize("name", ["fee", "slippage_bps", "k_atr", "rsi_buy_max", "rsi_sell_min"])
def test_a_negative_zero_is_zero(name: str) -> None:
    assert str(validated({name: -0.0}).as_dict()[name]) == "0.0"
    assert config_hash(validated({name: -0.0})) == config_hash(validated({name: 0}))


@pytest.mark.parametrize("interval", INTERVALS)
def test_every_interval_is_taken(interval: str) -> None:
    assert validated({"interval": interval}).interval == interval


@pytest.mark.parametrize("ticker", ["ETH-USD", "^GSPC", "EURUSD=X", "BRK.B", "A_B", "a" * 32])
def test_symbols_are_taken(ticker: str) -> None:
    assert validated({"ticker": ticker}).ticker == ticker


@pytest.mark.parametrize("ticker", ["", "A B", "A/B", "A\n", "٣", "a" * 33])
def test_other_tickers_are_refused(ticker: str) -> None:
    with pytest.raises(ConfigError, match=r"ticker: .* is no symbol"):
        validated({"ticker": ticker})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fee", 0.0), ("fee", 0.999), ("initial_cash", 1e-6), ("initial_cash", 1e15), ("slippage_bps", 0.0),
        ("rsi_buy_max", 0.0), ("rsi_buy_max", 100.0), ("cooldown_days", 0), ("k_atr", 0.0),
    ],
)  # fmt: skip
def test_the_edges_are_taken(name: str, value: float) -> None:
    assert getattr(validated({name: value}), name) == value


GOLDEN = "02487b8e317969ad12494101a0ca95fa687c0136a2abe64c9ecfaf61dfaa2070"
"""The hash of the default configuration, as the first version made it."""
ADDED: dict[str, Any] = {"lot_size": 1.0, "tick_size": 0.01, "min_notional": 10.0, "min_fee": 1.0,
                         "fee_per_unit": 0.005, "warmup": 400, "generator": 1}  # fmt: skip


def test_the_hash_of_the_first_configurations_stays() -> None:
    assert config_hash(RunConfig()) == GOLDEN


def test_fields_added_later_are_no_part_of_a_configuration_while_they_have_their_defaults() -> None:
    assert set(ADDED) & set(RunConfig().as_dict()) == set()
    assert set(LATER) == {*ADDED, "strategy", "strategy_params", "strategy_digest", *FILE_FIELDS}


@pytest.mark.parametrize("name", ADDED)
def test_fields_added_later_are_part_of_a_configuration_that_sets_them(name: str) -> None:
    config = validated({name: ADDED[name]})
    assert config.as_dict() == RunConfig().as_dict() | {name: ADDED[name]}
    assert config_hash(config) != GOLDEN
    assert validated(config.as_dict()) == config


@given(st.sampled_from(["fee", "initial_cash", "slippage_bps", "k_atr", "rsi_buy_max", "rsi_sell_min", "lot_size",
                        "tick_size", "min_notional", "min_fee", "fee_per_unit"]),
       st.sampled_from([float("nan"), float("inf"), float("-inf"), -1e-9, -1.0]))  # fmt: skip
def test_no_number_out_of_range_passes(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{name}: .* is out of range; expected"):
        validated({name: value})


@given(st.dictionaries(st.sampled_from(RunConfig.__struct_fields__), st.none() | st.booleans() | st.integers()
       | st.floats() | st.text("aZ0.- é\n\0") | st.lists(st.integers())))  # fmt: skip
def test_any_values_are_either_taken_or_refused_by_name(values: dict[str, Any]) -> None:
    told = ""
    try:
        config = validated(values)
    except ConfigError as refused:
        told = str(refused)
    assert any(name in told for name in values) if told else validated(config.as_dict()) == config


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"unknown field `tickr`"):
        validated({"tickr": "X"})


def test_prices_that_name_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="prices: expected"):
        validated({"prices": "a\0b"})


def test_a_message_without_a_field_stays_as_it_is() -> None:
    assert field_message(msgspec.ValidationError("Odd"), {}) == "Odd"


@pytest.mark.parametrize(("field", "words"), [("slippage_mode", "fixed, atr"), ("fill", "next_open, close")])
def test_a_word_that_is_not_among_those_of_a_field_is_told_with_them(field: str, words: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({field: "other"}, RunConfig)
    assert field_message(caught.value, {field: "other"}) == (f"{field}: expected one of {words}, got 'other'")
