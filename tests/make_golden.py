"""Make the golden files of tests/golden anew, by the code of the commits that they were first made with.

    mkdir -p CODE/77ed508 && git archive 77ed508 | tar -x -C CODE/77ed508      (and so for each commit of REVISIONS)
    python tests/make_golden.py CODE

Each command line runs as the program of its time, in a process of its own, with the wall clock, the ids and the facts
of the machine pinned; so all comes out the same but the packages' versions and the microseconds at which an operator
closed a session. Nothing here is part of the program of today: a golden file that differs from what today's code makes
is a fault of today's code, or a change that an issue names.
"""

from __future__ import annotations

import gzip
import importlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from support.golden_questions import answers, trials

HERE = Path(__file__).resolve().parent
GOLDEN = HERE / "golden"
WORK = Path("/tmp/quantlab-golden")  # stands in the events, as the roots' absolute path
MADE_BY = "77ed508"
REVISIONS = {"0001": "a3deb14", "0002": "a7e5b37", "0003": "0fe6e7c", "0004": "3827ce8", "0005": MADE_BY}
"""Schema of a ledger -> the last commit that made such ledgers."""
PINNED = {
    "git_commit": "7" * 40,
    "python_version": "3.11.7",
    "python_executable": "python",
}
PAPER = ("--paper", "--prices", "synthetic")
SESSIONS: dict[str, tuple[str, ...]] = {
    "daily": (*PAPER, "--report", "--request-id", "req_golden"),
    "weekly": (
        *PAPER,
        "--ticker",
        "SPY",
        "--interval",
        "1wk",
        "--start",
        "2016-01-01",
        "--end",
        "2024-01-01",
    ),
    "hourly": (*PAPER, "--interval", "1h", "--start", "2023-03-01", "--end", "2023-03-21"),
    "fees": (*PAPER, "--fee", "0.01", "--slippage-bps", "25", "--initial-cash", "25000"),
    "free": (*PAPER, "--fee", "0", "--slippage-bps", "0"),
    "atr": (*PAPER, "--slippage-mode", "atr", "--k-atr", "0.2", "--ticker", "BTC-USD"),
    "close": (*PAPER, "--fill", "close", "--cooldown-days", "3"),
    "patient": (*PAPER, "--rsi-buy-max", "45", "--rsi-sell-min", "65", "--save-price-plot"),
    "file": (
        "--paper",
        "--prices",
        "prices.csv",
        "--ticker",
        "FILE",
        "--start",
        "2023-01-01",
        "--end",
        "2023-10-01",
    ),
    "failed": (
        "--paper",
        "--prices",
        "prices.csv",
        "--ticker",
        "FILE",
        "--start",
        "2031-01-01",
        "--end",
        "2031-02-01",
    ),
    "signalled": (*PAPER, "--ticker", "STOP"),
    "killed": (*PAPER, "--ticker", "KILL"),
    "closed": (*PAPER, "--ticker", "GONE"),
    "again": (*PAPER, "--request-id", "req_again"),
    "edited": (*PAPER, "--ticker", "EDIT"),
    "vanished": (*PAPER, "--ticker", "VOID", "--start", "2023-06-01"),
}
STOPPED = {"signalled": signal.SIGTERM, "killed": signal.SIGKILL, "closed": signal.SIGKILL}
STOPPED_AT = 4
"""The question for the time at which such a session is stopped: its prices are loaded then."""
PROGRAMS: dict[Path, subprocess.Popen[str]] = {}
ADOPTED, ADOPTED_OPEN = "20250301_090000_paper_0000000", "20250301_090100_paper_0000001"


def main(code: Path) -> None:
    """Make everything."""
    shutil.rmtree(WORK, ignore_errors=True)
    shutil.rmtree(GOLDEN, ignore_errors=True)
    for folder in (WORK, GOLDEN):
        folder.mkdir()
    make_sessions(code / MADE_BY)
    for revision, commit in REVISIONS.items():
        make_ledger(code, revision, commit)
    for program in PROGRAMS.values():
        program.communicate()
    shutil.rmtree(WORK)


