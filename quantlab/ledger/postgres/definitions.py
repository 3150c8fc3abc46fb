"""What a ledger's schema says on PostgreSQL, and what the server makes of today's texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import exc
from sqlalchemy.schema import CreateIndex, CreateTable

from quantlab.ledger.schema import metadata
from quantlab.ledger.sql import guards, views

if TYPE_CHECKING:
    import sqlalchemy as sa

    from quantlab.ledger.reader import Reader

_VIEW = "view"
"""Stands for the text of a view that is as it should be."""
_BY_NAME = {"table": "table", "index": "index"}
"""Stands for a text that can't be compared, where a server lets us make nothing to see."""
_NOT_TO_BE_MADE = ("0A", "25", "42")
"""SQLSTATE classes of what can't be made: on a standby, read-only, no right to, or its tables are not ours."""
_TRIGGER = re.compile(
    r"CREATE TRIGGER (?P<name>\w+) (?P<when>BEFORE|AFTER) (?P<events>[A-Z ]+) ON (?P<table>\w+)"
    r" FOR EACH (?P<level>ROW|STATEMENT) EXECUTE FUNCTION (?P<function>\w+)\(\)"
)
_TRIGGER_BITS = {"ROW": 1, "BEFORE": 2, "INSERT": 4, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}
"""As `pg_trigger.tgtype` has them; words without one (AFTER, STATEMENT, OR) are the other's absence."""
_TABLES = ", ".join(f"'{name}'" for name in metadata.tables)
_VIEW_NAMES = ", ".join(f"'{name}'" for name in views.of(sqlite=False))
_OURS = f"relname IN ({_TABLES}) AND relnamespace = {{schema}}::regnamespace"
_HERE = "current_schema()"
_TEMPORARY = "pg_my_temp_schema()"

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
WHERE NOT tgisinternal AND {_OURS.format(schema=_HERE)}"""
_VIEWS = f"""\
SELECT relname, pg_get_viewdef(oid) FROM pg_class
WHERE relkind = 'v' AND relnamespace = {{schema}}::regnamespace
  AND relname IN ({_VIEW_NAMES})"""
_COLUMNS = f"""\
SELECT relname, string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), collname,
    CASE WHEN attnotnull THEN 'NOT NULL' END, attidentity, attgenerated, pg_get_expr(adbin, adrelid)),
    E',\\n' ORDER BY attname)
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
LEFT JOIN pg_collation ON pg_collation.oid = attcollation
WHERE relkind = 'r' AND {_OURS} GROUP BY relname"""
_CONSTRAINTS = f"""\
SELECT relname, string_agg(concat_ws(' ', conname, pg_get_constraintdef(pg_constraint.oid),
    CASE WHEN NOT convalidated THEN 'not valid' END), E',\\n' ORDER BY conname)
FROM pg_class JOIN pg_constraint ON conrelid = pg_class.oid WHERE {_OURS} GROUP BY relname"""
_INDEXES = f"""\
SELECT of_index.relname, concat_ws(' ', CASE WHEN NOT indisvalid OR NOT indisready OR NOT indislive THEN 'broken' END,
  CASE WHEN NOT indimmediate THEN 'deferred' END,
  regexp_replace(pg_get_indexdef(indexrelid), ' ON .*? USING ', ' ON ' || ours.relname || ' USING '))
FROM (SELECT * FROM pg_class WHERE {_OURS}) AS ours JOIN pg_index ON indrelid = ours.oid
JOIN pg_class AS of_index ON of_index.oid = indexrelid"""
_NAMES = f"""\
SELECT relname, CASE relkind WHEN 'r' THEN 'table' ELSE 'index' END FROM pg_class
WHERE relkind = 'r' AND {_OURS.format(schema=_HERE)}
UNION ALL SELECT of_index.relname, 'index'
FROM (SELECT * FROM pg_class WHERE {_OURS.format(schema=_HERE)}) AS ours JOIN pg_index ON indrelid = ours.oid
JOIN pg_class AS of_index ON of_index.oid = indexrelid"""

_RELATIONS = f"""\
relnamespace = current_schema()::regnamespace
  AND relname IN ({_TABLES}, {_VIEW_NAMES})"""
_BESIDE = f"""\
SELECT 'the table ' || relname || ' is not kept over a crash (it is not an ordinary, logged table)' FROM pg_class
  WHERE {_OURS.format(schema=_HERE)} AND (relkind <> 'r' OR relpersistence <> 'p')
