"""Roots for the operators' page: sessions whose result files are there, with the digests that the ledger recorded."""

from __future__ import annotations

import hashlib
import math
import random
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from quantlab.base.clock import iso
from quantlab.domain.events import Bar, Heartbeat, Revised, Succeeded
from quantlab.domain.forward import ForwardTerms
from support.sessions_builder import NOW, SUMMARY, Sessions, ago

if TYPE_CHECKING:
    from pathlib import Path

BARS, FIRST_BAR = 365, datetime(2023, 1, 1)  # noqa: DTZ001 - written with its offset below
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202egnp.exe\u2066",
    "\x1b[31mred\x07",
    "{{ 7 * 7 }}{% raw %}",
    "a" * 5_000,
    "</style></details><base href=//evil.example>",
    "&amp;&#x3c;b onclick=x",
)
"""What somebody may have written where the page shows a text."""


def walk(seed: int, bars: int = BARS) -> list[float]:
    """Return an equity of 1,000 that wanders, bar by bar."""
    random_numbers, equity = random.Random(seed), [1_000.0]
    while len(equity) < bars:
        equity.append(equity[-1] * math.exp(random_numbers.gauss(0.0004 * (seed % 5 - 1), 0.018)))
    return equity


@cache
def _market(bars: int) -> tuple[float, ...]:
    """Return the prices that every session of these roots met."""
    return tuple(walk(404, bars))


def equity_csv(equity: list[float]) -> bytes:
    rows = [
        f"{_time(bar)},{value!r},0.0,{mark!r},{value!r}"
        for bar, (value, mark) in enumerate(zip(equity, _market(len(equity)), strict=True))
    ]
    return "\n".join(["time,cash,quantity,mark,equity", *rows, ""]).encode()


