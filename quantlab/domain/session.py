"""What is known of a session: a row of `paper_sessions`, typed and frozen. Its fields are the table's columns.

To add a column, declare it here, or beside the event that alone sets it (as `ProofColumns`); table, views, exports and
docs follow. Contract 5's columns come first, in its order; new ones go to the end of their class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantlab.domain.columns import Columns, column
from quantlab.domain.events.births import StartColumns
from quantlab.domain.events.ends import ResultColumns
from quantlab.domain.events.forward import ForwardColumns
from quantlab.domain.events.notes import EditColumns, ProofColumns, ResolutionColumns
from quantlab.domain.events.progress import PriceColumns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quantlab.base.values import JsonObject


class _Life(Columns):
    session_id: str = column("word", contract=True, from_folder=False)
    status: str = column(
        "word",
        "`running`, `success`, `failed`, `aborted`; an adopted folder may say anything else, and is shown as it is",
        default="unknown",
        contract=True,
    )
    created_at: str | None = column("time", default=None, contract=True)
    started_at: str | None = column("time", default=None, contract=True)
    updated_at: str | None = column("time", default=None, contract=True)
    finished_at: str | None = column("time", default=None, contract=True)
    terminal: bool | None = column(
        "flag", "whether the session has ended, as its files say", default=None, contract=True
    )
    status_reason: str | None = column("text", default=None, contract=True)
    duration_seconds: float | None = column("number", default=None, contract=True)
    request_id: str | None = column("text", default=None, contract=True)
    error_type: str | None = column("text", default=None, contract=True)
    report_contract_type: str | None = column("text", default=None, contract=True)
    path: str = column("text", "its folder, relative to the root", default="", contract=True)

    message: str | None = column("text", default=None, export=23)
    mode: str | None = column("text", default=None)
    command: str | None = column("text", default=None)
    origin: str = column(
        "text",
        "`session` for ours, `adopted` for a folder that the ledger had not seen",
        default="session",
        export=22,
        from_folder=False,
    )
    ended: bool = column(
        "flag",
        "whether it has ended, as the ledger goes by it: nothing but annotations may follow",
        default=False,
        from_folder=False,
    )
    activity_at: str | None = column(
        "time", '`updated_at`, else `created_at`: the time that "latest" means everywhere', default=None
    )
    ticker: str | None = column("text", default=None, export=1)
    start_date: str | None = column("text", default=None, export=2)
    end_date: str | None = column("text", default=None, export=3)
    interval: str | None = column("text", default=None, export=4)
    price_source: str | None = column(
        "text",
        "`yahoo`, `synthetic` or `file`; until the prices are loaded, what `--prices` said",
        default=None,
        export=5,
    )
    config_hash: str | None = column("text", "equal hashes: equal configuration", default=None, export=15)
    data_hash: str | None = column("text", "equal hashes: equal prices, bar for bar", default=None, export=16)
    data_doubts: str | None = column(
        "text", "why the prices are doubtful, words separated by spaces; NULL for sound ones", default=None
    )
    config_path: str | None = column("text", default=None)
    git_commit: str | None = column("text", default=None)
    python_version: str | None = column("text", default=None)
    python_executable: str | None = column("text", default=None)
    host: str | None = column("text", "the host that ran it", default=None, export=6)
    pid: int | None = column("integer", "the process that ran it", default=None)
    process: str | None = column(
        "text", "tells that process from a later one with the same pid", default=None
    )
    root: str | None = column(
        "text", "the root of its folder, as the host that ran it names it", default=None
    )
    stage: str | None = column(
        "text", "how far the session had come at its last event", default=None, export=7
    )
    bars_done: int | None = column("key", "bars simulated at its last event", default=None, export=8)
    bars_expected: int | None = column("key", "bars that there are", default=None, export=9)
    report_present: bool = column("flag", "whether it has a report.json", default=False)
    total_return: float | None = column("number", default=None, export=10)
    sharpe_simple: float | None = column("number", default=None, export=11)
    max_drawdown: float | None = column("number", default=None, export=12)
    trades: int | None = column("integer", "closed round trips", default=None, export=13)
    win_rate: float | None = column(
        "number", "the share of the round trips that won after costs", default=None, export=14
    )
    final_equity: float | None = column("number", default=None)
    result_digest: str | None = column(
        "text", "equal digests: equal fills and equity, bit for bit", default=None, export=17
    )
    amendments: int = column(
        "integer",
        "how often its files were edited outside the program",
        default=0,
        export=18,
        from_folder=False,
    )
    lifecycle_amended: bool = column(
        "flag", "whether a lifecycle field was edited", default=False, from_folder=False
    )
    unreadable: str | None = column(
        "text", "names of its files that could not be read, a line each", default=None, export=19
    )
    vanished_at: str | None = column("time", "when its folder was found to be gone", default=None, export=20)
    strategy: str | None = column("text", "the strategy's name", default=None, export=24)
    strategy_params: str | None = column(
        "text", "the strategy's parameters, defaults included, as a JSON object", default=None, export=25
    )
    recorded_elsewhere: str | None = column(
        "text",
        "the ledger, sequence and hash by which its files say that another ledger recorded it",
        default=None,
    )


class _Position(Columns):
    last_version: int = column("key", "the place of its last event in the session", from_folder=False)
    last_sequence: int = column("key", "the place of its last event in the ledger", from_folder=False)


class Session(
    _Life,
    ProofColumns,
    _Position,
    StartColumns,
    ResultColumns,
    ResolutionColumns,
    ForwardColumns,
    PriceColumns,
    EditColumns,
):
    """A session as its events make it."""

    def tellable(self, fields: Mapping[str, object]) -> JsonObject:
        """Return the columns among what a folder says of itself, less those that only the ledger can say."""
        return {name: value for name, value in fields.items() if name in _TELLABLE}


_TELLABLE = frozenset(one.name for one in Session.columns if one.from_folder)

COLUMNS = Session.columns
NAMES = tuple(one.name for one in COLUMNS)
"""All columns that events set, in the table's order."""
CONTRACT = tuple(one.name for one in COLUMNS if one.is_contract)
"""The columns of contract 5, in its order."""
EXPORTED = (
    *(one for one in COLUMNS if one.is_contract),
    *sorted((one for one in COLUMNS if one.export is not None), key=lambda one: one.export or 0),
)
"""The columns of the index exports, in their order."""