UNION ALL SELECT 'the table ' || relname || ' has row security, which may hide rows' FROM pg_class
  WHERE {_OURS.format(schema=_HERE)}
    AND (relrowsecurity OR relforcerowsecurity OR EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid))
UNION ALL SELECT 'the rule ' || rulename || ' on ' || relname || ' is none of ours'
  FROM pg_rewrite JOIN pg_class ON pg_class.oid = ev_class
  WHERE {_RELATIONS} AND rulename <> '_RETURN'
UNION ALL SELECT 'the table ' || relname || ' is part of another' FROM pg_class
  WHERE {_OURS.format(schema=_HERE)}
    AND EXISTS (SELECT FROM pg_inherits WHERE inhrelid = pg_class.oid OR inhparent = pg_class.oid)
UNION ALL SELECT relname || ' belongs to ' || pg_get_userbyid(relowner) || ', the ledger to '
    || pg_get_userbyid((SELECT relowner FROM pg_class WHERE oid = to_regclass('ledger_head')))
  FROM pg_class
  WHERE {_RELATIONS} AND relowner <> (SELECT relowner FROM pg_class WHERE oid = to_regclass('ledger_head'))
UNION ALL SELECT proname || ' belongs to ' || pg_get_userbyid(proowner) || ', the ledger to '
    || pg_get_userbyid((SELECT relowner FROM pg_class WHERE oid = to_regclass('ledger_head')))
  FROM pg_proc
  WHERE starts_with(proname, 'quantlab') AND pronamespace = current_schema()::regnamespace
    AND proowner <> (SELECT relowner FROM pg_class WHERE oid = to_regclass('ledger_head'))
UNION ALL SELECT 'triggers are switched off for this role or database (session_replication_role)'
  WHERE current_setting('session_replication_role') = 'replica'
