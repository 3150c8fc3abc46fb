"""`paper-sessions why`: every bar of a session has one reason, whoever decided and however its bars came."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.engine_markets import FREE, cases, configs, given_signals, market, ruled
from support.flow_program import PAPER, said, session_of
from support.forward_market import WARMUP, Market, begun, stepped

from quantlab.runner.why import counted, reasoned
from quantlab.trading.reasons import Why
from quantlab.trading.reasons_at_once import counted_reasons
from quantlab.trading.simulation import Replay

if TYPE_CHECKING:
    from pathlib import Path

    from support.engine_markets import Case

MINE = """\
from quantlab import Bars, Signals, sma

min_bars = 30


def decide(bars: Bars, days: int = 10) -> Signals:
    mean = sma(bars.close, days)
    return Signals(
        enter=bars.close > mean, leave=bars.close < mean, values={"my_mean": mean, "close": bars.close}
    )
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("why")
    assert said(where, *PAPER, "--cooldown_days", "5", "--no-charts").code == 0
    return where


@settings(max_examples=300, deadline=None)
@given(cases(settings=ruled))
def test_the_reasons_of_a_session_part_its_bars(case: Case) -> None:
    prices, config, strategy = case
    found = reasoned(prices, config, strategy)
    summary = counted(found)
    assert [one.bar for one in found] == list(range(len(prices)))
    assert set(summary) <= {why.value for why in Why}
    assert sum(summary.values()) == len(prices)
    assert all((one.until_bar is not None) == (one.reason == Why.RESTING) for one in found)


@settings(max_examples=200, deadline=None)
@given(cases(settings=st.one_of(configs, ruled)), st.integers(0, 30))
def test_reasons_that_are_counted_at_once_are_those_of_the_bars(case: Case, void: int) -> None:
    prices, config, strategy = case
    replay = Replay(prices, config, strategy=strategy)
    assert counted_reasons(replay.tape, replay.result(), void=void) == counted(
        reasoned(prices, config, strategy, void=void)
    )


@settings(max_examples=200, deadline=None)
@given(cases(settings=ruled))
def test_what_was_done_is_what_the_engine_did(case: Case) -> None:
    prices, config, strategy = case
    done = Replay(prices, config, strategy=strategy).result()
    found = reasoned(prices, config, strategy)
    sides = {"buy": "bought", "sell": "sold"}
    told = [(one.bar, word) for one in found for word in one.did.split(", ") if word in sides.values()]
    assert told == [(fill.bar, sides[fill.side]) for fill in done.fills]
    assert sum("refused order" in one.did for one in found) == done.refused_orders
    decided = {fill.signal_bar for fill in done.fills} | (
        set() if done.pending is None else {done.pending.signal_bar}
    )
    assert decided <= {one.bar for one in found if one.reason == Why.ORDERED}


@pytest.mark.parametrize(
    ("why", "bars", "changes", "enter", "leave"),
    [
        (Why.WARMING_UP, [0, 1], {"warmup": 2}, [0], []),
        (Why.NO_SIGNAL, [0, 1, 2, 3, 4, 5], {}, [], []),
        (Why.HOLDING, [2, 3], {}, [1, 2, 3], []),
        (Why.NOT_HOLDING, [2], {}, [], [2]),
        (Why.ORDERED, [1, 3], {}, [1], [3]),
        (Why.RESTING, [3, 4], {"cooldown_days": 3}, [1], [3, 4]),
        (Why.BELOW_MINIMUM, [2], {"min_notional": 1e9}, [1], []),
    ],
)
def test_a_bar_has_the_reason(
    why: Why, bars: list[int], changes: dict[str, float], enter: list[int], leave: list[int]
) -> None:
    found = reasoned(market([10.0] * 6), replace(FREE, **changes), given_signals(enter, leave))
    assert [one.bar for one in found if one.reason == why] == bars


def test_an_order_without_a_usable_open_waits() -> None:
    prices = market([10.0] * 5, opens=[10.0, 10.0, float("nan"), 10.0, 10.0])
    assert [one.reason for one in reasoned(prices, FREE, given_signals([1]))][1:4] == [
        Why.ORDERED,
        Why.WAITING,
        Why.NO_SIGNAL,
    ]


def test_whoever_is_ruined_buys_nothing() -> None:
    prices = market([10.0, 10.0, 1e-12, 1e-12, 1e-12, 1e-12], opens=[10.0, 10.0, 10.0, 1e-12, 1e-12, 1e-12])
    found = reasoned(prices, FREE, given_signals([1, 4], [2]))
    assert found[4].reason == Why.RUINED


def test_a_replay_tells_its_reasons_in_every_form(folder: Path) -> None:
    session = str(session_of(folder))
    told = json.loads(said(folder, "paper-sessions", "why", "latest", "--format", "json").out)
    rows = list(
        csv.DictReader(io.StringIO(said(folder, "--paper-sessions-why", session, "--format", "csv").out))
    )
    assert list(rows[0]) == ["time", "close", "mean", "rsi", "wanted", "did", "reason"]
    assert [(row["time"], row["reason"]) for row in rows] == [
        (bar["time"], bar["reason"]) for bar in told["bars"]
    ]
    assert sum(told["summary"].values()) == len(rows) == 729
    lines = said(folder, "paper-sessions", "why", "latest").out.splitlines()
    assert lines[0] == ", ".join(f"{reason} {count}" for reason, count in told["summary"].items())
    assert len(lines) == 3 + len(rows)


