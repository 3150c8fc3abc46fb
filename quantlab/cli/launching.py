"""From named values, whoever gave them, to a launch: one path for flags and JSON requests."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from quantlab.cli.asking import require_text
from quantlab.cli.progress import Progress
from quantlab.cli.reproduce import reproducer
from quantlab.clock import utc_now
from quantlab.config import RunConfig, field_message, validated
from quantlab.errors import ConfigError
from quantlab.exports.names import REPORT, RUN_REPORT, SCHEMA_VERSION
from quantlab.research.launch import LaunchOptions
from quantlab.store.location import require_path

if TYPE_CHECKING:
    from quantlab.research.launch import Launched

CONFIG_NAMES = frozenset(RunConfig.__struct_fields__)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Flags that are not configuration: they change nothing that is computed."""

    outdir: str = "outputs"
    ledger: str | None = None
    signal_file: str | None = None
    request_id: str | None = None
    save_price_plot: bool = False
    offline: bool = False
    pace: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 0.0
    heartbeat_seconds: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 30.0
    report: bool = False


def launch(values: dict[str, Any]) -> Launched:
    """Run what named values ask for.

    Raises:
        QuantlabError: of the kind that says who erred (contract 2).
    """
    config, settings = read_values(values)
    progress = Progress()
    outdir = Path(settings.outdir)
    options = LaunchOptions(
        outdir=outdir,
        reproduce=reproducer(outdir),
        ledger=settings.ledger,
        request_id=settings.request_id,
        signal_file=Path(settings.signal_file) if settings.signal_file else None,
        pace=settings.pace,
        heartbeat_seconds=settings.heartbeat_seconds,
        offline=settings.offline,
        save_price_plot=settings.save_price_plot,
        say=progress.say,
        watch=progress.watch,
    )
    with progress.hearing():
        return _launch(config, options)


def read_values(values: dict[str, Any]) -> tuple[RunConfig, Settings]:
    """Split named values into configuration and settings, each strictly typed.

    Raises:
        ConfigError: a name is unknown (its nearest neighbour is named), or a value is of no use.
    """
    known = CONFIG_NAMES | set(Settings.__struct_fields__)
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(sorted(known))}."
            raise ConfigError(f"Unknown param {name!r}; {hint}")
    config = validated({name: value for name, value in values.items() if name in CONFIG_NAMES})
    try:
        settings = msgspec.convert(
            {name: value for name, value in values.items() if name not in CONFIG_NAMES}, Settings, strict=True
        )
    except msgspec.ValidationError as error:
        raise ConfigError(f"{field_message(error, values)}.") from error
    _require_usable_text(values)
    for name in ("outdir", "signal_file", "prices"):
        require_path(name, values.get(name) or "")
    return config, settings


def _require_usable_text(values: dict[str, Any]) -> None:
    """Refuse texts that no file name and no database takes; a session must not begin with them."""
    for name, value in values.items():
        if isinstance(value, str) and (not value.strip() or "\0" in value or not _is_unicode(value)):
            raise ConfigError(
                f"{name}: {value!r} is empty, or no text in UTF-8; expected a value that can be read."
            )


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def people_lines(launched: Launched, *, name_report: bool) -> list[str]:
    """Return what a person is told about something that succeeded."""
    summary = launched.succeeded.summary
    lines = [
        f"{launched.identity} succeeded",
        f"  total return  {_percent(summary['total_return'])}",
        f"  max drawdown  {_percent(summary['max_drawdown'])}",
        f"  trades        {summary['trades']}",
        f"  folder        {launched.folder}",
    ]
    if name_report:
        lines.append(f"  report        {launched.folder / RUN_REPORT}")
    return lines


def machine_answer(launched: Launched, request_id: str | None) -> dict[str, Any]:
    """Return what a program is told about something that succeeded."""
    return {
        "schema_version": SCHEMA_VERSION,
        "request_id": request_id,
        "status": "success",
        "contract_type": launched.contract_type,
        "run_id": launched.identity,
        "artifacts_path": str(launched.folder.absolute()),
        "report_path": str((launched.folder / REPORT).absolute()),
        "summary": launched.succeeded.summary,
    }


def rebuild_report(folder: Path, ledger: str | None) -> str:
    """Make a session's or run's report anew from what its folder keeps; returns the line to print.

    Raises:
        ConfigError: the folder holds neither.
        DataError: its prices are gone, or give another result today.
    """
    from quantlab.cli.finding import find_session
    from quantlab.sessions import remaking
    from quantlab.sessions.roots import open_root_store

    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder; expected a session's or run's, such as outputs/runs/ID.")
    if remaking.is_run(folder):
        return f"Report rebuilt: {remaking.rebuild_run_report(folder)}"
    location, session_id = find_session(str(folder), ledger)
    with open_root_store(location, now=utc_now(), say=Progress().say) as store:
        return f"Report rebuilt: {remaking.rebuild_session_report(store, folder, session_id)}"


def _launch(config: RunConfig, options: LaunchOptions) -> Launched:
    if config.paper:
        require_text(options.outdir)
        from quantlab.sessions.launch import launch_paper

        return launch_paper(config, options)
    from quantlab.research.runs import launch_run

    return launch_run(config, options)


def _percent(fraction: float | None) -> str:
    return "n/a" if fraction is None else f"{fraction:+.2%}"
