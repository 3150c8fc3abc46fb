"""What earlier programs recorded stays as it is: hashes, digests, documents, exports, answers and refusals.

The files of tests/golden were made by the code of commit 77ed508, the ledgers by that of each schema's time
(tests/make_golden.py tells how). Nothing is made anew here to fit: a difference is a fault, or named by an issue.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import socket
import sqlite3
from contextlib import chdir, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg
import pytest
from psycopg.rows import dict_row
from support.golden_questions import answers, trials
from support.postgres_server import plain

from quantlab.cli.main import run
from quantlab.domain.config import RunConfig, config_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOLDEN = Path(__file__).resolve().parent / "golden"
MADE_IN = "/tmp/quantlab-golden/sessions/outputs/paper_sessions"
INDEX = ("paper_sessions_index.csv", "paper_sessions_index.json", "paper_sessions_index.md")
Answers = dict[str, list[dict[str, Any]]]


def golden(name: str) -> Any:
    return json.loads((GOLDEN / name).read_bytes())


SESSIONS: dict[str, Any] = golden("sessions.json")
SUCCEEDED = sorted(
    name for name, one in SESSIONS.items() if (GOLDEN / "root" / one["id"] / "report.json").exists()
)
FOLDERS = sorted(folder.name for folder in (GOLDEN / "root").iterdir())
REVISIONS = sorted(path.name.partition(".")[0] for path in (GOLDEN / "ledgers").glob("*.db.gz"))


def unpacked(packed: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.decompress(packed.read_bytes()))
    return target


def is_of_another_program(folder: str) -> bool:
    """Tell whether a folder was adopted: its files are nobody's to make."""
    return folder.startswith("2025")


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root of which the ledger and the kept prices alone are left, after everything else was made anew."""
    root = tmp_path_factory.mktemp("golden") / "paper_sessions"
    unpacked(GOLDEN / "ledger.db.gz", root / "ledger.db")
    for folder in FOLDERS:
        if is_of_another_program(folder):
            shutil.copytree(GOLDEN / "root" / folder, root / folder)
            continue
        (root / folder / "artifacts").mkdir(parents=True)
        for packed in (GOLDEN / "root" / folder).rglob("prices.csv.gz"):
            unpacked(packed, root / folder / "artifacts" / "prices.csv")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            socket, "gethostname", lambda: "golden"
        )  # else the killed session might still be at work
        assert run(["ledger", "migrate", str(root)]) == 0
        assert run(["ledger", "rebuild", str(root)]) == 0
    return root


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_of_an_earlier_session_is_made_byte_for_byte(rebuilt: Path, folder: str) -> None:
    expected = {path.name: path.read_bytes() for path in compared(folder)}
    assert {name: (rebuilt / folder / name).read_bytes() for name in expected} == expected


def compared(folder: str) -> list[Path]:
    """Return the documents and tables of a session; its prices are what they are made from."""
    return sorted(path for path in (GOLDEN / "root" / folder).iterdir() if path.is_file())


def test_the_files_that_are_compared_are_of_every_kind() -> None:
    assert {path.name for folder in FOLDERS for path in compared(folder)} == {
        "config.json",
        "metadata.json",
        "metrics.json",
        "report.json",
        "run_report.md",
        "session_metadata.json",
        "session_status.json",
        "trades.csv",
    }


def test_rebuilding_makes_no_event_and_the_chain_holds(
    rebuilt: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ledger", "verify", str(rebuilt)]) == 0
    capsys.readouterr()
    events = "SELECT * FROM events ORDER BY sequence"
    before = unpacked(GOLDEN / "ledger.db.gz", rebuilt.parent / "before.db")
    assert stored(rebuilt / "ledger.db", events) == stored(before, events)


def test_the_exports_show_earlier_sessions_as_before(
    rebuilt: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Contract 8 lets columns be added; what stood in a column stands there."""
    assert run(["paper-sessions", "index", str(rebuilt)]) == 0
    capsys.readouterr()
    for name, rows_of in READING.items():
        shown, before = (rows_of((root / name).read_text()) for root in (rebuilt, GOLDEN))
        known = [
            {
                column: row[column].replace(str(rebuilt), MADE_IN)
                if isinstance(row[column], str)
                else row[column]
                for column in then
            }
            for row, then in zip(shown, before, strict=True)
        ]
        assert known == before


def of_csv(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text)))


def of_json(text: str) -> list[dict[str, Any]]:
    """Return the header and then the sessions."""
    document = json.loads(text)
    return [{name: value for name, value in document.items() if name != "sessions"}, *document["sessions"]]


def of_markdown(text: str) -> list[dict[str, Any]]:
    """Return the lines above the table as one row, by their place, and then the table's rows."""
    above, _, table = text.partition("\n| ")
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines()]
    header = {f"line {place}": line for place, line in enumerate(above.splitlines())}
    return [header, *(dict(zip(rows[0], row, strict=True)) for row in rows[2:])]


READING = dict(zip(INDEX, (of_csv, of_json, of_markdown), strict=True))


