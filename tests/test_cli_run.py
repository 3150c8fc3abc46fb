"""The flags of a run: what is refused, in words, and with nothing left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.flow_program import PAPER, SYNTHETIC, document, said, session_of

if TYPE_CHECKING:
    from pathlib import Path

REFUSED = [
    (("--start", "x"), "start: 'x' is no date; expected YYYY-MM-DD"),
    (("--start", "2023-1-1"), "start: '2023-1-1' is no date"),
    (("--end", "2023-13-01"), "end: '2023-13-01' is no date"),
    (("--start", "2024-01-01", "--end", "2024-01-01"), "is not before end"),
    (("--interval", "7d"), "interval: '7d' is unknown; expected one of 1m,"),
    (("--ticker", "A B"), "ticker: 'A B' is no symbol"),
    (("--ticker", "A\n"), "ticker: 'A\\n' is no symbol"),
    (("--ticker", "Ä"), "ticker: 'Ä' is no symbol"),
    (("--ticker", "--paper"), "'--paper' is a flag; expected a value before it"),
    (("--initial_cash", "0"), "initial_cash: 0.0 is out of range"),
    (("--initial-cash", "-5"), "initial_cash: -5.0 is out of range"),
    (("--initial-cash", "nan"), "initial_cash: nan is out of range"),
    (("--initial-cash", "inf"), "initial_cash: inf is out of range"),
    (("--initial-cash", "1e300"), "initial_cash: 1e+300 is out of range"),
    (("--initial-cash", "much"), "'much' is not a valid float"),
    (("--fee", "1"), "fee: 1.0 is out of range; expected a fraction of notional in [0, 1)"),
    (("--fee=-0.1",), "fee: -0.1 is out of range"),
    (("--fee", "nan"), "fee: nan is out of range"),
    (("--slippage_bps", "-1"), "slippage_bps: -1.0 is out of range"),
    (("--slippage_mode", "none"), "'none' is not one of 'fixed', 'atr'"),
    (("--k_atr", "-1"), "k_atr: -1.0 is out of range"),
    (("--rsi_buy_max", "101"), "rsi_buy_max: 101.0 is out of range"),
    (("--rsi_sell_min", "-1"), "rsi_sell_min: -1.0 is out of range"),
    (("--cooldown_days", "-1"), "cooldown_days: -1 is out of range"),
    (("--cooldown_days", "1.5"), "'1.5' is not a valid integer"),
    (("--cooldown_days", "1" + 30 * "0"), "is out of range; expected a whole number of bars"),
    (("--pace", "-1"), "pace: expected a number >= 0.0"),
    (("--pace", "nan"), "pace: expected a number >= 0.0"),
    (("--heartbeat-seconds", "0"), "heartbeat_seconds: expected a number > 0.0"),
    (("--fill", "open"), "'open' is not one of 'next_open', 'close'"),
    (("--outdir", "/proc/nowhere"), "The output folder /proc/nowhere/paper_sessions can't be written"),
    (("--ledger", "mysql://host/x"), "is of no known kind; expected sqlite:///FILE"),
    (("--ledger", "ledger.db"), "is of no known kind"),
    (("--request-id", "a\udcffb"), "no text in UTF-8"),
    (("--report", "nowhere"), "nowhere is no folder"),
    (("--report=",), "--report: the folder is empty"),
    (("--tickr", "X"), "No such option '--tickr'; did you mean '--ticker'?"),
    (("--initial_csh", "5"), "No such option '--initial-csh'; did you mean '--initial-cash'?"),
    (("--paper-sessions-lst", "x"), "did you mean '--paper-sessions-list'?"),
    (("--json-requst", "{}"), "did you mean '--json-request'?"),
    (("--zzzzzz",), "No such option '--zzzzzz'."),
    (("extra",), "unexpected extra argument (extra)"),
    (("--start",), "Option '--start' requires an argument. Try 'quantlab run --help'."),
]  # fmt: skip
TEXTS = ("ticker", "start", "end", "interval", "prices", "fee", "rsi_buy_max", "cooldown_days", "slippage_mode",
         "fill", "outdir", "ledger", "signal_file", "request_id", "pace", "report")  # fmt: skip


@pytest.mark.parametrize(
    ("words", "why"), REFUSED, ids=lambda one: " ".join(one) if isinstance(one, tuple) else ""
)
def test_bad_flags_are_named_in_one_line_and_leave_nothing(
    tmp_path: Path, words: tuple[str, ...], why: str
) -> None:
    done = said(tmp_path, *PAPER, *words)
    assert done.code == 2
    assert why in done.error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", TEXTS)
def test_an_empty_value_is_an_error(tmp_path: Path, name: str) -> None:
    done = said(tmp_path, *PAPER, f"--{name}", "")
    assert done.code == 2
    assert f"--{name.replace('_', '-')}" in done.error
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_output_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = said(tmp_path, *PAPER, "--outdir", "file")
    assert done.code == 2
    assert "The output folder file/paper_sessions can't be written (Not a directory)" in done.error


def test_flags_reach_the_configuration_in_either_spelling(tmp_path: Path) -> None:
    words = (
        "--ticker=BTC-USD",
        "--rsi-buy-max=55",
        "--rsi_sell_min",
        "80",
        "--slippage-mode",
        "atr",
        "--fill=close",
    )
    assert said(tmp_path, "--start=2022-01-01", "--prices=synthetic", "--paper", *words).code == 0
    config = document(session_of(tmp_path) / "config.json")
    told = [
        config[name] for name in ("ticker", "rsi_buy_max", "rsi_sell_min", "slippage_mode", "fill", "end")
    ]
    assert told == ["BTC-USD", 55.0, 80.0, "atr", "close", "2024-01-01"]


def test_the_command_spelling_runs_the_same(tmp_path: Path) -> None:
    assert said(tmp_path, "run", *PAPER, "--report").code == 0
    assert document(session_of(tmp_path) / "config.json")["paper"] is True


def test_a_bare_report_does_not_take_the_next_flag_for_its_folder(tmp_path: Path) -> None:
    assert said(tmp_path, *SYNTHETIC, "--report", "--paper").code == 0
    assert document(session_of(tmp_path) / "config.json")["paper"] is True


def test_stdout_holds_the_result_and_stderr_nothing(tmp_path: Path) -> None:
    done = said(tmp_path, *PAPER)
    assert done.err == ""
    assert done.out.splitlines()[0] == f"{session_of(tmp_path).name} succeeded"


def test_a_report_is_rebuilt_to_the_same_bytes(tmp_path: Path) -> None:
    assert said(tmp_path, *PAPER).code == 0
    session = session_of(tmp_path)
    before = {name: (session / name).read_bytes() for name in ("run_report.md", "report.json")}
    for name in before:
        (session / name).unlink()
    done = said(tmp_path, "--report", str(session))
    assert (done.code, done.err) == (0, "")
    assert done.out == f"Report rebuilt: {session / 'run_report.md'}\n"
    assert {name: (session / name).read_bytes() for name in before} == before


def test_an_empty_folder_has_no_report_to_rebuild(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = said(tmp_path, "--report", str(tmp_path / "empty"))
    assert done.code == 2
    assert [one.name for one in tmp_path.iterdir()] == ["empty"]


@pytest.mark.parametrize(
    "words", [("--help",), ("run", "--help"), ("--ticker", "X", "--help"), ("request", "-h")]
)
def test_help_fits_eighty_columns(
    tmp_path: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = said(tmp_path, *words)
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80


def test_the_result_says_of_what_it_is_what_it_cost_and_where_its_report_lies(tmp_path: Path) -> None:
    done = said(tmp_path, *PAPER)
    session = session_of(tmp_path)
    figures = document(session / "metrics.json")["figures"]
    fees, slippage = figures["fees_paid"], figures["slippage_paid"]
    told = {line[2:14].strip(): line[16:] for line in done.out.splitlines()[1:]}
    assert told == {
        "market": "ETH-USD, 1d bars from synthetic",
        "range": "2022-01-01 to 2023-12-31, 729 bars",
        "total return": f"{figures['total_return']:+.2%}",
        "buy and hold": f"{figures['buy_and_hold_return']:+.2%}",
        "max drawdown": f"{figures['max_drawdown']:+.2%}",
        "trades": str(figures["trades"]),
        "costs": f"{fees + slippage:,.2f} (fees {fees:,.2f}, slippage {slippage:,.2f})",
        "folder": str(session.relative_to(tmp_path)),
        "report": str(session.relative_to(tmp_path) / "run_report.md"),
    }


@pytest.mark.parametrize("kind", [PAPER, SYNTHETIC])
def test_quiet_says_nothing_of_a_success(tmp_path: Path, kind: tuple[str, ...]) -> None:
    done = said(tmp_path, *kind, "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_quiet_tells_what_is_wrong(tmp_path: Path) -> None:
    done = said(tmp_path, *PAPER, "--quiet", "--end", "2022-01-20")
    assert (done.code, done.error.count("bars came")) == (3, 1)


def test_a_quiet_index_tells_what_it_found(tmp_path: Path) -> None:
    assert said(tmp_path, *PAPER, "--quiet").code == 0
    assert said(tmp_path, "paper-sessions", "index", "--quiet").out == ""
    (session_of(tmp_path) / "report.json").unlink()
    assert said(tmp_path, "paper-sessions", "index", "--quiet").out.startswith("Made anew: 1\n")


def test_orders_that_were_never_placed_are_told_with_the_result(tmp_path: Path) -> None:
    done = said(tmp_path, *PAPER, "--no-charts", "--lot-size", "1000000")
    assert "  trades        0\n  not placed    " in done.out
    assert " orders that no broker would have taken\n" in done.out


def test_a_position_that_is_still_open_is_told_with_the_result(tmp_path: Path) -> None:
    done = said(tmp_path, *PAPER, "--no-charts", "--cooldown-days", "1000")
    assert "  trades        0\n  still open    one position, at the last close; no trade yet\n" in done.out
