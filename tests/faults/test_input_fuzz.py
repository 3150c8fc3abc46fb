"""Input as a weapon: whatever is asked, typed or left in a folder, the answer is one line, in time, inside the root."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.tame import assert_no_formulas, assert_tame, called

from quantlab.base.errors import DataError
from quantlab.domain.config import RunConfig
from quantlab.trading.prices.loading import load_prices

HERE = Path(__file__).resolve().parent
FUZZ_SECONDS = 6
NOW = datetime(2026, 3, 1, tzinfo=UTC)
CODES = (0, 1, 2, 3, 4)
SLOW = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
EVIL_TEXTS = (
    "../../escape", "/etc/passwd", "a\x00b", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "=cmd|'/c calc'!A1", "+1",
    "@SUM(A1)", "line\nbreak", "x" * 300, "\u202eevil", "\x9b2J", "-- DROP TABLE events", "%s%n{0}", "ETH-USD", "", " ",
)  # fmt: skip
evil = st.one_of(st.sampled_from(EVIL_TEXTS), st.text(max_size=40))


def _files_below(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")}


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), evil),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(evil, inner, max_size=3)),
    max_leaves=6,
)
names = st.sampled_from(
    [
        "ticker",
        "start",
        "end",
        "interval",
        "fee",
        "rsi_buy_max",
        "cooldown_days",
        "slippage_mode",
        "k_atr",
        "prices",
        "fill",
    ]
)
requests = st.fixed_dictionaries(
    {},
    optional={
        "schema_version": st.one_of(st.just("1.0"), values),
        "command": st.one_of(st.just("run"), values),
        "request_id": st.one_of(evil, values),
        "params": st.one_of(st.dictionaries(st.one_of(names, evil), values, min_size=1), values),
    },
)


@SLOW
@given(request=requests)
def test_a_request_of_any_shape_is_refused_in_one_line(tmp_path: Path, request: dict[str, Any]) -> None:
    outdir = tmp_path / "outputs"
    # An unknown param makes sure that nothing is run, however good the rest.
    if isinstance(request.get("params"), dict):
        request["params"]["no_such_param"] = 1
    elif request.get("params") is None:
        request["params"] = {"no_such_param": 1}
    code, out, err = called("request", "--outdir", str(outdir), json.dumps(request))
    assert_tame(code, out, err)
    assert (code, refusal(out), err.count("\n"), outdir.exists()) == (2, ("error", 2), 1, False)


def refusal(out: str) -> tuple[str, int]:
    """Return what the one line on stdout says to the program that asked."""
    (line,) = out.splitlines()
    answer = json.loads(line)
    return answer["status"], answer["exit_code"]


@SLOW
@given(
    text=st.one_of(
        st.text(max_size=200),
        st.binary(max_size=200).map(lambda data: data.decode("utf-8", "surrogateescape")),
    )
)
def test_a_request_that_is_no_json_is_refused_in_one_line(text: str) -> None:
    code, out, err = called("--json-request", text)
    assert_tame(code, out, err)
    assert (code, refusal(out), err.count("\n")) == (2, ("error", 2), 1)


@pytest.mark.parametrize(
    "params",
    [
        '{"cooldown_days":1' + "0" * 400 + "}",
        '{"cooldown_days":1' + "0" * 6000 + "}",
        '{"fee":-1' + "0" * 400 + "}",
        "[" * 100_000,
        '{"a":' * 50_000,
        '{"paper":true,"paper":false,"ticker":1}',
    ],
    ids=["400 digits", "6,000 digits", "a negative 400 digits", "deep lists", "deep objects", "names twice"],
)
def test_a_request_with_monstrous_params_is_refused_in_one_short_line(params: str) -> None:
    code, out, err = called("request", '{"schema_version":"1.0","command":"run","params":' + params + "}")
    assert_tame(code, out, err)
    assert (code, err.count("\n"), len(err) < 1_000) == (2, 1, True)


FLAGS = (
    "--ticker",
    "--start",
    "--end",
    "--interval",
    "--fee",
    "--pace",
    "--ledger",
    "--signal-file",
    "--request-id",
    "--prices",
)


@SLOW
@given(
    words=st.lists(
        st.one_of(st.sampled_from(FLAGS), evil, st.sampled_from(["--paper", "run", "--report", "--"])),
        max_size=6,
    )
)
def test_flags_of_any_kind_are_refused_tamely(tmp_path: Path, words: list[str]) -> None:
    with contextlib.chdir(tmp_path):
        assert_tame(*called(*words, "--no-such-flag"))
        assert list(tmp_path.iterdir()) == []


COMMANDS = (
    "--paper-sessions-list", "--paper-sessions-show", "--paper-sessions-health", "--paper-sessions-alerts",
    "--paper-sessions-promotion", "--paper-sessions-index", "--runs-list", "--runs-show", "--runs-best",
)  # fmt: skip


@SLOW
@given(command=st.sampled_from(COMMANDS), place=evil)
def test_a_place_of_any_name_is_refused_tamely(tmp_path: Path, command: str, place: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir(exist_ok=True)
    with contextlib.chdir(inside):
        assert_tame(*called(command, f"nowhere/{place}"))
    assert _files_below(tmp_path) == {str(inside)}


documents = st.dictionaries(
    st.sampled_from(
        [
            "session_id",
            "run_id",
            "status",
            "created_at",
            "started_at",
            "updated_at",
            "terminal",
            "request_id",
            "message",
            "error_type",
            "pid",
            "host",
            "machine_contract",
            "header",
            "summary",
            "duration_seconds",
            "mode",
        ]
    ),
    st.one_of(
        values,
        st.sampled_from(
            ["2024-01-01T00:00:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59-23:59", "running"]
        ),
    ),
    max_size=8,
)
contents = st.one_of(documents.map(lambda one: json.dumps(one).encode()), st.binary(max_size=60))
folders = st.dictionaries(
    st.sampled_from(
        ["session_status.json", "session_metadata.json", "report.json", "config.json", "metrics.json"]
    ),
    contents,
    min_size=1,
)


@settings(SLOW, max_examples=25)
@given(made=st.lists(folders, min_size=1, max_size=3))
def test_session_folders_of_any_content_are_adopted_and_shown_tamely(
    tmp_path_factory: pytest.TempPathFactory, made: list[dict[str, bytes]]
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    root = outside / "root"
    for place, files in enumerate(made):
        (root / f"s{place}").mkdir(parents=True)
        for name, data in files.items():
            (root / f"s{place}" / name).write_bytes(data)
    for command in (
        "--paper-sessions-index",
        "--paper-sessions-list",
        "--paper-sessions-alerts",
        "--paper-sessions-health",
    ):
        code, out, err = called(command, str(root))
        assert_tame(code, out, err)
        assert code == 0, err
    code, _out, err = called("ledger", "verify", str(root))
    assert code == 0, err
    assert [path.name for path in outside.iterdir()] == ["root"]
    assert_no_formulas(root / "paper_sessions_index.csv")


PRICES_HEADER = b"time,open,high,low,close,volume\n"


@SLOW
@given(
    data=st.one_of(
        st.binary(max_size=300),
        st.lists(evil, max_size=30).map(
            lambda cells: PRICES_HEADER + ",".join(cells).encode("utf-8", "replace")
        ),
    )
)
def test_price_files_of_any_content_are_refused_as_data(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "prices.csv"
    file.write_bytes(data)
    with pytest.raises(DataError) as refused:
        load_prices(RunConfig(prices=str(file)), now=NOW, cache_folder=None)
    assert str(refused.value)


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not made for this Python")
@pytest.mark.parametrize("fuzzer", ["fuzz_request", "fuzz_adoption"])
def test_coverage_guided_fuzzing_finds_nothing(tmp_path: Path, fuzzer: str) -> None:
    done = subprocess.run(
        [
            sys.executable, str(HERE / f"{fuzzer}.py"), f"-max_total_time={FUZZ_SECONDS}", "-timeout=10",
            "-rss_limit_mb=1024", "-print_final_stats=1", "-seed=1", str(tmp_path),
        ],
        capture_output=True, text=True, check=False, cwd=tmp_path, errors="backslashreplace",
    )  # fmt: skip
    tried = re.search(r"number_of_executed_units: ([0-9]+)", done.stderr)
    assert done.returncode == 0, done.stderr[-3_000:]
    assert tried is not None
    assert int(tried[1]) > 100
