"""The full drill of forward sessions, whose table docs/reliability.md shows: `python tests/faults/forward_drill.py`.

Kills the drivers of sessions on a growing file and of sessions on the loopback Yahoo, forty times each, and holds each
session against a replay of what it saw; lets two to eight drivers take each turn at once, on SQLite and, where one is
to be had, on PostgreSQL; steps a session through a year of daily bars with outages; and drives 200 random sessions in
steps, by following and both. Some minutes on two cores. Exits 1 when anything did not hold.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent.parent)]

from drilled_ledgers import OnServer  # noqa: E402 - the path is set first
from forward_kills import ForwardKills, kill_drivers, race_drivers  # noqa: E402
from forward_year import Year, step_a_year  # noqa: E402
from moving_markets import GrowingMarket, LoopbackYahoo  # noqa: E402
from support.fork_server import Server  # noqa: E402
from support.postgres_server import NoServerError, own_schema, start_own  # noqa: E402
from support.yahoo_server import YahooServer  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from drilled_ledgers import Drilled

SEED = 20_260_301
BARS_OF_A_KILL = 50
"""Of the growing file: as many that a driver is met among them."""
BARS_OF_A_ROUND = 2

PARTS = ["kills", "races", "year", "cases"]

Line = tuple[str, str]


def main() -> int:
    """Run the parts that are asked for; returns the exit code."""
    asked = _arguments()
    with tempfile.TemporaryDirectory() as name:
        table, faults = _drilled(Path(name), asked)
    drilled = (
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )
    table = [
        ("forward sessions drilled on", f"{drilled}, seed {asked.seed}"),
        *table,
        ("faults of forward sessions found", str(len(faults))),
    ]
    print("| what | figure |\n| --- | --- |")
    print("\n".join(f"| {what} | {figure} |" for what, figure in table))
    print("\n".join(faults), file=sys.stderr)
    return 1 if faults else 0


def _drilled(folder: Path, asked: argparse.Namespace) -> tuple[list[Line], list[str]]:
    """Return the table's lines, and what did not hold."""
    table: list[Line] = []
    faults: list[str] = []
    if "kills" in asked.parts:
        with ThreadPoolExecutor(2) as both:
            file = both.submit(_of_sessions, _kill_on_a_file, folder / "file", asked)
            on_yahoo = both.submit(_of_sessions, _kill_on_yahoo, folder / "yahoo", asked).result()
        table += _of_kills("a growing file", file.result())
        table += _of_kills("the loopback Yahoo, a split and summer time", on_yahoo)
        faults += file.result().faults + on_yahoo.faults
    if "races" in asked.parts:
        races = {"SQLite": _race(folder / "races", asked), **_race_on_a_server(folder / "server", asked)}
        for engine, found in races.items():
            table += _of_races(engine, found, asked.drivers)
            faults += found.faults
    if "year" in asked.parts:
        year = step_a_year(_made(folder / "year"), asked.days, asked.seed)
        table += _of_a_year(year)
        faults += year.faults
    if "cases" in asked.parts:
        fault = _random_cases(asked.cases)
        table.append(
            (
                "random sessions driven in steps, by following and both, across changes of code",
                f"{asked.cases}, {'each equal to its replay' if fault is None else 'see faults'}",
            )
        )
        faults += [] if fault is None else [fault]
    return table, faults


def _random_cases(cases: int) -> str | None:
    """Run the property test on so many cases; returns what it says where it does not hold."""
    test = str(HERE.parent / "test_forward_property.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
        env={**os.environ, "QUANTLAB_TEST_FORWARD_CASES": str(cases)},
        capture_output=True,
        text=True,
        check=False,
    )
    return None if done.returncode == 0 else done.stdout[-2_000:]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help="kills, races, year or cases; all unless some are named"
    )
    parser.add_argument("--kills", type=int, default=40, help="drivers to kill, on each source")
    parser.add_argument("--sessions", type=int, default=1, help="sessions that they are of, on each source")
    parser.add_argument("--minutes", type=float, default=inf, help="begin no further session after so many")
    parser.add_argument("--yahoo-bars", type=int, default=140, help="bars of a session on Yahoo")
    parser.add_argument("--drivers", type=int, default=8, help="drivers that take a turn at once, at most")
    parser.add_argument("--rounds", type=int, default=200, help="turns that they race for, on each engine")
    parser.add_argument("--days", type=int, default=365, help="days that cron steps a session")
    parser.add_argument("--cases", type=int, default=200, help="random sessions that are driven in every way")
    parser.add_argument("--seed", type=int, default=SEED, help="of prices and instants")
    asked = parser.parse_args()
    asked.parts = asked.parts or PARTS
    return asked


