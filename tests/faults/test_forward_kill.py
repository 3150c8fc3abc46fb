"""Drivers of a forward session are killed at random instants, and the session comes to what a replay comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from drilled_ledgers import OnServer
from forward_kills import ForwardKills, kill_drivers, race_drivers
from forward_year import step_a_year
from moving_markets import GrowingMarket, LoopbackYahoo
from support.yahoo_server import YahooServer

if TYPE_CHECKING:
    from pathlib import Path

    from support.fork_server import Server

pytestmark = pytest.mark.slow
SEED = 20_260_301
KILLS, BARS = 5, 250


@pytest.fixture(scope="module")
def killed(server: Server, tmp_path_factory: pytest.TempPathFactory) -> ForwardKills:
    folder = tmp_path_factory.mktemp("forward")
    return kill_drivers(server, GrowingMarket(folder / "market", BARS, SEED), folder, KILLS, SEED)


def test_a_session_that_was_killed_again_and_again_equals_its_replay(killed: ForwardKills) -> None:
    assert killed.faults == []
    assert killed.bars == BARS
    assert killed.fills > 0


def test_its_drivers_were_met_alive(killed: ForwardKills) -> None:
    assert sum(killed.kills.values()) >= KILLS
    assert killed.drives >= 2


def test_the_same_on_yahoo_across_a_split_and_summer_time(server: Server, tmp_path: Path) -> None:
    with YahooServer(tmp_path) as yahoo:
        found = kill_drivers(server, LoopbackYahoo(yahoo, 77), tmp_path, 2, SEED)
    assert found.faults == []
    assert found.revised == {"adjusted": 1}
    assert found.bars == 77


def test_drivers_that_take_each_turn_at_once_take_no_bar_twice(server: Server, tmp_path: Path) -> None:
    raced = race_drivers(server, GrowingMarket(tmp_path / "market", 12, SEED), tmp_path, 3, SEED)
    assert (raced.faults, raced.bars) == ([], 12)
    assert raced.steps + raced.fenced >= 6  # how many meet is chance: two races of three at least


def test_no_driver_that_was_fenced_writes_on_postgresql_either(
    server: Server, tmp_path: Path, postgres_url: str
) -> None:
    ledger = OnServer(tmp_path / "outputs" / "paper_sessions", postgres_url)
    market = GrowingMarket(tmp_path / "market", 7, SEED)
    raced = race_drivers(server, market, tmp_path, 4, SEED, rounds=3, ledger=ledger)
    assert (raced.faults, raced.bars, raced.rounds) == ([], 7, 3)


def test_no_alert_is_false_and_every_outage_is_told(tmp_path: Path) -> None:
    days = step_a_year(tmp_path, 20, 1)
    assert (days.faults, days.outages, days.told) == ([], 2, 2)
