from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from support.outcome_builder import build_outcome, with_pending, without_figures

from quantlab.domain.config import RunConfig
from quantlab.exports import markdown
from quantlab.exports.layout import FileLayout
from quantlab.exports.report import ReportHeader, render

if TYPE_CHECKING:
    from quantlab.trading.results import Outcome

COMMAND = "quantlab run --ticker ETH-USD --start 2023-01-01 --end 2024-01-01 --paper"


def header(**changes: Any) -> ReportHeader:
    values: dict[str, Any] = {
        "run_id": "20240102_030405_paper_abcdef",
        "mode": "paper",
        "created_at": "2024-01-02T03:04:05.000000+00:00",
        "git_commit": "c" * 40,
        "python_version": "3.11.7",
        "packages": {"numpy": "2.0.0", "matplotlib": "3.9.0"},
        "config_hash": "f" * 64,
        "request_id": None,
        "strategy": "rsi_ma_cross_v2",
        "reproduce": COMMAND,
    }
    return ReportHeader(**{**values, **changes})


def row(page: str, name: str) -> list[str]:
    """Return the cells beside a row's name; bars that are escaped stay in their cell."""
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[2:-1]]


def test_equal_outcomes_give_equal_pages() -> None:
    assert render(build_outcome(), header()) == render(build_outcome(), header())


def test_the_page_names_the_session_and_what_kind_it_is() -> None:
    assert render(build_outcome(), header()).startswith("# Paper session 20240102_030405_paper_abcdef\n")


def test_a_research_run_is_called_so() -> None:
    assert render(build_outcome(), header(mode="run")).startswith("# Research run ")


def test_the_data_are_described() -> None:
    page = render(build_outcome(365), header())
    assert row(page, "Source") == ["yahoo (exchange CCC)"]
    assert row(page, "Asked for") == ["2023-01-01 to 2024-01-01, the end exclusive"]
    assert row(page, "Received")[0].startswith("2023-01-01T00:00:00.000000+00:00 to 2023-12-31T")
    assert row(page, "Bars")[0] == "365 of 1d"
    assert row(page, "SHA-256 of prices") == [f"`{'d' * 64}`"]
    assert row(page, "Unfinished last bar") == ["none"]


@pytest.mark.parametrize(
    ("adjusted", "told"), [(True, "adjusted for"), (False, "raw, not adjusted"), (None, "not known whether")]
)
def test_the_page_tells_whether_prices_are_adjusted(adjusted: bool | None, told: str) -> None:
    outcome = build_outcome()
    origin = replace(outcome.prices.origin, adjusted=adjusted)
    page = render(replace(outcome, prices=replace(outcome.prices, origin=origin)), header())
    assert row(page, "Prices")[0].startswith(told)


def test_gaps_notes_and_the_cache_are_told() -> None:
    outcome = build_outcome()
    origin = replace(outcome.prices.origin, notes=("One bar was repaired.",), from_cache=True)
    quality = replace(outcome.quality, gaps=(("2023-02-01", "2023-02-09", 7),), unfinished_bar_dropped=True)
    page = render(replace(outcome, prices=replace(outcome.prices, origin=origin), quality=quality), header())
    assert "| 2023-02-01 | 2023-02-09 | 7 |" in page
    assert "- One bar was repaired." in page
    assert row(page, "Obtained")[0].endswith(", read from the cache")
    assert row(page, "Unfinished last bar") == ["left out"]


def test_synthetic_prices_are_called_so_before_any_figure() -> None:
    page = render(build_outcome(source="synthetic"), header())
    assert page.index("SYNTHETIC PRICES") < page.index("total return")


def test_market_prices_are_not_called_synthetic() -> None:
    assert "SYNTHETIC" not in render(build_outcome(), header())


def test_figures_carry_units_and_periods() -> None:
    outcome = build_outcome()
    page = render(outcome, header())
    told = row(page, "Total return")
    assert told[0] == f"{outcome.figures.total_return * 100:+.2f} %"
    assert told[2].startswith("of initial cash, net of costs")
    assert row(page, "Sharpe")[2] == "ratio, 365 periods a year"
    assert row(page, "Exposure")[0] == f"{outcome.figures.exposure * 100:.2f} %"


