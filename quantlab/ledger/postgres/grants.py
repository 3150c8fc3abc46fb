"""Roles with the least rights that their work needs: a session's, an operator's, a reader's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from quantlab.base.errors import ConfigError
from quantlab.base.remedies import Setting
from quantlab.domain.session import NAMES
from quantlab.ledger.schema import metadata
from quantlab.ledger.sql import views

if TYPE_CHECKING:
    import sqlalchemy as sa

ROLES = {
    "session": "records sessions and their files: appends events and keeps their rows, rewrites and drops nothing",
    "operator": "as a session, and makes the projection anew (ledger rebuild)",
    "reader": "asks, and verifies",
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}")
_CHANGING = tuple(name for name in NAMES if name != "session_id")
_SESSION = (
    ("INSERT", "events"),
    # The trigger that moves the head runs with the role's own rights, and so does the lock by which a writer takes
    # its turn; what else may become of the head, its guard decides.
    ("UPDATE (sequence, hash)", "ledger_head"),
    ("INSERT", "paper_sessions"),
    (f"UPDATE ({', '.join(_CHANGING)})", "paper_sessions"),
    ("INSERT, UPDATE, DELETE", "session_counts"),
    ("INSERT", "session_trials"),
    ("INSERT, DELETE", "pending_files"),
)
_OPERATOR = (*_SESSION, ("DELETE", "paper_sessions"), ("DELETE", "session_trials"))


def statements(connection: sa.Connection, role: str, name: str) -> list[str]:
    """Return the SQL that makes a role of the database what `ROLES` says, on the schema that the ledger is in.

    Args:
        connection: To the ledger, by whoever may see it.
        role: One of `ROLES`.
        name: The database's role.

    Raises:
        ConfigError: the name is none that can go unquoted.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            Setting("to"),
            f": {name!r} is no role's name; expected letters, digits and _, such as quantlab_{role}.",
        )
    schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar()
    rights = {"reader": (), "session": _SESSION, "operator": _OPERATOR}[role]
    read = ("alembic_version", *metadata.tables, *views.of(sqlite=False))
    return [
        f"GRANT USAGE ON SCHEMA {schema} TO {name};",
        *(f"GRANT SELECT ON {schema}.{relation} TO {name};" for relation in read),
        *(f"GRANT {right} ON {schema}.{relation} TO {name};" for right, relation in rights),
    ]


def given(connection: sa.Connection) -> list[str]:
    """Return what gives again the rights that a migration or a rebuild takes: on views, and on columns that are new."""
    of_views = connection.exec_driver_sql(
        "SELECT relname, 'GRANT ' || privilege_type || ' ON ' || quote_ident(relname) || ' TO '"
        " || CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END"
        " || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END"
        " FROM pg_class CROSS JOIN LATERAL aclexplode(relacl)"
        " WHERE relkind = 'v' AND relnamespace = current_schema()::regnamespace AND grantee <> relowner"
    )
    of_columns = connection.exec_driver_sql(
        "SELECT quote_ident(pg_get_userbyid(grantee))"
        " FROM pg_attribute CROSS JOIN LATERAL aclexplode(attacl)"
        " WHERE attrelid = to_regclass('paper_sessions') AND attname = 'status' AND privilege_type = 'UPDATE'"
        " AND grantee <> 0"
    )
    ours = views.of(sqlite=False)
    changing = f"GRANT UPDATE ({', '.join(_CHANGING)}) ON paper_sessions TO"
    return [
        *(statement for name, statement in of_views if name in ours),
        *(f"{changing} {role}" for role in of_columns.scalars()),
    ]


def owns_ledger(connection: sa.Connection) -> bool:
    """Tell whether this role may change the ledger's definitions."""
    owned = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('events')"
    return bool(connection.exec_driver_sql(owned).scalar())
