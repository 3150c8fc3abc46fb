"""The operators' page: one file, the same from the same head, with every text as text and nothing missing hidden."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from support.asked_program import Said
from support.page_roots import HOSTILE, followed, forty, hostile, many, walk, with_result
from support.sessions_builder import NOW as SESSIONS_NOW
from support.sessions_builder import Sessions, ago

from quantlab.exports.page import curve, words
from quantlab.exports.page.made import SessionFile, made
from quantlab.queries.page import page

if TYPE_CHECKING:
    from pathlib import Path

NOW = "2026-03-10T12:00:00+00:00"
OURS = set(
    re.findall(
        "[a-z0-9]+",
        "head html meta link title style body header h1 h2 p code strong main section ul li b span div a table thead "
        "tbody tr th td br progress details summary dl dt dd figure figcaption svg symbol use path caption ol pre time "
        "footer script label input select option wbr",
    )
)


class Seen(HTMLParser):
    """What a page's markup comes to: its elements, their attributes and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with Sessions(tmp_path_factory.mktemp("page") / "root") as built:
        many(built, 3)
        built.started("failing", ago(hours=1), config_hash="f" * 64, request_id="f")
        built.failed("failing", ago(minutes=50))
    return built.root


def page_of(capsys: pytest.CaptureFixture[str], root: Path, *flags: str) -> str:
    said = Said(capsys, "paper-sessions", "page", root, "--now", NOW, *flags)
    assert said.code == 0, said.err
    return (root / "paper_sessions.html").read_text(encoding="utf-8")


