"""A simulated year of daily bars that cron steps, with outages: no false alert, and every outage is told in time."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from support.forward_market import WARMUP, Market, begun, stepped

from quantlab.ledger.location import locate
from quantlab.ledger.reader import open_reader
from quantlab.queries.alerts import alerts

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

STALE_AFTER = timedelta(minutes=60)
POLL = timedelta(minutes=15)
"""How often somebody asks for alerts."""
OUTAGE = 0.03
"""How often cron does not run on a day."""


@dataclass
class Year:
    """What a year saw.

    Attributes:
        days: Days that went by.
        outages: Days on which nobody stepped the session.
        told: Outages that were told within one poll after due and the stale minutes.
        asked: How often somebody asked for alerts.
        bars: Bars that the session took.
        faults: Alerts that were false or missing; empty as promised.
    """

    days: int = 0
    outages: int = 0
    told: int = 0
    asked: int = 0
    bars: int = 0
    faults: list[str] = field(default_factory=list)


def step_a_year(folder: Path, days: int, seed: int) -> Year:
    """Let so many days go by: each closes a bar, and cron steps the session a quarter of an hour later, as a rule."""
    market, chance, year = (
        Market(folder / "prices.csv", bars=WARMUP + days, seed=seed),
        random.Random(seed),
        Year(),
    )
    session, was_away = begun(market, folder).folder, False
    for day in range(1, days + 1):
        market.to(WARMUP + day)
        closed = market.now - timedelta(minutes=1)
        if chance.random() < OUTAGE:
            year.outages += 1
            _expect(session, closed + STALE_AFTER - timedelta(minutes=1), year, is_stale=was_away)
            year.told += _expect(session, closed + STALE_AFTER + POLL, year, is_stale=True)
            was_away = True
            continue
        _expect(session, closed + POLL, year, is_stale=was_away)
        was_away = False
        market.now = closed + POLL
        year.bars += stepped(market, session).bars_taken
        for hours in (1, 23.9):
            _expect(session, closed + timedelta(hours=hours), year, is_stale=False)
    year.days = days
    return year


def _expect(session: Path, now: datetime, year: Year, *, is_stale: bool) -> bool:
    year.asked += 1
    with open_reader(locate(session.parent, None)) as reader:
        found = alerts(reader, now=now, stale_after=STALE_AFTER, is_alive=lambda *_: None)
    codes = [one["alert_code"] for one in found["alerts"]]
    if codes != (["PAPER_SESSION_STALE"] if is_stale else []):
        year.faults.append(f"{now}: {codes or 'no alert'}")
        return False
    return True
