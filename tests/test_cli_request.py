"""JSON requests (contract 9): what is refused, what is run, what is answered."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from support import flow_program as program
from support.flow_program import document, request, said, session_of

from quantlab.cli import request as module

if TYPE_CHECKING:
    from pathlib import Path

WANTED = {
    "ticker": "ETH-USD",
    "start": "2022-01-01",
    "end": "2022-12-31",
    "paper": True,
    "prices": "synthetic",
}
REFUSED = [
    ("", "The JSON request is empty"),
    ("  ", "The JSON request is empty"),
    ("{", "not usable"),
    ("null", "Expected `object`, got `null`"),
    ("[]", "Expected `object`, got `array`"),
    ("{}", "missing required field `schema_version`"),
    ("[" * 100_000, "not usable"),
    ('{"schema_version": "1.0", "command": "run", "params": {"ticker": ' + "[" * 100_000, "not usable"),
    ("x" * 1_000_001, "longer than 1,000,000 characters"),
    ("\ud800", "not usable"),
    ('{"schema_version": "1.0", "command": "run", "params": {"fee": NaN}}', "JSON is malformed"),
    ('{"schema_version": "1.0", "command": "run", "params": {"fee": 0.1, "fee": 0.2}}', "names 'fee' twice"),
    ('{"schema_version": "2.0", "schema_version": "1.0", "command": "run"}', "names 'schema_version' twice"),
    (request(schema_version="2.0"), "schema_version: '2.0' is not known; expected \"1.0\""),
    (request(schema_version=1.0), "at `$.schema_version`"),
    (request(command="paper"), "command: 'paper' is not known; expected \"run\""),
    (request(command=None), "at `$.command`"),
    ('{"schema_version": "1.0", "params": {}}', "missing required field `command`"),
    (request(extra=1), "unknown field `extra`"),
    (request(request_id=5), "at `$.request_id`"),
    (request(request_id=""), "request_id: '' is empty"),
    (request({"request_id": "other"}), "Unknown param 'request_id'; expected it beside params"),
    ('{"schema_version": "1.0", "command": "run", "params": []}', "at `$.params`"),
    (request({"paper": "yes"}), "paper: expected true or false, got a text"),
    (request({"paper": 1}), "paper: expected true or false, got a whole number"),
    (request({"fee": "0.1"}), "fee: expected a number, got a text"),
    (request({"fee": True}), "fee: expected a number, got true or false"),
    (request({"ticker": None}), "ticker: expected a text, got null"),
    (request({"ticker": {"a": [1]}}), "ticker: expected a text, got an object"),
    (request({"start": 20230101}), "start: expected a text, got a whole number"),
    (request({"cooldown_days": 1.5}), "cooldown_days: expected a whole number, got a number"),
    (request({"initial_cash": 10**400}), "initial_cash: 10000000000000000000… is out of range; expected"),
    (
        '{"schema_version": "1.0", "command": "run", "params": {"fee": 1e999}}',
        "fee: 1e999 is out of range; expected",
    ),
    ('{"schema_version": "1.0", "command": "run", "priority": -1e999}', "priority: -1e999 is out of range"),
    ('{"schema_version": "1.0", "command": "run", "params": {"fee": [1e999]}}', "out of range"),
    (request({"pace": "slow"}), "pace: expected a number, got a text"),
    (request({"pace": -1}), "pace: expected a number >= 0.0"),
    (request({"report": "x"}), "report: expected true or false, got a text"),
    (request({"prices": ""}), "prices: expected yahoo, synthetic, cache or a file's path"),
    (request({"outdir": " "}), "outdir: ' ' is empty"),
    (request({"signal_file": "a\0b"}), "signal_file: 'a\\x00b' is empty, or no text"),
    (request({"ledger": "sqlite:///a\0b"}), "ledger: "),
    (request({"tickr": "X"}), "Unknown param 'tickr'; did you mean 'ticker'?"),
    (request({"zzzz": 1}), "Unknown param 'zzzz'; expected one of adjust,"),
]


def error_of(done: program.Said) -> str:
    """Return what a failed request says on stderr, which its one JSON line on stdout says too."""
    answer = json.loads(done.out)
    assert done.out.count("\n") == 1
    assert done.err == f"ERROR: {answer['message']}\n"
    assert (answer["status"], answer["exit_code"]) == ("error", done.code)
    return str(answer["message"])


@pytest.mark.parametrize(("text", "why"), REFUSED, ids=range(len(REFUSED)))
def test_a_bad_request_is_refused_by_field_and_makes_nothing(tmp_path: Path, text: str, why: str) -> None:
    done = said(tmp_path, "--json-request", text)
    assert done.code == 2
    assert why in error_of(done)
    assert list(tmp_path.iterdir()) == []


def test_a_refused_request_is_signalled(tmp_path: Path) -> None:
    done = said(tmp_path, "--json-request", request({"paper": "yes"}), "--signal-file", "logs/signals.jsonl")
    assert done.code == 2
    (line,) = program.signals_in(tmp_path / "logs" / "signals.jsonl")
    assert {name: line[name] for name in ("event", "status", "request_id", "exit_code", "error_type")} == {
        "event": "SESSION_FAILED", "status": "error", "request_id": "req_1", "exit_code": 2,
        "error_type": "ConfigError",
    }  # fmt: skip
    assert line["message"] == error_of(done)


@pytest.mark.parametrize(
    "text",
    [
        request(schema_version="1.1"),
        request(schema_version=1.0),
        request(command="paper"),
        '{"request_id": "req_1", "schema_version": "1.0"}',
        request(priority=1),
        '{"request_id": "req_1", "schema_version": "1.0", "command": "run", "params": null}',
        '{"request_id": "req_1", "schema_version": "1.0", "command": "run", "params": {"fee": 1, "fee": 2}}',
        '{"request_id": "req_1", "schema_version": "1.0", "command": "run", "params": {"fee": 1e999}}',
    ],
    ids=range(8),
)
def test_a_refused_request_is_signalled_under_the_name_that_it_bears(tmp_path: Path, text: str) -> None:
    assert said(tmp_path, "--json-request", text, "--signal-file", "signals.jsonl").code == 2
    assert program.signals_in(tmp_path / "signals.jsonl")[0]["request_id"] == "req_1"


FOLLOWED = {"ticker": "TEST", "paper": True, "follow": True, "step": True}


@pytest.mark.parametrize(
    "params",
    [
        WANTED | {"strategy_params": {"rsi_buy_max": "50"}},
        WANTED | {"strategy_params": {"nope": 1}},
        WANTED | {"strategy": "nobody"},
        WANTED | {"follow": True},
        FOLLOWED | {"prices": "synthetic"},
        FOLLOWED | {"prices": "prices.csv", "until": "2020-01-01"},
        FOLLOWED | {"prices": "prices.csv", "warmup": 3},
        FOLLOWED | {"prices": "prices.csv", "warmup": 400, "ledger": "sqlite:///away/ledger.db"},
        FOLLOWED | {"prices": "prices.csv", "outdir": "prices.csv"},
        WANTED | {"ledger": "sqlite:///away/ledger.db"},
    ],
    ids=range(10),
)
def test_whatever_keeps_a_session_from_beginning_is_signalled_once(
    tmp_path: Path, params: dict[str, Any]
) -> None:
    (tmp_path / "prices.csv").write_text("Date,Open,High,Low,Close,Volume\n")
    (tmp_path / "away").write_text("no folder")
    done = said(tmp_path, "--json-request", request(params), "--signal-file", "signals.jsonl")
    (line,) = program.signals_in(tmp_path / "signals.jsonl")
    assert (line["event"], line["request_id"], line["exit_code"]) == ("SESSION_FAILED", "req_1", done.code)
    assert line["message"] == error_of(done)
    assert [*tmp_path.glob("outputs/paper_sessions/2*")] == []


def test_an_answer_says_what_people_are_told_and_the_code_that_the_process_ends_with(tmp_path: Path) -> None:
    done = said(tmp_path, "--json-request", request(WANTED | {"ledger": f"sqlite:///{'a' * 300}.db"}))
    assert (done.code, "can't be used: File name too long" in error_of(done)) == (2, True)


@pytest.mark.parametrize("text", ["{", request(WANTED | {"strategy": "nobody"})])
def test_no_folder_is_made_of_a_url_in_the_place_of_a_signal_file(tmp_path: Path, text: str) -> None:
    done = said(tmp_path, "--json-request", text, "--signal-file", "postgresql://ana:secret@host/db")
    assert (done.code, "secret" in done.out + done.err) == (2, False)
    assert list(tmp_path.iterdir()) == []


def test_a_forward_session_that_failed_is_named_in_the_answer(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("Date,Open,High,Low,Close,Volume\n2026-01-01,1,1,1,1,1\n")
    params = FOLLOWED | {"prices": "prices.csv"}
    done = said(tmp_path, "--json-request", request(params), "--signal-file", "signals.jsonl")
    (folder,) = (tmp_path / "outputs" / "paper_sessions").glob("*_paper_*")
    answer = json.loads(done.out)
    assert (answer["exit_code"], answer["run_id"]) == (3, folder.name)
    signalled = [line["event"] for line in program.signals_in(tmp_path / "signals.jsonl")]
    assert signalled == ["SESSION_STARTED", "SESSION_FAILED"]


@pytest.mark.parametrize("asked", ["mine.py", "os:system", "nobody"])
def test_a_request_is_not_told_to_name_what_only_flags_may(tmp_path: Path, asked: str) -> None:
    done = said(tmp_path, "--json-request", request(WANTED | {"strategy": asked}))
    assert "shows them), and no file or module." in error_of(done)


@pytest.mark.parametrize(
    "text", ["{", "[]", request(request_id=5), request(request_id="\ud800"), "[" * 100_000]
)
def test_a_refused_request_without_a_readable_name_is_signalled_without_one(
    tmp_path: Path, text: str
) -> None:
    assert said(tmp_path, "--json-request", text, "--signal-file", "signals.jsonl").code == 2
    assert program.signals_in(tmp_path / "signals.jsonl")[0]["request_id"] is None


def ledgers(folder: Path) -> set[str]:
    return {str(one.relative_to(folder)) for one in folder.rglob("*.db")}


def test_the_ledger_that_a_request_names_goes_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTLAB_LEDGER", f"sqlite:///{tmp_path}/environment.db")
    params = WANTED | {"ledger": f"sqlite:///{tmp_path}/params.db"}
    assert said(tmp_path, "--json-request", request(params)).code == 0
    assert ledgers(tmp_path) == {"params.db"}


def test_the_ledger_that_a_flag_names_goes_before_the_request_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTLAB_LEDGER", f"sqlite:///{tmp_path}/environment.db")
    params = WANTED | {"ledger": f"sqlite:///{tmp_path}/params.db"}
    flag = f"sqlite:///{tmp_path}/flag.db"
    assert said(tmp_path, "--json-request", request(params), "--ledger", flag).code == 0
    assert ledgers(tmp_path) == {"flag.db"}


def test_the_environment_s_ledger_is_taken_where_a_request_names_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTLAB_LEDGER", f"sqlite:///{tmp_path}/environment.db")
    assert said(tmp_path, "--json-request", request(WANTED)).code == 0
    assert ledgers(tmp_path) == {"environment.db"}


def answered(folder: Path, *words: str) -> dict[str, Any]:
    done = said(folder, *words)
    assert (done.code, done.err) == (0, "")
    answer = json.loads(done.out)
    assert isinstance(answer, dict)
    return answer


def test_a_paper_request_is_run_and_answered_with_one_line(tmp_path: Path) -> None:
    answer = answered(tmp_path, "--json-request", request(WANTED), "--signal-file", "logs/signals.jsonl")
    session = session_of(tmp_path)
    assert (answer["status"], answer["contract_type"]) == ("success", "quantlab.paper.result")
    assert (answer["run_id"], answer["request_id"]) == (session.name, "req_1")
    assert answer["report_path"] == str(session / "report.json")
    first, last = program.signals_in(tmp_path / "logs" / "signals.jsonl")
    assert (first["mode"], last["mode"]) == ("run", "run")
    assert (first["request_id"], last["event"]) == ("req_1", "SESSION_COMPLETED")
    assert document(session / "session_status.json")["request_id"] == "req_1"


def test_the_command_spelling_takes_a_request_too(tmp_path: Path) -> None:
    answer = answered(tmp_path, "request", request(WANTED | {"paper": False}))
    assert answer["contract_type"] == "quantlab.run.result"
    assert not (tmp_path / "outputs" / "paper_sessions").exists()


def test_every_flag_of_a_run_is_a_param(tmp_path: Path) -> None:
    from quantlab.cli.choosing import ASKED_NAMES
    from quantlab.cli.launching import CONFIG_NAMES, Settings
    from quantlab.cli.run import run

    flags = {one.name for one in run.params} - {"report_of", "param", "run_kept_code"}
    params = CONFIG_NAMES | ASKED_NAMES | set(Settings.__struct_fields__)
    assert flags | {"report", "strategy_params", "strategy_digest"} == params


def test_the_limit_leaves_room_for_any_sensible_request() -> None:
    assert 100 * len(request(WANTED)) < module.MAX_BYTES


def test_a_request_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "asked.json").write_text("\ufeff" + request(WANTED), encoding="utf-8")
    answer = answered(tmp_path, "--json-request", "@asked.json")
    assert answer["run_id"] == session_of(tmp_path).name


@pytest.mark.parametrize("words", [("request", "-"), ("--json-request", "-"), ("--json-request=-",)])
def test_a_request_is_read_from_standard_input(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, str(program.MAIN), *words],
        cwd=tmp_path,
        env=program.environment(tmp_path),
        input=request(WANTED | {"paper": False, "no_charts": True}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(done.stdout)["contract_type"] == "quantlab.run.result"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("@nothing.json", "'nothing.json' can't be read: No such file or directory"),
        ("@", "can't be read"),
        ("@.", "can't be read"),
        ("@\0", "can't be read"),
        ("@odd.json", "is not in UTF-8"),
        ("@large.json", "longer than 1,000,000 characters"),
        ("@empty.json", "The JSON request is empty"),
    ],
)
def test_a_file_that_holds_no_request_is_refused(tmp_path: Path, given: str, why: str) -> None:
    (tmp_path / "odd.json").write_bytes(b"\xff")
    (tmp_path / "large.json").write_bytes(b" x" * 1_000_000)
    (tmp_path / "empty.json").write_bytes(b"")
    done = said(tmp_path, "--json-request", given, "--signal-file", "signals.jsonl")
    assert (done.code, why in error_of(done)) == (2, True)
    assert program.signals_in(tmp_path / "signals.jsonl")[0]["event"] == "SESSION_FAILED"


@pytest.mark.parametrize("paper", [True, False])
def test_a_request_that_fails_names_what_it_left(tmp_path: Path, *, paper: bool) -> None:
    params = WANTED | {"end": "2022-01-10", "paper": paper}
    done = said(tmp_path, "--json-request", request(params), "--signal-file", "signals.jsonl")
    answer = json.loads(done.out)
    kind = "paper_sessions" if paper else "runs"
    (folder,) = [one for one in (tmp_path / "outputs" / kind).iterdir() if one.is_dir()]
    assert (done.code, answer["exit_code"], answer["error_type"]) == (3, 3, "DataError")
    assert (answer["request_id"], answer["run_id"]) == ("req_1", folder.name)
    assert answer["artifacts_path"] == str(folder)
    first, last = program.signals_in(tmp_path / "signals.jsonl")
    for line in (first, last):
        assert (line["run_id"], line["artifacts_path"]) == (folder.name, str(folder))


def test_a_refused_request_names_no_session(tmp_path: Path) -> None:
    answer = json.loads(said(tmp_path, "--json-request", request({"paper": "yes"})).out)
    assert (answer["request_id"], answer["run_id"], answer["artifacts_path"]) == ("req_1", None, None)


def test_a_failed_request_s_line_shows_no_password(tmp_path: Path) -> None:
    params = WANTED | {"ledger": "postgresql://ana:Secret9@localhost:1/none"}
    done = said(tmp_path, "--json-request", request(params))
    assert done.code == 1
    assert "Secret9" not in done.out + done.err
