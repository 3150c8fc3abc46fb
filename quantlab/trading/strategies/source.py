"""A strategy's code as it was read: its bytes, the digest that stands for them, and the module that they make.

What runs is what was digested: modules are made from these bytes, never read a second time, and nothing is written
beside the user's files.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.abc
import importlib.util
import linecache
import sys
import warnings
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from quantlab.base.errors import ConfigError, StrategyError
from quantlab.base.remedies import NEW_STRATEGY
from quantlab.trading.strategies.strategy import error_line, of_module

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from quantlab.trading.strategies.strategy import Strategy

SourceKind = Literal["built-in", "file", "folder", "package", "signals"]
DECIDE = "decide"
INIT = "__init__.py"
MOST_BYTES = 20_000_000
"""Of all files of one strategy; beyond it somebody named the wrong folder."""
LONGEST_RULE = 500
"""Characters of a rule that are recorded."""
_numbers = count(1)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a strategy's code came from, and the code itself.

    Attributes:
        kind: What it is.
        name: What the strategy is called: never a path.
        function: The function's name.
        digest: SHA-256, in hex, that stands for the code; of one file that of its bytes.
        place: The file or folder that it was read from; of a package the module's name.
        files: What it was read from, by path relative to the folder of `place`; empty for a package.
        package: Name and version of the installed package.
    """

    kind: SourceKind
    name: str
    digest: str
    place: str
    function: str = DECIDE
    files: dict[str, bytes] = field(default_factory=dict)
    package: str | None = None

    @property
    def file_names(self) -> frozenset[str]:
        """The full names under which its code is compiled, as errors tell them."""
        above = Path(self.place).parent
        return frozenset(str(above / name) for name in self.files)

    def rule(self) -> str:
        """Return when it buys and sells in its author's words, without running it; empty where they stand nowhere.

        That is the first paragraph of the module's docstring, else of the function's, on one line.
        """
        ends = ".py" if self.kind != "folder" else INIT
        code = next((data for name, data in self.files.items() if name.endswith(ends)), b"")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what the code's own run tells is enough
                module = ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ""
        functions = [
            one for one in module.body if isinstance(one, ast.FunctionDef) and one.name == self.function
        ]
        places: list[ast.Module | ast.FunctionDef] = [module, *functions]
        words = next((text for one in places if (text := ast.get_docstring(one))), "")
        return " ".join(words.split("\n\n")[0].split())[:LONGEST_RULE]

    def strategy(self) -> Strategy:
        """Return the strategy, its code run anew each time: nothing is left of an earlier one.

        Raises:
            StrategyError: the code can't be run, or holds no such function.
        """
        if self.kind == "package":
            module = _imported(self)
            files = frozenset([str(module.__file__)])
        else:
            module, files = _made(self), self.file_names
        return of_module(module, self.name, self.function, files)


def read_source(place: Path, function: str | None = None) -> Source:
    """Read a strategy's file, or its folder.

    Args:
        place: The file, or a folder that holds `__init__.py`.
        function: The function that was named, where one was.

    Raises:
        ConfigError: there is none, or it can't be read.
        StrategyError: it imports what lies beside it.
    """
    is_folder = place.is_dir()
    try:
        files = _folder(place) if is_folder else {place.name: _file(place)}
    except OSError as error:
        raise ConfigError(
            f"Strategy {place} can't be read ({error.strerror or error}); expected a Python file. ",
            NEW_STRATEGY.of(place.name),
            " writes one.",
        ) from error
    stem = place.resolve().name if is_folder else place.stem
    source = Source(
        kind="folder" if is_folder else "file",
        name=stem if function is None else f"{stem}:{function}",
        function=function or DECIDE,
        digest=digest_of_files(files),
        place=str(place.absolute()),
        files=files if not is_folder else {f"{stem}/{name}": data for name, data in files.items()},
    )
    if not is_folder:
        _require_nothing_beside(source)
    return source


