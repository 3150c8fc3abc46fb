"""From the words after `--strategy` to a strategy's code: built-in, file, package, or a folder of strategies."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import os
import re
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from quantlab.base.errors import ConfigError
from quantlab.base.remedies import LIST_STRATEGIES
from quantlab.trading.strategies.source import DECIDE, INIT, Source, read_source
from quantlab.trading.strategies.strategy import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP = "quantlab.strategies"
"""The entry points by which installed packages name their strategies."""
FOLDERS = "QUANTLAB_STRATEGIES"
"""The variable that names folders of strategies, as PATH does; a JSON request may run these."""

_FILE = re.compile(r"(?P<file>.+\.py)(?::(?P<function>[^:/\\]*))?", re.DOTALL)
_MODULE = re.compile(r"(?P<module>[A-Za-z_][\w.]*):(?P<function>[^:/\\]*)")


def find_strategy(asked: str) -> Source:
    """Return the strategy that a person named.

    Args:
        asked: A name, FILE.py[:FUNCTION], FOLDER[:FUNCTION] or package.module:FUNCTION.

    Raises:
        ConfigError: there is none of that name.
        StrategyError: it imports what lies beside it.
    """
    file = _FILE.fullmatch(asked)
    if file is not None and (Path(file["file"]).exists() or _below_folders(asked) is None):
        return _own(read_source(Path(file["file"]), _function(file["function"], asked)))
    if Path(asked).is_dir():
        return _own(read_source(Path(asked)))
    folder, colon, function = asked.rpartition(":")
    if colon and (Path(folder) / INIT).is_file():
        return _own(read_source(Path(folder), _function(function, asked)))
    module = _MODULE.fullmatch(asked)
    if module is not None:
        function = _function(module["function"], asked) or DECIDE
        return _of_package(asked, module["module"], function, _distribution_of(module["module"], asked))
    return find_named(asked, or_else=", FILE.py or package.module:FUNCTION")


def find_named(asked: str, *, or_else: str = ", and no file or module") -> Source:
    """Return a strategy by name, as a request may: built-in, entry point, or a file below `QUANTLAB_STRATEGIES`.

    Args:
        asked: The name.
        or_else: What might have been given in its place, for the message.

    Raises:
        ConfigError: there is none of that name, or it leaves the folder.
        StrategyError: it imports what lies beside it.
    """
    if asked == BUILT_IN:
        return built_in_source()
    for point in metadata.entry_points(group=GROUP):
        if point.name == asked:
            return _of_package(asked, point.module, point.attr or DECIDE, point.dist)
    below = _below_folders(asked)
    if below is not None:
        return _own(read_source(*below))
    names = [name for name, _kind, _place in known_strategies()]
    near = difflib.get_close_matches(asked, names, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Known by name: {', '.join(names)}."
    raise ConfigError(
        f"strategy: {asked!r} is unknown; expected a name (",
        LIST_STRATEGIES,
        f" shows them){or_else}. {hint}",
    )


def built_in_source() -> Source:
    """Return the built-in strategy's file."""
    place = Path(__file__).with_name(f"{BUILT_IN}.py")
    files = {place.name: place.read_bytes()}
    digest = hashlib.sha256(files[place.name]).hexdigest()
    return Source(kind="built-in", name=BUILT_IN, digest=digest, place=str(place), files=files)


def known_strategies() -> list[tuple[str, str, str]]:
    """Return name, kind and place of every strategy that can be named without a path; none of them is loaded."""
    found = [(BUILT_IN, "built-in", "quantlab")]
    for point in metadata.entry_points(group=GROUP):
        package = "" if point.dist is None else f" ({point.dist.name} {point.dist.version})"
        found.append((point.name, "package", f"{point.value}{package}"))
    for folder in _folders():
        for one in sorted(folder.iterdir()) if folder.is_dir() else ():
            if not one.resolve().is_relative_to(folder.resolve()):
                continue  # a link that leads out of the folder can't be chosen
            if one.suffix == ".py" and one.is_file() and not one.name.startswith("_"):
                found.append((one.stem, "file", str(one)))
            elif (one / INIT).is_file():
                found.append((one.name, "folder", str(one)))
    return found


def _own(source: Source) -> Source:
    """Refuse a file that would pass for the built-in."""
    if source.name == BUILT_IN:
        raise ConfigError(
            f"Strategy {source.place} has the built-in's name, and results of the two could not be told apart; "
            "expected another file name. Rename it."
        )
    if not source.name.isprintable():
        raise ConfigError(f"Strategy {source.name!r} has a name that can't be shown; rename the file.")
    return source


def _function(name: str | None, asked: str) -> str | None:
    if name is not None and not name.isidentifier():
        raise ConfigError(
            f"strategy: {asked!r} names no function after the colon; expected FILE.py:FUNCTION."
        )
    return name


def _folders() -> Iterator[Path]:
    for one in os.environ.get(FOLDERS, "").split(os.pathsep):
        if one.strip():
            yield Path(one)


def _below_folders(asked: str) -> tuple[Path, str | None] | None:
    """Return file and function of a name below one of the folders; what leads out of them is not below."""
    name, _, function = asked.partition(":")
    if not name or Path(name).is_absolute() or "\0" in name:
        return None
    for folder in _folders():
        for one in (folder / name, folder / f"{name}.py"):
            inside = one.resolve().is_relative_to(folder.resolve()) and one.resolve() != folder.resolve()
            if inside and ((one.suffix == ".py" and one.is_file()) or (one / INIT).is_file()):
                return one, _function(function or None, asked)
    return None


def _of_package(name: str, module: str, function: str, distribution: metadata.Distribution | None) -> Source:
    """Return an installed strategy; its digest covers name, version and the list of files with their hashes."""
    if distribution is None:
        raise ConfigError(
            f"strategy: {module!r} belongs to no installed package, so nothing says which code it is; "
            "expected an installed one. Name its file instead, or install it."
        )
    package = f"{distribution.name} {distribution.version}"
    record = distribution.read_text("RECORD") or ""
    if f"{module.partition('.')[0]}/" in record or f"{module.partition('.')[0]}.py" in record:
        content = hashlib.sha256(record.encode()).hexdigest()
    else:  # an editable install lists none of its code
        content = _tree_digest(module, package)
    digest = hashlib.sha256(f"{package}\n{content}\n".encode()).hexdigest()
    return _own(
        Source(kind="package", name=name, digest=digest, place=module, function=function, package=package)
    )


def _tree_digest(module: str, package: str) -> str:
    spec = importlib.util.find_spec(module.partition(".")[0])
    if spec is None or spec.origin is None:
        raise ConfigError(f"strategy: the code of {package} can't be found; install it anew.")
    origin = Path(spec.origin)
    files = sorted(origin.parent.rglob("*.py")) if origin.name == INIT else [origin]
    lines = [
        f"{one.relative_to(origin.parent).as_posix()} {hashlib.sha256(one.read_bytes()).hexdigest()}\n"
        for one in files
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _distribution_of(module: str, asked: str) -> metadata.Distribution | None:
    top = module.partition(".")[0]
    names = metadata.packages_distributions().get(top, [top])
    try:
        if importlib.util.find_spec(top) is None:
            raise ConfigError(
                f"strategy: no module {top!r} is installed for {asked!r}; expected package.module:FUNCTION of an "
                "installed package. Install it, or name its file."
            )
        return metadata.distribution(names[0])
    except metadata.PackageNotFoundError:
        return None
