"""The kill drill of forward sessions: drivers die at random instants, and the result is that of an undisturbed one.

A session is begun with `--follow`, its drivers (`follow`, `step`) are killed again and again while its market goes
on, whole `step`s come in between as cron's would, beside a `follow` too. What it came to must be what a replay of
its tape comes to, and every bar that was recorded once must stay as it was.
"""

from __future__ import annotations

import json
import random
import signal
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from drilled_ledgers import OnFile
from support import audit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drilled_ledgers import Drilled
    from moving_markets import Moving
    from support.fork_server import Child, Done, Server

KILLS_OF_THE_BEGINNING = 3
"""Of `run --paper --follow` itself, at most."""
BY_THE_CLOCK = 0.5
"""The part of the kills that fall at a random instant; the others fall upon a random bar."""
LONGEST_WAIT = 120.0
BARS_OF_A_RACE = 8
FENCED = ("is driven by process", "has ended")
"""What a driver says that comes second: another one has gone on, or has brought the session to its end."""
BarSeen = tuple[object, ...]


@dataclass
class ForwardKills:
    """What a drill saw.

    Attributes:
        sessions: Sessions that were drilled.
        kills: Kills that met a living driver, by its command.
        hit_at_work: Kills after which there were bars of the killed driver's, and bars that it had not come to.
        steps: Whole `step`s in between.
        fenced: Drivers that found another one gone on, and wrote nothing.
        rounds: Races that there were.
        bars: Forward bars of the session in the end.
        fills: Its fills.
        revised: What its source revised, by kind.
        drives: How often it was begun or taken up.
        faults: Whatever did not hold; empty as promised.
    """

    sessions: int = 1
    kills: dict[str, int] = field(default_factory=dict)
    hit_at_work: int = 0
    steps: int = 0
    fenced: int = 0
    rounds: int = 0
    bars: int = 0
    fills: int = 0
    revised: dict[str, int] = field(default_factory=dict)
    drives: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, other: ForwardKills) -> None:
        """Add what another session's drill saw."""
        for name in (
            "sessions",
            "hit_at_work",
            "steps",
            "fenced",
            "rounds",
            "bars",
            "fills",
            "drives",
            "faults",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for mine, others in ((self.kills, other.kills), (self.revised, other.revised)):
            for kind, count in others.items():
                mine[kind] = mine.get(kind, 0) + count


def kill_drivers(
    server: Server,
    market: Moving,
    folder: Path,
    kills: int,
    seed: int,
    *,
    tell: Callable[[str], None] = lambda _line: None,
) -> ForwardKills:
    """Drive a session through so many kills to its end, and hold it against a replay of its tape."""
    drill = _Drill(server, market, folder / "outputs", random.Random(seed))
    drill.begin(min(KILLS_OF_THE_BEGINNING, kills // 2))
    while sum(drill.found.kills.values()) < kills and not drill.found.faults:
        drill.round(kills)
        tell(f"{sum(drill.found.kills.values())} of {kills} drivers killed, {len(drill.seen)} bars")
    if not drill.found.faults:
        drill.finish()
    return drill.found


def race_drivers(
    server: Server,
    market: Moving,
    folder: Path,
    drivers: int,
    seed: int,
    *,
    rounds: int | None = None,
    ledger: Drilled | None = None,
) -> ForwardKills:
    """Let two to so many drivers take each turn at once, and hold the session against a replay of its tape.

    Args:
        server: Starts the drivers.
        market: What they race for.
        folder: Where the session is.
        drivers: As many at most; each round draws how many.
        seed: Of the instants.
        rounds: How many rounds; None for as many as the session takes to its end.
        ledger: The session's; None for the SQLite in its root.
    """
    drill = _Drill(server, market, folder / "outputs", random.Random(seed), ledger)
    drill.begin(0)
    while not drill.found.faults and len(drill.seen) < market.total and drill.found.rounds != rounds:
        drill.race(drivers, rounds)
    if not drill.found.faults:
        drill.see_the_rest()
    return drill.found


class _Drill:
    def __init__(
        self,
        server: Server,
        market: Moving,
        outdir: Path,
        chance: random.Random,
        ledger: Drilled | None = None,
    ) -> None:
        self._server, self._market, self._chance = server, market, chance
        self._outdir, self._root = outdir, outdir / "paper_sessions"
        self._ledger = OnFile(self._root) if ledger is None else ledger
        self._window = 1.0
        """The latest instant of a kill, in seconds after a driver's start: it follows what a whole step takes here."""
        self._shown = 0
        self._raced_to = 0
        """The sequence up to which races were looked at."""
        self.seen: list[BarSeen] = []
        self.found = ForwardKills()

    def begin(self, kills: int) -> None:
        """Begin the session; it may be killed before there is one, and while it warms up."""
        for _ in range(kills):
            self._kill("begin", self._start(*self._beginning()))
            if self._sessions():
                return
        done = self._start(*self._beginning(), "--step").wait(LONGEST_WAIT)
        if done.code != 0:
            self.found.faults.append(f"the session can't be begun: {done.err}")

    def _beginning(self) -> tuple[str, ...]:
        limits = ("--warmup", str(self._market.warmup), "--bars", str(self._market.total))
        begun = ("run", "--paper", "--follow", *self._market.words, *limits, "--outdir", str(self._outdir))
        return (*begun, *self._ledger.words)

    def round(self, kills: int) -> None:
        """Let the market go on, and kill a driver, or let one take its turn, or have two at once."""
        if self._has_warmed_up():
            most = max(1, 8 * self._market.total // (5 * kills))
            self._shown = min(self._market.total - 1, self._shown + self._chance.randint(1, most))
            self._market.show(self._shown)
        how = self._chance.choices(("follow", "step", "whole step", "both"), (5, 2, 2, 1))[0]
        if how == "whole step":
            self._step()
        elif how == "both":
            follower = self._drive("follow")
            time.sleep(self._chance.uniform(0, self._window))
            self._step()
            self._kill("follow", follower)
        else:
            self._kill(how, self._drive(how))
        self._audit()

    def finish(self) -> None:
        """Let the session come to its end, prove it, and replay what it saw."""
        if not self._has_warmed_up():
            self._step()  # what had closed before it warmed up would be its history
        self._market.show(self._market.total)
        for _ in range(2):  # kills that may fall on its very end
            self._kill("follow", self._drive("follow"))
        if self._status() == "running":
            done = self._drive("follow").wait(LONGEST_WAIT)
            if done.code != 0:
                self._refuse("the last driver", done)
        self.hold()

    def race(self, drivers: int, rounds: int | None) -> None:
        """Show some bars, and start two to so many drivers at once."""
        most = BARS_OF_A_RACE if rounds is None else max(1, self._market.total // rounds)
        last = self._market.total - (0 if rounds is None else 1)
        self._shown = min(last, self._shown + self._chance.randint(1, most))
        self._market.show(self._shown)
        for child in [self._drive("step") for _ in range(self._chance.randint(2, drivers))]:
            self._end_step(child.wait(LONGEST_WAIT))
        self.found.rounds += 1
        self._require_fenced()
        self._audit()

    def see_the_rest(self) -> None:
        """Let one driver bring the session to its end, where the races have not, and hold it against a replay."""
        self._market.show(self._market.total)
        if self._status() == "running":
            self._step()
        self._audit()
        self.hold()

    def _require_fenced(self) -> None:
        """Whoever has lost a place in the session to another driver must not have written behind it."""
        found = self._ledger.rows(
            f"SELECT sequence, payload FROM events WHERE type IN ('bar', 'heartbeat', 'revised') "
            f"AND sequence > {self._raced_to} ORDER BY sequence"
        )
        told = [json.loads(str(payload)).get("driver") for _sequence, payload in found]
        drivers = [pid for pid, _events in groupby(driver["pid"] for driver in told if driver)]
        if len(set(drivers)) < len(drivers):
            self.found.faults.append(f"a driver wrote after it was fenced: {drivers}")
        self._raced_to = int(str(found[-1][0])) if found else self._raced_to

    def hold(self) -> None:
        """Hold what the session came to against its proof and a replay, and the root against its ledger."""
        self._audit()
        self._count()
        self._require_equal_to_its_replay()
        self._require_sound_root()

    def _require_equal_to_its_replay(self) -> None:
        proof = self._command("paper-sessions", "prove", str(self._folder), *self._ledger.words)
        if f"{self._folder.name}: identical" not in proof.out:
            self.found.faults.append(f"the proof says: {proof.out or proof.err}")
        first, last = (str(self.seen[place][2])[:10] for place in (0, -1))
        day_after = datetime.fromisoformat(last) + timedelta(days=1)
        tape, again = self._folder / "artifacts" / "prices.csv", self._outdir.with_name("again")
        done = self._command(
            "run", "--paper", "--ticker", self._market.words[1], "--interval", "1h", "--prices", str(tape),
            "--warmup", str(self._market.warmup), "--start", first, "--end", f"{day_after:%Y-%m-%d}",
            "--no-charts", "--outdir", str(again),
        )  # fmt: skip
        digests = [
            json.loads(file.read_text())["result_digest"]
            for place in (self._root, again / "paper_sessions")
            for file in place.glob("*/metrics.json")
        ]
        if done.code != 0 or len(digests) != 2 or len(set(digests)) != 1:
            self.found.faults.append(f"a replay of its tape is another: {digests}, {done.err}")

    def _require_sound_root(self) -> None:
        self.found.faults += audit.ledger_faults(self._root, self._ledger.location)
        healing = self._command("paper-sessions", "index", str(self._root), *self._ledger.words)
        if healing.code != 0:
            self.found.faults.append(f"index exits {healing.code}: {healing.err}")
        self.found.faults += audit.healed_faults(self._root, self._ledger.location)
        if self.found.bars != self._market.total:
            self.found.faults.append(f"{self.found.bars} bars of {self._market.total} were taken")

    def _step(self) -> None:
        """Take a turn to its end, as cron does; another driver may be in its way."""
        self._end_step(self._drive("step").wait(LONGEST_WAIT))

    def _end_step(self, done: Done) -> None:
        if done.code == 0:
            self.found.steps += 1
            self._window = 0.5 * self._window + 0.6 * done.seconds
            told = json.loads(done.out)["watermark"]
            held = self._bars()
            if told is not None and (not held or str(held[-1][3]) < told):
                self.found.faults.append(f"a bar that was told of is lost: {done.out}")
        elif done.code == 1 and any(word in done.err for word in FENCED):
            self.found.fenced += 1
        else:
            self._refuse("a step", done)

    def _kill(self, what: str, child: Child) -> None:
        before = len(self._bars())
        self._let_work(before)
        child.kill()
        done = child.wait()
        after = len(self._bars())
        if done.code == -signal.SIGKILL:
            self.found.kills[what] = self.found.kills.get(what, 0) + 1
            self.found.hit_at_work += before < after < self._shown
        elif not (done.code == 0 or any(word in done.err for word in FENCED)):
            self._refuse(what, done)

    def _refuse(self, what: str, done: Done) -> None:
        hung = f" (it hung, and was killed after {done.seconds:.0f} s)" if done.hung else ""
        self.found.faults.append(f"{what} exits {done.code}{hung}: {done.err}")

    def _let_work(self, before: int) -> None:
        """Wait for a random while, or for a random one of the bars that are to come, whichever is first met."""
        until = time.monotonic() + self._chance.uniform(0, self._window)
        to_come = self._shown - before
        awaited = before + self._chance.randint(1, max(1, to_come))
        is_timed = self._chance.random() < BY_THE_CLOCK or to_come < 1
        while time.monotonic() < until + (0 if is_timed else 3 * self._window):
            if not is_timed and len(self._bars()) >= awaited:
                return
            time.sleep(0.001)

    def _audit(self) -> None:
        """Every bar that was recorded stays as it was, the bars are without a gap, and no file is torn."""
        bars, first = self._bars(), self._market.warmup
        if bars[: len(self.seen)] != self.seen:
            self.found.faults.append("a bar that was recorded is gone, or another")
        if [bar for bar, *_ in bars] != list(range(first, first + len(bars))):
            self.found.faults.append("the bars have a gap, or one is there twice")
        self.found.faults += [f"{one} is torn" for one in audit.torn_files(self._root)]
        self.seen = bars

    def _count(self) -> None:
        found, rows = self.found, self._ledger.rows
        found.bars = len(self.seen)
        ((found.fills,),) = _numbers(rows("SELECT COUNT(*) FROM session_fills"))
        ((found.drives,),) = _numbers(rows("SELECT drives FROM paper_sessions"))
        of_kind = rows("SELECT revision, COUNT(*) FROM session_revisions GROUP BY revision")
        found.revised = {str(kind): int(str(count)) for kind, count in of_kind}

    def _bars(self) -> list[BarSeen]:
        return self._ledger.rows("SELECT bar, tape_hash, opened_at, closed_at FROM session_bars ORDER BY bar")

    def _sessions(self) -> list[tuple[object, ...]]:
        return self._ledger.rows("SELECT session_id, next_due, status FROM paper_sessions")

    def _has_warmed_up(self) -> bool:
        return self._sessions()[0][1] is not None

    def _status(self) -> object:
        return self._sessions()[0][2]

    @property
    def _folder(self) -> Path:
        return self._root / str(self._sessions()[0][0])

    def _drive(self, command: str) -> Child:
        return self._start("paper-sessions", command, str(self._folder), *self._ledger.words)

    def _command(self, *words: str) -> Done:
        return self._start(*words).wait(LONGEST_WAIT)

    def _start(self, *words: str) -> Child:
        return self._server.start("command_at", list(words), self._market.now, self._market.environment)


def _numbers(rows: list[tuple[Any, ...]]) -> list[list[int]]:
    return [[int(one) for one in row] for row in rows]
