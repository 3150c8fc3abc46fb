"""Sessions that follow the market: forward is replay, whoever drives, however often it was taken up again."""

from __future__ import annotations

import json
import random
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.forward_market import WARMUP, Market, begun, settings, stepped

from quantlab.base.errors import ConfigError, DataError, SessionEndedError, StrategyError
from quantlab.cli.main import run
from quantlab.domain.config import validated
from quantlab.folders.roots import open_root_store
from quantlab.ledger.location import locate
from quantlab.runner.stopping import StopRequested
from quantlab.sessions.forward import turn
from quantlab.sessions.forward.driver import FencedError
from quantlab.sessions.prove import prove
from quantlab.trading.digest import result_digest
from quantlab.trading.forward import recorded_signals
from quantlab.trading.prices.loading import load_prices
from quantlab.trading.simulation import Replay

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow  # strategies run in a process of their own

FORWARD = 60
"""Bars that the sessions of these tests see after they began."""


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return Market(tmp_path / "prices.csv")


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder.parent / "ledger.db")) as connection:
        return connection.execute(sql).fetchall()


def replayed(market: Market) -> str:
    """The digest of a replay of the same bars, the warm-up before its start."""
    config = validated(settings(market, start="2024-04-30", end="2024-06-29"))
    prices, _quality = load_prices(config, now=market.now + timedelta(days=400), cache_folder=None)
    assert len(prices) == WARMUP + FORWARD
    return result_digest(Replay(prices, config).result())


