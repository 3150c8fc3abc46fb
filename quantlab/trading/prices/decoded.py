"""A price file's content: looked at before it is read, unpacked, and as UTF-8 whatever it was written in."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Any

from quantlab.base.errors import DataError
from quantlab.base.remedies import Setting
from quantlab.trading.prices.quoting import PATH_LENGTH, plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MAX_FILE_BYTES = 512 * 2**20
"""Larger files are refused unread, packed ones when they unfold into more: this is several million bars of CSV."""

_UTF16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_UTF8_MARK = b"\xef\xbb\xbf"
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"
_WORKBOOK = "{name} is a spreadsheet's workbook; save the sheet with the bars as CSV and name that."
_LOOKED_AT = 4_000
_MOSTLY = 0.8


def content(path: Path) -> bytes:
    """Read a file, unpacked where it is packed (gzip, zip, bzip2, xz, by its content); text in UTF-8 without a mark.

    Raises:
        DataError: it is missing, no regular file, too large, empty, or damaged; the message names it.
    """
    name = plain(path, PATH_LENGTH)
    _require_readable(path, name)
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise DataError(f"{name} cannot be read ({plain(error)}); check its path and permissions.") from error
    data = _as_utf8(_unpacked(packed, name))
    if not data[:_LOOKED_AT].strip() and not data.strip():
        raise DataError(f"{name} is empty; expected a header line and one row a bar.")
    return data


def _require_readable(path: Path, name: str) -> None:
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise DataError(
            f"No such price file: {name}. Check ",
            Setting("prices"),
            "; it takes yahoo, synthetic, cache or a path.",
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{name} cannot be read ({plain(error)}); check its path and permissions.") from error
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{name} is not a regular file; expected the path of a CSV or Parquet file.")
    if status.st_size > MAX_FILE_BYTES:
        raise DataError(
            f"{name} has {status.st_size:,} bytes, more than the {MAX_FILE_BYTES:,} that are read; "
            "cut it down to the bars that are needed."
        )


def _unpacked(data: bytes, name: str) -> bytes:
    if data.startswith(_OLD_WORKBOOK):
        raise DataError(_WORKBOOK.format(name=name))
    openers: dict[bytes, Callable[[io.BytesIO], Any]] = {
        b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
        b"BZh": bz2.BZ2File,
        b"\xfd7zXZ\x00": lzma.LZMAFile,
        b"PK\x03\x04": lambda file: _only_member(file, name),
    }
    opener = next((opener for magic, opener in openers.items() if data.startswith(magic)), None)
    if opener is None:
        return data
    try:
        with opener(io.BytesIO(data)) as file:
            unpacked = file.read(MAX_FILE_BYTES + 1)
    except (
        OSError,
        EOFError,
        ValueError,
        RuntimeError,
        zlib.error,
        lzma.LZMAError,
        zipfile.BadZipFile,
    ) as error:
        raise DataError(f"{name} cannot be unpacked: {plain(error)}. Pack it again.") from error
    if len(unpacked) > MAX_FILE_BYTES:
        raise DataError(
            f"{name} unfolds into more than the {MAX_FILE_BYTES:,} bytes that are read; "
            "cut it down to the bars that are needed."
        )
    return bytes(unpacked)


def _only_member(file: io.BytesIO, name: str) -> IO[bytes]:
    archive = zipfile.ZipFile(file)
    members = [one for one in archive.namelist() if not one.endswith("/") and "__MACOSX" not in one]
    if any(one.startswith("xl/") or one == "content.xml" for one in members):
        raise DataError(_WORKBOOK.format(name=name))
    if len(members) != 1:
        held = plain(", ".join(members), 120) or "nothing"
        raise DataError(f"{name} holds {len(members)} files ({held}); expected one. Unpack it and name one.")
    return archive.open(members[0])


def _as_utf8(data: bytes) -> bytes:
    if data.startswith(_UTF8_MARK):
        return data[len(_UTF8_MARK) :]
    encoding = _UTF16.get(data[:2]) or _unmarked_utf16(data[:_LOOKED_AT])
    if encoding is None:
        return data
    try:
        return data.decode(encoding).removeprefix("\ufeff").encode()
    except UnicodeError:
        return data  # binary, after all


def as_text(data: bytes) -> tuple[bytes, str]:
    """Return a table's text in UTF-8, and how it was written where that was otherwise.

    What is no UTF-8 is what Western spreadsheets save, Windows-1252; digits and separators are the same in all
    encodings that are met here, so at most a name looks odd.
    """
    if data.isascii():
        return data, ""
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace").encode(), "Windows-1252"
    return data, ""


def _unmarked_utf16(head: bytes) -> str | None:
    """Tell UTF-16 without a mark: plain characters have a zero byte on one side of each."""
    even, odd = head[0::2], head[1::2]
    if odd and odd.count(0) > _MOSTLY * len(odd) and not even.count(0):
        return "utf-16-le"
    if even and even.count(0) > _MOSTLY * len(even) and not odd.count(0):
        return "utf-16-be"
    return None
