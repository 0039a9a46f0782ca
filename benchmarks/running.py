"""How a benchmark runs as a script: its signs of life, and its end."""

from __future__ import annotations

import sys
from collections.abc import Callable

from smle.errors import SmleError


def dot() -> None:
    """Show that one more is done."""
    print(".", end="", file=sys.stderr, flush=True)


def run_script(name: str, main: Callable[[], None]) -> None:
    """Run a benchmark; what goes wrong is said in one line.

    Args:
        name: Of the benchmark.
        main: Does it.
    """
    try:
        main()
    except SmleError as error:
        sys.exit(f"{name}: {error}")
