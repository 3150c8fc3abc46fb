"""A broker's rules and a warm-up, from the command line to the ledger and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support import flow_program as program
from support.flow_program import PAPER, document, said, session_of

if TYPE_CHECKING:
    from pathlib import Path

RULES = {"lot_size": 0.5, "tick_size": 0.25, "min_notional": 10.0, "min_fee": 1.0, "fee_per_unit": 0.01}
WORDS = [word for name, value in RULES.items() for word in (f"--{name.replace('_', '-')}", str(value))]
WARMUP = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("rules")
    done = said(where, *PAPER, *WORDS, "--warmup", str(WARMUP))
    assert done.code == 0, done.err
    return where


def test_rules_and_warm_up_are_configuration(folder: Path) -> None:
    config = document(session_of(folder) / "config.json")
    assert {name: config[name] for name in RULES} == RULES
    assert config["warmup"] == WARMUP
    assert document(session_of(folder) / "metrics.json")["figures"]["fees_paid"] > 1.0


def test_the_prices_kept_begin_with_the_warm_up_and_the_equity_after_it(folder: Path) -> None:
    artifacts = session_of(folder) / "artifacts"
    prices, equity = ((artifacts / name).read_text().splitlines() for name in ("prices.csv", "equity.csv"))
    assert len(prices) - len(equity) == WARMUP
    assert prices[1 + WARMUP].startswith("2022-01-01T00:00:00")
    assert equity[1].startswith("2022-01-01T00:00:00")


def test_it_proves_identical(folder: Path) -> None:
    done = said(folder, "--paper-sessions-prove", str(session_of(folder)))
    assert done.code == 0, done.out + done.err


def test_a_request_gives_the_same_result(folder: Path, tmp_path: Path) -> None:
    params = {
        "ticker": "ETH-USD",
        "start": "2022-01-01",
        "end": "2023-12-31",
        "prices": "synthetic",
        "paper": True,
        "warmup": WARMUP,
        **RULES,
    }
    request = {"schema_version": "1.0", "request_id": "r", "command": "run", "params": params}
    assert said(tmp_path, "--json-request", json.dumps(request)).code == 0
    digests = [document(session_of(one) / "metrics.json")["result_digest"] for one in (folder, tmp_path)]
    assert digests[0] == digests[1]


def test_the_reproduce_command_reproduces_it(folder: Path, tmp_path: Path) -> None:
    report = document(session_of(folder) / "report.json")
    again = program.in_shell(tmp_path, report["reproduce"]["command"])
    assert again.code == 0, again.err
    assert document(session_of(tmp_path) / "report.json")["result_digest"] == report["result_digest"]


def test_a_warm_up_below_the_strategys_own_is_refused(tmp_path: Path) -> None:
    done = said(tmp_path, *PAPER, "--warmup", "19")
    assert done.code == 2
    assert "warmup: 19 bars are fewer than the 20" in done.error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", RULES)
def test_a_rule_below_nothing_is_refused(name: str, tmp_path: Path) -> None:
    done = said(tmp_path, *PAPER, f"--{name}=-1")
    assert done.code == 2
    assert done.error.startswith(f"{name}: -1.0 is out of range")


def test_the_rule_of_the_built_in_stands_in_the_ledger(folder: Path) -> None:
    strategy = document(session_of(folder) / "session_metadata.json")["strategy"]
    assert strategy["rule"].startswith("Buy when the close crosses above its mean")
    assert strategy["params"] == {"rsi_buy_max": 60.0, "rsi_sell_min": 75.0}
