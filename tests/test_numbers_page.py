"""The session of docs/numbers.md, run by the program and by the page's own arithmetic."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from support.engine_markets import given_signals, market

from quantlab.domain.config import RunConfig
from quantlab.trading.metrics import figures
from quantlab.trading.results import Figures, Simulation
from quantlab.trading.simulation import simulate

PAGE = (Path(__file__).parents[1] / "docs" / "numbers.md").read_text(encoding="utf-8")
CONFIG = RunConfig(initial_cash=1020.10, fee=0.01, slippage_bps=100.0, cooldown_days=1)
ENTER, LEAVE = (1, 5, 7), (4, 10)
LINES = re.findall(
    r"^(\w+) = (.*?)(?:  # (.*))?$",
    "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)),
    re.MULTILINE,
)


def tables() -> list[list[list[str]]]:
    found = re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE)
    return [
        [[cell.strip() for cell in row.strip("|").split("|")] for row in each.splitlines()[2:]]
        for each in found
    ]


BARS, FILLS = tables()
PRICES = market([float(row[3]) for row in BARS], opens=[float(row[2]) for row in BARS], start="2024-01-01")


def session() -> Simulation:
    return simulate(PRICES, CONFIG, given_signals(ENTER, LEAVE))


def arithmetic() -> dict[str, Any]:
    values: dict[str, Any] = {"sum": sum, "range": range}  # one scope: comprehensions see no other
    for name, expression, _ in LINES:
        values[name] = eval(expression, values)
    return values


def test_the_page_shows_what_the_engine_does_bar_by_bar() -> None:
    done = session()
    days = PRICES.times.astype("datetime64[D]")
    wanted = dict.fromkeys(ENTER, "enter") | dict.fromkeys(LEAVE, "leave")
    shown = [
        [
            *(
                str(bar),
                str(days[bar]),
                f"{PRICES.open[bar]:g}",
                f"{PRICES.close[bar]:g}",
                wanted.get(bar, ""),
            ),
            *(
                f"{done.cash[bar]:.4f}",
                f"{done.quantity[bar]:.6f}",
                f"{done.mark[bar]:g}",
                f"{done.equity[bar]:.4f}",
            ),
        ]
        for bar in range(len(PRICES))
    ]
    assert shown == BARS


def test_the_page_shows_every_fill() -> None:
    shown = [
        [
            *(str(fill.bar), str(fill.signal_bar), fill.side, f"{fill.price:.4f}", f"{fill.quantity:.6f}"),
            *(
                f"{fill.fee:.4f}",
                f"{fill.slippage:g}",
                f"{fill.cash_after:.4f}",
                f"{fill.position_after:.6f}",
            ),
            f"{fill.equity_after:.4f}",
        ]
        for fill in session().fills
    ]
    assert shown == FILLS


@pytest.mark.parametrize("name", [field.name for field in fields(Figures)])
def test_every_figure_is_derived_on_the_page(name: str) -> None:
    assert arithmetic()[name] == pytest.approx(getattr(figures(session(), PRICES, CONFIG), name), rel=1e-9)


@pytest.mark.parametrize(
    ("name", "shown"),
    [(name, number.group()) for name, _, note in LINES if (number := re.match(r"-?\d+\.\d+", note))],
)
def test_every_number_shown_is_what_its_line_gives(name: str, shown: str) -> None:
    assert f"{arithmetic()[name]:.{len(shown.split('.')[1])}f}" == shown


def test_the_page_counts_the_wait_on_bar_8() -> None:
    assert session().skipped_fills == 1