def trades_csv(equity: list[float], fills: int, reason: str = "cross_up") -> bytes:
    every = max(1, len(equity) // max(1, fills))
    rows = [
        f"{_time(place * every)},{'SELL' if place % 2 else 'BUY'},100.5,100.6,9.93,2.0,"
        f'{equity[place * every % len(equity)]!r},0.0008,"{reason}",{_time(place * every)},0.0,9.93,0.001'
        for place in range(fills)
    ]
    head = (
        "timestamp,side,close,exec_price,qty,fee,equity_after,slippage,reason,signal_timestamp,cash_after,"
        "position_after,participation"
    )
    return "\n".join([head, *rows, ""]).encode()


def with_result(
    sessions: Sessions,
    name: str,
    at: datetime,
    *,
    seed: int = 0,
    fills: int = 12,
    with_equity: bool = True,
    reason: str = "cross_up",
    digest: str | None = None,
    data_hash: str | None = None,
    **started: Any,
) -> Path:
    """Record a session that succeeded, with its files; returns its folder."""
    equity = walk(seed)
    folder = sessions.root / name
    (folder / "artifacts").mkdir(parents=True, exist_ok=True)
    files = {"trades.csv": trades_csv(equity, fills, reason)}
    if with_equity:
        files["artifacts/equity.csv"] = equity_csv(equity)
    for file, data in files.items():
        (folder / file).write_bytes(data)
    sessions.started(name, at, **started)
    source = started.get("prices") or "yahoo"
    prices = data_hash or hashlib.sha256(name.encode()).hexdigest()
    sessions.loaded(name, at + timedelta(seconds=1), source=source, data_hash=prices)
    lowest = min(value / max(equity[: place + 1]) - 1 for place, value in enumerate(equity))
    returned = equity[-1] / equity[0] - 1
    summary = SUMMARY | {
        "total_return": returned,
        "max_drawdown": lowest,
        "sharpe_simple": returned * 3,
        "trades": fills // 2,
    }
    event = Succeeded(
        summary=summary,
        best_result=summary,
        figures={**summary, "final_equity": equity[-1], "buy_and_hold_return": 0.05, "days": BARS},
        result_digest=digest or hashlib.sha256(repr(equity).encode()).hexdigest(),
        bars=BARS,
        artifacts=[
            {"file_name": file, "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for file, data in files.items()
        ],
        warnings=[],
    )
    sessions.record(name, at + timedelta(seconds=9), event)
    return folder


def many(sessions: Sessions, count: int, *, fills: int = 12) -> Sessions:
    """Record so many sessions that succeeded, an hour apart, all on synthetic prices but for two."""
    for place in range(count):
        at = ago(hours=count - place, days=1)
        prices = "yahoo" if place in (count // 2, count // 3) else "synthetic"
        name = f"{at:%Y%m%d_%H%M%S}_paper_{place:012x}"
        tickers = ("ETH-USD", "BTC-USD", "SPY")
        with_result(
            sessions, name, at, seed=place, fills=fills, prices=prices, ticker=tickers[place % 3],
            config_hash=f"{place:064x}", request_id=f"req_{place}",
        )  # fmt: skip
    return sessions


def forty(sessions: Sessions) -> Sessions:
    """Record forty sessions that an operator may meet: three failed, one overdue, two ready, one proved different."""
    many(sessions, 34)
    for place, (error, message) in enumerate(
        [
            ("DataError", "31 bars came; rsi_ma_cross_v2 needs at least 100. Ask for a longer range."),
            ("StrategyError", "my_breakout: decide() raised ZeroDivisionError: float division by zero."),
            ("DataError", "Yahoo knows no ticker ETHUSD; expected one such as ETH-USD."),
        ]
    ):
        at = ago(hours=9 - 2 * place)
        name = f"{at:%Y%m%d_%H%M%S}_paper_fa11ed00000{place}"
        sessions.started(name, at, config_hash=f"f{place:063x}", request_id=f"failed_{place}")
        sessions.failed(name, at + timedelta(seconds=20), error=error, message=message)
    followed(sessions, "20260226_000500_paper_0ead00000001", bars=10)
    running = "20260310_115500_paper_11fe00000001"
    sessions.started(running, ago(minutes=5), config_hash="a" * 64, request_id="running")
    sessions.beat(running, ago(minutes=1), done=292, expected=365)
    different = "20260310_060000_paper_d1ff00000001"
    of_its_own: dict[str, Any] = {"config_hash": "b" * 64, "request_id": "different", "prices": "synthetic"}
    with_result(sessions, different, ago(hours=6), seed=99, **of_its_own)
    return sessions.proved(different, ago(hours=1), outcome="different")


def followed(sessions: Sessions, name: str, *, bars: int) -> Sessions:
    """Record a session that has followed the market for so many days: a bar was corrected, the next is overdue."""
    begun = ago(days=bars + 2)
    terms = ForwardTerms(warmup=100, source="yahoo", settle=0.0, patience=86_400.0)
    sessions.started(name, begun, config_hash="e" * 64, request_id="overdue", forward=terms)
    sessions.record(name, begun, Heartbeat(stage="warmed_up", bars_done=0, bars_expected=None))
    for place in range(bars):
        closed = begun.replace(hour=0, minute=0) + timedelta(days=place + 1)
        sessions.record(name, closed + timedelta(minutes=5), _bar(closed, place, bars))
    was: list[float | None] = [1.0, 1.0, 1.0, 1.0, 1.0]
    corrected = Revised(
        revision="corrected",
        bar=103,
        opened_at=iso(begun),
        seen_at=iso(closed),
        was=was,
        now=was,
        scale=[1.0, 1.0],
    )
    return sessions.record(name, closed + timedelta(minutes=5), corrected)


def _bar(closed: datetime, place: int, bars: int) -> Bar:
    equity = walk(7)[place]
    return Bar(
        driver={"host": "elsewhere", "pid": 4242, "process": None},
        bar=100 + place,
        opened_at=iso(closed - timedelta(days=1)),
        closed_at=iso(closed),
        seen_at=iso(closed + timedelta(minutes=5)),
        prices=[100.0, 101.0, 99.0, 100.0, 1_000.0],
        scale=[1.0, 1.0],
        tape_hash="d" * 64,
        signal=[None, None, None],
        values={},
        wanted="nothing",
        did="nothing",
        why="no_signal",
        state={"cash": equity, "quantity": 0.0},
        equity=equity,
        next_due=iso(closed + timedelta(days=1)),
        missing_before=[],
        late=False,
        totals={
            "forward_bars": place + 1,
            "late_bars": 0,
            "missing_bars": 0,
            "fills": 0,
            "last_fill_at": None,
        },
    )


def hostile(sessions: Sessions) -> Sessions:
    """Record sessions whose every text is out to do harm, as far as the ledger takes it."""
    for place, text in enumerate(HOSTILE):
        name, at = f"20260309_1200{place:02d}_paper_{place:012x}", ago(hours=20 - place)
        words: dict[str, Any] = {
            "ticker": text,
            "request_id": f"{text}{place}",
            "config_hash": f"{place:064x}",
        }
        with_result(sessions, name, at, seed=place, fills=4, reason=text.replace('"', '""'), **words)
        failed = f"20260309_1300{place:02d}_paper_{place:012x}"
        sessions.started(
            failed, at, ticker=text, config_hash=f"9{place:063x}", request_id=f"failed {text}{place}"
        )
        sessions.failed(failed, at + timedelta(seconds=3), error=text, message=text)
    name = "20260309_140000_<b>paper"
    sessions.adopted(name, NOW - timedelta(hours=1), terminal=False, status="<i>odd</i>", ticker=HOSTILE[1])
    return sessions


def _time(bar: int) -> str:
    return f"{FIRST_BAR + timedelta(days=bar):%Y-%m-%dT%H:%M:%S}.000000+00:00"
