"""How remedies are typed: the one place where the commands and flags of other rooms' messages are spelled."""

from __future__ import annotations

from quantlab.base import remedies
from quantlab.base.remedies import Action, Remedy, Setting

COMMANDS: dict[Action, tuple[str, ...]] = {
    remedies.ABORT: ("paper-sessions", "abort"),
    remedies.BACK_UP: ("ledger", "backup"),
    remedies.EXPORT_LEDGER: ("ledger", "export"),
    remedies.FINISH: ("paper-sessions", "finish"),
    remedies.FOLLOW: ("paper-sessions", "follow"),
    remedies.IMPORT_LEDGER: ("ledger", "import"),
    remedies.INDEX: ("paper-sessions", "index"),
    remedies.LEDGER_HEAD: ("ledger", "head"),
    remedies.LIST_SESSIONS: ("paper-sessions", "list"),
    remedies.LIST_STRATEGIES: ("strategies", "list"),
    remedies.MAKE_PAGE: ("paper-sessions", "page"),
    remedies.MIGRATE: ("ledger", "migrate"),
    remedies.NEW_STRATEGY: ("strategies", "new"),
    remedies.PROVE: ("paper-sessions", "prove"),
    remedies.REBUILD: ("ledger", "rebuild"),
    remedies.RESOLVE: ("paper-sessions", "resolve"),
    remedies.RESTORE: ("ledger", "restore"),
    remedies.SHOW: ("paper-sessions", "show"),
    remedies.STEP: ("paper-sessions", "step"),
    remedies.VERIFY: ("ledger", "verify"),
}
"""Which command does it."""

_BY_NAME = {action.name: words for action, words in COMMANDS.items()}


def spelled(remedy: Remedy) -> str:
    """Return what a person types: `--interval 1h`, or `quantlab ledger verify`."""
    if isinstance(remedy, Setting):
        flag = f"--{remedy.name.replace('_', '-')}"
        return flag if remedy.value is None else f"{flag} {remedy.value}"
    about = [] if remedy.about is None else [str(remedy.about)]
    return " ".join(["quantlab", *_BY_NAME[remedy.name], *about, *map(spelled, remedy.settings)])
