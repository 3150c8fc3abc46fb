"""Pages keep up with what they speak of: links, flags, files, floors, tables, words."""

from __future__ import annotations

import hashlib
import re
import tomllib
from typing import TYPE_CHECKING

import click
import pytest
from support import made_tables
from support.shown_pages import REPOSITORY
from test_contributing import TO_COME

from quantlab.cli.main import cli
from quantlab.cli.spelling import BARE_FLAG_COMMANDS, FLAG_COMMANDS
from quantlab.domain.events import TYPES
from quantlab.domain.events.event import event_hash
from quantlab.ledger.schema import metadata
from quantlab.ledger.sql import views

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
GLOSSARY = (REPOSITORY / "docs" / "glossary.md").read_text(encoding="utf-8")
DECISIONS = sorted((REPOSITORY / "docs" / "decisions").glob("0*.md"))
BENCHMARKS = [
    script
    for script in sorted((REPOSITORY / "tests" / "benchmarks").glob("*.py"))
    if f"`python tests/benchmarks/{script.name}" in script.read_text(encoding="utf-8")
]
README_BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
WORDS = (
    "session, run, event, sequence, session version, ledger, head, projection, fold, reducer, fill, trade, round trip, "
    "order, strategy signal, signal line, stop signal, slippage, fee, drawdown, exposure, stale, heartbeat, adopted, "
    "amended, vanished, proved, promotion-ready, blocker, root, location, result digest, data hash, configuration hash"
)
TERMS = re.findall(r"^- \*\*(.+?)\*\*:", GLOSSARY, re.MULTILINE)


def name_of(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def prose(page: Path) -> str:
    """Return a page without its fenced blocks, which hold no links."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[str]:
    found = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def commands(command: click.Command = cli) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands(inner)


def known_flags() -> set[str]:
    options = {flag for one in commands() for param in one.params for flag in param.opts}
    return options | {*FLAG_COMMANDS, *BARE_FLAG_COMMANDS, "--help", "--version"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    lost = [one for one in links(page) if not (page.parent / one.partition("#")[0]).exists()]
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_to_a_heading_finds_it(page: Path) -> None:
    lost = []
    for path, _, anchor in (one.partition("#") for one in links(page)):
        target = page.parent / path if path else page
        if anchor and anchor not in anchors(target):
            lost.append(f"{path}#{anchor}")
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_script_and_module_named_exists(page: Path) -> None:
    named = re.findall(
        r"(?<![\w/])((?:tests|docs|quantlab|migrations)/[\w/.\-]+\w)", page.read_text(encoding="utf-8")
    )
    modules = [REPOSITORY / one for one in named if one not in TO_COME]
    assert [one for one in modules if not (one.exists() or one.with_suffix(".py").exists())] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_flag_of_ours_exists(page: Path) -> None:
    lines = [
        part
        for line in page.read_text(encoding="utf-8").splitlines()
        for part in re.split(r"[|;]|&&", line)
        if re.search(r"\bquantlab \w|main\.py --", part)
    ]
    flags = {
        flag.replace("_", "-") for line in lines for flag in re.findall(r"(?<![\w-])--[a-z][\w-]+", line)
    }
    assert flags - known_flags() == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_names_a_path_of_a_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace("/home/ana/quantlab", "")
    assert re.findall(r"(?<![\w.:/])/(?:work|tmp|home|root|Users|opt)/\S*", text) == []


def test_the_first_two_blocks_of_the_readme_are_for_the_shell() -> None:
    assert [language for language, _ in README_BLOCKS[:2]] == ["sh", "sh"]


@pytest.mark.parametrize("block", [text for _, text in README_BLOCKS[:2]], ids=["set up and run", "test"])
def test_the_readme_s_first_two_blocks_hold_no_absolute_path(block: str) -> None:
    assert re.findall(r"(?<![\w.])[/~]\S*", block) == []


def test_the_architecture_s_floors_are_those_that_the_linter_keeps() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    section = ARCHITECTURE.partition("## Floors")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`", cell)) for cell in cells] == [set(one.split(" : ")) for one in layers]


def test_the_modules_that_the_architecture_names_are_where_it_says() -> None:
    section = ARCHITECTURE.partition("## Floors")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE)
    named = [f"{floor}/{one}" for floor, cell in rows[1:] for one in re.findall(r"`(\w+)`", cell)]
    floors = "|".join(floor for floor, _ in rows)
    named += [one.replace(".", "/") for one in re.findall(rf"`((?:{floors})\.[\w.]+)`", ARCHITECTURE)]
    assert len(named) > len(rows)
    modules = [REPOSITORY / "quantlab" / one for one in named]
    assert [one for one in modules if not (one.is_dir() or one.with_suffix(".py").exists())] == []


@pytest.mark.parametrize("name", [*metadata.tables, *views.of(sqlite=True), *TYPES])
def test_the_architecture_names_every_table_view_and_event(name: str) -> None:
    assert f"`{name}`" in ARCHITECTURE


@pytest.mark.parametrize("page", made_tables.PAGES)
def test_tables_that_are_made_from_the_program_are_as_it_makes_them(page: str) -> None:
    assert made_tables.remade(page) == (made_tables.DOCS / page).read_text(encoding="utf-8")


def test_the_architecture_s_chain_is_the_program_s() -> None:
    formula = re.search(r"SHA-256\( (.*?) \)", ARCHITECTURE, re.DOTALL)
    assert formula is not None
    names = [one.strip() for one in formula[1].split(" LF")]
    columns = [column.name for column in metadata.tables["events"].columns]
    assert names == ["previous_hash", *columns[: columns.index("payload") + 1]]


def test_the_chain_joins_by_line_feeds() -> None:
    names = [*"abcdefgh"]
    assert event_hash("0", names) == hashlib.sha256("\n".join(["0", *names]).encode()).hexdigest()


def test_the_glossary_explains_each_term_once() -> None:
    assert [term for term in set(TERMS) if TERMS.count(term) > 1] == []


@pytest.mark.parametrize("term", WORDS.split(", "))
def test_the_glossary_has_the_words_that_operators_meet(term: str) -> None:
    assert term in TERMS


def test_decisions_are_numbered_in_order() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("page", DECISIONS, ids=name_of)
def test_a_decision_says_context_decision_why_and_consequences(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert (headings, len(text.splitlines()) < 60) == (["Context", "Decision", "Why", "Consequences"], True)


def test_the_decisions_page_lists_every_decision() -> None:
    index = REPOSITORY / "docs" / "decisions" / "README.md"
    assert links(index) == [page.name for page in DECISIONS]


def test_the_index_of_pages_lists_each_page_once() -> None:
    index = REPOSITORY / "docs" / "README.md"
    listed = sorted(one for one in links(index) if not one.startswith("../"))
    assert listed == sorted(["decisions/README.md", *(page.name for page in index.parent.glob("[a-z]*.md"))])


@pytest.mark.parametrize("script", BENCHMARKS, ids=name_of)
def test_the_performance_page_has_a_section_for_every_benchmark(script: Path) -> None:
    page = (REPOSITORY / "docs" / "performance.md").read_text(encoding="utf-8")
    assert f"`python {name_of(script)}`" in page


def test_the_changelog_has_this_version() -> None:
    from quantlab import __version__

    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {__version__}\n" in changelog
