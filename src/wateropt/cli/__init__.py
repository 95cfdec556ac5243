"""The command line: one file per command; each reads arguments, calls two functions and prints.

stdout is data, stderr is talk. Nothing heavy is imported before a command runs.
"""

from __future__ import annotations

import sys

import click

from wateropt import __version__
from wateropt.cli.check import check
from wateropt.cli.compare import compare
from wateropt.cli.data import data
from wateropt.cli.explain import explain
from wateropt.cli.export import export
from wateropt.cli.gate import gate
from wateropt.cli.hindcast import hindcast
from wateropt.cli.list import list_scenarios
from wateropt.cli.rank import rank
from wateropt.cli.sensitivity import sensitivity
from wateropt.cli.solve import solve
from wateropt.errors import WateroptError
from wateropt.workers import take_one_thread


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def commands() -> None:
    """Decide how much water to release, from which reservoir, when.

    Exit codes: 0 done; 1 a bug; 2 wrong command line; 3 wrong data; 4 no schedule satisfies the hard
    requirements; 5 the solver stopped early; 6 results drifted from a baseline; 8 cannot write.
    """


for command in (solve, list_scenarios, check, compare, rank, explain, sensitivity, hindcast, data, gate, export):
    commands.add_command(command)


def main() -> None:
    """Run the command line; an error that is the user's to mend is one message and its exit code."""
    take_one_thread()
    try:
        sys.exit(commands(standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except WateroptError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.code)