def _of_sessions(
    kill: Callable[[Server, Path, argparse.Namespace, int, int], ForwardKills],
    folder: Path,
    asked: argparse.Namespace,
) -> ForwardKills:
    """Kill drivers of one session after the other until there were enough kills, or anything did not hold."""
    found, until = ForwardKills(sessions=0), time.monotonic() + 60 * asked.minutes
    with Server(folder / "server") as server:
        for number in range(asked.sessions):
            kills = asked.kills * (number + 1) // asked.sessions - asked.kills * number // asked.sessions
            found.add(kill(server, folder / f"session{number}", asked, kills, asked.seed + number))
            if found.faults or time.monotonic() > until:
                break
    return found


def _kill_on_a_file(
    server: Server, folder: Path, asked: argparse.Namespace, kills: int, seed: int
) -> ForwardKills:
    market = GrowingMarket(folder / "market", BARS_OF_A_KILL * kills, seed)
    return kill_drivers(server, market, folder, kills, seed, tell=lambda line: _tell(f"file {seed}: {line}"))


def _kill_on_yahoo(
    server: Server, folder: Path, asked: argparse.Namespace, kills: int, seed: int
) -> ForwardKills:
    with YahooServer(_made(folder)) as yahoo:
        market = LoopbackYahoo(yahoo, asked.yahoo_bars)
        return kill_drivers(
            server, market, folder, kills, seed, tell=lambda line: _tell(f"Yahoo {seed}: {line}")
        )


def _race(folder: Path, asked: argparse.Namespace, ledger: Drilled | None = None) -> ForwardKills:
    market = GrowingMarket(folder / "market", BARS_OF_A_ROUND * asked.rounds + 1, asked.seed)
    with Server(folder / "server") as server:
        return race_drivers(
            server, market, folder, asked.drivers, asked.seed, rounds=asked.rounds, ledger=ledger
        )


def _race_on_a_server(folder: Path, asked: argparse.Namespace) -> dict[str, ForwardKills]:
    """Race on PostgreSQL too; nothing where none is to be had."""
    try:
        server = start_own()
    except NoServerError as error:
        _tell(str(error))
        return {}
    try:
        with own_schema(server.url()) as url:
            ledger = OnServer(folder / "outputs" / "paper_sessions", url)
            return {"PostgreSQL": _race(folder, asked, ledger)}
    finally:
        server.remove()


def _of_kills(where: str, found: ForwardKills) -> list[Line]:
    of_kind = ", ".join(f"{count} {kind}" for kind, count in sorted(found.kills.items()))
    revised = ", ".join(f"{count} {kind}" for kind, count in sorted(found.revised.items())) or "nothing"
    return [
        (
            f"{where}: drivers killed, of sessions",
            f"{sum(found.kills.values()):,} ({of_kind}), {found.sessions}",
        ),
        (f"{where}: of these with bars of a look recorded and others not", str(found.hit_at_work)),
        (f"{where}: whole steps between, drivers fenced", f"{found.steps}, {found.fenced}"),
        (f"{where}: bars, fills", f"{found.bars:,}, {found.fills:,}"),
        (f"{where}: revised by the source", revised),
        (f"{where}: begun or taken up", f"{found.drives} times"),
        (
            f"{where}: proof, digest beside a replay of its tape",
            "identical, equal" if not found.faults else "see faults",
        ),
    ]


def _of_races(engine: str, found: ForwardKills, drivers: int) -> list[Line]:
    where = f"2 to {drivers} drivers at once on {engine}"
    return [
        (f"{where}: rounds, turns taken, drivers fenced", f"{found.rounds}, {found.steps}, {found.fenced}"),
        (f"{where}: bars, none of them twice, none by a driver that was fenced", f"{found.bars:,}"),
    ]


def _of_a_year(year: Year) -> list[Line]:
    return [
        ("days that cron stepped a session of daily bars", f"{year.days - year.outages} of {year.days}"),
        ("outages among them, told within a poll", f"{year.outages}, {year.told}"),
        ("alerts asked for, false ones", f"{year.asked:,}, {len(year.faults)}"),
    ]


if __name__ == "__main__":
    sys.exit(main())
