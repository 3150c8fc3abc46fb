"""Options out of `quantlab.toml` and the environment: which one wins, what is refused, and where each came from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support.flow_program import PAPER, SYNTHETIC, document, request, run_of, said, session_of

from quantlab.cli.configured import BY_HAND

if TYPE_CHECKING:
    from pathlib import Path

FILE = """\
[all]
ledger = "sqlite:///LEDGER"
outdir = "elsewhere"

[run]
fee = 0.005
slippage-bps = 4
lot_size = 0.01
no-charts = true

[paper-sessions.alerts]
stale_minutes = 7
"""


def config_of(folder: Path) -> dict[str, Any]:
    return document(run_of(folder) / "config.json")


def metadata_of(folder: Path) -> dict[str, Any]:
    return document(run_of(folder) / "metadata.json")


def written(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "quantlab.toml").write_text(text, encoding="utf-8")
    return folder


def ran(folder: Path, *words: str) -> dict[str, Any]:
    done = said(folder, *SYNTHETIC, "--no-charts", *words)
    assert done.code == 0, done.err
    return config_of(folder)


def test_the_file_gives_an_option_its_value_and_a_flag_goes_before_it(tmp_path: Path) -> None:
    text = "[run]\nfee = 0.005\nslippage-bps = 4\n"
    config = ran(written(tmp_path / "a", text), "--slippage-bps", "6")
    assert (config["fee"], config["slippage_bps"]) == (0.005, 6.0)


def test_the_environment_goes_before_the_file_and_a_flag_before_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTLAB_RUN_FEE", "0.003")
    monkeypatch.setenv("QUANTLAB_RUN_SLIPPAGE_BPS", "5")
    config = ran(written(tmp_path, "[run]\nfee = 0.005\nk-atr = 0.1\n"), "--slippage-bps", "6")
    assert (config["fee"], config["slippage_bps"], config["k_atr"]) == (0.003, 6.0, 0.1)


def test_the_config_hash_is_what_it_would_be_by_flags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flags").mkdir()
    ran(tmp_path / "flags", "--fee", "0.005", "--lot-size", "1", "--cooldown-days", "3")
    by_flags = metadata_of(tmp_path / "flags")["config_hash"]
    ran(written(tmp_path / "file", "[run]\nfee = 0.005\nlot_size = 1\ncooldown-days = 3\n"))
    monkeypatch.setenv("QUANTLAB_RUN_FEE", "5e-3")
    monkeypatch.setenv("QUANTLAB_RUN_LOT_SIZE", "1")
    monkeypatch.setenv("QUANTLAB_RUN_COOLDOWN_DAYS", "3")
    (tmp_path / "env").mkdir()
    ran(tmp_path / "env")
    assert [metadata_of(tmp_path / one)["config_hash"] for one in ("file", "env")] == [by_flags] * 2


def test_another_file_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "[run]\nfee = 0.005\n")
    (tmp_path / "other.toml").write_text("[run]\nfee = 0.004\n")
    monkeypatch.setenv("QUANTLAB_CONFIG", str(tmp_path / "other.toml"))
    assert ran(tmp_path)["fee"] == 0.004


def test_a_named_file_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTLAB_CONFIG", "gone.toml")
    done = said(tmp_path, "strategies", "list")
    assert done.code == 2
    assert "gone.toml (QUANTLAB_CONFIG names it) can't be read: No such file" in done.error


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[run]\nfees = 0.1\n", "quantlab.toml: [run] fees: there is no such option; did you mean 'fee'?"),
        ("[runn]\nfee = 0.1\n", "quantlab.toml: runn: there is no such key; did you mean 'run'?"),
        (
            "[all]\nlegder = 'x'\n",
            "quantlab.toml: [all] legder: there is no such key; did you mean 'ledger'?",
        ),
        ("[run]\nfee = '0.1'\n", "quantlab.toml: [run] fee: expected a number, got a text."),
        ("[run]\nfee = true\n", "quantlab.toml: [run] fee: expected a number, got true or false."),
        ("[run]\nwarmup = 1.5\n", "quantlab.toml: [run] warmup: expected a whole number, got a number."),
        ("[run]\nno-charts = 'yes'\n", "quantlab.toml: [run] no-charts: expected true or false, got a text."),
        ("[run]\nticker = 5\n", "quantlab.toml: [run] ticker: expected a text, got a whole number."),
        ("[run]\nparam = 'a=1'\n", "quantlab.toml: [run] param: expected a list of texts"),
        ("[run]\nk-atr = 1.0\nk_atr = 1.0\n", "quantlab.toml: [run] k_atr: it stands there twice"),
        ("run = 3\n", "quantlab.toml: run: expected a table, [run]"),
        ("[all]\nledger = 3\n", "quantlab.toml: [all] ledger: expected a text, got a whole number."),
        (
            "[run]\nfill = 'open'\n",
            "quantlab.toml: [run] fill: Invalid value for '--fill': 'open' is not one of",
        ),
        ("[request]\noutdir = 'x'\n", "quantlab.toml: [request]: request takes nothing from a file"),
        ("[run\n", "quantlab.toml can't be read: "),
        ("QUANTLAB_STRATEGIES = 'x'\n", "quantlab.toml: QUANTLAB_STRATEGIES: there is no such key"),
    ],
)
def test_what_is_wrong_in_the_file_is_named_by_file_and_key(tmp_path: Path, text: str, told: str) -> None:
    done = said(written(tmp_path, text), *SYNTHETIC)
    assert done.code == 2
    assert told in done.error
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("name", BY_HAND)
def test_a_folder_s_file_brings_starts_and_sends_nothing(tmp_path: Path, name: str) -> None:
    for table in ("run", "paper-sessions.alerts"):
        folder = written(tmp_path / table, f"[{table}]\n{name} = 'x'\n")
        done = said(folder, *(SYNTHETIC if table == "run" else ("paper-sessions", "alerts")))
        assert done.code == 2
        assert f"[{table}] {name}: a folder's file must not say this" in done.error


def test_a_whole_number_of_the_file_is_held_to_its_bounds(tmp_path: Path) -> None:
    done = said(
        written(tmp_path, "[paper-sessions.alerts]\nstale-minutes = -5\n"), "paper-sessions", "alerts"
    )
    assert done.code == 2
    assert "quantlab.toml: [paper-sessions.alerts] stale-minutes: " in done.error


def test_a_wrong_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTLAB_RUN_FEE", "much")
    done = said(tmp_path, *SYNTHETIC)
    assert done.code == 2
    assert "QUANTLAB_RUN_FEE: Invalid value for '--fee'" in done.error


def test_both_spellings_of_a_command_read_the_file(tmp_path: Path) -> None:
    assert said(tmp_path, *PAPER, "--no-charts").code == 0
    written(tmp_path, "[paper-sessions.alerts]\npaper_stale_minutes = 7\n")
    for words in (("--paper-sessions-alerts", "outputs/paper_sessions"), ("paper-sessions", "alerts")):
        assert json.loads(said(tmp_path, *words).out)["stale_after_minutes"] == 7


def test_a_ledger_for_all_is_every_command_s(tmp_path: Path) -> None:
    written(tmp_path, f'[all]\nledger = "sqlite:///{tmp_path}/shared.db"\n')
    assert said(tmp_path, *PAPER, "--no-charts").code == 0
    assert (tmp_path / "shared.db").exists()
    assert session_of(tmp_path).name in said(tmp_path, "paper-sessions", "list", "--format", "json").out


def test_help_and_version_do_not_mind_a_broken_file(tmp_path: Path) -> None:
    written(tmp_path, "no toml at all")
    assert [said(tmp_path, *words).code for words in (("run", "--help"), ("--version",))] == [0, 0]


def test_a_request_takes_nothing_from_file_or_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(
        tmp_path, f'[all]\nledger = "sqlite:///{tmp_path}/shared.db"\noutdir = "other"\n[run]\nfee = 0.5\n'
    )
    for name in ("RUN_FEE", "REQUEST_FEE", "RUN_OUTDIR", "REQUEST_OUTDIR", "REQUEST_SIGNAL_FILE"):
        monkeypatch.setenv(f"QUANTLAB_{name}", "0.4")
    params = {
        "prices": "synthetic",
        "start": "2022-01-01",
        "end": "2023-12-31",
        "paper": True,
        "no_charts": True,
    }
    done = said(tmp_path, "request", request(params))
    assert done.code == 0, done.err
    config = document(session_of(tmp_path) / "config.json")
    assert config["fee"] == 0.002
    assert {one.name for one in tmp_path.iterdir()} == {"outputs", "quantlab.toml"}


def test_what_like_tells_goes_before_the_file(tmp_path: Path) -> None:
    ran(tmp_path, "--fee", "0.007")
    earlier = run_of(tmp_path).rename(tmp_path / "earlier")
    written(tmp_path, "[run]\nfee = 0.001\ninitial-cash = 500\n")
    config = ran(tmp_path, "--like", str(earlier))
    assert (config["fee"], config["initial_cash"]) == (0.007, 500.0)


def test_the_recorded_command_says_all_where_the_file_would_decide(tmp_path: Path) -> None:
    written(tmp_path, "[run]\nfee = 0.005\n")
    ran(tmp_path, "--fee", "0.002")
    assert "--fee 0.002" in metadata_of(tmp_path)["reproduce"]


def test_check_tells_where_each_value_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, FILE.replace("LEDGER", "shared.db"))
    monkeypatch.setenv("QUANTLAB_RUN_FEE", "0.003")
    facts = json.loads(said(tmp_path, "check").out)
    assert facts["config_file"] == "quantlab.toml"
    told = {one["option"]: (one["value"], one["source"]) for one in facts["settings"]}
    assert told["run --fee"] == ("0.003", "environment: QUANTLAB_RUN_FEE")
    assert told["run --slippage-bps"] == ("4", "quantlab.toml: [run] slippage-bps")
    assert told["run --lot-size"] == ("0.01", "quantlab.toml: [run] lot_size")
    assert told["check --outdir"] == ("elsewhere", "quantlab.toml: [all] outdir")
    assert told["paper-sessions health --ledger"] == ("sqlite:///shared.db", "quantlab.toml: [all] ledger")
    assert "request --ledger" not in told
    assert list(facts["folders"]) == ["elsewhere"]


def test_check_shows_no_password(tmp_path: Path) -> None:
    written(tmp_path, "[all]\nledger = 'postgresql://u:secret@127.0.0.1:1/none'\n")
    assert "secret" not in said(tmp_path, "check").out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "[ledger.verifi]\nformat = 'json'\n",
            "[ledger] verifi: there is no such command; did you mean 'verify'?",
        ),
        ("[runs.list]\nform = 'json'\n", "[runs.list] form: there is no such option; did you mean 'format'?"),
    ],
)
def test_check_finds_what_is_wrong_in_any_table(tmp_path: Path, text: str, told: str) -> None:
    done = said(written(tmp_path, text), "check")
    assert done.code == 2
    assert told in done.error


def test_without_file_and_variables_check_tells_of_none(tmp_path: Path) -> None:
    facts = json.loads(said(tmp_path, "check").out)
    assert (facts["config_file"], facts["settings"]) == (None, [])
