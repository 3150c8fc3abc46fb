from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sessions_builder import Sessions, one_of_each

from quantlab.cli import output
from quantlab.cli.finding import find_session
from quantlab.cli.main import run
from quantlab.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parent.parent
READY = "20260302_080000_paper_aaaa0002"
FAILED = "20260304_080000_paper_fail0004"
EDITED = "20260306_080000_paper_edit0008"
GONE = "20260307_080000_paper_gone0009"
STALE = "20260310_100000_paper_stal0006"

pytestmark = pytest.mark.usefixtures("no_ledger_named")


@pytest.fixture
def no_ledger_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUANTLAB_LEDGER", raising=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("outputs") / "paper_sessions"
    with Sessions(folder) as built:
        one_of_each(built)
        (folder / EDITED).mkdir()
        (folder / EDITED / "trades.csv").write_text("timestamp\n")
        yield folder


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    with Sessions(tmp_path / "empty") as built:
        return built.root


class Said:
    """What a command line printed, and its exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: object) -> None:
        self.code = run([str(argument) for argument in arguments])
        self.out, self.err = capsys.readouterr()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


HEALTH = [
    "total_sessions",
    "success",
    "failed",
    "aborted",
    "running",
    "latest_session_id",
    "latest_session_at",
    "latest_session_state",
    "latest_issue_id",
    "latest_issue_state",
    "latest_issue_at",
    "latest_issue_error",
    "active_sessions",
]
ALERTS = [
    "root_dir",
    "generated_at",
    "stale_after_minutes",
    "total_sessions",
    "status_counts",
    "running_sessions",
    "alert_status",
    "has_alerts",
    "alert_counts",
    "latest_success_session_id",
    "latest_success_at",
    "latest_alert_session_id",
    "latest_alert_code",
    "latest_alert_at",
    "alerts",
]
ALERT = [
    "alert_code",
    "severity",
    "session_id",
    "status",
    "activity_at",
    "age_minutes",
    "error_type",
    "message",
    "path",
]
PROMOTION = [
    "root_dir",
    "generated_at",
    "max_candidates",
    "total_sessions",
    "promotion_ready_count",
    "promotion_blocked_count",
    "ready_candidates",
    "blocked_sessions",
    "criteria",
    "latest_ready_session_id",
    "latest_ready_at",
    "latest_blocked_session_id",
    "latest_blocked_at",
    "latest_blocked_reason",
]


def test_health_prints_the_contract_s_lines_first_and_in_order(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Said(capsys, "--paper-sessions-health", root).out.splitlines()
    assert [line.split(" : ")[0] for line in lines[: len(HEALTH)]] == HEALTH


def test_health_counts_an_unknown_status_and_names_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "paper-sessions", "health", root)
    assert said.out.splitlines()[-1] == "status_paused : 1"
    assert "WARNING: old_session: unknown status 'paused'" in said.err


def test_a_file_that_cannot_be_read_is_named_on_stderr(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        "WARNING: old_session: can't be read: report.json" in Said(capsys, "--paper-sessions-list", root).err
    )


def test_health_of_an_empty_root_has_no_latest_session(
    empty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Said(capsys, "paper-sessions", "health", empty).out.splitlines()
    assert lines[0] == "total_sessions : 0"
    assert "latest_session_id : None" in lines


def test_health_for_prometheus_has_help_type_and_labels(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Said(capsys, "paper-sessions", "health", root, "--format", "prometheus").out.splitlines()
    assert lines[1] == "# TYPE quantlab_paper_sessions gauge"
    assert f'quantlab_paper_sessions{{root="{root}",status="success"}} 5' in lines


def test_prometheus_leaves_out_the_time_of_a_session_that_is_not_there(
    empty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = Said(capsys, "paper-sessions", "health", empty, "--format", "prometheus")
    assert "timestamp" not in said.out


def test_health_as_json_and_csv_and_table_say_the_same(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("paper-sessions", "health", root, "--format")
    (row,) = csv.DictReader(io.StringIO(Said(capsys, *asked, "csv").out))
    assert row["total_sessions"] == str(Said(capsys, *asked, "json").json["total_sessions"])
    assert "paused   1" in Said(capsys, *asked, "table").out


def test_alerts_print_the_contract_s_json_and_nothing_else(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Said(capsys, "--paper-sessions-alerts", root, "--paper-stale-minutes", "60").json
    assert list(found)[: len(ALERTS)] == ALERTS
    assert all(list(alert)[: len(ALERT)] == ALERT for alert in found["alerts"])


def test_a_stale_alert_says_how_far_the_session_came_and_whether_its_process_lives(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alerts = Said(capsys, "--paper-sessions-alerts", root).json["alerts"]
    (stale,) = (alert for alert in alerts if alert["session_id"] == STALE)
    assert (stale["stage"], stale["bars_done"], stale["bars_expected"]) == ("simulating", 120, 730)
    assert stale["process_alive"] is None


def test_alerts_as_csv_and_table_name_every_alert(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("paper-sessions", "alerts", root, "--format")
    ids = [alert["session_id"] for alert in Said(capsys, *asked, "json").json["alerts"]]
    assert [row["session_id"] for row in csv.DictReader(io.StringIO(Said(capsys, *asked, "csv").out))] == ids
    table = Said(capsys, *asked, "table").out
    assert all(session_id in table for session_id in ids)


def test_the_alerts_table_of_a_quiet_root_is_one_line(
    empty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Said(capsys, "paper-sessions", "alerts", empty, "--format", "table").out == "ok: 0 alerts\n"


def test_the_exit_code_of_alerts_is_critical_for_a_failure(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Said(capsys, "paper-sessions", "alerts", root, "--exit-code").code == 2


def test_the_exit_code_of_alerts_is_ok_for_a_quiet_root(
    empty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Said(capsys, "paper-sessions", "alerts", empty, "--exit-code").code == 0


def test_the_exit_code_of_alerts_is_a_warning_for_an_aborted_session(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sessions(tmp_path / "root") as built:
        built.started("one", utc_now()).aborted("one", utc_now())
    assert Said(capsys, "paper-sessions", "alerts", built.root, "--exit-code").code == 1


def test_without_exit_code_alerts_exit_0(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Said(capsys, "paper-sessions", "alerts", root).code == 0


@pytest.mark.parametrize("arguments", [("--stale-minutes", "0"), ("--no-such-flag",)])
def test_alerts_that_could_not_tell_exit_3(
    root: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert Said(capsys, "paper-sessions", "alerts", root, "--exit-code", *arguments).code == 3


@pytest.mark.parametrize("minutes", ["0", "-1", "abc", "1.5", "", "9999999999", "\u0663"])
@pytest.mark.parametrize("flag", ["--stale-minutes", "--paper-stale-minutes"])
def test_stale_minutes_must_be_a_positive_whole_number(
    root: Path, capsys: pytest.CaptureFixture[str], flag: str, minutes: str
) -> None:
    said = Said(capsys, "--paper-sessions-alerts", root, flag, minutes)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert "expected a positive whole number of minutes" in said.err


def test_promotion_prints_the_contract_s_json_and_nothing_else(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Said(capsys, "--paper-sessions-promotion", root).json
    assert list(found) == PROMOTION
    assert found["latest_ready_session_id"] == READY


def test_promotion_names_at_most_max_candidates(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = Said(capsys, "paper-sessions", "promotion", root, "--max-candidates", "1").json
    assert ([row["session_id"] for row in found["ready_candidates"]], found["promotion_ready_count"]) == (
        [READY],
        2,
    )


def test_promotion_as_csv_and_table_have_ready_and_blocked(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("paper-sessions", "promotion", root, "--format")
    rows = list(csv.DictReader(io.StringIO(Said(capsys, *asked, "csv").out)))
    assert {row["broker_promotion_ready"] for row in rows} == {"true", "false"}
    assert f"{EDITED}  no     amended_outside" in Said(capsys, *asked, "table").out


def test_the_promotion_table_of_an_empty_root_is_one_line(
    empty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = Said(capsys, "paper-sessions", "promotion", empty, "--format", "table")
    assert said.out == "0 ready, 0 blocked\n"


def test_the_list_has_the_newest_session_first(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Said(capsys, "--paper-sessions-list", root).out.splitlines()
    assert lines[0].split()[:3] == ["session_id", "status", "ticker"]
    assert lines[1].startswith("20260310_115900_paper_live0007  running  ETH-USD")
    assert lines[-1].startswith("old_session")


def test_the_list_is_filtered_by_status_ticker_and_limit(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("paper-sessions", "list", root, "--format", "json")
    failed = Said(capsys, *asked, "--status", "failed", "--status", "aborted", "--ticker", "SPY").json
    assert [row["session_id"] for row in failed["sessions"]] == [FAILED]
    assert Said(capsys, *asked, "--limit", "3").json["n_sessions"] == 3


def test_the_list_is_filtered_by_the_day_of_creation(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    since = Said(capsys, "paper-sessions", "list", root, "--format", "json", "--since", "2026-03-08")
    assert [row["session_id"] for row in since.json["sessions"]] == ["20260310_115900_paper_live0007", STALE]


def test_since_must_be_a_time(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "paper-sessions", "list", root, "--since", "last week")
    assert (said.code, said.err.count("\n")) == (2, 1)


def test_duplicates_are_listed_with_whether_they_agree(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Said(capsys, "paper-sessions", "list", root, "--duplicates").out.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        [READY, "success", "yes"],
        ["20260301_080000_paper_aaaa0001", "success", "yes"],
    ]


def test_duplicates_as_csv_have_their_columns_last(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "paper-sessions", "list", root, "--duplicates", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert list(rows[0])[-2:] == ["duplicates", "duplicates_agree"]
    assert {row["duplicates_agree"] for row in rows} == {"true"}


def test_an_empty_root_says_how_to_start(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Start one: quantlab run" in Said(capsys, "--paper-sessions-list", empty).out


def test_an_empty_root_as_csv_is_the_header(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "paper-sessions", "list", empty, "--format", "csv")
    assert said.out.startswith("session_id,status,created_at")
    assert said.out.count("\n") == 1


def test_paths_are_those_of_the_root_as_it_stands_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sessions(tmp_path / "before") as built:
        built.success("one", utc_now())
    built.root.rename(tmp_path / "after")
    (row,) = Said(capsys, "paper-sessions", "list", tmp_path / "after", "--format", "json").json["sessions"]
    assert row["path"] == str(tmp_path / "after" / "one")


def test_show_has_every_section_of_a_session(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = Said(capsys, "--paper-sessions-show", root / EDITED).out
    titles = [
        line for line in out.splitlines() if line and not line.startswith((" ", "#", "1", "2", "3", "4", "5"))
    ]
    assert titles == [
        "State",
        "Identity",
        "Timing (UTC)",
        "Figures",
        "Promotion",
        "Files",
        "Amendments",
        "Proof",
        "Timeline",
    ]
    assert "session_status.json: status_reason 'completed' -> 'fine'" in out


def test_show_tells_error_and_stage_of_a_failed_session(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Said(capsys, "paper-sessions", "show", root / FAILED).out
    assert "error_type    : DataError" in out
    assert "failed   session               DataError: No prices." in out


def test_show_finds_a_session_whose_folder_is_gone(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "--paper-sessions-show", root / GONE)
    assert said.code == 0
    assert "(gone)" in said.out


def test_show_as_json_names_the_files_that_are_there(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = Said(capsys, "paper-sessions", "show", f"{root / EDITED}/", "--format", "json").json
    assert found["artifacts"] == [str(root / EDITED / "trades.csv")]
    assert found["proof"]["outcome"] == "identical"


def test_show_takes_an_id_with_a_ledger_url(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "paper-sessions", "show", READY, "--ledger", f"sqlite:///{root}/ledger.db")
    assert f"session_id     : {READY}" in said.out


def test_show_of_a_renamed_folder_goes_by_the_id_in_its_files(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    renamed = root / "renamed"
    renamed.mkdir(exist_ok=True)
    (renamed / "session_status.json").write_text("[]")
    (renamed / "report.json").write_text(json.dumps({"header": {"run_id": READY}}))
    assert Said(capsys, "paper-sessions", "show", renamed, "--format", "json").json["session_id"] == READY
    (renamed / "session_metadata.json").write_text(json.dumps({"session_id": FAILED}))
    assert Said(capsys, "paper-sessions", "show", renamed, "--format", "json").json["session_id"] == FAILED


@pytest.mark.parametrize("place", ["nothing", "../elsewhere/nothing"])
def test_a_session_that_is_not_there_is_answered_with_where_to_look(
    root: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    said = Said(capsys, "--paper-sessions-show", f"{root}/{place}")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "quantlab paper-sessions list" in said.err


@pytest.mark.parametrize("session_dir", ["", "postgresql://user:secret@host/ledger"])
def test_what_can_be_no_session_is_refused(session_dir: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "paper-sessions", "show", session_dir)
    assert said.code == 2
    assert "secret" not in said.err


def test_a_file_is_no_session(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "paper-sessions", "show", root / "ledger.db")
    assert (said.code, "is a file" in said.err) == (2, True)


@pytest.mark.parametrize("command", ["list", "health", "alerts", "promotion"])
def test_a_missing_root_and_a_file_are_refused_in_one_line(
    root: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    for place in (root / "none", root / "ledger.db", ""):
        said = Said(capsys, f"--paper-sessions-{command}", place)
        assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)


def test_no_root_and_no_ledger_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "paper-sessions", "health")
    assert (said.code, "ROOT is missing" in said.err) == (2, True)


def test_a_ledger_url_stands_for_a_root(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "paper-sessions", "health", f"sqlite:///{root}/ledger.db")
    assert said.out.startswith("total_sessions : 10\n")


def test_the_environment_may_name_the_ledger(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTLAB_LEDGER", f"sqlite:///{root}/ledger.db")
    assert Said(capsys, "paper-sessions", "health").out.startswith("total_sessions : 10\n")


def test_two_ledgers_in_one_call_are_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{root}/ledger.db"
    assert Said(capsys, "paper-sessions", "health", url, "--ledger", url).code == 2


def test_a_shared_ledger_knows_each_session_s_own_root(
    root: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    url = f"sqlite:///{root}/ledger.db"
    found = Said(capsys, "paper-sessions", "list", tmp_path, "--ledger", url, "--format", "json").json
    assert found["sessions"][0]["path"] == str(root / found["sessions"][0]["session_id"])
    assert found["sessions"][-1]["path"] == str(tmp_path / "old_session")


def test_a_ledger_in_memory_says_so_on_stderr(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantlab.store.reader.Reader.in_memory", True, raising=False)
    monkeypatch.setattr("quantlab.store.reader.Reader.__setattr__", keep_in_memory)
    assert "NOTE:" in Said(capsys, "paper-sessions", "health", root).err


def keep_in_memory(reader: object, name: str, value: object) -> None:
    object.__setattr__(reader, name, True if name == "in_memory" else value)


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


def test_a_metadata_file_larger_than_any_session_s_is_not_read_for_its_id(tmp_path: Path) -> None:
    folder = tmp_path / "by its name"
    folder.mkdir()
    with (folder / "session_metadata.json").open("wb") as handle:
        handle.write(b'{"session_id": "another"}')
        handle.write(b" " * 32 * 1024 * 1024)
    assert find_session(str(folder), None)[1] == "by its name"


def test_a_stream_that_is_no_terminal_counts_as_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert output.terminal_width() == 80


def test_a_column_that_must_not_be_cut_keeps_its_text_and_the_others_make_room() -> None:
    table = output.Table(["status", "session", "why"], never_cut=(1,))
    table.add(["aborted", "20260302_aaaa", "seen as dead"])
    assert table.text(23).splitlines()[1] == "abor…  20260302_aaaa  …"


def test_a_table_that_cannot_fit_is_as_narrow_as_it_can_be() -> None:
    table = output.Table(["status", "session"], never_cut=(1,))
    table.add(["aborted", "20260302_aaaa"])
    assert table.text(3).splitlines()[1] == "…  20260302_aaaa"