def digest_of_files(files: dict[str, bytes]) -> str:
    """Return the SHA-256 that stands for files: of one that of its bytes, of more one over names and digests."""
    if len(files) == 1:
        return hashlib.sha256(next(iter(files.values()))).hexdigest()
    lines = [f"{name} {hashlib.sha256(files[name]).hexdigest()}\n" for name in sorted(files)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _file(place: Path) -> bytes:
    if place.exists() and not place.is_file():  # a pipe would keep us waiting
        raise ConfigError(f"Strategy {place} is no file; expected a Python file, or a folder with {INIT}.")
    data = place.read_bytes()
    if len(data) > MOST_BYTES:
        raise ConfigError(f"Strategy {place} is larger than {MOST_BYTES:,} bytes; expected a Python file.")
    return data


def _folder(place: Path) -> dict[str, bytes]:
    """Read every .py file of a folder, by path within it."""
    if not (place / INIT).is_file():
        raise ConfigError(
            f"Strategy folder {place} has no {INIT}; expected the function decide in it, or name a file in the folder."
        )
    found: dict[str, bytes] = {}
    for one in sorted(place.rglob("*.py")):
        found[one.relative_to(place).as_posix()] = one.read_bytes()
        if sum(map(len, found.values())) > MOST_BYTES:
            raise ConfigError(
                f"Strategy folder {place} holds over {MOST_BYTES:,} bytes of Python; expected one strategy's own files."
            )
    return found


def _require_nothing_beside(source: Source) -> None:
    """Refuse a file that imports another one beside it, which no digest would cover."""
    folder, (name,) = Path(source.place).parent, source.files
    for node in ast.walk(_parsed(source, name)):
        for asked in _imports(node):
            top = asked.partition(".")[0]
            beside = folder / f"{top}.py", folder / top / INIT
            if any(each.is_file() for each in beside) and not _is_elsewhere(top, folder):
                raise StrategyError(
                    f"{name}, line {getattr(node, 'lineno', 1)}: {top!r} lies beside the strategy, and would be no "
                    f"part of its digest. Make the strategy a folder: its {INIT} with 'from .{top} import …'."
                )
            if not top:
                raise StrategyError(
                    f"{name}, line {getattr(node, 'lineno', 1)}: a relative import needs a folder; "
                    f"make the strategy one, with {INIT}."
                )


def _imports(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{'.' * node.level}{node.module or ''}"]
    return []


def _is_elsewhere(name: str, folder: Path) -> bool:
    """Tell whether a module is found in another place than beside the strategy, such as an installed package."""
    try:
        spec = importlib.util.find_spec(name)
    except (ValueError, ImportError, AttributeError):
        spec = None
    origin = None if spec is None else spec.origin
    if spec is not None and origin in ("built-in", "frozen"):
        return True
    return origin is not None and Path(origin).resolve().parent not in (
        folder.resolve(),
        (folder / name).resolve(),
    )


def _parsed(source: Source, name: str) -> ast.Module:
    filename = str(Path(source.place).parent / name)
    try:
        return ast.parse(source.files[name], filename)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise StrategyError(_broken(error, name)) from error


def _broken(error: BaseException, name: str) -> str:
    line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
    what = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{name}{line}: {type(error).__name__}: {' '.join(what.split())}. Expected Python {sys.version_info[0]}."


def _made(source: Source) -> ModuleType:
    """Run the code in modules of its own."""
    name = f"quantlab_strategy_{next(_numbers)}"
    finder = _FromMemory(source, name)
    sys.meta_path.insert(0, finder)
    try:
        module = importlib.import_module(name)
    except StrategyError:
        raise
    except (SystemExit, Exception) as error:
        raise StrategyError(
            f"Strategy {source.name} can't be loaded: {error_line(error, source.file_names)}. {_advice(error, source)}"
        ) from error
    finally:
        # The finder stays where a folder's parts may be imported later, from within a function.
        if source.kind != "folder":
            sys.meta_path.remove(finder)
    return module


def _advice(error: BaseException, source: Source) -> str:
    if isinstance(error, SyntaxError):
        return f"Correct {Path(source.place).name}."
    if isinstance(error, ModuleNotFoundError):
        top = str(error.name).partition(".")[0]
        folder = Path(source.place).name
        part = "PART" if top == folder else top
        if top == folder or {f"{folder}/{top}.py", f"{folder}/{top}/{INIT}"} & source.files.keys():
            return f"Write 'from .{part} import …': a folder's parts are found by the dot alone."
        return "Install that package for this Python, or correct the import."
    return "Correct the strategy; what stands outside its function runs when it is loaded."


class _FromMemory(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes a strategy's modules of the bytes that were digested."""

    def __init__(self, source: Source, name: str) -> None:
        self._source = source
        self._name = name

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002
        file = self._file(fullname)
        if file is None:
            return None
        location = str(Path(self._source.place).parent / file)
        return importlib.util.spec_from_file_location(
            fullname,
            location,
            loader=self,
            submodule_search_locations=[str(Path(location).parent)] if file.endswith(f"/{INIT}") else None,
        )

    def exec_module(self, module: ModuleType) -> None:
        filename = str(module.__file__)
        file = str(self._file(module.__name__))
        data = self._source.files[file]
        # Tracebacks and inspect show the lines that ran, whatever the file holds by now.
        text = importlib.util.decode_source(data)
        linecache.cache[filename] = (len(data), None, text.splitlines(keepends=True), filename)
        exec(compile(data, filename, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - a flag named it

    def _file(self, fullname: str) -> str | None:
        if fullname != self._name and not fullname.startswith(f"{self._name}."):
            return None
        if self._source.kind != "folder":
            return next(iter(self._source.files)) if fullname == self._name else None
        top = next(iter(self._source.files)).partition("/")[0]
        inner = "/".join([top, *fullname.removeprefix(self._name).split(".")[1:]])
        return next((one for one in (f"{inner}/{INIT}", f"{inner}.py") if one in self._source.files), None)


def _imported(source: Source) -> ModuleType:
    try:
        return importlib.import_module(source.place)
    except (SystemExit, Exception) as error:
        raise StrategyError(
            f"Strategy {source.name} can't be loaded: {type(error).__name__}: {' '.join(str(error).split())} "
            f"(package {source.package}). Install the package anew, or name another strategy."
        ) from error
