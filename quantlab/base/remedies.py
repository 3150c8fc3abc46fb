"""What can be done about an error, as data: settings and actions, by their names.

Whoever shows them knows how they are typed: `quantlab.cli` installs its spelling with `spelled_by`. A program that uses
the package as a library reads the plain names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Setting(NamedTuple):
    """Something that may be given to a session, a run or an action.

    Attributes:
        name: As configurations and requests call it, such as `rsi_buy_max`.
        value: What it might be given, or a word that stands for that; None where the setting alone is meant.
    """

    name: str
    value: object = None

    def __str__(self) -> str:
        return _spelling[-1](self)


class Action(NamedTuple):
    """Something that the program does when it is asked to.

    Attributes:
        name: What it does, in words.
        about: The root, session or file that it is asked about, or a word that stands for it; None leaves it out.
        settings: What else it is given.
    """

    name: str
    about: object = None
    settings: tuple[Setting, ...] = ()

    def of(self, about: object, *settings: Setting) -> Action:
        """Return the action, asked about something."""
        return self._replace(about=about, settings=settings)

    def with_settings(self, *settings: Setting) -> Action:
        """Return the action with settings."""
        return self._replace(settings=settings)

    def __str__(self) -> str:
        return _spelling[-1](self)


Remedy = Setting | Action

ABORT = Action("abort the session")
BACK_UP = Action("back the ledger up")
EXPORT_LEDGER = Action("export the ledger")
FINISH = Action("finish the session")
FOLLOW = Action("follow the market with the session")
IMPORT_LEDGER = Action("import a ledger")
INDEX = Action("bring ledger and folders together")
LEDGER_HEAD = Action("print the ledger's head")
MAKE_PAGE = Action("make the operators' page")
LIST_SESSIONS = Action("list the sessions")
LIST_STRATEGIES = Action("list the strategies")
MIGRATE = Action("upgrade the ledger")
NEW_STRATEGY = Action("write a strategy to begin with")
PROVE = Action("prove the session")
REBUILD = Action("rebuild the ledger")
RESOLVE = Action("resolve the session's alerts")
RESTORE = Action("restore a backup")
SHOW = Action("show the session")
STEP = Action("take one turn with the session")
VERIFY = Action("verify the ledger")


def _plain(remedy: Remedy) -> str:
    if isinstance(remedy, Setting):
        return remedy.name if remedy.value is None else f"{remedy.name} {remedy.value}"
    about = [] if remedy.about is None else [str(remedy.about)]
    return " ".join([remedy.name, *about, *map(_plain, remedy.settings)])


_spelling: list[Callable[[Remedy], str]] = [_plain]


def spelled_by(spelling: Callable[[Remedy], str]) -> None:
    """Have remedies read as somebody spells them, in every text that is made from now on."""
    _spelling[-1] = spelling
