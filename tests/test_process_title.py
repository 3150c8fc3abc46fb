from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SCRIPT = """
import sys
from pathlib import Path
from quantlab.cli.process_title import hide_passwords
hide_passwords()
print(Path("/proc/self/cmdline").read_bytes().replace(b"\\0", b" ").decode())
print(sys.argv[1:])
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows where arguments lie")


def shown(*arguments: str) -> tuple[str, str]:
    """Return the command line that other processes see, and the arguments that the program has."""
    command = [sys.executable, "-c", SCRIPT, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    title, _, kept = done.stdout.rstrip().rpartition("\n")
    return title, kept


@pytest.mark.parametrize("flag", [["--ledger"], []], ids=["of its own", "joined"])
def test_a_password_in_a_flag_is_not_in_the_process_title(flag: list[str]) -> None:
    url = "postgresql://me:s3:cr@et@host/db"
    title, _kept = shown(*flag, url if flag else f"--ledger={url}", "--ticker", "X")
    assert "s3" not in title
    assert "et@" not in title
    assert title.rstrip().endswith("://me:********@host/db --ticker X")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u@corp:s3cret@host/db",
        "postgresql://me@host/db?password=s3cret",
        "postgresql://me@host/db?passwd=s3cret",
        "postgresql://me@host/db?a=b;password=s3cret",
        "host=host user=me password=s3cret",
        "postgresql://me:new\ns3cret@host/db",
        "me:s3cret@host/db",
    ],
)
def test_a_password_that_stands_elsewhere_is_not_there_either(url: str) -> None:
    title, kept = shown("--ledger", url)
    assert ("s3cret" in title, "s3cret" in kept) == (False, True)


def test_a_password_in_a_json_request_is_not_there_and_the_rest_of_it_is() -> None:
    request = '{"params": {"ledger": "postgresql://me:s3cret@host/db", "ticker": "X"}}'
    title, kept = shown("--json-request", request)
    assert title.rstrip().endswith(request.replace("s3cret", "******"))
    assert "s3cret" in kept


def test_the_program_keeps_its_arguments() -> None:
    _title, kept = shown("--ledger", "postgresql://me:secret@host/db")
    assert kept == "['--ledger', 'postgresql://me:secret@host/db']"


def test_arguments_without_a_password_stay_as_they_are() -> None:
    title, _kept = shown("--ledger", "postgresql://me@host/db")
    assert "postgresql://me@host/db" in title
