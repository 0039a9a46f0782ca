"""The `smle` command: finds its verbs by their files, and turns every end into an exit code."""

from __future__ import annotations

import ast
import importlib
import os
import sys
from io import FileIO, TextIOWrapper
from pathlib import Path
from typing import Any

import click

from smle_cli.interrupts import exit_code_of_interrupt, hear_interrupts, hear_no_more

DONE, NOTHING_DONE, USAGE, SOME_FAILED = 0, 1, 2, 3


class FilesFailedError(Exception):
    """Raised by a command some of whose files failed, after it has said which.

    Args:
        succeeded: How many files did not fail.
    """

    def __init__(self, succeeded: int) -> None:
        super().__init__()
        self.succeeded = succeeded


class Verbs(click.Group):
    """Commands in files of their own, `NAME_command.py`, loaded when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the command files."""
        return sorted(p.stem.removesuffix("_command") for p in _folder().glob("*_command.py"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command's file and take the command in it."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"smle_cli.{cmd_name}_command")
        return next(item for item in vars(module).values() if isinstance(item, click.Command))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by their files' first lines: help imports none of them."""
        rows = [(name, _first_line(name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _folder() -> Path:
    return Path(__file__).parent


def _first_line(name: str) -> str:
    source = (_folder() / f"{name}_command.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


@click.command(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="smle enhance noisy/ clean/ cleans every file of a folder.",
)
@click.version_option(package_name="smle", message="smle %(version)s")
def smle() -> None:
    """Clean noisy speech: a gate listens, one small specialist works."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    hear_interrupts()
    _fill_closed()
    _keep_stderr()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names may be of any alphabet
    code = exit_code(arguments)
    if code > SOME_FAILED:
        # All is tidied up; whoever interrupts will not wait for libraries to say farewell.
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def _fill_closed() -> None:
    """Open what was closed of standard input, output and error, before a file takes its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115


def _keep_stderr() -> None:
    """Keep standard error to ourselves: decoders in C would say there what they think of a file."""
    own = os.dup(2)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    os.close(silence)
    sys.stderr = TextIOWrapper(
        FileIO(own, "w"),
        encoding=sys.stderr.encoding,
        errors="backslashreplace",
        line_buffering=True,
        write_through=True,
    )


def exit_code(arguments: list[str] | None = None) -> int:
    """Run the command line; the one place where errors become exit codes.

    Args:
        arguments: Without the program's name; None takes the process's own.

    Returns:
        0 all done, 1 nothing could be done, 2 wrong usage, 3 some files failed, 130 interrupted,
        143 asked to end, 129 the terminal was closed.
    """
    from smle.errors import SmleError

    try:
        result: Any = smle.main(args=arguments, prog_name="smle", standalone_mode=False)
    except click.UsageError as error:
        error.show(sys.stderr)
        return USAGE
    except click.ClickException as error:
        return _say(error.format_message(), NOTHING_DONE)
    except (click.Abort, KeyboardInterrupt):
        hear_no_more()
        return _say("interrupted; finished files are whole", exit_code_of_interrupt())
    except FilesFailedError as error:
        return SOME_FAILED if error.succeeded else NOTHING_DONE
    except SmleError as error:
        return _say(str(error), NOTHING_DONE)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _say(f"{where}{error.strerror or error}", NOTHING_DONE)
    return result if isinstance(result, int) else DONE


def _say(message: str, code: int) -> int:
    click.echo(f"smle: {message}", err=True)
    return code
