"""Forward is replay, to the digest, however a session is driven: by steps, by following, in turns, across a restart.

A few cases run with the suite; `QUANTLAB_TEST_FORWARD_CASES=200` runs as many, as the drill of forward sessions does.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import Phase, given
from hypothesis import settings as cases
from hypothesis import strategies as st
from support.forward_market import BEGAN, WARMUP, InMemory, Market, asked_in_memory, begun, settings, stepped
from test_forward import rows

from quantlab.domain.config import validated
from quantlab.exports import bundle
from quantlab.runner.environment import code
from quantlab.runner.stopping import StopRequested
from quantlab.sessions.forward import resume
from quantlab.trading.digest import result_digest
from quantlab.trading.simulation import Replay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quantlab.sessions.forward.drive import Driven

pytestmark = pytest.mark.slow  # each case is a session of its own, taken up many times
CASES = int(os.environ.get("QUANTLAB_TEST_FORWARD_CASES", "12"))
PHASES = [one for one in Phase if one is not Phase.shrink]
"""A case takes a second, and shrinking one that fails takes hundreds of them: the first that is found is told."""
WAYS = {"steps": ("step",), "follows": ("follow",), "both": ("step", "follow")}
LENGTHS = {"1d": timedelta(days=1), "1h": timedelta(hours=1), "1m": timedelta(minutes=1)}
RULES = st.fixed_dictionaries(
    {
        "fill": st.sampled_from(["next_open", "close"]),
        "rsi_buy_max": st.floats(50, 100),
        "rsi_sell_min": st.floats(50, 100),
        "cooldown_days": st.integers(0, 3),
        "fee": st.sampled_from([0.0, 0.002]),
        "slippage_mode": st.sampled_from(["fixed", "atr"]),
    }
)
DRIVES = st.lists(
    st.tuples(st.integers(0, 9), st.booleans(), st.sampled_from([False, False, True])), min_size=1, max_size=8
)
"""Bars that come, whether the second of two ways drives, and whether the code has changed since."""


@cases(max_examples=CASES, deadline=None, derandomize=CASES < 50, phases=PHASES)
@given(
    seed=st.integers(0, 10**6),
    interval=st.sampled_from(sorted(LENGTHS)),
    rules=RULES,
    way=st.sampled_from(sorted(WAYS)),
    drives=DRIVES,
)
def test_forward_is_replay_however_it_is_driven(
    seed: int, interval: str, rules: dict[str, Any], way: str, drives: list[tuple[int, bool, bool]]
) -> None:
    forward = 1 + sum(bars for bars, _second, _changed in drives)
    with TemporaryDirectory() as name, patch.object(bundle, "_charts", lambda *_, **__: {}):
        market = Market(
            Path(name) / "prices.csv", bars=WARMUP + forward + 1, seed=seed, length=LENGTHS[interval]
        )
        told = {"interval": interval, "ticker": "ETH-USD", **rules}
        market.now = BEGAN + (WARMUP + 0.1) * market.length
        driven = begun(market, Path(name), bars=forward, **told)
        seen, changes = WARMUP, 0
        with asked_in_memory(market):
            for bars, second, changed in [*drives, (1, False, False)]:
                changes += changed
                how = WAYS[way][second * (len(WAYS[way]) - 1)]
                with changed_code(changes):
                    driven = drive(market, driven.folder, how, seen, seen + bars)
                seen += bars
        assert (driven.session.status, driven.session.forward_bars) == ("success", forward)
        assert driven.session.result_digest == replayed(market, forward, told)
        told_changes = "SELECT COUNT(*) FROM session_drives WHERE changed LIKE '%code%'"
        assert rows(driven.folder, told_changes) == [(changes,)]


def changed_code(changes: int) -> Any:
    """As if the program had been installed anew so many times."""
    running = code()
    return patch.object(
        resume, "code", lambda: replace(running, digest=f"{changes:064}") if changes else running
    )


def drive(market: Market, folder: Path, how: str, seen: int, until: int) -> Driven:
    """Let bars close, at once before a step, one after the other while somebody follows."""
    times = iter(range(seen, until + 1))

    def to_the_next(_seconds: float) -> None:
        market.now = at(market, next_of(times))

    if how == "step":
        market.now = at(market, until)
        return stepped(market, folder)
    market.now = at(market, seen)
    return stepped(market, folder, one_turn=False, sleep=to_the_next)


def next_of(times: Iterator[int]) -> int:
    """Return the next bar that closes; a signal comes when there is none."""
    for bars in times:
        return bars
    raise StopRequested("SIGTERM")


def at(market: Market, bars: int) -> Any:
    """Return when so many bars have closed, and no more."""
    return max(market.now, BEGAN + bars * market.length + market.length / 10)


def replayed(market: Market, forward: int, told: dict[str, Any]) -> str:
    """Return the digest of a replay of all these bars, the first of which warm it up."""
    source = InMemory(market)
    asked = source.closed_bars(np.datetime64(BEGAN.replace(tzinfo=None), "ns"), at(market, WARMUP + forward))
    config = validated(settings(market, **told))
    assert len(asked.prices) == WARMUP + forward
    return result_digest(Replay(asked.prices, config).result())
