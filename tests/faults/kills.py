"""The kill drill: children die at random instants; whatever they were told is recorded must be there."""

from __future__ import annotations

import random
import re
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from support import audit
from support.ledger_history import stored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.fork_server import Child, Server

OF_A_SESSION = {"session": 1.1, "paced session": 1.5, "writer": 0.4, "index": 0.4}
"""The latest instant of each kind of victim, in the time that a whole session takes here and now."""
INSTANTS_PER_ROOT = 50


@dataclass
class Kills:
    """What a kill drill saw.

    Attributes:
        instants: Kills that met a living process, by what it was doing.
        finished: Children that were done before their kill came.
        acknowledged: Events that the recorder had returned before a kill.
        unanswered: Events that were committed, and whose process died before it heard of it.
        healed: Sessions whose files were behind and were made anew.
        faults: Whatever did not hold; empty as promised.
    """

    instants: dict[str, int] = field(default_factory=dict)
    finished: int = 0
    acknowledged: int = 0
    unanswered: int = 0
    healed: int = 0
    faults: list[str] = field(default_factory=list)


def kill_at_random(server: Server, folder: Path, instants: int, seed: int) -> Kills:
    """Kill sessions, bare writers and healing commands at random instants, root after root, and audit each root."""
    chance = random.Random(seed)
    kills = Kills()
    done = 0
    while sum(kills.instants.values()) < instants and not kills.faults:
        outdir = folder / f"root{done}"
        some = min(INSTANTS_PER_ROOT, instants - sum(kills.instants.values()))
        _kill_in_one_root(server, outdir, some, chance, kills)
        done += 1
    return kills


def _kill_in_one_root(
    server: Server, outdir: Path, instants: int, chance: random.Random, kills: Kills
) -> None:
    root, acknowledgements = outdir / "paper_sessions", outdir / "acknowledged"
    root.mkdir(parents=True)
    whole = server.start("session", str(outdir), str(acknowledgements)).wait()
    if whole.code != 0:
        kills.faults.append(f"a session exits {whole.code}: {whole.err}")
        return
    victims: dict[str, Callable[[], Child]] = {
        "session": lambda: server.start("session", str(outdir), str(acknowledgements)),
        "paced session": lambda: server.start(
            "session", str(outdir), str(acknowledgements), "--pace", "0.001"
        ),
        "writer": lambda: server.start("writer", str(root), str(acknowledgements), f"w{chance.random()}"),
        "index": lambda: server.start("index", str(root)),
    }
    for place in range(instants):
        name = ("session", "writer", "paced session", "writer", "index")[place % 5]
        child = victims[name]()
        time.sleep(chance.uniform(0, whole.seconds * OF_A_SESSION[name]))
        child.kill()
        if child.wait().code == -signal.SIGKILL:
            kills.instants[name] = kills.instants.get(name, 0) + 1
        else:
            kills.finished += 1
        kills.faults += [f"{one} is torn" for one in audit.torn_files(root)]
    _audit(server, root, acknowledgements, kills)


def _audit(server: Server, root: Path, acknowledgements: Path, kills: Kills) -> None:
    told = audit.read_lines(acknowledgements)
    kills.acknowledged += len(told)
    kills.faults += [f"acknowledged and lost: {line}" for line in audit.lost(root, told)]
    kills.faults += audit.ledger_faults(root)
    by_sessions = stored(root / "ledger.db", "SELECT sequence FROM events WHERE actor = 'session'")
    kills.unanswered += len(by_sessions) - len(told)
    healing = server.run("paper-sessions", "index", str(root))
    made_anew = re.search(r"^Made anew: (\d+)", healing.out, re.MULTILINE)
    kills.healed += int(made_anew[1]) if made_anew else 0
    if healing.code != 0:
        kills.faults.append(f"index exits {healing.code}: {healing.err}")
        return
    kills.faults += audit.healed_faults(root)
    kills.faults += [f"{one} is torn" for one in audit.torn_files(root)]
    kills.faults += audit.ledger_faults(root)