def make_sessions(code: Path) -> None:
    """Run the sessions, do to them what is done to sessions, and keep root, ledger and exports."""
    folder = WORK / "sessions"
    root = folder / "outputs" / "paper_sessions"
    root.mkdir(parents=True)
    (folder / "prices.csv").write_text(prices())
    make_adopted(root / ADOPTED)
    make_adopted(root / ADOPTED_OPEN, ended=False)
    ids: dict[str, str] = {}
    for hour, (name, words) in enumerate(SESSIONS.items(), 1):
        before = set(folders(root))
        quantlab(code, folder, *words, hour=hour, stop=STOPPED.get(name))
        (ids[name],) = set(folders(root)) - before or {""}
    rooted = "outputs/paper_sessions"
    quantlab(
        code,
        folder,
        "paper-sessions",
        "abort",
        f"{rooted}/{ids['closed']}",
        "--reason",
        "its host went",
        hour=30,
    )
    edit(root / ids["edited"] / "session_status.json", status_reason="checked by hand")
    edit(root / ids["edited"] / "metrics.json", note="looked at")
    shutil.rmtree(root / ids["vanished"])
    quantlab(code, folder, "paper-sessions", "index", rooted, hour=31)
    for name in ("daily", "file"):
        quantlab(code, folder, "paper-sessions", "prove", f"{rooted}/{ids[name]}", hour=32)
    quantlab(code, folder, "paper-sessions", "index", rooted, hour=33)
    keep(folder, root, ids)


