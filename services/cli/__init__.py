"""The command line: `vigil COMMAND`, each command a module that is loaded when it is asked for.

Who comes in: a person. Who goes out: bootstrap, the steps, the rules' front door. `vigil up` must
be small and `vigil --help` quick, so nothing is imported before it is needed.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click

from services.errors import Rejected, ServiceError

# Name -> the module beside this one that has the click command of that name, and what it does.
COMMANDS = {
    "up": ("up", "Run the whole service in the foreground."),
    "prepare": ("prepare", "Bring schema and trials up to date, for a deployment."),
    "protocol": ("protocol", "Check, show or compare protocol files."),
    "evaluate": ("evaluate", "Judge a file of events without a server."),
    "import": ("publish", "Publish a file of events to a running service."),
    "replay": ("replay", "Rebuild every subject from the event log alone."),
    "backtest": ("backtest", "What another protocol version would have decided and alerted."),
    "simulate": ("simulate", "Virtual trials: how often the protocol stops, whom it alerts."),
    "boundary": ("boundary", "A stopping boundary and exactly how it behaves."),
    "grade": ("grade", "The CTCAE grade of a laboratory value."),
    "keys": ("keys", "Make, list and revoke API keys."),
    "accounts": ("accounts", "Who may sign in to the page."),
    "audit": ("audit", "Verify the audit's chains."),
    "bench": ("bench", "Measure this machine."),
}


class _Lazy(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"services.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
def group() -> None:
    """Vigil watches over the people in a clinical trial."""


def main() -> None:
    """The console command: what goes wrong is one sentence and a status, never a traceback."""
    try:
        status = group(standalone_mode=False)
    except click.exceptions.Abort:
        status = 130
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except Rejected as error:
        for problem in error.problems:
            hint = f" ({problem.hint})" if problem.hint else ""
            click.echo(f"vigil: {problem.detail}{hint}", err=True)
        status = 1
    except ServiceError as error:
        click.echo(f"vigil: {error}", err=True)
        status = 1
    sys.exit(status if isinstance(status, int) else 0)
