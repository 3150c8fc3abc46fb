"""`alerts.sql`: what needs a person. A command runs the view's own text with its times bound. Loads no event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantlab.domain.vocabulary import ARE_TWINS, DISPROVED, TWINS
from quantlab.ledger.sql import dialects, texts

if TYPE_CHECKING:
    from quantlab.ledger.sql.dialects import Dialect

FILE = "alerts.sql"
_SILENT_SINCE = "CASE WHEN next_due > believed_at THEN next_due ELSE believed_at END"


def asked(*, sqlite: bool) -> str:
    """Return the text of `session_alerts_all` with `:now`, `:soon` and `:cutoff` to be bound by a command."""
    # Compared and reckoned with, the cutoff would have two types on PostgreSQL, which gives a parameter one.
    cutoff = "CAST(:cutoff AS text)"
    bound = dialects.of(sqlite=sqlite)._replace(now=":now", soon=":soon", cutoff=cutoff)
    view = texts.statements(f"{bound.folder}/{FILE}", parts(bound))["session_alerts_all"]
    return view.removeprefix("CREATE VIEW session_alerts_all AS\n")


def parts(dialect: Dialect) -> dict[str, str]:
    """Return what the domain gives to the file, by the name of each part."""
    return {
        "age_minutes": dialect.whole_minutes.format(now=dialect.now, earlier="believed_at"),
        "silent_when_resolved": dialect.whole_minutes.format(now="resolved_at", earlier=_SILENT_SINCE),
        "stale_minutes": dialect.whole_minutes.format(now=dialect.now, earlier=dialect.cutoff),
        "soon": dialect.soon,
        "cutoff": dialect.cutoff,
        "twins": TWINS,
        "are_twins": ARE_TWINS,
        "disproved": DISPROVED,
    }
