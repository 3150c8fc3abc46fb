"""A newcomer's own file on the command line: what is taken from it, what is said, what is asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support.flow_program import document, said, session_of, sessions_of
from support.price_shapes import SHAPES, market

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, shape: str, name: str) -> None:
    (folder / name).write_bytes(SHAPES[shape][1](market()))


def test_a_file_needs_no_other_flag(tmp_path: Path) -> None:
    write(tmp_path, "binance_headerless.csv", "my.csv")
    done = said(tmp_path, "run", "--paper", "--prices", "my.csv")
    assert done.code == 0
    assert done.err.splitlines()[0] == (
        "my.csv: read as Binance klines without a header, milliseconds, UTC, 120 bars 2022-01-01 to 2022-04-30; "
        "--ticker MY --start 2022-01-01 --end 2022-05-01 taken from it."
    )
    config = document(session_of(tmp_path) / "config.json")
    assert (config["ticker"], config["start"], config["end"]) == ("MY", "2022-01-01", "2022-05-01")
    assert "adjust" not in config


def test_what_is_given_by_hand_wins(tmp_path: Path) -> None:
    write(tmp_path, "cryptodatadownload.csv", "my.csv")
    done = said(tmp_path, "--paper", "--prices", "my.csv", "--start", "2022-01-10", "--ticker", "X")
    assert done.code == 0
    assert "111 of them in 2022-01-10 to 2022-05-01; --end 2022-05-01 taken from it." in done.err
    config = document(session_of(tmp_path) / "config.json")
    assert (config["ticker"], config["start"], config["end"]) == ("X", "2022-01-10", "2022-05-01")


@pytest.mark.parametrize(
    ("given", "taken", "days"),
    [
        (("--end", "2022-04-20"), "--start 2022-01-01", ("2022-01-01", "2022-04-20")),
        (("--start", "2024-06-01"), "--end 2024-09-29", ("2024-06-01", "2024-09-29")),
    ],
)
def test_the_end_of_the_range_that_is_left_out_is_the_file_s_own(
    tmp_path: Path, given: tuple[str, str], taken: str, days: tuple[str, str]
) -> None:
    first = 1_640_995_200_000 if given[0] == "--end" else 1_717_200_000_000  # 2022-01-01, 2024-06-01
    bars = [
        f"{first + day * 86_400_000},{100 + day},{101 + day},{99 + day},{100 + day},1" for day in range(120)
    ]
    (tmp_path / "my.csv").write_text("\n".join(["time,open,high,low,close,volume", *bars]) + "\n")
    done = said(tmp_path, "run", "--no-charts", "--prices", "my.csv", *given)
    assert done.code == 0, done.err
    assert f"{taken} taken from it." in done.err
    assert f"range         {days[0]} to {days[1]}" in done.out


def test_a_request_takes_the_same_from_a_file(tmp_path: Path) -> None:
    write(tmp_path, "polygon.json", "my.json")
    params = {"prices": "my.json", "paper": True, "adjust": "none"}
    asked = json.dumps({"schema_version": "1.0", "request_id": "a", "command": "run", "params": params})
    done = said(tmp_path, "request", asked)
    assert done.code == 0
    assert json.loads(done.out)["status"] == "success"
    config = document(session_of(tmp_path) / "config.json")
    assert (config["ticker"], config["start"], config["adjust"]) == ("ETHX", "2022-01-01", "none")


def test_a_file_that_tells_no_ticker_is_asked_for_one(tmp_path: Path) -> None:
    write(tmp_path, "yahoo.csv", "日本.csv")
    done = said(tmp_path, "--paper", "--prices", "日本.csv", "--signal-file", "signals.jsonl")
    assert done.code == 2
    assert "expected --ticker" in done.err
    assert not sessions_of(tmp_path)
    signal = json.loads((tmp_path / "signals.jsonl").read_text())
    assert (signal["event"], signal["exit_code"]) == ("SESSION_FAILED", 2)


def test_a_missing_file_without_a_ticker_s_name_is_told_as_missing(tmp_path: Path) -> None:
    done = said(tmp_path, "--paper", "--prices", "日本.csv", "--signal-file", "signals.jsonl")
    assert (done.code, done.err.startswith("ERROR: No such price file: 日本.csv.")) == (3, True)
    signal = json.loads((tmp_path / "signals.jsonl").read_text())
    assert (signal["event"], signal["exit_code"]) == ("SESSION_FAILED", 3)


def test_a_date_with_two_meanings_fails_the_session_and_names_the_flag(tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text(
        "Date,Open,High,Low,Close\n01/02/2022,1,2,0.5,1.5\n02/02/2022,1,2,0.5,1.5\n"
    )
    done = said(tmp_path, "--paper", "--prices", "my.csv")
    assert done.code == 3
    assert "--time-format" in done.err
    assert document(session_of(tmp_path) / "session_status.json")["status"] == "failed"


@pytest.mark.parametrize(
    "words",
    [
        ("--columns", "opne=1", "--prices", "my.csv"),
        ("--adjust", "none"),
        ("--prices", "my.csv", "--interval", "4y"),
        ("--interval", "4h"),
    ],
)
def test_a_flag_that_can_not_be_followed_makes_no_session(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = said(tmp_path, "--paper", *words)
    assert done.code == 2
    assert done.err.startswith("ERROR: ")
    assert not sessions_of(tmp_path)


def test_a_doubtful_level_of_prices_blocks_promotion(tmp_path: Path) -> None:
    bars = market()
    bars.loc[:59, ["Open", "High", "Low", "Close"]] *= 4
    (tmp_path / "my.csv").write_text(bars.to_csv(index=False))
    done = said(tmp_path, "--paper", "--prices", "my.csv")
    assert done.code == 0
    told = "WARNING: doubts about the prices, which block promotion (price_break): The price level breaks: at 2022-03"
    assert told in done.err
    page = (session_of(tmp_path) / "run_report.md").read_text()
    assert "at 2022-03-02T00:00:00+00:00 by a factor of 0.2" in page
    (blocked,) = json.loads(said(tmp_path, "--paper-sessions-promotion", "outputs/paper_sessions").out)[
        "blocked_sessions"
    ]
    assert "doubtful_data" in blocked["broker_promotion_blockers"]
    assert blocked["data_doubts"] == "price_break"
