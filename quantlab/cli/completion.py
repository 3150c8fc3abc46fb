"""`quantlab completion SHELL`: what a shell has to read to complete the words of a command line."""

from __future__ import annotations

import click

PROGRAM = "quantlab"
VARIABLE = "_QUANTLAB_COMPLETE"
"""By which the shell asks, and click answers; click makes the name from the program's."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what SHELL reads to complete commands and options, such as by: eval "$(quantlab completion bash)"."""
    from click.shell_completion import get_completion_class

    from quantlab.cli.main import cli

    written_by = get_completion_class(shell)
    if written_by is None:  # pragma: no cover - click knows the three
        raise click.UsageError(f"click can't complete for {shell}; expected a newer click.")
    script = written_by(cli, {}, PROGRAM, VARIABLE)
    click.echo(script.source_template % script.source_vars())
