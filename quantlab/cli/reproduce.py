"""The command line that runs a configuration again, spelled for the shell it would be typed into."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from quantlab.cli.configured import in_force
from quantlab.domain.config import BUILT_IN_STRATEGY, FILE_FIELDS, RunConfig
from quantlab.domain.names import KEPT_STRATEGY, PRICES

if TYPE_CHECKING:
    from collections.abc import Callable

    from quantlab.runner.strategy import Chosen

DEFAULT_OUTDIR = "outputs"
_ALWAYS = ("ticker", "start", "end")
_STRATEGY = ("strategy", "strategy_params", "strategy_digest")


def reproducer(outdir: Path, chosen: Chosen | None = None) -> Callable[[RunConfig, Path], str]:
    """Return what spells the command; its results land below the same outdir."""

    def spell(config: RunConfig, folder: Path) -> str:
        words = [*_program(), *_flags(config, folder), *_strategy(config, folder, chosen)]
        if str(outdir) != DEFAULT_OUTDIR:
            words += ["--outdir", str(outdir)]
        return shlex.join(words)

    return spell


def prover() -> Callable[[RunConfig, Path], str]:
    """Return what spells the command for a session that follows the market: its tape is replayed, from bar to bar.

    No range of days tells where it began and ended, and no file has the bars as they were first seen.
    """

    def spell(_config: RunConfig, folder: Path) -> str:
        return shlex.join([*_program(), "paper-sessions", "prove", str(folder.absolute())])

    return spell


def _flags(config: RunConfig, folder: Path) -> list[str]:
    words = []
    for field in msgspec.structs.fields(RunConfig):
        value = getattr(config, field.name)
        if field.name == "paper":
            words += ["--paper"] if value else []
        elif field.name == "prices":
            words += _prices(config, folder)
        elif field.name == "generator":
            continue  # told with the prices that it makes
        elif field.name in _STRATEGY or value is None:
            continue
        elif field.name in FILE_FIELDS:
            continue  # the prices that the folder keeps explain themselves
        elif field.name in _ALWAYS or value != field.default or in_force():  # else the file would decide
            words += [f"--{field.name}", str(value)]
    return words


def _strategy(config: RunConfig, folder: Path, chosen: Chosen | None) -> list[str]:
    """A user's strategy comes from the copy that the folder keeps, an installed one from its package."""
    if chosen is None or chosen.source.kind == "built-in":
        return ["--strategy", BUILT_IN_STRATEGY] if in_force() else []
    source = chosen.source
    if source.kind == "package":
        words = ["--strategy", f"{source.place}:{source.function}"]
    else:
        kept = folder / KEPT_STRATEGY / next(iter(source.files)).partition("/")[0]
        if source.kind == "signals":
            return ["--signals", str(kept.absolute())]
        function = "" if ":" not in source.name else f":{source.function}"
        words = ["--strategy", f"{kept.absolute()}{function}"]
    for name, value in config.rule_parameters().items():
        words += ["--param", f"{name}={value}"]
    return words if chosen.checked else [*words, "--no-check"]


def _prices(config: RunConfig, folder: Path) -> list[str]:
    """Synthetic prices come again from the generator that made them; others are read from what the folder keeps."""
    if config.prices == "synthetic":
        return ["--prices", "synthetic", "--generator", str(config.generator)]
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
