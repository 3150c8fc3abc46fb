"""From named values, whoever gave them, to a launch: one path for flags and JSON requests."""

from __future__ import annotations

import difflib
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from quantlab.base.clock import utc_now
from quantlab.base.errors import ConfigError, QuantlabError
from quantlab.base.secrets import one_line, without_secrets
from quantlab.cli.asking import require_text
from quantlab.cli.choosing import ASKED_NAMES, choosing
from quantlab.cli.following import as_followed, follow, require_followed
from quantlab.cli.progress import Progress
from quantlab.cli.reproduce import prover, reproducer
from quantlab.domain.config import PRICE_SOURCES, TOLD_BY_FILES, RunConfig, field_message, validated
from quantlab.domain.names import REPORT, RUN_REPORT, SCHEMA_VERSION
from quantlab.ledger.location import is_url, require_path
from quantlab.runner.options import Launched, LaunchOptions
from quantlab.runner.signals import SignalFile
from quantlab.trading.prices.reading import reading_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from quantlab.base.values import JsonObject
    from quantlab.cli.choosing import Values
    from quantlab.runner.strategy import Chosen
    from quantlab.sessions.forward.drive import Driven
    from quantlab.trading.prices.files import Looked

CONFIG_NAMES = frozenset(RunConfig.__struct_fields__)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Flags that are not configuration: they change nothing that is computed."""

    outdir: str = "outputs"
    ledger: str | None = None
    signal_file: str | None = None
    request_id: str | None = None
    save_price_plot: bool = False
    no_charts: bool = False
    page: bool = False
    quiet: bool = False
    offline: bool = False
    pace: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 0.0
    heartbeat_seconds: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 30.0
    report: bool = False
    follow: bool = False
    step: bool = False
    until: str | None = None
    bars: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] | None = None
    settle: Annotated[float, msgspec.Meta(ge=0, le=604_800)] | None = None
    patience: Annotated[float, msgspec.Meta(ge=0)] | None = None
    calendar: str | None = None


def launch(
    values: Values, *, by_name: bool = False, begun: Callable[[str, Path], None] | None = None
) -> Launched | Driven:
    """Run what named values ask for.

    Args:
        values: By the names of the flags; what is not given has its default.
        by_name: Take strategies by their names alone, as of a JSON request.
        begun: Told the id and folder of what began, once there is such a thing.

    Raises:
        QuantlabError: of the kind that says who erred (contract 2).
    """
    progress = Progress(quiet=values.get("quiet") is True)
    with ExitStack() as stack:
        with _signalling_refusals(values):
            values, chosen = stack.enter_context(choosing(values, by_name=by_name))
        return _launch_chosen(values, chosen, progress, begun)


@contextmanager
def _signalling_refusals(values: Values) -> Iterator[None]:
    """Signal that nothing began, for whoever waits."""
    try:
        yield
    except QuantlabError as error:
        signal_file, request_id = values.get("signal_file"), values.get("request_id")
        # Of a URL a folder would be made, and its name would show the password.
        if isinstance(signal_file, str) and not is_url(signal_file):
            known = request_id if isinstance(request_id, str) else None
            SignalFile(Path(signal_file), known).refused(error, at=utc_now())
        raise


def _launch_chosen(
    values: Values,
    chosen: Chosen,
    progress: Progress,
    begun: Callable[[str, Path], None] | None,
) -> Launched | Driven:
    with _signalling_refusals(values):
        values = as_followed(values) if values.get("follow") else values
        config, settings = read_values(values)
    config, looked = _filled_from_file(config, settings, values)
    outdir = Path(settings.outdir)
    options = LaunchOptions(
        outdir=outdir,
        reproduce=prover() if settings.follow else reproducer(outdir, chosen),
        strategy=chosen,
        ledger=settings.ledger,
        request_id=settings.request_id,
        signal_file=Path(settings.signal_file) if settings.signal_file else None,
        pace=settings.pace,
        heartbeat_seconds=settings.heartbeat_seconds,
        offline=settings.offline,
        save_price_plot=settings.save_price_plot,
        looked=looked,
        charts=not settings.no_charts,
        page=settings.page,
        watch=progress.watch,
    )
    if begun is not None:
        options = replace(options, begun=begun)
    with closing(progress):
        return follow(config, settings, options, progress) if settings.follow else _launch(config, options)


def _filled_from_file(
    config: RunConfig, settings: Settings, values: Values
) -> tuple[RunConfig, Looked | None]:
    """Take ticker and range from a price file where nobody gave them; says which it took.

    Raises:
        ConfigError: the file tells no ticker, or holds several symbols.
    """
    left = [name for name in TOLD_BY_FILES if values.get(name) is None]
    if not config.from_file or not left:
        return config, None
    from quantlab.trading.prices.files import preview
    from quantlab.trading.prices.rows import SeveralSymbolsError

    try:
        looked = preview(
            config.prices,
            reading_of(config),
            interval=config.interval,
            ticker=None if "ticker" in left else config.ticker,
        )
        told = {name: getattr(looked, name) for name in left if getattr(looked, name) is not None}
        if "ticker" in left and looked.ticker is None:
            if looked.error is not None:
                raise looked.error  # that is what has to be mended first
            raise ConfigError(
                f"ticker: neither the rows nor the name of {config.prices} tell one; "
                "expected --ticker, such as ETH-USD."
            )
        filled = validated({**_with_both_ends(values_of(values)), **told})
    except SeveralSymbolsError as error:
        raise _refused(ConfigError(f"ticker: {error}") if "ticker" in left else error, settings) from error
    except QuantlabError as error:
        raise _refused(error, settings) from error.__cause__
    return filled, replace(looked, taken=" ".join(f"--{name} {value}" for name, value in told.items()))


def _refused(error: QuantlabError, settings: Settings) -> QuantlabError:
    """Signal that nothing began, for whoever waits."""
    path = Path(settings.signal_file) if settings.signal_file else None
    SignalFile(path, settings.request_id).refused(error, at=utc_now())
    return error


def values_of(values: Values) -> Values:
    """Return those values that are configuration."""
    return {name: value for name, value in values.items() if name in CONFIG_NAMES}


def read_values(values: Values) -> tuple[RunConfig, Settings]:
    """Split named values into configuration and settings, each strictly typed.

    Raises:
        ConfigError: a name is unknown (its nearest neighbour is named), or a value is of no use.
    """
    known = (CONFIG_NAMES | set(Settings.__struct_fields__) | ASKED_NAMES) - {"strategy_digest"}
    for name in values:
        if name not in known | {"strategy_digest"}:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(sorted(known))}."
            raise ConfigError(f"Unknown param {name!r}; {hint}")
    config = validated(_with_both_ends(values_of(values)))
    try:
        settings = msgspec.convert(
            {name: value for name, value in values.items() if name not in CONFIG_NAMES}, Settings, strict=True
        )
    except msgspec.ValidationError as error:
        raise ConfigError(f"{field_message(error, values)}.") from error
    if settings.no_charts and settings.save_price_plot:
        raise ConfigError(
            "no_charts and save_price_plot exclude each other; expected one of them. A later --report DIR draws charts."
        )
    _require_usable_text(values)
    require_followed(settings)
    reading_of(config)
    for name in ("outdir", "signal_file", "prices"):
        require_path(name, str(values.get(name) or ""))
    return config, settings


def _with_both_ends(values: Values) -> Values:
    """Return values of which one end of a range was given, with another that fits until the price file tells its own.

    The usual one may lie on the wrong side: `--end 2022-09-30` is no mistake in a file that begins before.
    """
    usual = RunConfig()
    given = [name for name in ("start", "end") if values.get(name) is not None]
    if len(given) != 1 or values.get("prices", usual.prices) in PRICE_SOURCES:
        return values
    try:
        day = date.fromisoformat(str(values[given[0]]))
        if given == ["start"]:
            return {**values, "end": max(usual.end, (day + timedelta(days=1)).isoformat())}
        return {**values, "start": min(usual.start, (day - timedelta(days=1)).isoformat())}
    except (ValueError, OverflowError):
        return values  # no day: validation says so


def _require_usable_text(values: Values) -> None:
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


def people_lines(launched: Launched) -> list[str]:
    """Return what a person is told about something that succeeded: of what it is, what it came to, where it lies."""
    summary, figures, config = launched.succeeded.summary, launched.succeeded.figures, launched.config
    fees, slippage = figures["fees_paid"], figures["slippage_paid"]
    told = {
        "market": f"{config.ticker}, {config.interval} bars from {config.prices}",
        "range": f"{config.start} to {config.end}, {launched.succeeded.bars:,} bars",
        "total return": _percent(summary["total_return"]),
        "buy and hold": _percent(figures["buy_and_hold_return"]),
        "max drawdown": _percent(summary["max_drawdown"]),
        "trades": summary["trades"],
        **_beside_the_trades(figures),
        "costs": f"{fees + slippage:,.2f} (fees {fees:,.2f}, slippage {slippage:,.2f})",
        "folder": launched.folder,
        "report": launched.folder / RUN_REPORT,
    }
    lines = [f"  {name:<12}  {value}" for name, value in told.items()]
    return [f"{launched.identity} succeeded", *lines]


def _beside_the_trades(figures: JsonObject) -> dict[str, str]:
    """Return what the count of trades leaves out: a position that is still open, orders that were never placed."""
    told = {}
    if figures["open_position"]:
        told["still open"] = "one position, at the last close; no trade yet"
    if figures["refused_orders"]:
        told["not placed"] = f"{figures['refused_orders']:,} orders that no broker would have taken"
    return told


def machine_answer(launched: Launched | Driven, request_id: str | None) -> JsonObject:
    """Return what a program is told about something that succeeded, or that goes on following the market."""
    if not isinstance(launched, Launched):
        return {
            "schema_version": SCHEMA_VERSION,
            "request_id": request_id,
            "status": launched.session.status,
            "run_id": launched.session.session_id,
            "artifacts_path": str(launched.folder.absolute()),
            **launched.as_line(),
        }
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


def failed_answer(
    error: Exception,
    told: tuple[str, int],
    request_id: str | None,
    begun: tuple[str, Path] | None,
    given: Sequence[str],
) -> JsonObject:
    """Return what a program is told about something that failed, or never began.

    Args:
        error: Why.
        told: What people are told of it, and the exit code.
        request_id: The name by which the program waits for an answer, where it can be read.
        begun: The id and folder of what failed; None where nothing began.
        given: The words of the command line, whose secrets no message may show.
    """
    identity, folder = begun or (None, None)
    message, exit_code = told
    return {
        "schema_version": SCHEMA_VERSION,
        "request_id": request_id,
        "status": "error",
        "exit_code": exit_code,
        "error_type": type(error).__name__,
        "message": without_secrets(one_line(message or type(error).__name__), given),
        "run_id": identity,
        "artifacts_path": None if folder is None else str(folder.absolute()),
    }


def rebuild_report(folder: Path, ledger: str | None, *, run_kept_code: bool = False) -> str:
    """Make a session's or run's report anew from what its folder keeps; returns the line to print.

    Of a session that follows the market and goes on, it is one as of its last bar.

    Raises:
        ConfigError: the folder holds neither.
        DataError: its prices are gone, or give another result today.
    """
    from quantlab.cli.finding import find_session
    from quantlab.cli.naming import spelled_out
    from quantlab.folders import remaking
    from quantlab.folders.roots import open_root_store
    from quantlab.ledger import log, projection
    from quantlab.sessions.forward.so_far import follows_still, report_so_far

    folder = Path(spelled_out(str(folder), ledger))
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder; expected a session's or run's, such as outputs/runs/ID.")
    if remaking.is_run(folder):
        return f"Report rebuilt: {remaking.rebuild_run_report(folder, run_kept_code=run_kept_code)}"
    location, session_id = find_session(str(folder), ledger)
    with open_root_store(location, now=utc_now()) as store:
        with store.read() as connection:
            session = projection.read_row(connection, session_id)
            recorded = log.read_events(connection, session_id)
        if session is not None and follows_still(session, recorded):
            page = report_so_far(recorded, folder, run_kept_code=run_kept_code)
            return f"Report as of {session.watermark}: {page}"
        page = remaking.rebuild_session_report(store, folder, session_id, run_kept_code=run_kept_code)
    return f"Report rebuilt: {page}"


def _launch(config: RunConfig, options: LaunchOptions) -> Launched:
    if config.paper:
        require_text(options.outdir)
        from quantlab.sessions.launch import launch_paper

        return launch_paper(config, options)
    from quantlab.runner.research import launch_run

    return launch_run(config, options)


def _percent(fraction: float | None) -> str:
    return "n/a" if fraction is None else f"{fraction:+.2%}"
