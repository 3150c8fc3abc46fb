"""The equity of sessions and runs, from the table that their folders keep or from the bars that were recorded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from quantlab.base.errors import DataError
from quantlab.domain.names import CONFIG, EQUITY
from quantlab.exports.curves import Curve, nothing_to_draw
from quantlab.exports.tables import read_equity_csv

if TYPE_CHECKING:
    from quantlab.base.values import JsonObject
    from quantlab.ledger.reader import Reader

_END = "SELECT payload FROM events WHERE session_id = :session_id AND type = 'succeeded'"
_BARS = "SELECT opened_at, equity, close FROM session_bars WHERE session_id = :session_id ORDER BY bar"


def curve_of_session(reader: Reader, row: JsonObject) -> Curve:
    """Return the equity of a session; a table that was edited since it was recorded is named and not believed.

    Args:
        reader: The ledger.
        row: What it says of the session, its absolute path among it.
    """
    session_id, synthetic = row["session_id"], row["price_source"] == "synthetic"
    end = reader.row(_END, session_id=session_id)
    if end is None and row["kind"] == "forward":
        return _of_bars(session_id, reader.rows(_BARS, session_id=session_id), synthetic=synthetic)
    artifacts = [] if end is None else json.loads(end["payload"])["artifacts"]
    recorded = {one["file_name"]: one.get("sha256") for one in artifacts}
    return _read(Path(row["path"]), recorded.get(EQUITY), synthetic=synthetic)


def curve_of_folder(folder: Path) -> Curve:
    """Return the equity of a research run."""
    try:
        config = json.loads((folder / CONFIG).read_bytes())
    except (OSError, ValueError):
        config = None
    return _read(folder, None, synthetic=isinstance(config, dict) and config.get("prices") == "synthetic")


def _read(folder: Path, sha256: str | None, *, synthetic: bool) -> Curve:
    file = folder / EQUITY
    try:
        data = file.read_bytes()
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
            return nothing_to_draw(f"{file} is not what was recorded")
        table = read_equity_csv(data)
    except OSError as error:
        return nothing_to_draw(f"{file} can't be read ({error.strerror or error})")
    except DataError as error:
        return nothing_to_draw(f"{file} can't be read ({error})")
    if not len(table.times):
        return nothing_to_draw(f"{file} holds no bar")
    return Curve(times=table.times, equity=table.equity, mark=table.mark, is_synthetic=synthetic)


def _of_bars(session_id: str, bars: list[JsonObject], *, synthetic: bool) -> Curve:
    if not bars:
        return nothing_to_draw(f"session {session_id} has seen no bar yet")
    return Curve(
        times=np.array([bar["opened_at"][:26] for bar in bars], "datetime64[ns]"),
        equity=np.array([bar["equity"] for bar in bars], float),
        mark=np.array([bar["close"] or 0.0 for bar in bars], float),
        is_synthetic=synthetic,
    )
