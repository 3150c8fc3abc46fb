"""How answers reach a terminal, a pipe and a spreadsheet: colours, widths, escapes."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.asked_program import READY, Said, every_state
from support.sessions_builder import Sessions

from quantlab.base.clock import utc_now
from quantlab.cli import output

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with every_state(tmp_path_factory.mktemp("outputs") / "paper_sessions") as built:
        yield built


def test_what_data_says_cannot_command_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sessions(tmp_path / "root") as built:
        built.started("one", utc_now()).failed("one", utc_now(), message="\x1b[2Jgone\nERROR: forged")
        built.adopted("two\x1b[1m", utc_now(), status="odd\x1b[0m", unreadable=("re\x1bport.json",))
    for command in ("list", "health", "alerts", "promotion"):
        for form in ("table", "json", "csv"):
            said = Said(capsys, "paper-sessions", command, built.root, "--format", form)
            # A CSV file is data for programs; it keeps what was recorded.
            assert "\x1b" not in said.err
            assert form == "csv" or "\x1b" not in said.out
    assert "\x1b" not in Said(capsys, "paper-sessions", "show", built.root / "one").out


def test_many_troubled_sessions_are_named_up_to_a_limit(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantlab.cli.asking.MOST_NAMED", 1)
    assert "and 1 more of these" in Said(capsys, "paper-sessions", "health", root).err


def program(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "main.py", *map(str, arguments)]
    return subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=False, **options)


@pytest.mark.parametrize(
    "command", ["list", "health", "alerts", "promotion", f"show {READY}"], ids=lambda text: text.split()[0]
)
def test_a_question_loads_nothing_heavy(root: Path, command: str) -> None:
    name, *session = command.split()
    target = str(root.joinpath(*session))
    code = (
        "import sys; from quantlab.cli.main import run;"
        f"code = run(['paper-sessions', {name!r}, {target!r}]);"
        "heavy = {'sqlalchemy', 'pandas', 'numpy', 'yfinance', 'matplotlib', 'alembic', 'msgspec'};"
        # promotion folds the events of what it calls ready, and so reads their payloads
        f"heavy -= {{'msgspec'}} if {name!r} == 'promotion' else set();"
        "print(sorted(heavy & set(sys.modules)), code, file=sys.stderr)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert said.stderr.splitlines()[-1] == "[] 0"


def test_both_spellings_give_the_same_bytes(root: Path) -> None:
    flag, command = program("--paper-sessions-health", root), program("paper-sessions", "health", root)
    assert flag.stdout == command.stdout != ""


def test_piping_into_head_is_no_error(tmp_path: Path) -> None:
    with Sessions(tmp_path / "root") as built:
        for place in range(300):
            built.started(f"session_{place:04}" + "x" * 200, utc_now())
    said = subprocess.run(
        f"{sys.executable} main.py paper-sessions list '{built.root}' --format json | head -1",
        shell=True,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (said.stdout, said.stderr) == ("{\n", "")


def on_a_terminal(root: Path, **environment: str) -> str:
    """Run `list` with stdout on a terminal of 80 columns; returns what it showed."""
    ours, theirs = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | environment
    with subprocess.Popen(
        [sys.executable, "main.py", "paper-sessions", "list", str(root)],
        cwd=REPOSITORY,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env=env,
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65_536)
            except OSError:  # Linux says so when the other side is closed
                break
            if not piece:
                break
            shown += piece
        os.close(ours)
    assert process.returncode == 0
    return shown.decode().replace("\r\n", "\n")


def test_statuses_are_coloured_on_a_terminal(root: Path) -> None:
    assert "\x1b[31mfailed" in on_a_terminal(root)


def test_no_color_is_respected(root: Path) -> None:
    assert "\x1b" not in on_a_terminal(root, NO_COLOR="1")


def test_a_table_on_a_terminal_fits_80_columns_and_cuts_no_id(tmp_path: Path) -> None:
    long_id = "20260310_115900_paper_" + "a" * 40
    with Sessions(tmp_path / "root") as built:
        built.started(long_id, utc_now(), ticker="A-VERY-LONG-TICKER-INDEED")
    lines = on_a_terminal(built.root, NO_COLOR="1").splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].startswith(long_id)


def test_a_narrow_terminal_cuts_a_long_ticker_and_leaves_every_age_whole(tmp_path: Path) -> None:
    with Sessions(tmp_path / "root") as built:
        for number, ticker in enumerate(("A" * 32, "ETH-USD")):
            at = utc_now() - timedelta(minutes=12)
            built.started(f"20260310_11590{number}_paper_5f3a9c0d1e2b", at, ticker=ticker)
    heading, *rows = on_a_terminal(built.root, NO_COLOR="1").splitlines()
    assert max(map(len, rows)) <= 80
    assert heading.endswith(" age")
    assert all(row.endswith("12 min ago") for row in rows)
    assert "ETH-USD  " in rows[0] + rows[1]


def test_a_dumb_terminal_gets_no_escape_codes(root: Path) -> None:
    assert "\x1b" not in on_a_terminal(root, TERM="dumb")


def test_ideographs_take_two_columns_and_marks_none() -> None:
    table = output.Table(["name", "n"])
    for name in ("日本", "e\u0301t", "abcdef"):
        table.add([name, "1"])
    assert table.text().splitlines()[1:] == ["日本    1", "e\u0301t      1", "abcdef  1"]


def test_a_cut_counts_what_is_shown() -> None:
    table = output.Table(["id", "name"])
    table.add(["1", "日本語日本語"])
    assert table.text(width=9).splitlines()[1] == "1  日本…"


@pytest.mark.parametrize(
    ("how_long", "said"),
    [
        (timedelta(seconds=12), "12 s ago"),
        (timedelta(minutes=3, seconds=59), "3 min ago"),
        (timedelta(hours=5), "5 h ago"),
        (timedelta(days=2, hours=20), "2 d ago"),
        (timedelta(minutes=-7), "in 7 min"),
    ],
)
def test_an_age_is_said_in_its_largest_unit(how_long: timedelta, said: str) -> None:
    now = utc_now()
    assert output.age((now - how_long).isoformat(), now) == said


def test_a_formula_in_a_csv_cell_is_marked() -> None:
    assert output.as_csv(("a", "b"), [{"a": "=1+1", "b": -0.5}]) == "a,b\n'=1+1,-0.5"


def test_a_stream_that_is_no_terminal_counts_as_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert output.terminal_width() == 80


def test_a_column_that_must_not_be_cut_keeps_its_text_and_the_others_make_room() -> None:
    table = output.Table(["status", "session", "why"], never_cut=(1,))
    table.add(["aborted", "20260302_aaaa", "seen as dead"])
    assert table.text(21).splitlines()[1] == "abor… 20260302_aaaa …"


def test_a_table_that_cannot_fit_is_as_narrow_as_it_can_be() -> None:
    table = output.Table(["status", "session"], never_cut=(1,))
    table.add(["aborted", "20260302_aaaa"])
    assert table.text(3).splitlines()[1] == "… 20260302_aaaa"


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
@pytest.mark.parametrize(
    "words",
    [("run", "--help"), ("paper-sessions", "list"), ("paper-sessions", "show"), ("paper-sessions", "alerts")],
    ids=lambda words: words[1],
)
def test_a_terminal_of_another_encoding_is_shown_every_page(
    tmp_path: Path, encoding: str, words: tuple[str, ...]
) -> None:
    with Sessions(tmp_path / "root") as built:
        built.started("日本", utc_now()).failed("日本", utc_now(), message="no prices … for 日本")
    target = {
        "list": (built.root,),
        "show": (built.root / "日本",),
        "alerts": (built.root, "--format", "table"),
    }
    said = program(
        *words, *target.get(words[1], ()), env={**os.environ, "PYTHONIOENCODING": encoding}, encoding=encoding
    )
    assert (said.returncode, said.stderr) == (0, "")
    assert "Options:" in said.stdout or "??" in said.stdout