def test_a_rest_names_the_day_of_its_end(folder: Path) -> None:
    out = said(folder, "paper-sessions", "why", "latest").out
    resting = [line.split() for line in out.splitlines() if "resting until" in line]
    assert resting
    assert all(line[0] < line[-1] for line in resting)


@pytest.mark.parametrize(
    ("asked", "bars"),
    [
        (["--bar", "2022-05-02"], ["2022-05-02"]),
        (["--bar", "2022-05-02T23:59"], ["2022-05-02"]),
        (["--bar", "2022-05-03T01:00+02:00"], ["2022-05-02"]),
        (["--from", "2023-12-29"], ["2023-12-29", "2023-12-30"]),
        (["--to", "2022-01-03"], ["2022-01-01", "2022-01-02"]),
        (["--from", "2022-05-02", "--to", "2022-05-03"], ["2022-05-02"]),
    ],
)
def test_bars_are_asked_for_by_their_time(folder: Path, asked: list[str], bars: list[str]) -> None:
    told = json.loads(said(folder, "paper-sessions", "why", "latest", *asked, "--format", "json").out)
    assert [bar["time"][:10] for bar in told["bars"]] == bars
    assert sum(told["summary"].values()) == len(bars)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (["--bar", "yesterday"], "--bar: 'yesterday' is no time; expected a day"),
        (["--bar", "2030-01-01"], "No bar of the session lies there; expected a time from 2022-01-01"),
        (["--from", "2023-01-02", "--to", "2023-01-02"], "No bar of the session lies there"),
        (["--bar", "2022-05-02", "--to", "2023-01-01"], "--bar asks for one bar"),
    ],
)
def test_bars_that_are_not_there_are_refused(folder: Path, asked: list[str], why: str) -> None:
    done = said(folder, "paper-sessions", "why", "latest", *asked)
    assert (done.code, done.error[: len(why)]) == (2, why)


def test_prices_that_are_gone_are_named(folder: Path, tmp_path: Path) -> None:
    source = session_of(folder) / "artifacts" / "prices.csv"
    assert said(tmp_path, "--prices", str(source), "--paper", "--no-charts").code == 0
    (session_of(tmp_path) / "artifacts" / "prices.csv").unlink()
    done = said(tmp_path, "paper-sessions", "why", "latest")
    assert done.code == 3
    assert "without the prices nothing can be run again" in done.error


def test_a_session_that_failed_kept_nothing_to_ask(tmp_path: Path) -> None:
    assert said(tmp_path, "--prices", "nowhere.csv", "--ticker", "X", "--paper").code == 3
    done = said(tmp_path, "paper-sessions", "why", "latest")
    assert done.code == 1
    assert "can't be run again" in done.error


def test_values_of_a_users_strategy_are_the_columns(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    assert said(tmp_path, *PAPER, "--strategy", "mine.py", "--no-charts").code == 0
    done = said(tmp_path, "paper-sessions", "why", "latest", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert list(rows[0]) == ["time", "close", "my_mean", "value_close", "wanted", "did", "reason"]
    assert [row["reason"] for row in rows].count("warming up") == 30
    assert rows[40]["value_close"] == rows[40]["close"]
    kept = session_of(tmp_path) / "artifacts" / "strategy" / "mine.py"
    kept.write_text(MINE.replace("10", "11"))
    error = said(tmp_path, "paper-sessions", "why", "latest").error
    assert "was edited" in error
    assert error.endswith("; bring that file back from a copy.")
    kept.unlink()
    assert "(it holds no files)" in said(tmp_path, "paper-sessions", "why", "latest").error


def test_code_of_another_machine_runs_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    assert said(tmp_path, *PAPER, "--strategy", "mine.py", "--no-charts").code == 0
    monkeypatch.setattr("quantlab.base.process.identity", lambda: ("elsewhere", None))
    refused = said(tmp_path, "paper-sessions", "why", "latest")
    assert refused.code == 2
    assert "--run-kept-code" in refused.error
    assert said(tmp_path, "paper-sessions", "why", "latest", "--run-kept-code").code == 0


def test_a_forward_session_tells_what_it_recorded(tmp_path: Path) -> None:
    followed = Market(tmp_path / "prices.csv")
    driven = begun(followed, tmp_path, cooldown_days=3)
    assert said(tmp_path, "paper-sessions", "why", str(driven.folder)).out == "No bar yet.\n"
    followed.to(WARMUP + 40)
    stepped(followed, driven.folder)
    told = json.loads(said(tmp_path, "paper-sessions", "why", str(driven.folder), "--format", "json").out)
    assert [bar["bar"] for bar in told["bars"]] == list(range(WARMUP, WARMUP + 40))
    assert sum(told["summary"].values()) == 40
    assert set(told["summary"]) <= {why.value for why in Why}
    assert set(told["bars"][0]["values"]) == {"mean", "rsi"}