UNDEFINED_ROWS = (
    "CAGR",
    "Volatility",
    "Sharpe",
    "Sortino",
    "Calmar",
    "Turnover",
    "Win rate",
    "Profit factor",
    "Expectancy",
    "Average holding",
    "Sharpe, 95 % interval",
    "Average trade",
    "Best trade",
    "Worst trade",
    "Largest participation",
)


@pytest.mark.parametrize("name", UNDEFINED_ROWS)
def test_an_undefined_figure_is_not_available(name: str) -> None:
    assert row(render(without_figures(build_outcome()), header()), name)[0] == "n/a"


@pytest.mark.parametrize("name", ["Total return", "Sharpe", "Volatility", "Maximum drawdown"])
def test_buy_and_hold_stands_beside_the_strategy(name: str) -> None:
    assert re.search(r"\d", row(render(build_outcome(400), header()), name)[1])
    assert row(render(without_figures(build_outcome(400)), header()), name)[1] == "n/a"


@pytest.mark.parametrize("name", ["CAGR", "Calmar", "Volatility"])
def test_a_year_s_figure_of_less_than_a_year_is_in_italics_and_noted(name: str) -> None:
    short, long = render(build_outcome(120), header()), render(build_outcome(400), header())
    assert row(short, name)[0].startswith("*")
    assert "blown up from 119 days of data" in short
    assert not row(long, name)[0].startswith("*")
    assert "blown up" not in long


def test_an_undefined_figure_of_a_short_history_is_not_in_italics() -> None:
    assert row(render(without_figures(build_outcome(120)), header()), "CAGR")[0] == "n/a"


def test_months_are_told_in_percent_with_their_year() -> None:
    page = render(build_outcome(45, trades=0, drift=0.0), header())
    assert row(page, "2023") == ["+0.0", "+0.0", *[""] * 10, "+0.0"]


def test_the_rule_and_the_parameters_stand_before_any_picture() -> None:
    told = header(rule="Buy low; sell | high.", params={"fast": 10, "strict": True})
    page = render(build_outcome(), told).split("![")[0]
    assert "**Rule.** Buy low; sell \\| high." in page
    assert "**Parameters.** fast = 10, strict = true" in page


def test_the_verdict_stands_before_any_picture() -> None:
    told = header(
        verdict=("The record is in order; that says nothing of the strategy.", "Caution: few_trades.")
    )
    page = render(build_outcome(), told).split("![")[0]
    assert "**Promotion.**\n\n- The record is in order; that says nothing of the strategy.\n- Caution" in page


def test_where_nobody_told_a_rule_or_a_verdict_there_is_none() -> None:
    page = render(build_outcome(), header())
    assert not re.search("Rule|Parameters|Promotion", page)


def test_trades_come_after_the_data() -> None:
    page = render(build_outcome(), header())
    assert page.index("## Data") < page.index("## Trades")


def test_a_warm_up_is_told_with_the_bars() -> None:
    page = render(build_outcome(config=RunConfig(warmup=40)), header())
    assert row(page, "Bars")[0].startswith("365 of 1d, the first 40 of them warm-up")


@pytest.mark.parametrize(
    ("outcome", "digest"),
    [
        (build_outcome(), "6f8c7280a254f4e24cd73e755b34690cf1bed4fd8c1f314eacef99aae3b09dc1"),
        (with_pending(build_outcome(101, trades=30, open_at_end=True, interval="1h")),
         "b758a8c6fad684b6712904a705c0b176189ede8b2ab9c3408eb4fc6f2ed111db"),
        (build_outcome(trades=0, source="synthetic"),
         "ab0c4760d04086939d4638e73ccbb04865c03f75a4f35df853f4c430cfd283d9"),
    ],
)  # fmt: skip
def test_the_first_layout_stays_byte_for_byte(outcome: Outcome, digest: str) -> None:
    page = render(outcome, header(layout=FileLayout.FIRST, rule="r", params={"a": 1}, verdict=("v",)))
    assert hashlib.sha256(page.encode()).hexdigest() == digest


