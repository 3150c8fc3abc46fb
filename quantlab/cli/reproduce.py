"""The command line that runs a configuration again, spelled for the shell it would be typed into."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from quantlab.config import RunConfig
from quantlab.exports.names import PRICES

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_OUTDIR = "outputs"
_ALWAYS = ("ticker", "start", "end")


def reproducer(outdir: Path) -> Callable[[RunConfig, Path], str]:
    """Return what spells the command; its results land below the same outdir."""

    def spell(config: RunConfig, folder: Path) -> str:
        words = [*_program(), *_flags(config, folder)]
        if str(outdir) != DEFAULT_OUTDIR:
            words += ["--outdir", str(outdir)]
        return shlex.join(words)

    return spell


def _flags(config: RunConfig, folder: Path) -> list[str]:
    words = []
    for field in msgspec.structs.fields(RunConfig):
        value = getattr(config, field.name)
        if field.name == "paper":
            words += ["--paper"] if value else []
        elif field.name == "prices":
            words += _prices(config, folder)
        elif field.name in _ALWAYS or value != field.default:
            words += [f"--{field.name}", str(value)]
    return words


def _prices(config: RunConfig, folder: Path) -> list[str]:
    """Synthetic prices come again by themselves; others are read from what the folder keeps."""
    if config.prices == "synthetic":
        return ["--prices", "synthetic"]
    return ["--prices", str((folder / PRICES).absolute())]


def _program() -> list[str]:
    """Return the words that start this program here: the short form where it means the same program."""
    started = Path(sys.argv[0])
    if started.name == "main.py":
        short = Path("main.py")
        script = short if short.exists() and short.samefile(started) else started.absolute()
        return [_python(), str(script)]
    found = shutil.which("quantlab")
    if started.name == "quantlab":
        return ["quantlab"] if found and Path(found).samefile(started) else [str(started.absolute())]
    return [_python(), "-m", "quantlab"]


def _python() -> str:
    found = shutil.which("python")
    return (
        "python" if found and Path(found).samefile(sys.executable) and _same_prefix(found) else sys.executable
    )


def _same_prefix(found: str) -> bool:
    # A virtual environment's python is a link to the system's: the same file, other packages.
    return Path(found).absolute().parent == Path(sys.executable).absolute().parent
