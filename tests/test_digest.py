from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support.engine_markets import given_signals, walk

from quantlab.domain.config import RunConfig
from quantlab.trading.digest import first_difference, result_digest
from quantlab.trading.simulation import simulate

if TYPE_CHECKING:
    from quantlab.trading.results import Simulation

PRICES = walk(60)


def simulation_of() -> Simulation:
    return simulate(PRICES, RunConfig(), given_signals([3, 20], [10]))


def test_the_digest_is_that_of_the_documented_form() -> None:
    simulation = simulation_of()
    form = b"quantlab result 1\n"
    for name in vars(simulation.fills[0]):
        form += f"{name} 3\n".encode()
        for value in (getattr(fill, name) for fill in simulation.fills):
            coded = value.encode() if isinstance(value, str) else b""
            form += struct.pack("<q", len(coded)) + coded if coded else _packed(value)
    form += b"equity 60\n" + b"".join(struct.pack("<d", value) for value in simulation.equity)
    assert result_digest(simulation) == hashlib.sha256(form).hexdigest()


def test_equal_simulations_have_equal_digests() -> None:
    assert result_digest(simulation_of()) == result_digest(simulation_of())


def test_the_byte_order_of_the_arrays_does_not_matter() -> None:
    simulation = simulation_of()
    swapped = replace(simulation, equity=simulation.equity.astype(">f8"))
    assert result_digest(swapped) == result_digest(simulation)


def test_fills_as_records_have_the_digest_of_fills_as_columns() -> None:
    simulation = simulation_of()
    assert result_digest(replace(simulation, fills=tuple(simulation.fills))) == result_digest(simulation)


def test_one_bit_of_equity_changes_the_digest() -> None:
    simulation = simulation_of()
    equity = simulation.equity.copy()
    equity[30] = np.nextafter(equity[30], math.inf)
    assert result_digest(replace(simulation, equity=equity)) != result_digest(simulation)


@pytest.mark.parametrize("change", [{"reason": "other"}, {"signal_bar": 2}, {"fee": 0.0}])
def test_one_field_of_a_fill_changes_the_digest(change: dict[str, Any]) -> None:
    simulation = simulation_of()
    first, *others = simulation.fills
    assert result_digest(replace(simulation, fills=(replace(first, **change), *others))) != result_digest(
        simulation
    )


def test_equal_simulations_have_no_difference() -> None:
    assert first_difference(simulation_of(), simulation_of(), PRICES) is None


def test_the_first_differing_bar_and_field_are_named_with_both_values() -> None:
    simulation = simulation_of()
    equity = simulation.equity.copy()
    equity[30:] += 1.0
    found = first_difference(simulation, replace(simulation, equity=equity), PRICES)
    assert found == (30, "equity", "2023-02-01T00:00:00+00:00", simulation.equity[30], equity[30])


def test_a_differing_fill_is_named_before_the_equity_that_it_changes() -> None:
    dearer = simulate(PRICES, RunConfig(fee=0.01), given_signals([3, 20], [10]))
    found = first_difference(simulation_of(), dearer, PRICES)
    assert found is not None
    assert (found.bar, found.field) == (4, "fill.quantity")


@pytest.mark.parametrize(("enter", "bar"), [([3], 21), ([3, 15], 16), ([3, 25], 21)])
def test_a_fill_that_only_one_has_is_named(enter: list[int], bar: int) -> None:
    other = simulate(PRICES, RunConfig(), given_signals(enter, [10]))
    one_way, other_way = (
        first_difference(simulation_of(), other, PRICES),
        first_difference(other, simulation_of(), PRICES),
    )
    assert one_way is not None
    assert other_way is not None
    assert one_way[:2] == other_way[:2] == (bar, "fill")
    assert {one_way.first, one_way.second} == {other_way.first, other_way.second} == {"buy", None}


def test_a_history_that_ends_early_is_named() -> None:
    whole = simulation_of()
    short = replace(
        whole, **{name: getattr(whole, name)[:50] for name in ("cash", "quantity", "mark", "equity")}
    )
    found = first_difference(whole, short, PRICES)
    assert found is not None
    assert (found.bar, found.field, found.first, found.second) == (50, "bars", 60, 50)


def _packed(value: float) -> bytes:
    return struct.pack("<q" if isinstance(value, int) else "<d", value)
