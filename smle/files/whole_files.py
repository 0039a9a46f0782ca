"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedWriter
from pathlib import Path

from smle.files.locks import open_held
from smle.files.part_files import part_path, remove_parts


@contextmanager
def whole_file(path: Path) -> Iterator[BufferedWriter]:
    """Open a file that takes its place once it is written: nobody ever sees a part of it.

    What killed processes left half-written beside it is removed.

    Args:
        path: The file; what it held before is replaced.
    """
    remove_parts(path.parent)
    part = part_path(path)
    try:
        with open(part, "xb", opener=open_held) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            part.replace(path)  # still open: what is closed, others may remove
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write all of a file's content (see `whole_file`)."""
    with whole_file(path) as file:
        file.write(content)
