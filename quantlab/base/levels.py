"""The levels at which the program's parts log for a person; `quantlab.cli` alone shows them.

A warning is a WARNING, what has to be seen besides is INFO, and how far work has come is PROGRESS: that is for a person
who is waiting at a terminal, and for no mail of cron's and no log.
"""

from __future__ import annotations

import logging

PROGRESS = logging.INFO - 5
logging.addLevelName(PROGRESS, "PROGRESS")
