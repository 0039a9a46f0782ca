"""Options that somebody has given where they mean nothing."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.core import ParameterSource


def refuse_given(names: Iterable[str], meant: str) -> None:
    """Refuse options of the command that is running, if one was given.

    Args:
        names: Of the options' parameters.
        meant: What they are, which this is not.

    Raises:
        click.UsageError: If one was given.
    """
    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if given and parameter.name in names:
            raise click.UsageError(f"{max(parameter.opts, key=len)} is {meant}")
