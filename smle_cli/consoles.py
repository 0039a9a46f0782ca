"""Where messages go: standard error, with colours only for a terminal that wants them."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_WIDTH = 120


def message_console() -> Console:
    """A console on standard error; NO_COLOR and TERM=dumb are respected, pipes get plain text."""
    from rich.console import Console

    if sys.stderr.isatty():
        return Console(stderr=True)
    width = shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns if "COLUMNS" in os.environ else 0
    return Console(stderr=True, width=width or PLAIN_WIDTH, color_system=None, highlight=False)


def show_log(*, quiet: bool, verbose: bool) -> None:
    """Send the library's log to standard error: warnings, with `verbose` also what it decides."""
    level = logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="smle: %(message)s", stream=sys.stderr)
    # What joblib says of work that an interrupt made useless.
    warnings.filterwarnings("ignore", ".*tasks have been successfully executed")
    logging.getLogger("distributed").setLevel(logging.ERROR)