def test_the_page_stands_in_its_root_and_says_of_which_head(
    four: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = Said(capsys, "--paper-sessions-page", four, "--now", NOW)
    assert said.out == f"Wrote {four / 'paper_sessions.html'} (ledger sequence 11).\n"
    head = Said(capsys, "ledger", "head", four).out
    text = (four / "paper_sessions.html").read_text(encoding="utf-8")
    assert "ledger sequence 11" in text
    (found,) = re.findall(r"Head <code>([0-9a-f]{64})</code>", text)
    assert found in head


def test_the_same_head_files_and_time_give_the_same_bytes(
    four: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    once = page_of(capsys, four)
    Said(capsys, "paper-sessions", "page", four, "--now", NOW, "-o", tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == once


def test_alerts_come_with_what_the_runbook_advises(four: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = page_of(capsys, four)
    assert "What needs a person: critical, 1 alert<" in text
    assert "What to do: Read error and message" in Seen(text).text
    assert f"quantlab paper-sessions resolve {four}/failing --reason TEXT" in text


def test_alerts_of_a_kind_share_their_advice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Sessions(tmp_path / "root") as built:
        for place in range(2):
            built.started(
                f"failing_{place}", ago(hours=1), config_hash=f"{place:064x}", request_id=f"{place}"
            )
            built.failed(f"failing_{place}", ago(minutes=50))
    text = Seen(page_of(capsys, built.root)).text
    assert text.count("critical: failed") == 2
    assert text.count("What to do:") == 1
    assert f"quantlab paper-sessions resolve {built.root}/ID --reason TEXT" in text


def test_a_root_without_sessions_says_how_to_begin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sessions(tmp_path / "root") as built:
        pass
    assert "there is no session yet. Start one" in page_of(capsys, built.root)


def test_a_folder_that_is_no_root_gets_no_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "paper-sessions", "page", tmp_path)
    assert said.code == 2
    assert "holds neither a ledger nor a session" in said.err
    assert list(tmp_path.glob("*.html")) == []


def test_a_folder_that_is_not_there_is_not_to_be_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = Said(capsys, "paper-sessions", "page", tmp_path / "nowhere")
    assert (said.code, f"There is no folder {tmp_path / 'nowhere'}" in said.err) == (2, True)


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_a_page_is_not_written_over_a_ledger_or_what_belongs_to_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    with Sessions(tmp_path / "root") as built, Sessions(tmp_path / "other") as other:
        many(built, 1)
        many(other, 1)
        for root in (built.root, other.root):
            target = root / f"ledger.db{suffix}"
            before = target.read_bytes()
            said = Said(capsys, "paper-sessions", "page", built.root, "-o", target)
            assert (said.code, f"{target} belongs to a database; expected another file." in said.err) == (
                2,
                True,
            )
            assert target.read_bytes() == before


def test_hostile_texts_are_shown_and_do_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Sessions(tmp_path / "root") as built:
        hostile(built)
    text = page_of(capsys, built.root)
    seen = Seen(text)
    assert seen.tags == OURS - {"progress"}
    assert [name for name, _ in seen.attributes if name.startswith("on") or name == "style"] == []
    assert text.count("<script>") == 1
    assert "<script>alert(1)</script>" in seen.text
    assert "{{ 7 * 7 }}" in seen.text
    assert r"\u202egnp.exe\u2066" in seen.text
    assert r"\x1b[31mred\x07" in seen.text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b\x07]", text)
    assert HOSTILE[5] not in text, "a text of thousands of letters is cut"


def test_no_address_leads_outside_the_file(four: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = page_of(capsys, four)
    seen = Seen(text)
    places = {value for name, value in seen.attributes if name in ("href", "src", "action", "data", "srcset")}
    assert {place for place in places if not place.startswith("#")} == {"data:,"}
    assert "url(" not in text
    assert "@import" not in text


def test_the_policy_names_the_one_style_and_the_one_script(
    four: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = page_of(capsys, four)
    (policy,) = re.findall(r'http-equiv=Content-Security-Policy content="([^"]+)"', text)
    for kind in ("style", "script"):
        (inner,) = re.findall(f"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")


def test_a_file_that_is_not_the_recorded_one_is_named_and_not_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sessions(tmp_path / "root") as built:
        folder = with_result(built, "edited", ago(hours=1))
    for name in ("trades.csv", "artifacts/equity.csv"):
        (folder / name).write_bytes((folder / name).read_bytes().replace(b"1", b"2"))
    text = page_of(capsys, built.root)
    assert "trades.csv: not the one that was recorded; not drawn" in text
    assert "artifacts/equity.csv: not the one that was recorded; not drawn" in text
    assert "<symbol" not in text


def test_without_equity_csv_the_line_is_that_of_the_fills(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sessions(tmp_path / "root") as built:
        with_result(built, "light", ago(hours=1), with_equity=False)
    text = page_of(capsys, built.root)
    assert "after each fill alone" in text
    assert text.count("<symbol") == 1


def test_of_more_sessions_than_asked_for_the_newest_are_told_and_all_are_counted(
    four: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = page_of(capsys, four, "--sessions", "2")
    assert text.count("<details ") == 2
    assert "<b>4</b>sessions" in text
    assert "The newest 2 of 4" in text
    assert "<details id=s1><summary>failing " in text


def test_forty_sessions_tell_whom_they_need(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Sessions(tmp_path / "root") as built:
        forty(built)
    text = Seen(page_of(capsys, built.root)).text
    assert "What needs a person: critical, 5 alerts" in text
    assert text.count("critical: failed") == 3
    assert text.count("critical: proof failed") == 1
    assert text.count("warning: stale") == 1
    assert "proved different" in text


def test_every_surface_says_what_ready_means(four: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = Seen(page_of(capsys, four)).text
    assert "Ready means that the record is in order, never that the strategy is good." in text


def test_a_session_that_follows_the_market_tells_driver_revisions_and_what_is_overdue(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sessions(tmp_path / "root") as built:
        followed(built, "20260226_000500_paper_0ead00000001", bars=10)
    text = Seen(page_of(capsys, built.root)).text
    for told in (
        "Overdue: its next bar was due at 2026-03-09 00:00 UTC",
        "10 forward, 0 late, 0 missing",
        "1 bar corrected by the source",
        "process 4242 on elsewhere",
        "2026-03-09 00:00, overdue",
        "forward to 2026-03-08",
    ):
        assert told in text
    assert "quantlab paper-sessions follow " in text
    assert "paper-sessions abort" not in text


def test_a_hundred_failures_hide_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Sessions(tmp_path / "root") as built:
        for place in range(100):
            built.started(
                f"failing_{place}", ago(hours=1), config_hash=f"{place:064x}", request_id=f"{place}"
            )
            built.failed(f"failing_{place}", ago(minutes=50))
        built.started("gone", ago(hours=3), config_hash="a" * 64, request_id="gone")
        built.beat("gone", ago(hours=2))
    text = Seen(page_of(capsys, built.root)).text
    assert "What needs a person: critical, 101 alerts" in text
    assert (text.count("critical: failed"), text.count("warning: stale")) == (6, 1)
    assert "And 94 more of this kind: quantlab paper-sessions alerts" in text


@pytest.mark.parametrize(
    ("drives", "changes", "told"),
    [
        (1, 0, "process 7 on here"),
        (2, 0, "process 7 on here, taken up once"),
        (4, 1, "process 7 on here, taken up 3 times, code changed once"),
    ],
)
def test_a_driver_is_told_with_how_often_it_took_the_session_up(drives: int, changes: int, told: str) -> None:
    assert words.driver({"pid": 7, "host": "here", "drives": drives, "code_changes": changes}) == told
    assert words.driver({"pid": None}) is None


def test_a_timeline_tells_its_day_once() -> None:
    line = {"type": "heartbeat", "stage": "prices_loaded", "times": 1, "actor": "session", "message": None}
    at = "2026-03-09T12:00:00.000000+00:00"
    assert words.event({**line, "first_at": at, "last_at": at}, None) == "2026-03-09 12:00 prices loaded"
    assert words.event({**line, "first_at": at, "last_at": at}, "2026-03-09") == "12:00 prices loaded"


def test_the_newest_lines_are_fine_on_the_largest_page() -> None:
    assert curve.parts_for(1, 1_000) == curve.parts_for(40, 40) == 60
    assert 12 <= curve.parts_for(21, 200) < 20


def test_a_page_of_two_hundred_sessions_can_be_mailed(tmp_path: Path) -> None:
    with Sessions(tmp_path / "root") as built:
        many(built, 20, fills=40)
    with built.reader() as reader:
        found = page(reader, now=SESSIONS_NOW, stale_after=timedelta(hours=1), most=200)
    reproduce = "quantlab --ticker ETH-USD --start 2023-01-01 --end 2024-01-01 --rsi_buy_max 70.0 --paper"
    found["sessions"] = [row | {"reproduce": reproduce} for row in found["sessions"] for _ in range(10)]
    text = made(
        found, lambda row, name: SessionFile((built.root / row["session_id"] / name).read_bytes(), None)
    )
    assert text.count(b"<details ") == 200
    assert len(text) <= 400_000


def test_a_thinned_line_keeps_every_spike() -> None:
    equity = walk(3, 10_000)
    equity[4_321], equity[7_777] = 1e6, 1.0
    thinned = curve.thinned(equity, 18)
    assert len(thinned) == 2 * 18 + 2
    assert {1e6, 1.0} < set(thinned)
    assert thinned[0] == equity[0]
    assert thinned[-1] == equity[-1]


def test_a_drawdown_is_measured_from_the_highest_so_far() -> None:
    assert curve.drawdown([100.0, 50.0, 200.0, 150.0]) == [0.0, -0.5, 0.0, -0.25]
    assert min(curve.lowest(curve.drawdown([1.0] * 500 + [0.25] + [1.0] * 500), 18)) == -0.75


def test_a_curve_leaves_out_what_is_no_number() -> None:
    whole = curve.of_equity(b"time,cash,equity\n2023,1,10\n2024,1,20.5\n")
    assert whole == curve.PageCurve("2023", "2024", [10.0, 20.5], is_of_fills=False)
    broken = curve.of_equity(b"time,cash,equity\n2022,1,inf\n2023,1,10\n2024,1,20.5\n2025,1,\n")
    assert broken == whole


def test_a_level_line_and_a_single_value_are_no_trouble() -> None:
    level = curve.drawn([5.0, 5.0, 5.0])
    assert level is not None
    assert (level.d, level.width) == ("M0 30l1 0 1 0", 2)
    assert level.box == "0 -2 2 64"
    assert curve.drawn([5.0]) is None
    assert curve.of_equity(b"time,cash,quantity,mark,equity\n2023,1,1,1,nan\nbroken\n") is None


def test_a_bar_that_should_have_come_is_overdue() -> None:
    assert words.due("2026-03-10T11:00:00.000000+00:00", NOW) == "2026-03-10 11:00, overdue"
    assert words.due("2026-03-10T15:00:00.000000+00:00", NOW) == "2026-03-10 15:00, in 3 h"
    assert words.due(None, NOW) is None
