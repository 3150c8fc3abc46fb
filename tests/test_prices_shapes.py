"""Price files in the shape of each source are read alike, and what was understood is said."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.price_shapes import SHAPES, market, values_of

from quantlab.domain.config import RunConfig
from quantlab.trading.prices import files
from quantlab.trading.prices.asked import asked_by
from quantlab.trading.prices.reading import Reading

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 4, tzinfo=UTC)


@pytest.mark.parametrize("name", SHAPES)
def test_a_sources_own_file_is_read_without_a_flag(tmp_path: Path, name: str) -> None:
    source, write = SHAPES[name]
    bars = market()
    (tmp_path / name).write_bytes(write(bars))
    path = str(tmp_path / name)
    looked = files.preview(path, Reading(), interval="1d", ticker=None)
    assert looked.error is None
    assert (looked.start, looked.end) == ("2022-01-01", "2022-05-01")
    config = RunConfig(prices=path, ticker="ETH-USD", start="2022-01-01", end="2022-05-01")
    received = files.fetch(path, asked_by(config, NOW), looked)
    prices = received.prices
    assert received.understood.startswith(f"read as {source}, ")
    assert (prices.times == bars.Date.to_numpy().astype("M8[ns]")).all()
    read = np.vstack([prices.open, prices.high, prices.low, prices.close, prices.volume])
    assert (read == values_of(bars)).all()
