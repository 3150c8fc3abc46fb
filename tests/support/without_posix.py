"""Take away what Windows lacks, before anything is imported.

`PYTHONPATH=tests python -m pytest -p support.without_posix …`
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

# O_NONBLOCK stays: Windows lacks it, and named pipes too, whose opening would wait for ever here.
sys.modules["fcntl"] = None  # type: ignore[assignment] # so Python spells "not to be imported"
_LACKING: tuple[tuple[Any, str], ...] = (
    (signal, "SIGHUP"),
    (os, "O_NOFOLLOW"),
    (os, "O_CLOEXEC"),
)
for owner, name in _LACKING:
    if hasattr(owner, name):
        delattr(owner, name)