ORDER BY 1"""


class Made(NamedTuple):
    """What a server makes of today's texts.

    Attributes:
        views: Each view's text as the database keeps it when made from ours, and when made anew from that, as after a
            dump.
        tables: Tables and indexes by name.
    """

    views: dict[str, tuple[str, str]]
    tables: dict[str, str]


def made(connection: sa.Connection) -> Made | None:
    """Make the tables, indexes and views of a ledger for this transaction alone, and return what they became.

    Returns:
        None where a server lets us make none to see.
    """
    try:
        connection.exec_driver_sql("SET TRANSACTION READ WRITE")
        for statement in _temporary_tables(connection.dialect):
            connection.exec_driver_sql(statement.replace("%", "%%"))  # else a placeholder of psycopg's
        tables = _tables(connection, _TEMPORARY)
        ours = _temporary_views(connection, views.of(sqlite=False))
        dumped = _temporary_views(
            connection, {name: f"CREATE VIEW {name} AS {text}" for name, text in ours.items()}
        )
    except exc.DBAPIError as error:
        if str(getattr(error.orig, "sqlstate", "")).startswith(_NOT_TO_BE_MADE):
            return None
        raise
    return Made({name: (text, dumped[name]) for name, text in ours.items()}, tables)


def expected(made_there: Made | None) -> dict[str, str]:
    """Return name and text of every definition that a ledger should have."""
    functions = [text for text in guards.of_postgres() if "$$" in text]
    triggers = [found for text in guards.of_postgres() if (found := _TRIGGER.fullmatch(text))]
    bodies = {_named(text): f"plpgsql v invoker pinned {text.split('$$')[1]}" for text in functions}
    return (
        bodies
        | {found["name"]: _trigger(found) for found in triggers}
        | dict.fromkeys(views.of(sqlite=False), _VIEW)
        | (_names() if made_there is None else made_there.tables)
    )


def found(connection: sa.Connection, made_there: Made | None) -> dict[str, str]:
    """Return name and text of every definition that a ledger has, to be held against `expected`."""
    there = _found(connection, _VIEWS.format(schema=_HERE))
    shown = {
        name: _VIEW if made_there is None or text in made_there.views[name] else text
        for name, text in there.items()
    }
    tables = _found(connection, _NAMES) if made_there is None else _tables(connection, _HERE)
    if made_there is None:
        tables = {name: kind for name, kind in tables.items() if name in _names()}
    return _found(connection, _FUNCTIONS) | _found(connection, _TRIGGERS) | shown | tables


def beside(connection: sa.Connection) -> list[str]:
    """Tell what stands beside the definitions and undoes them: rules, row security, inheritance, owners."""
    return list(connection.exec_driver_sql(_BESIDE.replace("%", "%%")).scalars())


def told_cheaply(reader: Reader) -> list[str]:
    """Name what differs of the definitions that can be compared without making any to see."""
    there: dict[str, str] = {}
    for query in (_FUNCTIONS, _TRIGGERS, _VIEWS.format(schema=_HERE), _NAMES):
        for row in reader.rows(query):
            name, text = row.values()
            there[name] = f"{there[name]}\n{text}" if name in there else text
    wanted = expected(None)
    differ = [
        name for name, text in wanted.items() if name not in there or (text != _VIEW and there[name] != text)
    ]
    more = [name for name in there if name not in wanted and not there[name].startswith(("table", "index"))]
    aside: list[str] = [next(iter(row.values())) for row in reader.rows(_BESIDE)]
    return sorted({*differ, *more, *aside})


def _temporary_tables(dialect: sa.Dialect) -> list[str]:
    statements = []
    for table in metadata.sorted_tables:
        statements.append(
            str(CreateTable(table).compile(dialect=dialect)).replace(
                "CREATE TABLE", "CREATE TEMPORARY TABLE", 1
            )
        )
        statements += [str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes]
    return statements


def _temporary_views(connection: sa.Connection, statements: dict[str, str]) -> dict[str, str]:
    for text in statements.values():
        temporary = text.replace("CREATE VIEW", "CREATE OR REPLACE TEMPORARY VIEW", 1)
        connection.exec_driver_sql(temporary.replace("%", "%%"))
    return _found(connection, _VIEWS.format(schema=_TEMPORARY))


def _tables(connection: sa.Connection, schema: str) -> dict[str, str]:
    columns = _found(connection, _COLUMNS.format(schema=schema))
    constraints = _found(connection, _CONSTRAINTS.format(schema=schema))
    indexes = _found(connection, _INDEXES.format(schema=schema))
    return {
        name: f"table {name} ({text})\n{constraints.get(name, 'without constraints')}"
        for name, text in columns.items()
    } | {name: f"index {text}" for name, text in indexes.items()}


def _names() -> dict[str, str]:
    """Return the names of tables and indexes that the models give; keys' own indexes are named by the server."""
    tables = dict.fromkeys(metadata.tables, _BY_NAME["table"])
    return tables | {
        str(index.name): _BY_NAME["index"] for table in metadata.tables.values() for index in table.indexes
    }


def _found(connection: sa.Connection, query: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, text in connection.exec_driver_sql(query.replace("%", "%%")):
        # A server may have several of one name, on different tables: then none is as it should be.
        texts[name] = f"{texts[name]}\n{text}" if name in texts else text
    return texts


def _trigger(text: re.Match[str]) -> str:
    words = (text["when"], text["level"], *text["events"].split())
    kind = sum(_TRIGGER_BITS.get(word, 0) for word in words)
    return f"{text['table']} {kind} {text['function']} on always"


def _named(statement: str) -> str:
    name = re.search(r"FUNCTION (\w+)", statement)
    return name.group(1) if name else statement
