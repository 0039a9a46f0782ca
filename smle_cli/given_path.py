"""Paths on the command line that somebody has really given."""

from __future__ import annotations

import os
from typing import Any

import click


class GivenPath(click.Path):
    """A path, and never an empty one: of a shell variable that is not set, click makes ".".

    >>> GivenPath().convert("noisy", None, None)
    'noisy'
    """

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Refuse emptiness, and convert as click does."""
        if value == "":
            self.fail("the path is empty; give a file or folder", param, ctx)
        return super().convert(value, param, ctx)
