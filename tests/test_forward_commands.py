"""The commands of forward sessions as operators give them: a root at once, a take-over, settings that can't be."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from support.forward_market import WARMUP, Market
from test_forward import rows

from quantlab.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path

Output = pytest.CaptureFixture[str]


@pytest.fixture
def market(tmp_path: Path) -> Market:
    return Market(tmp_path / "prices.csv")


def words(market: Market, *more: str) -> list[str]:
    outdir = str(market.file.parent / "outputs")
    return [
        "run", "--paper", "--follow", "--step", "--ticker", "TEST", "--prices", str(market.file),
        "--warmup", str(WARMUP), "--outdir", outdir, *more,
    ]  # fmt: skip


def begun(market: Market, capsys: Output, *more: str) -> Path:
    assert run(words(market, *more)) == 0
    line = json.loads(capsys.readouterr().out)
    return market.file.parent / "outputs" / "paper_sessions" / str(line["session_id"])


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--bars", "0"), "bars: expected"),
        (("--bars", "-3"), "bars: expected"),
        (("--patience", "-1"), "patience: expected"),
        (("--settle", "nan"), "settle: expected"),
        (("--patience", "1e9"), "expected 0 to 2678400 s, which are 31 days"),
        (("--until", "2020-01-01"), "until: 2020-01-01 is over"),
        (("--until", "soon"), "until: 'soon'"),
        (("--interval", "1wk"), "interval: 1wk"),
    ],
)
def test_settings_that_can_not_be_are_refused_before_anything_exists(
    market: Market, capsys: Output, flags: tuple[str, ...], named: str
) -> None:
    assert run(words(market, *flags)) == 2
    error = capsys.readouterr().err
    assert error.startswith("ERROR: ")
    assert named in error
    assert not (market.file.parent / "outputs").exists()


def test_a_root_is_stepped_at_once_and_one_that_is_stalled_stops_no_other(
    market: Market, capsys: Output
) -> None:
    stalled = begun(market, capsys)
    other = Market(market.file.with_name("other.csv"))
    fine = market.file.parent / "outputs" / "paper_sessions"
    assert run([*words(market)[:7], str(other.file), *words(market)[8:], "--fee", "0.002"]) == 0
    second = json.loads(capsys.readouterr().out)["session_id"]
    market.file.unlink()
    other.to(WARMUP + 3)
    assert run(["paper-sessions", "step", str(fine)]) == 3
    told = capsys.readouterr()
    (line,) = told.out.splitlines()
    assert (json.loads(line)["session_id"], json.loads(line)["bars_taken"]) == (second, 3)
    assert stalled.name in told.err
    assert "is no file" in told.err


def test_the_command_in_its_report_runs_it_again(market: Market, capsys: Output) -> None:
    folder = begun(market, capsys)
    market.to(WARMUP + 5)
    assert run(["paper-sessions", "step", str(folder)]) == 0
    assert run(["paper-sessions", "finish", str(folder), "--reason", "enough"]) == 0
    command = json.loads((folder / "report.json").read_text())["reproduce"]["command"]
    words = shlex.split(command)
    assert words[words.index("paper-sessions") :] == ["paper-sessions", "prove", str(folder)]
    assert run(words[words.index("paper-sessions") :]) == 0
    assert f"{folder.name}: identical" in capsys.readouterr().out


def test_without_a_root_the_usual_one_is_stepped(
    market: Market, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(market.file.parent)
    assert run(["paper-sessions", "step"]) == 2
    assert "There is no folder outputs/paper_sessions here" in capsys.readouterr().err
    begun(market, capsys)
    market.to(WARMUP + 2)
    assert run(["paper-sessions", "step"]) == 0
    assert json.loads(capsys.readouterr().out)["bars_taken"] == 2


def test_of_a_ledger_that_roots_share_the_root_that_is_named_is_stepped(
    market: Market, capsys: Output
) -> None:
    ledger = ("--ledger", f"sqlite:///{market.file.parent / 'shared.db'}")
    here = begun(market, capsys, *ledger)
    elsewhere = market.file.parent / "elsewhere"
    assert run([*words(market)[:-1], str(elsewhere), *ledger]) == 0
    capsys.readouterr()
    market.to(WARMUP + 2)
    assert run(["paper-sessions", "step", str(here.parent), *ledger]) == 0
    assert [json.loads(line)["session_id"] for line in capsys.readouterr().out.splitlines()] == [here.name]
    shutil.rmtree(elsewhere)
    assert run(["paper-sessions", "step", str(here.parent), *ledger]) == 0
    assert "ERROR" not in capsys.readouterr().err


@pytest.mark.parametrize("command", [["follow"], ["show"], ["finish", "--reason", "enough"]])
def test_a_root_in_a_sessions_place_is_named_as_one(
    market: Market, capsys: Output, command: list[str]
) -> None:
    root = str(begun(market, capsys).parent)
    assert run(["paper-sessions", *command, root]) == 2
    told = f"{root} is a root of sessions; expected one of them. 'quantlab paper-sessions list {root}' names them."
    assert told in capsys.readouterr().err


def test_a_session_whose_driver_lives_is_taken_over_only_when_told(market: Market, capsys: Output) -> None:
    program = [sys.executable, "-m", "quantlab"]
    told = subprocess.run(
        [*program, *words(market, "--bars", "5")], capture_output=True, text=True, check=True
    )
    folder = market.file.parent / "outputs" / "paper_sessions" / json.loads(told.stdout)["session_id"]
    market.to(WARMUP + 2)
    command = [*program, "paper-sessions", "follow", str(folder)]
    hung = subprocess.Popen(command, env={**os.environ}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + 200
        while rows(folder, "SELECT COUNT(*) FROM session_bars") != [(2,)]:
            assert time.monotonic() < until
            time.sleep(0.1)
        hung.send_signal(signal.SIGSTOP)
        market.to(WARMUP + 5)
        assert run(["paper-sessions", "follow", str(folder)]) == 2
        assert f"is followed by process {hung.pid} on host" in capsys.readouterr().err
        assert run(["paper-sessions", "follow", str(folder), "--take-over"]) == 2
        assert run(["paper-sessions", "follow", str(folder), "--take-over", "--reason", "it hangs"]) == 0
    finally:
        hung.kill()
        hung.communicate()
    assert rows(folder, "SELECT status, forward_bars FROM paper_sessions") == [("success", 5)]
    taken = "SELECT payload FROM events WHERE type = 'resumed' ORDER BY sequence DESC LIMIT 1"
    took_over = json.loads(rows(folder, taken)[0][0])["took_over"]
    assert (took_over["pid"], took_over["reason"]) == (hung.pid, "it hangs")


def test_a_folder_that_was_moved_goes_on_beside_its_ledger(market: Market, capsys: Output) -> None:
    folder = begun(market, capsys)
    root = folder.parents[1]
    shutil.move(root, root.with_name("elsewhere"))
    market.to(WARMUP + 1)
    moved = root.with_name("elsewhere") / "paper_sessions" / folder.name
    assert run(["paper-sessions", "step", str(moved)]) == 0
    assert json.loads(capsys.readouterr().out)["bars_taken"] == 1


def test_operators_questions_answer_on_a_running_one(market: Market, capsys: Output) -> None:
    folder = begun(market, capsys)
    market.to(WARMUP + 2)
    for question in (
        ["step", str(folder)], ["list", str(folder.parent)], ["show", str(folder)], ["index", str(folder.parent)],
        ["health", str(folder.parent), "--format", "prometheus"],
    ):  # fmt: skip
        assert run(["paper-sessions", *question]) in (0, 1), question
        told = capsys.readouterr()
        assert "Traceback" not in told.err, question
