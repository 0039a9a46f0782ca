"""Copies of files that are no audio, which appear whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

from smle.errors import AudioError
from smle.files.locks import open_held
from smle.files.part_files import part_path
from smle.files.paths import shown


def copy_whole(source: Path, target: Path, *, overwrite: bool = False) -> None:
    """Copy a file with its times.

    Args:
        source: The file.
        target: The copy; its folder is made if it is missing.
        overwrite: Replace a file of that name.

    Raises:
        AudioError: The copy cannot be made, or something stands under its name.
    """
    if target.exists() and not overwrite:
        raise AudioError(f"{shown(target)}: exists already and is kept; allow overwriting it")
    part = part_path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "xb", opener=open_held):
            shutil.copy2(source, part)
            part.replace(target)
    except OSError as error:
        raise AudioError(f"{shown(target)}: cannot be copied ({error.strerror})") from error
    finally:
        part.unlink(missing_ok=True)
