"""Which guards and views a database holds, beside those that it should hold: a text for each, equal where they are.

SQLite keeps our own texts. PostgreSQL keeps what it made of them, so a trigger is compared by all that its text says, a
function by its body and settings, and a view by what the server makes of today's text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlalchemy import exc

from quantlab.store import guards, views
from quantlab.store.schema import metadata

if TYPE_CHECKING:
    import sqlalchemy as sa

Made = dict[str, tuple[str, str]]
"""Each view's text as the database keeps it when made from ours, and when made anew from that, as after a dump."""

_VIEW = "view"
"""Stands for the text of a view that is as it should be."""
_NOT_TO_BE_MADE = ("0A", "25", "42")
"""SQLSTATE classes of a view that can't be made: on a standby, read-only, no right to, or its tables are not ours."""
_TRIGGER = re.compile(
    r"CREATE TRIGGER (?P<name>\w+) (?P<when>BEFORE|AFTER) (?P<events>[A-Z ]+) ON (?P<table>\w+)"
    r" FOR EACH (?P<level>ROW|STATEMENT) EXECUTE FUNCTION (?P<function>\w+)\(\)"
)
_TRIGGER_BITS = {"ROW": 1, "BEFORE": 2, "INSERT": 4, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}
"""As `pg_trigger.tgtype` has them; words without one (AFTER, STATEMENT, OR) are the other's absence."""

_FUNCTIONS = """\
SELECT proname, concat_ws(' ', lanname, provolatile, CASE WHEN prosecdef THEN 'definer' ELSE 'invoker' END,
  CASE WHEN proconfig = ARRAY['search_path=' || quote_ident(current_schema()) || ', pg_temp']
    THEN 'pinned' ELSE 'loose' END, prosrc)
FROM pg_proc JOIN pg_language ON pg_language.oid = prolang
WHERE starts_with(proname, 'quantlab') AND pronamespace = current_schema()::regnamespace"""
_TRIGGERS = f"""\
SELECT tgname, concat_ws(' ', relname, tgtype,
  CASE WHEN pronamespace = current_schema()::regnamespace THEN proname END,
  CASE WHEN tgenabled IN ('O', 'A') THEN 'on' END,
  CASE WHEN tgqual IS NULL AND tgattr::text = '' AND tgnargs = 0 AND tgconstraint = 0
    AND tgoldtable IS NULL AND tgnewtable IS NULL THEN 'always' END)
FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid
WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace
  AND relname IN ({", ".join(f"'{name}'" for name in metadata.tables)})"""
_VIEWS = f"""\
SELECT relname, pg_get_viewdef(oid) FROM pg_class
WHERE relkind = 'v' AND relnamespace = {{schema}}::regnamespace
  AND relname IN ({", ".join(f"'{name}'" for name in views.POSTGRES)})"""


def made_views(connection: sa.Connection) -> Made | None:
    """Return the text of every view as the database would keep it; None where a server lets us make none to see.

    Args:
        connection: In a transaction that has asked nothing yet, and that will be rolled back.
    """
    if connection.dialect.name == "sqlite":
        return {}  # SQLite keeps our own text
    try:
        connection.exec_driver_sql("SET TRANSACTION READ WRITE")
        ours = _made(connection, views.POSTGRES)
        dumped = _made(connection, {name: f"CREATE VIEW {name} AS {text}" for name, text in ours.items()})
    except exc.DBAPIError as error:
        if str(getattr(error.orig, "sqlstate", "")).startswith(_NOT_TO_BE_MADE):
            return None
        raise
    return {name: (text, dumped[name]) for name, text in ours.items()}


def _made(connection: sa.Connection, statements: dict[str, str]) -> dict[str, str]:
    for text in statements.values():
        temporary = text.replace("CREATE VIEW", "CREATE OR REPLACE TEMPORARY VIEW", 1)
        connection.exec_driver_sql(temporary.replace("%", "%%"))  # else a placeholder of psycopg's
    return _found(connection, _VIEWS.format(schema="pg_my_temp_schema()"))


def expected(connection: sa.Connection) -> dict[str, str]:
    """Return name and text of every guard and view that a ledger should have."""
    if connection.dialect.name == "sqlite":
        return {_named(text): text for text in guards.SQLITE} | views.SQLITE
    functions = [text for text in guards.POSTGRES if "$$" in text]
    triggers = [found for text in guards.POSTGRES if (found := _TRIGGER.fullmatch(text))]
    bodies = {_named(text): f"plpgsql v invoker pinned {text.split('$$')[1]}" for text in functions}
    return (
        bodies | {found["name"]: _trigger(found) for found in triggers} | dict.fromkeys(views.POSTGRES, _VIEW)
    )


def found(connection: sa.Connection, made: Made | None) -> dict[str, str]:
    """Return name and text of every guard and view that a ledger has, to be held against `expected`.

    Args:
        connection: Holds the snapshot.
        made: What `made_views` returned; where that is None, views are looked for by name only.
    """
    if connection.dialect.name == "sqlite":
        return _found(connection, "SELECT name, sql FROM sqlite_master WHERE type IN ('trigger', 'view')")
    there = _found(connection, _VIEWS.format(schema="current_schema()"))
    shown = {name: _VIEW if made is None or text in made[name] else text for name, text in there.items()}
    return _found(connection, _FUNCTIONS) | _found(connection, _TRIGGERS) | shown


def _found(connection: sa.Connection, query: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, text in connection.exec_driver_sql(query):
        # A server may have several of one name, on different tables: then none is as it should be.
        texts[name] = f"{texts[name]}\n{text}" if name in texts else text
    return texts


def _trigger(text: re.Match[str]) -> str:
    words = (text["when"], text["level"], *text["events"].split())
    kind = sum(_TRIGGER_BITS.get(word, 0) for word in words)
    return f"{text['table']} {kind} {text['function']} on always"


def _named(statement: str) -> str:
    name = re.search(r"(?:TRIGGER|FUNCTION) (\w+)", statement)
    return name.group(1) if name else statement