def keep(folder: Path, root: Path, ids: dict[str, str]) -> None:
    """Copy what is compared: documents and tables as they are, prices and ledger compressed."""
    for session in folders(root):
        for file in sorted(path for path in (root / session).rglob("*") if path.is_file()):
            target = GOLDEN / "root" / file.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.name == "prices.csv":
                compress(file.read_bytes(), target.with_name("prices.csv.gz"))
            elif file.suffix in (".json", ".md") or file.name == "trades.csv":
                shutil.copyfile(file, target)
    for name in ("csv", "json", "md"):
        shutil.copyfile(root / f"paper_sessions_index.{name}", GOLDEN / f"paper_sessions_index.{name}")
    shutil.copyfile(folder / "prices.csv", GOLDEN / "prices.csv")
    compress(whole(root / "ledger.db"), GOLDEN / "ledger.db.gz")
    write_json(
        GOLDEN / "sessions.json", {name: {"id": ids[name], "words": SESSIONS[name]} for name in SESSIONS}
    )
    kinds = {
        "running": "killed",
        "successful": "daily",
        "failed": "failed",
        "stopped": "signalled",
        "closed": "closed",
    }
    states = {kind: ids[name] for kind, name in kinds.items()}
    states |= {
        "vanished": ids["vanished"],
        "adopted": ADOPTED,
        "adopted and open": ADOPTED_OPEN,
        "new": "new",
    }
    write_json(GOLDEN / "states.json", states)
    with closing(sqlite3.connect(root / "ledger.db", isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        write_json(
            GOLDEN / "answers.json", answers(lambda sql: [dict(row) for row in connection.execute(sql)])
        )
        write_json(GOLDEN / "refused.json", tried(connection, states))


def tried(connection: sqlite3.Connection, states: dict[str, str]) -> dict[str, bool]:
    """Return what is tried on the ledger, and whether it was refused; nothing of it stays."""
    versions = dict(
        connection.execute(
            "SELECT session_id, MAX(session_version) FROM events GROUP BY session_id"
        ).fetchall()
    )
    (head,) = connection.execute("SELECT sequence, hash FROM ledger_head").fetchall()
    refused = {}
    for what, statement in trials(states, versions, tuple(head)):
        connection.execute("BEGIN")
        try:
            connection.execute(statement)
            refused[what] = False
        except sqlite3.IntegrityError:
            refused[what] = True
        connection.execute("ROLLBACK")
    return refused


def make_ledger(code: Path, revision: str, commit: str) -> None:
    """Have the program of that time make a ledger; keep it, and the rows that MADE_BY upgrades it to."""
    folder = WORK / revision
    root = folder / "outputs" / "paper_sessions"
    root.mkdir(parents=True)
    make_adopted(root / ADOPTED)
    short = ("--start", "2023-01-01", "--end", "2023-06-01")
    quantlab(code / commit, folder, *PAPER, *short, hour=1)
    quantlab(code / commit, folder, *PAPER, *short, hour=2, stop=signal.SIGTERM)
    quantlab(code / commit, folder, *PAPER, *short, hour=3, stop=signal.SIGKILL)
    quantlab(code / commit, folder, "paper-sessions", "index", "outputs/paper_sessions", hour=4)
    ledger = root / "ledger.db"
    stored = whole(ledger)
    (GOLDEN / "ledgers").mkdir(exist_ok=True)
    compress(stored, GOLDEN / "ledgers" / f"{revision}.db.gz")
    with closing(sqlite3.connect(ledger)) as connection:
        (found,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if found != revision:
        raise SystemExit(f"{commit} makes ledgers of schema {found}, not {revision}.")
    quantlab(code / MADE_BY, folder, "ledger", "migrate", "outputs/paper_sessions", hour=5)
    write_json(GOLDEN / "ledgers" / f"{revision}.json", rows(ledger))


def rows(ledger: Path) -> dict[str, list[dict[str, Any]]]:
    """Return what must come out of a ledger: its events, its head and its sessions."""
    asked = {
        "events": "SELECT * FROM events ORDER BY sequence",
        "ledger_head": "SELECT * FROM ledger_head",
        "paper_sessions": "SELECT * FROM paper_sessions ORDER BY session_id",
        "session_counts": "SELECT * FROM session_counts ORDER BY status, ready",
    }
    with closing(sqlite3.connect(ledger)) as connection:
        connection.row_factory = sqlite3.Row
        return {name: [dict(row) for row in connection.execute(sql)] for name, sql in asked.items()}


def whole(ledger: Path) -> bytes:
    """Return a ledger's file with all that was recorded in it."""
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return connection.serialize()


def quantlab(code: Path, folder: Path, *words: str, hour: int, stop: signal.Signals | None = None) -> None:
    """Run a command line of that code in a folder, at that hour of the golden day."""
    if code not in PROGRAMS:
        environment = {"PATH": os.environ["PATH"], "HOME": str(WORK), "TZ": "UTC", "NO_COLOR": "1"}
        PROGRAMS[code] = subprocess.Popen(
            [sys.executable, __file__, "--pinned", str(code)],
            cwd=WORK,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    program = PROGRAMS[code]
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(
        json.dumps({"folder": str(folder), "hour": hour, "stop": stop, "words": words}) + "\n"
    )
    program.stdin.flush()
    print(f"{code.name} {' '.join(words)}: {program.stdout.readline().strip()}", file=sys.stderr)


def serve(code: str) -> None:
    """Be the program of that code, with clock, ids and machine pinned; each command in a fork of its own."""
    sys.path.insert(0, code)
    answers_to, state = os.fdopen(os.dup(1), "w"), {"clock": ticking(0, None), "hour": 0}
    os.dup2(2, 1)
    pin(state)
    from quantlab.cli.main import run

    run([*PAPER, "--outdir", f"warm-up-{Path(code).name}"])  # everything is imported once
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            pin_ids(asked["hour"])
            state |= {"clock": ticking(asked["hour"], asked["stop"]), "hour": asked["hour"]}
            os.chdir(asked["folder"])
            code_of_run = run(asked["words"])
            sys.stdout.flush()
            os._exit(code_of_run)
        _, status = os.waitpid(child, 0)
        answers_to.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers_to.flush()


def pin(state: dict[str, Any]) -> None:
    """Have the clock follow the state, and the machine be one that isn't."""
    socket.gethostname = lambda: "golden"
    clock, environment, process, reproduce = map(
        of_that_time, ("clock", "exports.environment", "sessions.process", "cli.reproduce")
    )
    real = environment.environment()
    pinned = type(real)(code_version=real.code_version, packages=real.packages, **PINNED)
    environment.environment = lambda: pinned
    clock.utc_now = lambda: state["clock"]()  # noqa: PLW0108 - the state changes
    process.identity = lambda: ("golden", 1000 + state["hour"], f"boot:{state['hour']}")
    reproduce._program = lambda: ["python", "main.py"]


def of_that_time(name: str) -> Any:
    """Import a module of the program of that time, which had other rooms than today's."""
    return importlib.import_module(f"quantlab.{name}")


def pin_ids(hour: int) -> None:
    """Have every id and every random name follow from the hour."""
    import secrets
    import uuid

    count = iter(range(1_000_000))

    def token_hex(nbytes: int | None = None) -> str:
        digits = 2 * (nbytes or 32)
        return f"{hour:02}{next(count):06}".ljust(digits, "0")[:digits]

    secrets.token_hex = token_hex
    uuid.uuid4 = lambda: uuid.UUID(int=hour)


def ticking(hour: int, stop: signal.Signals | None) -> Any:
    """Return a clock that goes on by a quarter of a second each time it is asked, and may end the program."""
    began = datetime(2026, 11, 2, tzinfo=UTC) + timedelta(hours=hour)
    count = iter(range(1_000_000))

    def utc_now() -> datetime:
        tick = next(count)
        if stop is not None and tick == STOPPED_AT:
            os.kill(os.getpid(), stop)
        return began + timedelta(milliseconds=250 * tick)

    return utc_now


def prices() -> str:
    """Return daily prices with a rise, a fall and a gap, all in quarters, so that no rounding is in them."""
    lines, close = ["date,open,high,low,close,volume"], 100.0
    day = datetime(2022, 12, 1, tzinfo=UTC)
    for place in range(320):
        step = (place * place * 7 + place * 3) % 19 - 9 + (4 if place % 90 < 45 else -3)
        opened, close = close, max(8.0, close + step / 4)
        lines.append(
            f"{day:%Y-%m-%d},{opened},{max(opened, close) + 0.5},{min(opened, close) - 0.5},{close},{1000 + place}"
        )
        day += timedelta(days=3 if place % 50 == 49 else 1)
    return "\n".join(lines) + "\n"


def make_adopted(folder: Path, *, ended: bool = True) -> None:
    """Make a session's folder as an older program left it: local times, no heartbeats."""
    folder.mkdir(parents=True)
    status = "success" if ended else "running"
    known = {
        "session_id": folder.name,
        "mode": "paper",
        "command": "paper",
        "status": status,
        "request_id": None,
    }
    times = {"started_at": "2025-03-01T09:00:00+00:00", "updated_at": "2025-03-01T09:01:30+00:00"}
    end: dict[str, Any] = {"terminal": ended}
    if ended:
        end |= {"status_reason": "completed", "finished_at": times["updated_at"], "duration_seconds": 90.0}
    write_json(folder / "session_status.json", {**known, **times, **end})
    facts = {"created_at": times["started_at"], "config_hash": "c0ffee", "python_version": "3.10.4"}
    write_json(folder / "session_metadata.json", {**known, "run_id": folder.name, **facts})
    write_json(
        folder / "config.json",
        {"ticker": "ETH-USD", "start": "2022-01-01", "end": "2023-12-31", "interval": "1d"},
    )


def edit(file: Path, **fields: Any) -> None:
    """Change fields of a document as a person with an editor would."""
    write_json(file, json.loads(file.read_bytes()) | fields)


def folders(root: Path) -> list[str]:
    """Return the names of a root's session folders."""
    return sorted(path.name for path in root.iterdir() if path.is_dir())


def compress(data: bytes, target: Path) -> None:
    """Write data compressed, the same bytes every time."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(data, mtime=0))


def write_json(file: Path, document: Any) -> None:
    """Write a document as it is read best."""
    file.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--pinned"]:
        serve(sys.argv[2])
        raise SystemExit
    main(Path(sys.argv[1]).resolve())
