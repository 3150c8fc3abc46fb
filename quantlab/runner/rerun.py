"""Run something again from what it kept: its configuration, its prices and what was known of them."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from quantlab.base.errors import DataError
from quantlab.domain.config import validated
from quantlab.domain.names import EQUITY, PRICES
from quantlab.exports import tables
from quantlab.runner.strategy import kept_decider
from quantlab.trading import outcome
from quantlab.trading.digest import first_difference
from quantlab.trading.market import Origin
from quantlab.trading.prices import table
from quantlab.trading.prices.loading import load_prices
from quantlab.trading.prices.synthetic import generator_of
from quantlab.trading.results import DataQuality
from quantlab.trading.simulation import Replay

if TYPE_CHECKING:
    from pathlib import Path

    from quantlab.base.values import JsonObject
    from quantlab.trading.market import Prices
    from quantlab.trading.results import Outcome


def rerun(folder: Path, config: JsonObject, data: JsonObject, strategy: JsonObject | None = None) -> Outcome:
    """Simulate again on the prices that a folder keeps.

    Args:
        folder: The session's or run's folder.
        config: Its configuration, as config.json has it.
        data: Facts of its prices, as its metadata has them.
        strategy: What was recorded of its strategy; the kept copy runs only where it has that digest.

    Raises:
        KeptCodeError: the kept strategy is not what ran.
        DataError: the prices or the strategy are gone, or the prices are not those that it ran on.
        StrategyError: the strategy failed.
    """
    settings = validated(config)
    prices = kept_prices(folder, config, data)
    recorded = {"periods_per_year": None, **data}  # 0.1.0 did not record it
    quality = msgspec.convert({one.name: recorded[one.name] for one in fields(DataQuality)}, DataQuality)
    simulation = Replay(prices, settings, strategy=kept_decider(folder, prices, settings, strategy)).result()
    return outcome.evaluate(settings, prices, quality, simulation, str(data["hash"]))


def kept_prices(folder: Path, config: JsonObject, data: JsonObject) -> Prices:
    """Return the prices that something ran on: from its folder, or made again where they were synthetic.

    Raises:
        DataError: they are gone, or their content is not what was recorded.
    """
    file = folder / PRICES
    try:
        content = file.read_bytes()
    except OSError as error:
        if data["source"] != "synthetic":
            raise DataError(
                f"{file} can't be read ({error.strerror or error}); without the prices nothing can be run again. "
                "Bring the file back from a copy of the folder."
            ) from error
        content = _synthetic(config, data)
    if table.data_hash(content) != data["hash"]:
        raise DataError(
            f"{file} is not what the session ran on: its SHA-256 is {table.data_hash(content)[:12]}…, "
            f"recorded was {str(data['hash'])[:12]}…. Bring the original back from a copy of the folder."
        )
    return table.from_csv(content, _origin(data))


def first_difference_from_kept(folder: Path, result: Outcome) -> str:
    """Name the first bar and field in which a second run differs from the kept equity table."""
    file = folder / EQUITY
    try:
        kept = tables.read_equity_csv(file.read_bytes())
    except (OSError, DataError) as error:
        return f"the result digests differ, and {file} can't be read to name the bar ({error})"
    per_bar = replace(result.simulation, fills=())
    found = first_difference(
        replace(per_bar, cash=kept.cash, quantity=kept.quantity, mark=kept.mark, equity=kept.equity),
        per_bar,
        result.prices,
    )
    if found is None:
        return "the result digests differ, but the kept equity table does not: a fill's detail changed"
    return (
        f"first difference at bar {found.bar} ({found.time}), field {found.field}: "
        f"kept {found.first!r}, now {found.second!r}"
    )


def _synthetic(config: JsonObject, data: JsonObject) -> bytes:
    now = datetime.fromisoformat(str(data["retrieved_at"]))
    made_by = {"generator": generator_of(str(data["detail"]))}
    prices, _quality = load_prices(validated({**config, **made_by}), now=now, cache_folder=None, offline=True)
    return table.to_csv(prices)


def _origin(data: JsonObject) -> Origin:
    known = {one.name: data[one.name] for one in fields(Origin) if one.name in data}
    return msgspec.convert(known, Origin)
