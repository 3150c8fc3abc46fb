"""The group of all commands, and the one place where an error becomes a line and an exit code."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO, cast

import click

from quantlab import __version__
from quantlab.base.errors import QuantlabError
from quantlab.base.remedies import spelled_by
from quantlab.cli.commands import COMMANDS
from quantlab.cli.configured import defaults_of, where
from quantlab.cli.progress import LINES
from quantlab.cli.remedies import spelled
from quantlab.cli.spelling import as_command, flags_of_commands, is_monitoring

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

spelled_by(spelled)

BAD_PATH = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EROFS)
"""What the system says of a path that somebody gave, rather than of a defect."""
COULD_NOT_TELL = 3
"""What a monitoring plugin exits with when it can't give an answer."""


class Lazily(click.Group):
    """A group whose commands are imported when they are called, and listed with no import at all."""

    def __init__(self, *args: Any, lazy: dict[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.lazy, *super().list_commands(ctx)]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:  # click would write an empty line before ours
            raise click.Abort from interrupt

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, name = self.lazy[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer the commands without an import, then what any command has."""
        if not self.lazy:
            return super().shell_complete(ctx, incomplete)
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(one, help=text)
            for one, (_, text) in self.lazy.items()
            if one.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.lazy.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        names = self.list_commands(ctx)
        if name not in names and not name.startswith("-"):
            import difflib  # only a mistake needs it

            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(names)}."
            raise click.UsageError(f"No such command {name!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=Lazily,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Most commands also have a flag spelling, such as --paper-sessions-list ROOT; see docs/cli.md.",
    lazy=COMMANDS,
)
@click.version_option(__version__, prog_name="quantlab", message="%(prog)s %(version)s")
def cli() -> None:
    """Paper sessions of trading strategies on an append-only event ledger."""


def run(arguments: list[str], *, at_the_end: Callable[[], None] = lambda: None) -> int:
    """Run a command line in either spelling; returns the exit code of contract 2 and never raises.

    Args:
        arguments: The words after the program's name.
        at_the_end: Called when the work is over and what is left is to say so.
    """
    with LINES.shown():
        return _run(arguments, at_the_end)


def _run(arguments: list[str], at_the_end: Callable[[], None]) -> int:
    stdout = sys.stdout
    _let_everything_print(stdout)
    try:
        words = as_command(arguments) or ["--help"]
        answer = cli.main(
            args=words,
            prog_name="quantlab",
            standalone_mode=False,
            default_map=defaults_of(cli, words),
        )
        sys.stdout.flush()
    except (click.exceptions.Exit, SystemExit) as leaving:
        if sys.stdout is not stdout:  # click met the broken pipe first: it wraps the stream and exits with 1
            return _unread()
        code = leaving.exit_code if isinstance(leaving, click.exceptions.Exit) else leaving.code
        return code if isinstance(code, int) else 1
    except BrokenPipeError:
        return _unread()
    except KeyboardInterrupt:
        at_the_end()
        return _report(click.Abort(), arguments)
    except Exception as error:  # noqa: BLE001 - the border: every error becomes one line and an exit code
        at_the_end()
        return _report(error, arguments)
    return answer if isinstance(answer, int) else 0


def _let_everything_print(stream: TextIO) -> None:
    """Show a question mark for what a terminal's encoding, such as latin-1 or cp1252, has no character for."""
    if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
        stream.reconfigure(errors="replace")


def _unread() -> int:
    """End well: the reader has what it wanted (`| head`), and Python must not complain once more at exit."""
    sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - open until the process ends
    return 0


def _report(error: Exception, arguments: list[str]) -> int:
    if os.environ.get("QUANTLAB_TRACEBACK"):
        import traceback

        traceback.print_exception(error)
    from quantlab.base.secrets import one_line, without_secrets

    message, code = explained(error, arguments)
    given = (*arguments, os.environ.get("QUANTLAB_LEDGER", ""))  # one may stand where a path was expected
    try:
        click.echo(f"ERROR: {without_secrets(one_line(message), given)}", err=True)
    except OSError:  # the code alone can tell then, and Python must not try once more at exit
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 - open until the process ends
    return COULD_NOT_TELL if is_monitoring(arguments) else code


def explained(error: Exception, arguments: list[str]) -> tuple[str, int]:
    """Return what is said of an error that ended a command, and the exit code."""
    if isinstance(error, QuantlabError):
        return str(error), error.exit_code
    if isinstance(error, click.Abort):
        return "Interrupted.", 1
    if isinstance(error, click.ClickException):
        return _usage(error, arguments), 2
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("quantlab"):
        return _not_installed(str(error.name)), 1
    told = _refused_by_the_system(error) if isinstance(error, OSError) else None
    if told is not None:
        return told
    return (
        f"Unexpected {type(error).__name__}: {error}. This is a defect of quantlab; "
        "run again with QUANTLAB_TRACEBACK=1 and report what it prints.",
        1,
    )


def _not_installed(package: str) -> str:
    return (
        f"The package {package!r} is not installed for {sys.executable}; activate the environment that quantlab was "
        "installed in, or install it here: python -m pip install --editable ."
    )


def _refused_by_the_system(error: OSError) -> tuple[str, int] | None:
    """Tell what the caller can mend; None where the system refused something that nobody gave."""
    if _is_of_the_answer(error):
        _unread()  # what is left of the answer must not be tried once more at exit
        return f"The answer can't be written: {error.strerror or error}.", 1
    if isinstance(error, FileNotFoundError) and _is_in_no_folder():
        return "The working folder is gone; expected one that is there. Change into another.", 2
    if error.errno in BAD_PATH and error.filename is not None:
        return f"{error.filename} can't be used: {error.strerror}; expected a path that can be read.", 2
    return None


def _is_of_the_answer(error: OSError) -> bool:
    """Tell a full disk behind stdout from one behind any other file: by who met it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code in (click.echo.__code__, run.__code__)


def _is_in_no_folder() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - pathlib is loaded for this alone
    except FileNotFoundError:
        return True
    return False


def _usage(error: click.ClickException, arguments: list[str]) -> str:
    context = getattr(error, "ctx", None)
    message = error.format_message()
    if isinstance(error, click.exceptions.NoArgsIsHelpError):  # its message is the whole page of help
        names = cast("click.Group", error.ctx.command).list_commands(error.ctx)
        message = f"Missing command; expected one of {', '.join(names)}"
    if isinstance(error, click.NoSuchOption):
        message = f"No such option {error.option_name!r}{_nearest(error.option_name, context, arguments)}"
    message = where(error) + message
    closed = message if message.endswith((".", "?")) else f"{message}."
    path = _command_path(arguments) if context is None else context.command_path
    return f"{closed} Try '{path} --help'."


def _command_path(arguments: list[str]) -> str:
    """Return the words of the command that was meant, where click does not tell it: an option without its value."""
    command: click.Command = cli
    path = ["quantlab"]
    for word in as_command(arguments):
        found = (
            command.get_command(click.Context(command), word) if isinstance(command, click.Group) else None
        )
        if found is None:
            break
        command = found
        path.append(word)
    return " ".join(path)


_ALIKE = 0.8
"""Likeness of two options from which one is the other misspelt, though it may also be a strategy's parameter."""


def _nearest(name: str, context: click.Context | None, arguments: list[str]) -> str:
    """Name the option that was most likely meant; in the flag spelling it may be a command's flag."""
    import difflib

    known = [option for one in context.command.params for option in one.opts] if context is not None else []
    if arguments[0] not in COMMANDS:
        known += flags_of_commands()
    names_strategy = any(one.partition("=")[0] == "--strategy" for one in arguments)
    near = difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE if names_strategy else 0.6)
    if not near and names_strategy:
        return f"; did you mean '--param {name.lstrip('-').replace('-', '_')}=VALUE', a parameter of the strategy?"
    return f"; did you mean {near[0]!r}?" if near else ""
