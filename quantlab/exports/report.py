"""run_report.md: one page that tells a person what ran, on which data, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from quantlab.base.text import markdown_cell
from quantlab.exports import first_layout
from quantlab.exports import markdown as md
from quantlab.exports.layout import FileLayout
from quantlab.exports.report_figures import figures_section, months_section
from quantlab.exports.report_judged import judged, reasons_section
from quantlab.exports.report_results import drawdowns_section, trades_section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quantlab.trading.results import Outcome

TITLES = {"paper": "Paper session", "run": "Research run"}
FILL_RULES = {
    "next_open": "next_open: decided on a bar's close, filled at the next bar's open",
    "close": "close: filled at the close of the bar of decision (for comparison with older results)",
}
CALENDARS = {"every_day": "every day of the week", "weekdays": "weekdays"}
PICTURES = {
    "artifacts/equity.png": "Equity against buy-and-hold, drawdown beneath",
    "artifacts/price.png": "Price with decisions and fills",
}
ALWAYS_THERE = (
    "config.json",
    "metrics.json",
    "report.json",
    "trades.csv",
    "artifacts/equity.csv",
    "artifacts/equity.png",
    "artifacts/prices.csv",
)


@dataclass(frozen=True, kw_only=True)
class ReportHeader:
    """What the report tells of the session or run itself.

    Attributes:
        run_id: Of the session or run.
        mode: `paper` or `run`.
        created_at: ISO 8601 UTC.
        git_commit: Of the code that ran; None outside a checkout.
        packages: Version of each package that the numbers depend on.
        config_hash: SHA-256, in hex, of the canonical configuration.
        request_id: Of the JSON request; None where there was none.
        strategy: Its name.
        reproduce: A command line that gives the same numbers.
        finished_at: ISO 8601 UTC; None, and not shown, where the report is written before the end.
        artifacts: Files to link to, relative to the report's folder, with `/`; a picture among them is shown.
        layout: How the session's tables and pages are spelled.
        rule: When the strategy buys and sells, in a sentence or two; empty where nobody told.
        params: Its parameters by name, defaults included.
        lineage: What it was begun like, a sentence without its full stop; empty where it was begun like nothing.
        verdict: What is to be said of promoting this result (whether the record is in order, what blocks it, the
            cautions beside it), a sentence each; empty, and not shown, where nobody judged.
        as_of: Of a session that goes on: when the last bar that it saw had closed, ISO 8601 UTC; None after its end.
        reasons: How many bars had each reason; None, and not shown, where an earlier version did not count them.
    """

    run_id: str
    mode: str
    created_at: str
    git_commit: str | None
    python_version: str
    packages: Mapping[str, str]
    config_hash: str
    request_id: str | None
    strategy: str
    reproduce: str
    finished_at: str | None = None
    artifacts: tuple[str, ...] = ALWAYS_THERE
    layout: FileLayout = FileLayout.SECOND
    rule: str = ""
    params: Mapping[str, object] = field(default_factory=dict)
    lineage: str = ""
    verdict: tuple[str, ...] = ()
    as_of: str | None = None
    reasons: Mapping[str, int] | None = None


def render(outcome: Outcome, header: ReportHeader) -> str:
    """Return the report as Markdown; equal arguments give equal text.

    Figures that are undefined show as n/a. Text from outside (ticker, file names, notes) is escaped.
    """
    ends = (_configuration(outcome), _provenance(outcome, header), _files(header), _reproduce(header))
    if header.layout == FileLayout.FIRST:
        sections: tuple[str, ...] = (
            _opening(outcome, header),
            _warnings(outcome),
            first_layout.figures_section(outcome),
            trades_section(outcome),
            drawdowns_section(outcome),
            _data(outcome),
            *ends,
        )
    else:
        sections = (
            _opening(outcome, header),
            _warnings(outcome),
            figures_section(outcome),
            months_section(outcome),
            drawdowns_section(outcome),
            _data(outcome),
            trades_section(outcome),
            *([] if header.reasons is None else [reasons_section(outcome, header)]),
            *ends,
        )
    return "\n\n".join(sections) + "\n"


def _opening(outcome: Outcome, header: ReportHeader) -> str:
    parts = [f"# {TITLES.get(header.mode, 'Run')} {markdown_cell(header.run_id)}"]
    if outcome.prices.origin.source == "synthetic":
        parts.append("> **SYNTHETIC PRICES.** These bars were made up; no market ever traded at them.")
    if header.as_of is not None:
        parts.append(
            f"> **As of {markdown_cell(header.as_of)}.** The session goes on; what follows is no end result."
        )
    parts.append(_summary(outcome, header))
    if header.layout != FileLayout.FIRST:
        parts += judged(header)
    parts += [md.picture(name, text) for name, text in PICTURES.items() if name in header.artifacts]
    return "\n\n".join(parts)


def _summary(outcome: Outcome, header: ReportHeader) -> str:
    figures, config = outcome.figures, outcome.config
    return (
        f"**{markdown_cell(config.ticker)}**, {md.plural(figures.bars, 'bar')} of {config.interval}, "
        f"strategy {markdown_cell(header.strategy)}: "
        f"total return **{md.percent(figures.total_return, signed=True)}** "
        f"(buy and hold {md.percent(figures.buy_and_hold_return, signed=True)}), maximum drawdown "
        f"{md.percent(figures.max_drawdown)}, {md.plural(figures.trades, 'closed trade')}."
    )


def _warnings(outcome: Outcome) -> str:
    warnings = dict.fromkeys((*outcome.warnings, *outcome.quality.warnings))
    lines = [f"- {markdown_cell(warning)}" for warning in warnings] or ["None."]
    if outcome.quality.doubts:
        doubts = ", ".join(markdown_cell(doubt) for doubt in outcome.quality.doubts)
        lines += ["", f"Doubts about the data that block promotion: {doubts}."]
    return "\n".join(["## Warnings", "", *lines])


def _data(outcome: Outcome) -> str:
    origin, quality, config = outcome.prices.origin, outcome.quality, outcome.config
    rows = [
        ("Source", f"{markdown_cell(origin.source)} ({markdown_cell(origin.detail)})"),
        (
            "Obtained",
            markdown_cell(origin.retrieved_at) + (", read from the cache" if origin.from_cache else ""),
        ),
        ("Asked for", f"{config.start} to {config.end}, the end exclusive"),
        (
            "Received",
            f"{markdown_cell(quality.first_bar)} to {markdown_cell(quality.last_bar)} (opening times)",
        ),
        ("Bars", f"{quality.bars:,} of {config.interval}{_warm_up(config.warmup)}"),
        ("Prices", _adjustment(origin.adjusted)),
        ("Calendar", CALENDARS.get(quality.calendar, markdown_cell(quality.calendar))),
        ("Missing bars", f"{quality.missing_bars:,}"),
        ("Dropped as unusable", f"{quality.dropped_bars:,}"),
        ("Repeated", f"{quality.repeated_bars:,}"),
        ("Without volume", f"{quality.zero_volume_bars:,}"),
        ("Unfinished last bar", "left out" if quality.unfinished_bar_dropped else "none"),
        ("SHA-256 of prices", f"`{outcome.data_hash}`"),
    ]
    parts = ["## Data", md.table(("What", "Value"), rows)]
    if quality.gaps:
        gaps = [
            (markdown_cell(last), markdown_cell(first), f"{count:,}") for last, first, count in quality.gaps
        ]
        parts.append("Longest gaps:")
        parts.append(md.table(("Last bar before", "First bar after", "Bars missing"), gaps, numbers=(2,)))
    if origin.notes:
        parts.append("\n".join(f"- {markdown_cell(note)}" for note in origin.notes))
    return "\n\n".join(parts)


def _warm_up(bars: int) -> str:
    return f", the first {bars:,} of them warm-up: nothing is traded or counted on them" if bars else ""


def _adjustment(adjusted: bool | None) -> str:
    if adjusted is None:
        return "not known whether adjusted for splits and dividends"
    return "adjusted for splits and dividends" if adjusted else "raw, not adjusted for dividends"


def _configuration(outcome: Outcome) -> str:
    rows = [(markdown_cell(name), md.setting(value)) for name, value in outcome.config.as_dict().items()]
    return "## Configuration\n\n" + md.table(("Setting", "Value"), rows)


def _provenance(outcome: Outcome, header: ReportHeader) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in sorted(header.packages.items()))
    rows = [
        ("Created", _known(header.created_at)),
        *([("Finished", markdown_cell(header.finished_at))] if header.finished_at else []),
        ("Request", _known(header.request_id)),
        ("Strategy", _known(header.strategy)),
        ("Fills", FILL_RULES[outcome.config.fill]),
        ("Code (git commit)", _known(header.git_commit)),
        ("Python", _known(header.python_version)),
        ("Packages", _known(packages)),
        ("Configuration hash", _known(header.config_hash)),
        ("Result digest", _known(outcome.result_digest)),
    ]
    return "## What ran\n\n" + md.table(("What", "Value"), rows)


def _known(text: str | None) -> str:
    return markdown_cell(text) if text else md.UNDEFINED


def _files(header: ReportHeader) -> str:
    lines = [f"- {md.link(name)}" for name in header.artifacts] or ["None."]
    return "\n".join(["## Files", "", *lines])


def _reproduce(header: ReportHeader) -> str:
    return f"## Reproduce\n\n{md.code_block(header.reproduce)}"
