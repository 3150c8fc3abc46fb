from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.sessions_builder import Sessions, ago, one_of_each

from quantlab.ledger.sql import views

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = (DOCS / "sql.md").read_text()
METADATA: dict[str, Any] = json.loads((DOCS / "datasette-metadata.json").read_text())["databases"]["ledger"]
BLOCK = re.compile(
    r"### (?P<question>[^\n]+)\n(?:(?!#)[^\n]*\n)*?```sql\n(?P<sql>.*?)```\n(?:```text\n(?P<result>.*?)```)?",
    re.DOTALL,
)
QUESTIONS = [(found["question"], found["sql"], found["result"]) for found in BLOCK.finditer(PAGE)]
TABLES = ("events", "ledger_head", "paper_sessions", "session_counts", "pending_files")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    with Sessions(tmp_path_factory.mktemp("root")) as built:
        one_of_each(built)
    connection = sqlite3.connect(built.root / "ledger.db")
    yield connection
    connection.close()


def rendered(connection: sqlite3.Connection, sql: str) -> str:
    """Return a query's result as the page shows it."""
    cursor = connection.execute(sql)
    lines = [[column[0] for column in cursor.description]]
    lines += [["NULL" if value is None else str(value) for value in row] for row in cursor]
    return "".join(" | ".join(line) + "\n" for line in lines)


def columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [column[0] for column in connection.execute(f"SELECT * FROM {table} LIMIT 0").description]


def test_the_cookbook_has_its_questions() -> None:
    assert len(QUESTIONS) == PAGE.count("```sql") >= 15


@pytest.mark.parametrize(("question", "sql", "result"), QUESTIONS, ids=[one[0] for one in QUESTIONS])
def test_a_question_of_the_page_is_answered_as_the_page_says(
    sample: sqlite3.Connection, question: str, sql: str, result: str
) -> None:
    assert rendered(sample, sql) == result
    assert result.count("\n") > 1, f"the sample has nothing to show for {question!r}"


def test_the_page_s_twins_are_all_of_them_however_their_prices_were_spelled(tmp_path: Path) -> None:
    with Sessions(tmp_path) as built:
        for session_id, config_hash in (("s1", "1" * 64), ("s2", "2" * 64)):
            built.success(session_id, ago(days=2), config_hash=config_hash, data_hash="d" * 64)
    asked = next(sql for question, sql, _result in QUESTIONS if question == "Which sessions are those?")
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        assert [row[0] for row in connection.execute(asked)] == ["s1", "s2"]


@pytest.mark.parametrize("name", [*TABLES, *views.of(sqlite=True)])
def test_every_table_and_view_is_on_the_page(name: str) -> None:
    assert f"| `{name}` |" in PAGE


def test_every_column_that_the_page_explains_is_there(sample: sqlite3.Connection) -> None:
    explained = PAGE.split("| column | meaning |")[1].split("\n\n")[0]
    names = [
        name
        for line in explained.splitlines()
        for name in re.findall(r"`(\w+)`", line.split("|")[1:2][0] if "|" in line else "")
    ]
    assert names
    assert set(names) <= {*columns(sample, "paper_sessions")}


@pytest.mark.parametrize("name", METADATA["tables"])
def test_datasette_s_descriptions_name_columns_that_are_there(sample: sqlite3.Connection, name: str) -> None:
    assert set(METADATA["tables"][name]["columns"]) <= set(columns(sample, name))
    assert METADATA["tables"][name]["description"]


def test_datasette_describes_every_table_and_view() -> None:
    assert set(METADATA["tables"]) == {*TABLES, *views.of(sqlite=True)}


@pytest.mark.parametrize("name", METADATA["queries"])
def test_datasette_s_questions_run(sample: sqlite3.Connection, name: str) -> None:
    asked = METADATA["queries"][name]
    parameters = dict.fromkeys(asked.get("params", ()), "20260306_080000_paper_edit0008")
    assert sample.execute(asked["sql"], parameters).fetchall()
