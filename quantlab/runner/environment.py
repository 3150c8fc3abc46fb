"""What a result was made with: code, packages, Python."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import quantlab
from quantlab import __version__

PACKAGE = Path(quantlab.__file__).resolve().parent
DISTRIBUTION = "quantlab-sessions"
SOURCES = (".py", ".sql")
"""Endings of the files that are code."""
PACKAGES = ("numpy", "pandas", "yfinance", "matplotlib", "sqlalchemy", "msgspec")
"""The packages whose versions results or their recording depend on."""

_SHA1_DIGITS = 40


@dataclass(frozen=True, kw_only=True)
class Code:
    """Which code ran.

    Attributes:
        version: The package's.
        git_commit: Of the checkout that it runs from; None when it was installed from a wheel.
        git_dirty: Whether that checkout's code differs from the commit; None with it.
        digest: SHA-256, in hex, over the package's own source.
        modified: Whether the code is another than its commit or its wheel says; None where neither is there.
    """

    version: str
    git_commit: str | None
    git_dirty: bool | None
    digest: str
    modified: bool | None


@dataclass(frozen=True)
class Environment:
    """Identity of the program that made a result."""

    code_version: str
    git_commit: str | None
    python_version: str
    python_executable: str
    packages: dict[str, str]


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return what this process runs with."""
    return Environment(
        code_version=__version__,
        git_commit=code().git_commit,
        python_version=platform.python_version(),
        python_executable=sys.executable,
        packages={name: _version(name) for name in PACKAGES},
    )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


@lru_cache(maxsize=1)
def code() -> Code:
    """Return which code this process runs, read off the disk once."""
    commit, dirty = _checkout()
    return Code(
        version=__version__,
        git_commit=commit,
        git_dirty=dirty,
        digest=source_digest(PACKAGE),
        modified=dirty if commit is not None else _differs_from_record(),
    )


def source_digest(package: Path) -> str:
    """Return the SHA-256, in hex, over a package's own source: each file's path and bytes, by path.

    Two installations of the same source have the same digest, wheel or checkout; an edited file changes it.
    """
    digest = hashlib.sha256()
    for file in sorted(one for kind in SOURCES for one in package.rglob(f"*{kind}")):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(package).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _checkout() -> tuple[str | None, bool | None]:
    """Return the commit of the checkout that this package runs from, and whether its code differs from that commit.

    Both are None when it was installed from a wheel, or where git can't be asked.
    """
    checkout = PACKAGE.parent
    if not (checkout / ".git").exists():
        return None, None
    code = [name for name in (PACKAGE.name, "migrations") if (checkout / name).is_dir()]
    status = _git(checkout, "status", "--porcelain=v2", "--branch", "--", *code)
    lines = (status or b"").decode(errors="replace").splitlines()
    commits = [line.split()[-1] for line in lines if line.startswith("# branch.oid ")]
    if not commits or commits[0] == "(initial)":
        return None, None
    changed = any(not line.startswith("#") for line in lines)
    return commits[0], changed or _hides_an_edit(checkout, code)


def _hides_an_edit(checkout: Path, code: list[str]) -> bool:
    """Tell whether a source is another than HEAD's that git was told to pass over: assumed unchanged, or excluded."""
    listed = _git(checkout, "ls-tree", "-r", "-z", "HEAD", "--", *code)
    if listed is None:
        return True
    blobs: dict[str, str] = {}
    for line in listed.decode(errors="replace").split("\0")[:-1]:
        facts, _tab, name = line.partition("\t")
        if name.endswith(SOURCES):
            blobs[name] = facts.split()[2]
    there = [file for name in code for kind in SOURCES for file in (checkout / name).rglob(f"*{kind}")]
    return len(there) != len(blobs) or any(
        not _is_blob(file, blobs.get(file.relative_to(checkout).as_posix(), "")) for file in there
    )


def _is_blob(file: Path, identity: str) -> bool:
    """Tell whether git knows a file's bytes by an id: as they are, or with the line ends that git keeps."""
    content = file.read_bytes()
    kind = hashlib.sha1 if len(identity) == _SHA1_DIGITS else hashlib.sha256
    forms = (content, content.replace(b"\r\n", b"\n"))
    return any(kind(b"blob %d\0" % len(form) + form).hexdigest() == identity for form in forms)


def _git(checkout: Path, *words: str) -> bytes | None:
    """Return what git answers about a checkout; None where it can't be asked.

    No optional locks: asking must not write into somebody's checkout. No variables of git's: in a hook they name
    another repository.
    """
    command = ["git", "--no-optional-locks", "--no-replace-objects", "-C", str(checkout), *words]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        answer = subprocess.run(  # noqa: S603 - fixed words and our own folder
            command, capture_output=True, env=variables, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode == 0 else None


def _differs_from_record() -> bool | None:
    """Tell whether installed files are others than the wheel brought; None where no record of them is there."""
    try:
        files = metadata.distribution(DISTRIBUTION).files or []
    except metadata.PackageNotFoundError:
        return None
    recorded = {str(one): one for one in files if one.hash is not None and one.parts[0] == PACKAGE.name}
    if not recorded:
        return None
    there = {
        file.relative_to(PACKAGE.parent).as_posix() for kind in SOURCES for file in PACKAGE.rglob(f"*{kind}")
    }
    if there - recorded.keys():
        return True
    return any(_digest_of(one) != one.hash.value for one in recorded.values() if one.hash is not None)


def _digest_of(file: metadata.PackagePath) -> str | None:
    """Return a file's SHA-256 as a wheel's RECORD spells it: URL-safe base64 without padding."""
    try:
        content = Path(str(file.locate())).read_bytes()
    except OSError:
        return None
    return urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