def test_nothing_is_called_none_or_nan() -> None:
    page = render(without_figures(build_outcome(trades=0)), header(git_commit=None))
    assert not re.search(r"\b(None|nan|inf)\b(?!\.)", page)
    assert row(page, "Code (git commit)") == ["n/a"]


def test_a_recovered_drawdown_tells_its_dates() -> None:
    outcome = build_outcome()
    drawdown = replace(outcome.drawdowns[0], depth=-0.25, peak_bar=0, trough_bar=10, recovered_bar=31)
    page = render(replace(outcome, drawdowns=(drawdown,)), header())
    assert row(page, "-25.00 %") == ["2023-01-01", "2023-01-11", "2023-02-01", "10", "31"]
    assert "2023-01-01 to 2023-01-11, recovered 2023-02-01" in row(page, "Maximum drawdown")[2]


def test_a_drawdown_under_water_at_the_end_says_so() -> None:
    outcome = build_outcome(365)
    drawdown = replace(outcome.drawdowns[0], depth=-0.25, peak_bar=0, trough_bar=10, recovered_bar=None)
    page = render(replace(outcome, drawdowns=(drawdown,)), header())
    assert row(page, "-25.00 %")[2:] == ["not by the end", "10", "364 so far"]
    assert "not recovered" in row(page, "Maximum drawdown")[2]


def test_equity_that_never_fell_has_no_drawdown_table() -> None:
    page = render(build_outcome(trades=0), header())
    assert "Equity never fell below an earlier peak." in page
    assert "equity never fell" in row(page, "Maximum drawdown")[2]


def test_without_trades_the_page_says_so() -> None:
    assert "No trade was closed." in render(build_outcome(trades=0), header())


def test_a_round_trip_is_a_row() -> None:
    outcome = build_outcome(101, trades=1)
    (trip,) = outcome.round_trips
    cells = row(render(outcome, header()), "1")
    assert cells[0] == "2023-02-04"
    assert cells[1] == f"{trip.entry.price:,.2f}"
    assert cells[5] == f"{trip.profit:+,.2f}"
    assert cells[6] == f"{100 * trip.profit_fraction:+.2f} %"
    assert cells[8] == "cross_down"


def trade_numbers(page: str) -> list[int]:
    return [int(number) for number in re.findall(r"^\| (\d+) \| 2", page, re.MULTILINE)]


def test_twenty_trades_are_all_listed() -> None:
    page = render(build_outcome(trades=20), header())
    assert trade_numbers(page) == list(range(1, 21))
    assert "left out" not in page.split("## Configuration")[0].split("## Trades")[1]


def test_of_many_trades_the_first_and_last_are_listed_and_the_rest_counted() -> None:
    page = render(build_outcome(trades=50), header())
    assert trade_numbers(page) == [*range(1, 11), *range(41, 51)]
    assert "The first and the last 10 of 50 trades; 30 between them are left out here." in page


def test_one_trade_left_out_is_counted_in_the_singular() -> None:
    assert "; 1 between them is left out here." in render(build_outcome(trades=21), header())


def test_an_open_position_is_told_and_is_no_trade() -> None:
    page = render(build_outcome(trades=0, open_at_end=True), header())
    assert "Open at the end: " in page
    assert "No trade was closed." in page


def test_a_pending_order_is_told() -> None:
    page = render(with_pending(build_outcome(365)), header())
    assert "Pending: a buy decided 2023-12-31 (cross_up)" in page


def test_skipped_fills_are_told() -> None:
    outcome = build_outcome()
    page = render(replace(outcome, simulation=replace(outcome.simulation, skipped_fills=2)), header())
    assert "Fills waited on 2 bars without a usable price." in page


def test_bars_within_a_day_carry_their_time() -> None:
    assert (
        row(render(build_outcome(101, trades=1, interval="1h"), header()), "1")[0] == "2023-01-02 10:00 UTC"
    )


