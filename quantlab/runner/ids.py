"""Names that no other session or run has, and folders under them."""

from __future__ import annotations

import hashlib
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from quantlab.base.errors import ConfigError, QuantlabError
from quantlab.base.remedies import Setting
from quantlab.domain.config import config_hash

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from quantlab.domain.config import RunConfig

HASH_LENGTH = 12
ATTEMPTS = 100


def new_folder(parent: Path, config: RunConfig, kind: str, now: datetime) -> Path:
    """Make a folder, with `artifacts/` in it, under a name that nobody else has.

    Raises:
        ConfigError: it can't be made there.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return _claimed(parent, config, kind, now)
    except OSError as error:
        raise ConfigError(
            f"The output folder {parent} can't be written ({error.strerror or error}); choose another with ",
            Setting("outdir"),
            ", or mend its permissions.",
        ) from error


def remove_empty(folder: Path) -> None:
    """Take a folder away again in which nothing has begun."""
    with suppress(OSError):
        (folder / "artifacts").rmdir()
        folder.rmdir()


def unique_id(config: RunConfig, kind: str, now: datetime) -> str:
    """Return a fresh id, `YYYYMMDD_HHMMSS_<kind>_<hash>`: the time in UTC and a hash that no two launches share."""
    digest = hashlib.sha256(f"{config_hash(config)}\n{secrets.token_hex(16)}".encode()).hexdigest()
    return f"{now:%Y%m%d_%H%M%S}_{kind}_{digest[:HASH_LENGTH]}"


def _claimed(parent: Path, config: RunConfig, kind: str, now: datetime) -> Path:
    for _attempt in range(ATTEMPTS):
        folder = parent / unique_id(config, kind, now)
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        (folder / "artifacts").mkdir()
        return folder
    raise QuantlabError(f"No free id was found under {parent} in {ATTEMPTS} attempts; look at what fills it.")
