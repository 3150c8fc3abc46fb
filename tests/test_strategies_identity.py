"""Which code was judged: hashes, what events tell of a variant, kept copies, and where they are run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support.both_engines import birth
from support.flow_program import Said, said, session_of, sessions_of

from quantlab.base.clock import iso
from quantlab.domain.config import RunConfig, config_hash, rules_hash, validated
from quantlab.domain.events import Started
from quantlab.domain.session import Session
from quantlab.trading.strategies.example import TEXT

if TYPE_CHECKING:
    from pathlib import Path

OWN = {
    "strategy": "mine",
    "strategy_params": {"fast": 10},
    "strategy_digest": "a" * 64,
    "rsi_buy_max": None,
    "rsi_sell_min": None,
}


def own(**changed: Any) -> RunConfig:
    return validated({**OWN, **changed})


def test_a_strategy_of_ones_own_stands_in_the_configuration() -> None:
    assert validated(own().as_dict()) == own()
    assert own().as_dict()["strategy_params"] == {"fast": 10}
    assert "strategy" not in RunConfig().as_dict()


@pytest.mark.parametrize(
    "changed",
    [
        {"ticker": "BTC-USD"},
        {"start": "2020-01-01"},
        {"end": "2025-01-01"},
        {"prices": "synthetic"},
        {"initial_cash": 5.0},
        {"paper": True},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_the_hash_of_the_rules_is_the_same_on_any_market(changed: dict[str, Any]) -> None:
    assert rules_hash(own(**changed)) == rules_hash(own())
    assert config_hash(own(**changed)) != config_hash(own())


@pytest.mark.parametrize(
    "changed",
    [
        {"strategy": "other"},
        {"strategy_params": {"fast": 11}},
        {"strategy_digest": "b" * 64},
        {"fee": 0.0},
        {"slippage_bps": 1.0},
        {"fill": "close"},
        {"cooldown_days": 1},
        {"interval": "1h"},
        {"lot_size": 1.0},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_the_hash_of_the_rules_tells_variants_apart(changed: dict[str, Any]) -> None:
    assert rules_hash(own(**changed)) != rules_hash(own())


def test_the_built_in_s_limits_are_rules() -> None:
    assert rules_hash(validated({"rsi_buy_max": 50.0})) != rules_hash(RunConfig())


def test_an_event_of_an_earlier_version_tells_its_variant() -> None:
    entry = birth("a", config=RunConfig().as_dict())
    assert isinstance(entry.event, Started)
    told = entry.event.variant()
    assert told["rules_hash"] == rules_hash(RunConfig())
    assert told["strategy_doubt"] is None
    session = entry.event.apply(
        Session(session_id="a", last_version=1, last_sequence=1), iso(entry.occurred_at)
    )
    assert session.strategy == "rsi_ma_cross_v2"
    assert json.loads(str(session.strategy_params)) == {"rsi_buy_max": 60.0, "rsi_sell_min": 75.0}


@pytest.mark.parametrize(
    ("strategy", "doubt"),
    [
        ({"kind": "file", "checked": True}, None),
        ({"kind": "file", "checked": False}, "unchecked_strategy"),
        ({"kind": "signals"}, "unchecked_signals"),
    ],
)
def test_an_event_tells_why_its_strategy_is_doubtful(strategy: dict[str, Any], doubt: str | None) -> None:
    entry = birth("a", config=own().as_dict(), strategy={"name": "mine", "params": {}, **strategy})
    assert isinstance(entry.event, Started)
    assert entry.event.variant()["strategy_doubt"] == doubt


@pytest.fixture
def session(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(TEXT)
    words = ("--paper", "--strategy", "mine.py", "--param", "fast=12", "--prices", "synthetic")
    assert said(tmp_path, *words).code == 0
    return session_of(tmp_path)


def proved(session: Path, *words: str) -> Said:
    return said(session.parents[2], "paper-sessions", "prove", str(session), *words)


def test_a_session_says_which_code_it_ran_and_keeps_it(session: Path) -> None:
    config = json.loads((session / "config.json").read_text())
    assert config["strategy"] == "mine"
    assert config["strategy_params"] == {"fast": 12, "slow": 50}
    metadata = json.loads((session / "session_metadata.json").read_text())
    assert metadata["strategy"]["digest"] == config["strategy_digest"]
    assert metadata["rules_hash"] == rules_hash(validated(config))
    assert (session / "artifacts" / "strategy" / "mine.py").read_text() == TEXT
    report = json.loads((session / "report.json").read_text())
    assert "artifacts/strategy/mine.py" in [one["file_name"] for one in report["artifacts"]]


def test_a_session_is_proved_by_the_copy_whatever_became_of_the_file(session: Path) -> None:
    (session.parents[2] / "mine.py").write_text("raise SystemExit")
    done = proved(session)
    assert (done.code, "identical" in done.out) == (0, True), done.out


def test_a_copy_that_was_edited_is_different_and_named(session: Path) -> None:
    copy = session / "artifacts" / "strategy" / "mine.py"
    copy.write_text(TEXT + "# edited\n")
    done = proved(session)
    assert done.code == 1
    assert "different" in done.out
    assert "artifacts/strategy/mine.py was edited" in done.out


def test_a_copy_that_is_gone_makes_a_proof_impossible(session: Path) -> None:
    (session / "artifacts" / "strategy" / "mine.py").unlink()
    done = proved(session)
    assert (done.code, "impossible" in done.out) == (1, True)


def test_code_of_another_machine_is_run_only_when_asked_for(
    session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantlab.base.process.identity", lambda: ("another-host", 1, None))
    refused = proved(session)
    assert refused.code == 2
    assert "--run-kept-code" in refused.err
    assert proved(session, "--run-kept-code").code == 0


def test_a_report_is_made_anew_from_the_copy(session: Path) -> None:
    (session.parents[2] / "mine.py").unlink()
    (session / "run_report.md").unlink()
    assert said(session.parents[2], "--report", str(session)).code == 0
    assert (session / "run_report.md").exists()


def test_the_reproduce_command_gives_the_same(session: Path) -> None:
    import shlex

    command = json.loads((session / "report.json").read_text())["reproduce"]["command"]
    words = shlex.split(command)
    assert said(session.parents[2], *words[words.index("--ticker") :]).code == 0
    digests = {
        json.loads((one / "metrics.json").read_text())["result_digest"]
        for one in sessions_of(session.parents[2])
    }
    assert len(digests) == 1


def test_like_takes_strategy_parameters_and_costs(session: Path) -> None:
    folder = session.parents[2]
    words = ("--like", str(session), "--prices", "synthetic", "--fee", "0.001")
    done = said(folder, *words)
    assert done.code == 0, done.err
    (run,) = (folder / "outputs" / "runs").glob("2*")
    config = json.loads((run / "config.json").read_text())
    assert (config["strategy"], config["strategy_params"]["fast"], config["fee"]) == ("mine", 12, 0.001)
    earlier = json.loads((session / "session_metadata.json").read_text())
    like = json.loads((run / "metadata.json").read_text())["like"]
    assert like == {
        "id": session.name,
        "config_hash": earlier["config_hash"],
        "result_digest": earlier["result_digest"],
    }


def test_a_session_without_a_check_says_so(tmp_path: Path) -> None:
    (tmp_path / "ahead.py").write_text(
        "from quantlab import Bars, Signals\nimport numpy as np\n"
        "def decide(bars: Bars) -> Signals:\n"
        "    up = np.append(np.diff(bars.close) > 0, False)\n    return Signals(enter=up, leave=~up)\n"
    )
    refused = said(tmp_path, "--paper", "--strategy", "ahead.py", "--prices", "synthetic")
    assert refused.code == 4
    assert "looks ahead" in refused.err
    before = set(sessions_of(tmp_path))
    assert (
        said(tmp_path, "--paper", "--strategy", "ahead.py", "--prices", "synthetic", "--no-check").code == 0
    )
    (latest,) = set(sessions_of(tmp_path)) - before
    told = json.loads((latest / "session_metadata.json").read_text())["strategy"]
    assert told["checked"] is False


def test_signals_of_another_tool_are_traded_and_kept(tmp_path: Path) -> None:
    (tmp_path / "theirs.csv").write_text(
        "time,enter,leave,size\n2023-02-01,1,0,0.5\n2023-03-01,0.0,1.0,\n2020-01-01,1,0,\n"
    )
    words = ("--paper", "--signals", "theirs.csv", "--prices", "synthetic")
    assert said(tmp_path, *words).code == 0
    session = session_of(tmp_path)
    metadata = json.loads((session / "session_metadata.json").read_text())
    assert metadata["strategy"]["kind"] == "signals"
    assert metadata["summary"]["trades"] == 1
    (tmp_path / "theirs.csv").unlink()
    assert proved(session).code == 0


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        ("time,enter\n", 3, "expected the columns time, enter, leave"),
        ("time,enter,leave\n2023-02-01,maybe,0\n", 3, "line 2: enter is 'maybe'"),
        ("time,enter,leave\nsoon,1,0\n", 3, "line 2: the time is 'soon'"),
        ("time,enter,leave\n2023-02-01T05:00:00,1,0\n", 3, "line 2 (2023-02-01T05:00:00): no bar opens then"),
        ("time,enter,leave\n2023-02-01,1,0\n2023-02-01,0,1\n", 3, "line 3"),
        ("time,enter,leave,size\n2023-02-01,1,0,2\n", 3, "size is 2"),
    ],
)
def test_signals_that_belong_nowhere_are_refused(tmp_path: Path, text: str, code: int, expected: str) -> None:
    (tmp_path / "theirs.csv").write_text(text)
    done = said(tmp_path, "--signals", "theirs.csv", "--prices", "synthetic")
    assert done.code == code
    assert expected in done.err


@pytest.mark.parametrize("rows", ["", "2031-02-01,1,0\n", "2023-02-01,0,1\n"])
def test_signals_that_buy_on_no_bar_are_told(tmp_path: Path, rows: str) -> None:
    (tmp_path / "theirs.csv").write_text(f"time,enter,leave\n{rows}")
    done = said(tmp_path, "--signals", "theirs.csv", "--prices", "synthetic", "--no-charts")
    assert done.code == 0
    assert "WARNING: theirs enters on none of the bars, 2023-01-01" in done.err


def test_a_link_that_leads_out_of_the_folder_is_not_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "mine.py").write_text(TEXT)
    (tmp_path / "outside.py").write_text(TEXT)
    (folder / "linked.py").symlink_to(tmp_path / "outside.py")
    monkeypatch.setenv("QUANTLAB_STRATEGIES", str(folder))
    listed = said(tmp_path, "strategies", "list").out
    assert "mine" in listed
    assert "linked" not in listed


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (("--param", "fats=3"), 2, "did you mean 'fast'?"),
        (("--param", "fast=1"), 2, "expected a whole number, 2 to 500 (default 10)"),
        (("--param", "fast=2.5"), 2, "expected a whole number"),
        (("--param", "fast"), 2, "expected NAME=VALUE"),
        (("--param", "fast=3", "--param", "fast=4"), 2, "both given"),
        (("--rsi_buy_max", "50"), 2, "no parameter 'rsi_buy_max'"),
        (("--signals", "x.csv"), 2, "either --signals"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_what_is_asked_wrongly_makes_no_session(
    tmp_path: Path, words: tuple[str, ...], code: int, expected: str
) -> None:
    (tmp_path / "mine.py").write_text(TEXT)
    done = said(tmp_path, "--paper", "--strategy", "mine.py", "--prices", "synthetic", *words)
    assert done.code == code
    assert expected in done.error
    assert not (tmp_path / "outputs").exists()


def asked(folder: Path, **params: Any) -> Said:
    request = {"schema_version": "1.0", "command": "run", "params": {"prices": "synthetic", **params}}
    return said(folder, "--json-request", json.dumps(request))


def test_a_request_takes_names_below_the_folders_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "mine.py").write_text(TEXT)
    (tmp_path / "outside.py").write_text(TEXT)
    assert asked(tmp_path, strategy="mine").code == 2
    monkeypatch.setenv("QUANTLAB_STRATEGIES", str(folder))
    assert asked(tmp_path, strategy="mine", strategy_params={"fast": 12}).code == 0
    for name in ("outside", "outside.py", "../outside.py", str(tmp_path / "outside.py"), "os:getcwd"):
        assert asked(tmp_path, strategy=name).code == 2, name
    assert asked(tmp_path, strategy="mine", strategy_params={"fast": "12"}).code == 2
    assert asked(tmp_path, strategy_digest="a" * 64).code == 2
    assert asked(tmp_path, like=str(tmp_path)).code == 2


def test_one_parameter_of_the_built_in_has_two_spellings(tmp_path: Path) -> None:
    assert said(tmp_path, "--prices", "synthetic", "--param", "rsi_buy_max=50").code == 0
    assert said(tmp_path, "--prices", "synthetic", "--rsi_buy_max", "50").code == 0
    hashes = {
        json.loads((one / "metadata.json").read_text())["config_hash"]
        for one in (tmp_path / "outputs" / "runs").glob("2*")
    }
    assert len(hashes) == 1