@pytest.mark.parametrize("name", SUCCEEDED)
def test_the_same_settings_and_prices_give_the_same_result_in_a_session_of_today(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    before = GOLDEN / "root" / SESSIONS[name]["id"]
    unpacked(before / "artifacts" / "prices.csv.gz", tmp_path / "kept.csv")
    words = [
        word if word not in ("synthetic", "prices.csv") else "kept.csv" for word in SESSIONS[name]["words"]
    ]
    with chdir(tmp_path):
        assert run(words) == 0
    capsys.readouterr()
    (now,) = (tmp_path / "outputs" / "paper_sessions").glob("*_paper_*/")
    assert result(now) == result(before)


def result(folder: Path) -> tuple[str, str]:
    metadata = json.loads((folder / "session_metadata.json").read_bytes())
    return metadata["data"]["hash"], metadata["result_digest"]


@pytest.mark.parametrize("name", sorted(SESSIONS.keys() - {"vanished"}))
def test_a_configuration_has_the_hash_that_it_had(name: str) -> None:
    folder = GOLDEN / "root" / SESSIONS[name]["id"]
    known = json.loads((folder / "config.json").read_bytes())
    expected = json.loads((folder / "session_metadata.json").read_bytes())["config_hash"]
    assert config_hash(msgspec.convert(known, RunConfig)) == expected


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_ledger_of_an_earlier_schema_is_upgraded_on_first_use_to_the_same_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], revision: str
) -> None:
    packed = GOLDEN / "ledgers" / f"{revision}.db.gz"
    ledger = unpacked(packed, tmp_path / "ledger.db")
    assert run(["paper-sessions", "list", str(tmp_path)]) == 0
    capsys.readouterr()
    for table, expected in golden(f"ledgers/{revision}.json").items():
        found = {frozenset(_known(row, expected).items()) for row in named(ledger, f"SELECT * FROM {table}")}
        assert found == {frozenset(row.items()) for row in expected}
    assert run(["ledger", "verify", str(tmp_path)]) == 0
    backups = list(tmp_path.glob("ledger.db.before-*"))
    ((upgraded,),) = stored(ledger, "SELECT version_num FROM alembic_version")
    assert [stored(one, "SELECT version_num FROM alembic_version") for one in backups] == (
        [] if upgraded == revision else [[(revision,)]]
    )


def _known(row: dict[str, Any], expected: list[dict[str, Any]]) -> dict[str, Any]:
    """Leave out the columns that the ledger has gained since."""
    return {name: row[name] for name in expected[0]}


@pytest.fixture(params=["sqlite", "postgresql"])
def ask(
    request: pytest.FixtureRequest, rebuilt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """Ask the golden ledger by a plain client: its file, or a server's after an import."""
    if request.param == "sqlite":
        shutil.copyfile(rebuilt / "ledger.db", tmp_path / "ledger.db")
        with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as file:
            file.row_factory = sqlite3.Row
            yield lambda sql: [dict(row) for row in file.execute(sql)]
        return
    url = request.getfixturevalue("postgres_url")
    assert run(["ledger", "export", str(rebuilt), "--output", str(tmp_path / "events.jsonl")]) == 0
    assert run(["ledger", "import", url, str(tmp_path / "events.jsonl")]) == 0
    capsys.readouterr()
    with psycopg.connect(plain(url), autocommit=True, row_factory=dict_row) as server:

        def asked(sql: str) -> list[dict[str, Any]]:
            cursor = server.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

        yield asked


SAYS_MORE = (
    "promotion_ready",
    "broker_promotion_ready",
    "broker_promotion_reasons",
    "broker_promotion_blockers",
)
"""What contract 8 has changed since: more checks, and so more reasons and blockers."""


def _kept(before: dict[str, Any]) -> dict[str, Any]:
    return {name: before[name] for name in SAYS_MORE if name in before}


def test_the_views_answer_as_before(ask: Callable[[str], list[dict[str, Any]]]) -> None:
    expected: Answers = golden("answers.json")
    found: Answers = {
        view: [
            {name: row[name] for name in before if name not in SAYS_MORE} | _kept(before)
            for row, before in zip(rows, expected[view], strict=True)
        ]
        for view, rows in answers(ask).items()
    }
    assert found == expected


def test_the_guards_refuse_what_they_refused_and_nothing_else(
    ask: Callable[[str], list[dict[str, Any]]],
) -> None:
    counted = ask("SELECT session_id, MAX(session_version) AS version FROM events GROUP BY session_id")
    versions = {row["session_id"]: int(row["version"]) for row in counted}
    (head,) = ask("SELECT sequence, hash FROM ledger_head")
    refused = {}
    for what, statement in trials(golden("states.json"), versions, (head["sequence"], head["hash"])):
        ask("BEGIN")
        try:
            ask(statement)
            refused[what] = False
        except (sqlite3.IntegrityError, psycopg.errors.IntegrityError, psycopg.errors.RaiseException):
            refused[what] = True
        ask("ROLLBACK")
    assert refused == golden("refused.json")


def stored(file: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(sql).fetchall()


def named(file: Path, sql: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(file)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql)]