def test_daily_bars_that_do_not_open_at_midnight_carry_their_time() -> None:
    outcome = build_outcome(101, trades=1)
    times = outcome.prices.times + np.timedelta64(5, "h")
    page = render(replace(outcome, prices=replace(outcome.prices, times=times)), header())
    assert row(page, "1")[0] == "2023-02-04 05:00 UTC"


def test_each_warning_is_told_once() -> None:
    outcome = build_outcome()
    quality = replace(outcome.quality, warnings=("Bars are missing.",), doubts=("missing_bars",))
    page = render(replace(outcome, quality=quality, warnings=("Bars are missing.",)), header())
    assert page.count("Bars are missing.") == 1
    assert "block promotion: missing_bars." in page


def test_without_warnings_the_page_says_so() -> None:
    assert "## Warnings\n\nNone.\n" in render(build_outcome(), header())


def test_the_whole_configuration_is_listed() -> None:
    page = render(build_outcome(config=RunConfig(paper=True, fee=0.0025)), header())
    assert row(page, "fee") == ["0.0025"]
    assert row(page, "paper") == ["true"]
    assert all(row(page, name) for name in RunConfig().as_dict())


def test_artifacts_are_linked_and_the_chart_is_shown() -> None:
    page = render(build_outcome(), header())
    assert "- [trades.csv](trades.csv)" in page
    assert "![Equity against buy-and-hold, drawdown beneath](artifacts/equity.png)" in page


def test_a_chart_that_was_not_made_is_not_shown() -> None:
    page = render(build_outcome(), header(artifacts=()))
    assert "![" not in page
    assert "## Files\n\nNone.\n" in page


def test_the_command_that_reproduces_is_a_code_block() -> None:
    assert render(build_outcome(), header()).endswith(f"## Reproduce\n\n```sh\n{COMMAND}\n```\n")


def test_the_fill_rule_is_explained() -> None:
    assert row(render(build_outcome(), header()), "Fills")[0].startswith(
        "next_open: decided on a bar's close"
    )


def test_fills_at_the_close_are_explained() -> None:
    same_close = build_outcome(config=RunConfig(fill="close"))
    assert row(render(same_close, header()), "Fills")[0].startswith("close: filled at the close")


def test_the_end_is_told_only_where_it_is_known() -> None:
    ended = header(finished_at="2024-01-02T03:04:06.000000+00:00")
    assert row(render(build_outcome(), ended), "Finished") == ["2024-01-02T03:04:06.000000+00:00"]
    assert "| Finished |" not in render(build_outcome(), header())


def test_packages_stand_in_one_order() -> None:
    assert row(render(build_outcome(), header()), "Packages") == ["matplotlib 3.9.0, numpy 2.0.0"]


HOSTILE = "x|y\n# z `code` <script>\x1b[31m"


def test_text_from_outside_stays_within_its_cell() -> None:
    outcome = build_outcome(config=RunConfig(prices=HOSTILE))
    origin = replace(outcome.prices.origin, detail=HOSTILE, notes=(HOSTILE,))
    hostile = replace(outcome, prices=replace(outcome.prices, origin=origin), warnings=(HOSTILE,))
    page = render(hostile, header(request_id=HOSTILE, artifacts=(HOSTILE,), reproduce="a"))
    assert row(page, "prices") == [r"x\|y # z \`code\` \<script\>\\x1b\[31m"]
    assert "\x1b" not in page
    assert "\n# z" not in page
    assert not re.search(r"(?<!\\)<script", page)


def test_a_command_cannot_close_its_code_block() -> None:
    block = markdown.code_block("run --prices 'a\n```\n# b\x07'")
    assert block == "````sh\nrun --prices 'a\n```\n# b\\x07'\n````"


def test_a_link_leads_nowhere_but_to_a_file_beside() -> None:
    assert markdown.link("javascript:a(1)\n") == "[javascript:a(1)](javascript%3Aa%281%29%0A)"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0.00"), (1234.567, "1,234.57"), (0.000012345678, "1.235e-05"), (None, "n/a")]
)
def test_amounts_keep_the_digits_that_matter(value: float | None, text: str) -> None:
    assert markdown.amount(value) == text