def between_look_and_bar(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Let something happen once, after a driver has looked at the market and before it records a bar."""
    real: Any = vars(turn)["plan"]

    def meanwhile(*args: Any) -> Any:
        monkeypatch.setattr(turn, "plan", real)
        happens()
        return real(*args)

    monkeypatch.setattr(turn, "plan", meanwhile)


def test_forward_is_replay_to_the_digest(market: Market, tmp_path: Path) -> None:
    driven = begun(market, tmp_path, bars=FORWARD)
    for bars in range(WARMUP + 1, WARMUP + FORWARD + 1):
        market.to(bars)
        driven = stepped(market, driven.folder)
    assert driven.session.status == "success"
    assert driven.session.result_digest == replayed(market)
    assert driven.session.forward_bars == FORWARD


@pytest.mark.parametrize("seed", range(8))
def test_however_bars_come_the_result_is_one(market: Market, tmp_path: Path, seed: int) -> None:
    made = random.Random(seed)
    driven, seen = begun(market, tmp_path, bars=FORWARD), WARMUP
    while driven.succeeded is None:
        seen = min(WARMUP + FORWARD, seen + made.randrange(0, 9))
        market.to(seen)
        driven = stepped(market, driven.folder)
    assert driven.session.result_digest == replayed(market)


def test_each_bar_is_one_event_with_one_reason(market: Market, tmp_path: Path) -> None:
    driven = begun(market, tmp_path)
    market.to(WARMUP + 25)
    folder = stepped(market, driven.folder).folder
    found = rows(folder, "SELECT bar, why, equity FROM session_bars ORDER BY bar")
    assert [bar for bar, _why, _equity in found] == list(range(WARMUP, WARMUP + 25))
    assert all(why for _bar, why, _equity in found)


def test_a_turn_with_nothing_new_records_nothing(market: Market, tmp_path: Path) -> None:
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 3)
    stepped(market, folder)
    before = rows(folder, "SELECT COUNT(*) FROM events")
    assert stepped(market, folder).bars_taken == 0
    assert rows(folder, "SELECT COUNT(*) FROM events") == before


def test_the_row_and_the_files_show_how_it_stands(market: Market, tmp_path: Path) -> None:
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 4)
    session = stepped(market, folder).session
    assert (session.kind, session.status, session.stage) == ("forward", "running", "following")
    assert session.watermark == "2024-05-04T00:00:00.000000+00:00"
    assert session.next_due == "2024-05-05T00:00:00.000000+00:00"
    status = json.loads((folder / "session_status.json").read_text())
    assert (status["status"], status["stage"], status["bars_done"]) == ("running", "following", 4)


def test_a_finished_session_proves_identical(market: Market, tmp_path: Path) -> None:
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 30)
    stepped(market, folder)
    done = stepped(market, folder, finish_now="enough was seen")
    assert done.session.status == "success"
    with open_root_store(locate(folder.parent, None), now=market.now) as store:
        assert prove(store, folder, folder.name, now=market.now).outcome == "identical"


def test_a_session_that_ends_on_the_day_on_which_it_began_is_evaluated(tmp_path: Path) -> None:
    market = Market(tmp_path / "minutes.csv", length=timedelta(minutes=1))
    driven = begun(market, tmp_path, bars=FORWARD, interval="1m", ticker="ETH-USD")
    market.to(WARMUP + FORWARD)
    driven = stepped(market, driven.folder)
    assert (driven.session.status, driven.session.forward_bars) == ("success", FORWARD)
    with open_root_store(locate(driven.folder.parent, None), now=market.now) as store:
        assert prove(store, driven.folder, driven.folder.name, now=market.now).outcome == "identical"


def test_a_finished_session_takes_no_more_bars(market: Market, tmp_path: Path) -> None:
    folder = begun(market, tmp_path, bars=1).folder
    market.to(WARMUP + 1)
    stepped(market, folder)
    with pytest.raises(SessionEndedError, match="has ended"):
        stepped(market, folder)


def test_a_signal_pauses_it_and_it_goes_on_as_if_nothing_had_happened(market: Market, tmp_path: Path) -> None:
    folder = begun(market, tmp_path, bars=FORWARD).folder
    market.to(WARMUP + 10)

    def stop(_seconds: float) -> None:
        raise StopRequested("SIGTERM")

    paused = stepped(market, folder, one_turn=False, sleep=stop)
    assert (paused.session.status, paused.session.stage) == ("running", "paused")
    market.to(WARMUP + FORWARD)
    done = stepped(market, folder, one_turn=False)
    assert done.session.result_digest == replayed(market)
    assert rows(folder, "SELECT COUNT(*) FROM session_drives") == [(3,)]


def test_the_second_of_two_drivers_is_fenced_and_writes_nothing(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 5)
    between_look_and_bar(monkeypatch, lambda: stepped(market, folder))
    with pytest.raises(FencedError, match=r"is driven by process .* on host"):
        stepped(market, folder)
    assert rows(folder, "SELECT COUNT(*), COUNT(DISTINCT bar) FROM session_bars") == [(5, 5)]
    assert rows(folder, "SELECT COUNT(*) FROM events WHERE type = 'failed'") == [(0,)]


def test_a_note_between_two_bars_is_no_conflict(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 2)

    def edited() -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "fee": 0.5}))
        with monkeypatch.context() as patched:
            patched.setattr("quantlab.folders.reconcile.is_worked_on", lambda _place: False)
            run(["paper-sessions", "index", str(folder.parent)])

    between_look_and_bar(monkeypatch, edited)
    assert stepped(market, folder).bars_taken == 2
    assert rows(folder, "SELECT COUNT(*) > 0 FROM events WHERE type = 'amended'") == [(1,)]


@pytest.mark.parametrize(("factor", "what"), [(0.99, "a dividend"), (0.5, "a split")])
def test_what_a_source_adjusts_changes_no_decision(
    market: Market, tmp_path: Path, factor: float, what: str
) -> None:
    folder = begun(market, tmp_path, bars=FORWARD).folder
    market.to(WARMUP + 20)
    stepped(market, folder)
    since = WARMUP + 20
    for bars in (since + 1, since + 15, WARMUP + FORWARD):
        market.now = market.rows[0][0] + timedelta(days=bars, minutes=1)
        old = [
            (time, *(one * factor for one in values[:4]), values[4]) for time, *values in market.rows[:since]
        ]
        new = [
            (time, *(one * factor for one in values[:4]), values[4])
            for time, *values in market.rows[since:bars]
        ]
        market.show([*old, *new])  # the whole history by one factor: prices go on where they were, rescaled
        driven = stepped(market, folder)
    assert rows(folder, "SELECT revision FROM session_revisions") == [("adjusted",)], what
    decided = rows(folder, "SELECT bar, side, reason FROM session_fills ORDER BY bar")
    market.to(WARMUP + FORWARD)
    other = begun(market, tmp_path / "undisturbed", start="2024-04-30")
    assert driven.session.status == "success"
    assert other.session.forward_bars is None
    config = validated(settings(market, start="2024-04-30", end="2024-06-29"))
    prices, _quality = load_prices(config, now=market.now + timedelta(days=400), cache_folder=None)
    fills = Replay(prices, config).result().fills
    assert decided == [(fill.bar, fill.side, fill.reason) for fill in fills]


def test_a_corrected_bar_is_told_and_the_tape_stays(market: Market, tmp_path: Path) -> None:
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 5)
    stepped(market, folder)
    time, opened, high, low, close, volume = market.rows[WARMUP + 2]
    market.rows[WARMUP + 2] = (time, opened, high, low, close * 1.001, volume)
    market.to(WARMUP + 6)
    session = stepped(market, folder).session
    assert (session.corrections, session.forward_bars) == (1, 6)
    assert rows(folder, f"SELECT close FROM session_bars WHERE bar = {WARMUP + 2}") == [(close,)]


def test_a_missing_bar_is_waited_for_and_then_recorded(market: Market, tmp_path: Path) -> None:
    folder = begun(market, tmp_path).folder
    del market.rows[WARMUP + 1]
    market.now += timedelta(days=3)
    market.show(market.rows[: WARMUP + 2])
    assert stepped(market, folder).bars_taken == 1
    market.now += timedelta(days=1)
    session = stepped(market, folder).session
    assert (session.missing_bars, session.forward_bars) == (1, 2)


def test_a_row_that_is_being_written_is_not_read_half(market: Market, tmp_path: Path) -> None:
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 2)
    whole = market.file.read_text()
    market.file.write_text(whole[:-5])
    assert stepped(market, folder).bars_taken == 1
    market.file.write_text(whole)
    assert stepped(market, folder).bars_taken == 1


@pytest.mark.parametrize("name", ["prices.csv", "prices.dat"])
def test_of_any_text_the_row_that_is_being_written_waits(tmp_path: Path, name: str) -> None:
    market = Market(tmp_path / name)
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 2)
    market.file.write_text(market.file.read_text()[:-5])
    assert stepped(market, folder).bars_taken == 1


def test_a_file_without_a_whole_line_is_named_as_it_was_given(market: Market, tmp_path: Path) -> None:
    folder = begun(market, tmp_path).folder
    market.file.write_text("time,open")
    with pytest.raises(DataError, match=r"prices\.csv has no whole line"):
        stepped(market, folder)


def test_a_file_that_lost_its_end_is_to_be_brought_back(market: Market, tmp_path: Path) -> None:
    folder = begun(market, tmp_path).folder
    market.file.write_text("".join(market.file.read_text().splitlines(keepends=True)[:20]))
    with pytest.raises(DataError) as lost:
        stepped(market, folder)
    assert "prices.csv ends with 2024-01-19" in str(lost.value)
    assert "Bring them back. It stalls behind 2024-04-30T00:00" in str(lost.value)


def test_a_warm_up_that_is_too_short_is_refused_before_anything_exists(
    market: Market, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="--warmup 100 or more"):
        begun(market, tmp_path, warmup=50)
    assert not (tmp_path / "paper_sessions").exists()


@pytest.mark.parametrize(("length", "interval"), [(timedelta(hours=1), "1d"), (timedelta(days=1), "1h")])
def test_bars_of_another_interval_fail_the_session(tmp_path: Path, length: timedelta, interval: str) -> None:
    market = Market(tmp_path / "prices.csv", length=length)
    with pytest.raises(DataError, match="bars follow each other every"):
        begun(market, tmp_path, interval=interval)


def test_too_little_history_fails_the_session(market: Market, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="120 bars have closed"):
        begun(market, tmp_path, warmup=300)
    (row,) = rows(next(iter((tmp_path / "paper_sessions").glob("2*"))), "SELECT status FROM paper_sessions")
    assert row == ("failed",)


def test_a_file_that_is_gone_stalls_it_and_the_next_driver_goes_on(market: Market, tmp_path: Path) -> None:
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 3)
    market.file.rename(market.file.with_suffix(".away"))
    with pytest.raises(DataError, match="is no file; expected the one that the session follows"):
        stepped(market, folder)
    (row,) = rows(folder, "SELECT status, stage, next_due FROM paper_sessions")
    assert row == ("running", "stalled", "2024-05-01T00:00:00.000000+00:00")
    market.file.with_suffix(".away").rename(market.file)
    assert stepped(market, folder).bars_taken == 3


def test_a_strategy_that_repaints_is_stalled_at_the_bar(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 3)
    stepped(market, folder)
    from quantlab.trading.strategies import rsi_ma_cross_v2

    real = rsi_ma_cross_v2.decide

    def of_another_mind(bars: Any, **params: Any) -> Any:
        answer: Any = real(bars, **params)
        answer.enter[WARMUP + 1] ^= True
        return answer

    monkeypatch.setattr(rsi_ma_cross_v2, "decide", of_another_mind)
    market.to(WARMUP + 4)
    with pytest.raises(StrategyError, match=f"repaints at bar {WARMUP + 1}"):
        stepped(market, folder)
    assert rows(folder, "SELECT stage, forward_bars FROM paper_sessions") == [("stalled", 3)]


def test_a_strategy_that_was_seen_to_repaint_is_not_promoted(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 3)
    stepped(market, folder)
    market.to(WARMUP + 4)
    with monkeypatch.context() as patched:
        patched.setattr(
            recorded_signals.RecordedSignals, "_differs", lambda self, *_: self._coded.columns[2] > 0
        )
        with pytest.raises(StrategyError, match="repaints"):
            stepped(market, folder)
    stepped(market, folder)
    stepped(market, folder, finish_now="enough")
    told = (
        "SELECT strategy_doubt, broker_promotion_blockers LIKE '%unchecked_strategy%' FROM session_promotion"
    )
    assert rows(folder, told) == [("unchecked_strategy", 1)]
    assert run(["ledger", "verify", str(folder.parent)]) == 0


@pytest.mark.parametrize(
    ("after", "codes"), [(timedelta(hours=20), []), (timedelta(hours=26), ["PAPER_SESSION_STALE"])]
)
def test_it_is_stale_only_where_its_bar_is_overdue(
    market: Market, tmp_path: Path, after: timedelta, codes: list[str]
) -> None:
    from quantlab.ledger.reader import open_reader
    from quantlab.queries.alerts import alerts

    folder = begun(market, tmp_path).folder
    market.to(WARMUP + 1)
    stepped(market, folder)
    with open_reader(locate(folder.parent, None)) as reader:
        found = alerts(
            reader, now=market.now + after, stale_after=timedelta(minutes=60), is_alive=lambda *_: None
        )
    assert [one["alert_code"] for one in found["alerts"]] == codes


def test_the_operators_question_tells_forward_sessions_apart(
    market: Market, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = begun(market, tmp_path).folder
    assert run(["--paper-sessions-step", str(folder)]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line.keys() == {"session_id", "bars_taken", "watermark", "next_due", "stage"}
