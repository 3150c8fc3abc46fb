"""Guards and views stand in `.sql` files, complete for the events and columns that there are."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import make_sql
import pytest

from quantlab.domain import events
from quantlab.domain.session import NAMES
from quantlab.ledger.sql import guards, texts, views

if TYPE_CHECKING:
    from pathlib import Path

FILES = make_sql.parts()
MADE = make_sql.files()


@pytest.mark.parametrize("path", MADE, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_file_says_what_the_domain_gives_to_it(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == MADE[path]


def test_every_text_is_made_by_the_script() -> None:
    assert {path for path in texts.FOLDER.glob("*/*") if path.suffix in (".sql", ".json")} == set(MADE)


@pytest.mark.parametrize("file", FILES)
def test_every_part_stands_in_its_file(file: str) -> None:
    named = texts.with_names((texts.FOLDER / file).read_text(encoding="utf-8"), FILES[file])
    assert [name for name in FILES[file] if f"<{name}>" not in named] == []


@pytest.mark.parametrize("file", FILES)
def test_no_two_parts_of_a_file_are_alike(file: str) -> None:
    assert len(set(FILES[file].values())) == len(FILES[file])


@pytest.mark.parametrize("file", FILES)
def test_every_statement_has_a_comment_above_it(file: str) -> None:
    paragraphs = (texts.FOLDER / file).read_text(encoding="utf-8").split("\n\n")
    assert [one for one in paragraphs if not one.startswith("-- ")] == []


@pytest.mark.parametrize("file", FILES)
def test_no_comment_is_kept_by_the_database(file: str) -> None:
    assert "--" not in "".join(texts.statements(file, FILES[file]).values())


def test_an_event_that_is_new_is_taken_before_the_files_are_made_anew() -> None:
    later = guards.parts(sqlite=True)
    later = later | {"annotations": f"{later['annotations']}, 'reviewed'"}
    insert = texts.statements("sqlite/guards.sql", later)["events_guard_insert"]
    assert insert.count("'reviewed'") == 1
    assert insert.replace(", 'reviewed'", "") == guards.of_sqlite()[0]


def test_a_part_that_is_new_is_put_where_its_name_stands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(texts.FOLDER, tmp_path / "sql")
    monkeypatch.setattr(texts, "FOLDER", tmp_path / "sql")
    file = tmp_path / "sql" / "sqlite" / "forward.sql"
    file.write_text(f"{file.read_text()}\n-- a\nCREATE VIEW late AS SELECT <late> FROM events;\n")
    given = views.FILES["forward.sql"]
    monkeypatch.setitem(views.FILES, "forward.sql", lambda dialect: given(dialect) | {"late": dialect.now})
    made = make_sql.files()[tmp_path / "sql" / "postgres" / "forward.sql"]
    assert "-- a\n-- Made from the domain: late.\nCREATE VIEW late AS SELECT to_char((now())" in made


@pytest.mark.parametrize("sqlite", [True, False], ids=["sqlite", "postgres"])
def test_every_column_and_every_line_is_in_the_views(sqlite: bool) -> None:
    made = views.of(sqlite=sqlite)
    listed = made["session_list"].replace("\n", " ").replace(",", " ").split()
    assert [name for name in NAMES if name not in listed] == []
    told = [name for name, event in events.TYPES.items() if event.line]
    assert [name for name in told if f"WHEN '{name}' THEN" not in made["session_timeline"]] == []
