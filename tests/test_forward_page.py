"""docs/forward.md: its walkthrough runs, its questions are answered, its units and its cron line can be read."""

from __future__ import annotations

import configparser
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.forward_market import WARMUP, Market, begun, stepped

from quantlab.base.service_manager import notify
from quantlab.cli.spelling import FLAG_COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = (REPOSITORY / "docs" / "forward.md").read_text(encoding="utf-8")
QUESTIONS = re.findall(r"### ([^\n]+)\n```sql\n(.*?)```", PAGE, re.DOTALL)
UNITS = re.findall(r"```ini\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """A session that traded, with a late bar, a missing one and a corrected one."""
    place = tmp_path_factory.mktemp("forward")
    market = Market(place / "prices.csv", seed=5)
    folder = begun(market, place).folder
    market.to(WARMUP + 60)
    stepped(market, folder)
    at, opened, high, low, close, volume = market.rows[WARMUP + 58]
    market.rows[WARMUP + 58] = (at, opened, high, low, close * 1.001, volume)
    del market.rows[WARMUP + 61]
    market.show(market.rows[: WARMUP + 62])
    market.now += timedelta(days=5)
    stepped(market, folder)
    with closing(sqlite3.connect(folder.parent / "ledger.db")) as connection:
        yield connection


def test_there_are_at_least_eight_questions() -> None:
    assert len(QUESTIONS) >= 8


@pytest.mark.parametrize(
    "sql", [sql for _question, sql in QUESTIONS], ids=[question for question, _sql in QUESTIONS]
)
def test_every_question_has_an_answer(ledger: sqlite3.Connection, sql: str) -> None:
    assert ledger.execute(sql).fetchall()


@pytest.mark.timeout(900)
def test_the_walkthrough_runs_as_it_stands(tmp_path: Path) -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    program = f'quantlab() {{ {sys.executable} -m quantlab "$@"; }}\n'
    script = f"set -euo pipefail\nexport PYTHONPATH={REPOSITORY}\n{program}{block}"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "identical" in done.stdout


@pytest.mark.parametrize("text", UNITS, ids=["service", "timer"])
def test_units_can_be_read(text: str) -> None:
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign] # systemd minds capitals
    unit.read_string(text)
    assert {"Unit", "Install"} < set(unit.sections())


def test_the_cron_line_has_five_fields_and_a_command_of_ours() -> None:
    (line,) = re.findall(r"```cron\n(.*?)\n```", PAGE)
    fields = line.split(maxsplit=5)
    assert all(re.fullmatch(r"[\d*/,-]+", field) for field in fields[:5])
    (flag,) = [word for word in fields[5].split() if word.startswith("--")]
    assert flag in FLAG_COMMANDS


def test_without_a_service_manager_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify(READY="1")


def test_a_service_manager_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "n"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
        notify(READY="1", STATUS="seen")
        assert listening.recv(100) == b"READY=1\nSTATUS=seen"
    notify(READY="1")  # nobody listens any more: no error
