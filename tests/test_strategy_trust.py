"""Whatever a strategy's code does, it ends in one line that says where, and nothing else comes to harm."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import pytest
from support.engine_markets import walk
from support.flow_program import MAIN, environment
from support.strategy_cases import GOOD, HEAD, Broken, broken_files, lasting_files

from quantlab.base.errors import ConfigError, QuantlabError, StrategyError
from quantlab.trading.strategies import worker
from quantlab.trading.strategies.apart import Apart
from quantlab.trading.strategies.source import read_source

if TYPE_CHECKING:
    from pathlib import Path

    from quantlab.trading.strategies.worker import WorkerAnswer

PRICES = walk(300)
BROKEN = list(broken_files())
AT = re.compile(r"(\w+\.py), line (\d+)")


@dataclass
class Fork:
    """A process made of this one: it begins at once, where a new Python takes a while."""

    pid: int
    stdin: IO[bytes]
    stdout: IO[bytes]
    code: int | None = None

    def kill(self) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        if self.code is None:
            _pid, status = os.waitpid(self.pid, 0)
            self.code = os.waitstatus_to_exitcode(status)
        return self.code


class Forked(Apart):
    """A strategy in a process that is forked."""

    def _begun(self, dump: int) -> Any:
        asked, told = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            os.dup2(asked[0], 0)
            os.dup2(told[1], 1)
            os.closerange(asked[0], told[1] + 1)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            worker.main(dump)
        os.close(asked[0])
        os.close(told[1])
        return Fork(pid, os.fdopen(asked[1], "wb"), os.fdopen(told[0], "rb"))


def answered(folder: Path, broken: Broken, seconds: float = 20.0) -> WorkerAnswer:
    place = folder / f"{broken.name}.py"
    place.write_text(broken.text)
    with Forked(read_source(place), seconds=seconds) as apart:
        return apart.decide(PRICES, apart.load({}).values)


def test_there_are_more_than_two_hundred_broken_files() -> None:
    assert len({one.name for one in BROKEN}) == len(BROKEN) > 200


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_a_broken_file_is_refused_in_one_line(tmp_path: Path, broken: Broken) -> None:
    with pytest.raises((StrategyError, ConfigError)) as refused:
        answered(tmp_path, broken)
    line = str(refused.value)
    assert "\n" not in line
    assert broken.name in line
    if broken.line is not None:
        assert (f"{broken.name}.py", str(broken.line)) in AT.findall(line)


@pytest.mark.parametrize("broken", list(lasting_files()), ids=lambda broken: broken.name)
def test_what_does_not_end_is_ended(tmp_path: Path, broken: Broken) -> None:
    began = time.monotonic()
    with pytest.raises(StrategyError) as refused:
        answered(tmp_path, broken, seconds=0.5)
    assert time.monotonic() - began < 30
    if "thread" not in broken.name:
        assert "--strategy-seconds" in str(refused.value)
        assert f"{broken.name}.py, line {broken.line}" in str(refused.value)


def test_a_parent_that_is_gone_is_no_fault_of_the_process(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(f"{HEAD}def decide(bars):\n{GOOD}")
    source = read_source(tmp_path / "mine.py")
    with tempfile.TemporaryFile() as dump:
        words = [sys.executable, "-c", "from quantlab.trading.strategies.worker import main; main(2)"]
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=dump, env=environment(tmp_path)
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        worker.send(process.stdin, (source, 60.0))
        worker.send(process.stdin, ("load", {"given": {}}))
        code = process.wait(60)
        process.stdin.close()
        dump.seek(0)
        assert (code, dump.read()) == (0, b"")


def test_a_coroutine_is_refused_without_a_word_of_python_s(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(f"{HEAD}\nasync def decide(bars):\n    return None\n")
    done = program(tmp_path, "--strategy", "mine.py", "--prices", "synthetic")
    assert done.returncode == 4
    assert done.stderr.startswith("ERROR: Strategy mine answered a coroutine; expected quantlab.Signals")
    assert done.stderr.count("\n") == 1


def program(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(MAIN), *words],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


SAMPLE = {
    "divides_inside": 4,
    "os_exits_inside": 4,
    "crashes_outside": 4,
    "answers_short": 4,
    "syntax_half": 4,
}


@pytest.mark.parametrize("name", SAMPLE)
def test_the_program_answers_a_broken_file_with_a_line_and_a_code(tmp_path: Path, name: str) -> None:
    broken = next(one for one in BROKEN if one.name == name)
    (tmp_path / "mine.py").write_text(broken.text)
    done = program(tmp_path, "run", "--paper", "--strategy", "mine.py", "--prices", "synthetic")
    assert done.returncode == SAMPLE[name]
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]


def test_prints_go_to_stderr_and_json_stays_json(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text(f"print('loaded')\n{HEAD}def decide(bars):\n    print('asked')\n{GOOD}")
    request = {
        "schema_version": "1.0",
        "command": "run",
        "params": {"strategy": "loud", "prices": "synthetic"},
    }
    done = subprocess.run(
        [sys.executable, str(MAIN), "--json-request", json.dumps(request)],
        cwd=tmp_path,
        env=environment(tmp_path, QUANTLAB_STRATEGIES=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "success"
    assert "loaded" in done.stderr
    assert "asked" in done.stderr


def test_a_session_whose_strategy_fails_is_recorded_as_failed(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(f"{HEAD}def decide(bars):\n    1 / 0\n{GOOD}")
    assert program(tmp_path, "--paper", "--strategy", "mine.py", "--prices", "synthetic").returncode == 4
    listed = program(tmp_path, "paper-sessions", "list", "outputs/paper_sessions", "--format", "json")
    (session,) = json.loads(listed.stdout)["sessions"]
    assert session["status"] == "failed"
    assert session["error_type"] == "StrategyError"


@pytest.mark.parametrize("text", ["x = (", "import no_such_module", "raise ValueError"])
def test_code_that_cant_be_loaded_makes_no_session(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.py").write_text(text)
    assert program(tmp_path, "--paper", "--strategy", "mine.py", "--prices", "synthetic").returncode == 4
    assert not (tmp_path / "outputs").exists()


def test_a_stop_while_a_strategy_works_reaches_whoever_waits(tmp_path: Path) -> None:
    place = tmp_path / "slow.py"
    place.write_text(f"{HEAD}def decide(bars):\n    while True: pass\n{GOOD}")

    def stop() -> None:
        raise QuantlabError("stopped")

    with Forked(read_source(place), seconds=60) as apart:
        apart.load({})
        apart.between = stop
        with pytest.raises(QuantlabError, match="stopped"):
            apart.decide(PRICES, {})
