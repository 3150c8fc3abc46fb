"""Pages that show commands with their output: read them, run them in order in a fresh folder, compare.

A fenced block marked `console` holds commands, each after `$ `, and beneath it what it printed (stdout and stderr);
so does a `<pre>`, for the README's first two fenced blocks are to be run as they
stand. As in a terminal, a command of several lines goes on after `> `. Session ids on a page are those of the run that
made it: when the page is run again, the ids of today take their places in the commands.

Two outputs are held equal after `normalised`: ids and hashes by the order in which they first appear, and times, ages,
durations, process ids, versions, the host's name and the folder by a word each. Of long fractions nine digits count:
the last ones are the processor's.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
SHOWN_PAGES = ("README.md", "docs/runbook.md", "docs/quickstart.md")
SHOWN_FOLDER = "/home/ana/quantlab"
SHOWN_HOST = "desk"
SESSION_ID = re.compile(r"\b\d{8}_\d{6}_(?:paper|run)_[0-9a-f]{12}\b")
SECONDS_PER_COMMAND = 120

_BLOCK = re.compile(
    r"^(?P<opens>```console|<pre>)\n(?P<shown>.*?)^(?P<closes>```|</pre>)$", re.MULTILINE | re.DOTALL
)
_TIME = re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:\+00:00)?(?![\d:])")
_LONG_NUMBER = re.compile(r"-?\b\d+\.\d{10,}\b")
_NORMAL = (
    (re.compile(r"^ *git_commit +:.*\n", re.MULTILINE), ""),
    (re.compile(r" modified_code\b"), ""),  # so it is while somebody works on the program
    (_TIME, "TIME"),
    (re.compile(r"\b\d+ (?:s|min|h|d) ago\b"), "AGE"),
    (re.compile(r"(\bduration(?:_seconds)?\"? *: )[\d.,]+"), r"\1SECONDS"),
    (re.compile(r"(\bage_minutes\"?: )\d+"), r"\1MINUTES"),
    (re.compile(r"(\b(?:STALE|FAILED|ABORTED) +)\d+"), r"\1MINUTES"),
    (re.compile(r"(\bpid\"? *: |[Pp]rocess )\d+"), r"\1PID"),
    (re.compile(r"(\bpython_version\"? *: \"?)[\w.+]+"), r"\1VERSION"),
    (re.compile(r"(\bsize_bytes\"?: )\d+"), r"\1SIZE"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "LEDGER_ID"),
    (re.compile(r"^ +[0-9a-f]{8}(?: +[0-9a-f]{8})+$", re.MULTILINE), "ENDS OF IDS"),  # compare's heading
    (re.compile(r" {2,}"), "  "),
)


class Shown(NamedTuple):
    """A command of a page and the output that the page shows beneath it."""

    command: str
    output: str


class Workplace:
    """A fresh folder in which a page's commands run, as if it were a checkout with quantlab installed."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder / "quantlab"
        self.folder.mkdir()
        shutil.copy(REPOSITORY / "main.py", self.folder)
        commands, home = folder / "bin", folder / "home"
        commands.mkdir()
        home.mkdir()
        program = commands / "quantlab"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m quantlab "$@"\n')
        program.chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("QUANTLAB")}
        path = os.pathsep.join(
            [str(commands), str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]
        )
        ours = {"PATH": path, "PYTHONPATH": str(REPOSITORY), "HOME": str(home), "NO_COLOR": "1"}
        ours |= {"TZ": "UTC", "LC_ALL": "C.UTF-8"}
        self._environment = {**kept, **ours, **(environment or {})}

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command line in bash and return what it printed, stderr within stdout."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=SECONDS_PER_COMMAND,
            check=False,
        )


def shown_in(page: str) -> list[Shown]:
    """Return the commands of a page with their output, in order."""
    return [one for block in _BLOCK.finditer(page) for one in _commands(block["shown"])]


def run_again(shown: Sequence[Shown], workplace: Workplace) -> list[Shown]:
    """Run a page's commands in order; returns them as run today, with the output of today."""
    today: list[Shown] = []
    ids: dict[str, str] = {}
    for command, output in shown:
        now = _with_ids(command, ids)
        printed = workplace.run(now).stdout
        today.append(Shown(now, _as_shown(printed, workplace.folder)))
        ids |= dict(zip(_first_seen(output, ids), _first_seen(printed, ids.values()), strict=False))
    return today


def normalised(shown: Sequence[Shown]) -> str:
    """Return commands and output as one text in which what differs from run to run is replaced by words."""
    text = "\n".join(f"$ {command}\n{output}" for command, output in shown)
    text = _numbered(text, SESSION_ID, "SESSION")
    text = _numbered(text, re.compile(r"\b[0-9a-f]{64}\b"), "HASH")
    for pattern, word in _NORMAL:
        text = pattern.sub(word, text)
    return _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.9g}", text)


def rewritten(page: str, today: Sequence[Shown]) -> str:
    """Return the page with the commands and output of today in place of those that it shows."""
    lines = iter(today)

    def block(found: re.Match[str]) -> str:
        count = len(list(_commands(found["shown"])))
        texts = [f"{_typed(command)}\n{output}" for command, output in (next(lines) for _ in range(count))]
        return f"{found['opens']}\n{''.join(texts)}{found['closes']}"

    return _BLOCK.sub(block, page)


def _commands(block: str) -> Iterator[Shown]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, output = _split_command(part)
        yield Shown(command, output)


def _split_command(part: str) -> tuple[str, str]:
    first, *rest = part.splitlines(keepends=True)
    further = list(takewhile(lambda line: line.startswith("> "), rest))
    command = "".join([first, *(line.removeprefix("> ") for line in further)])
    return command.removesuffix("\n"), "".join(rest[len(further) :])


def _typed(command: str) -> str:
    return f"$ {command}".replace("\n", "\n> ")


def _with_ids(command: str, ids: Mapping[str, str]) -> str:
    return SESSION_ID.sub(lambda found: ids.get(found[0], found[0]), command)


def _first_seen(text: str, known: Iterable[str]) -> list[str]:
    taken = set(known)
    return [one for one in dict.fromkeys(SESSION_ID.findall(text)) if one not in taken]


def _as_shown(printed: str, folder: Path) -> str:
    here = printed.replace(str(folder.resolve()), SHOWN_FOLDER).replace(str(folder), SHOWN_FOLDER)
    return re.sub(rf"(\bhost\"? *: \"?){re.escape(socket.gethostname())}\b", rf"\g<1>{SHOWN_HOST}", here)


def _numbered(text: str, pattern: re.Pattern[str], word: str) -> str:
    names: dict[str, str] = {}
    return pattern.sub(lambda found: names.setdefault(found[0], f"{word}-{len(names) + 1}"), text)
