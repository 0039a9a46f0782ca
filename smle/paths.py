"""Names of files: which hold sound, and how to print them."""

from __future__ import annotations

import os
from pathlib import Path

from smle.errors import AudioError
from smle.formats import AUDIO_SUFFIXES


def shown(path: str | os.PathLike[str]) -> str:
    """A path as one printable line: control characters and undecodable bytes are escaped."""
    text = os.fspath(path).encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def find_files(folder: str | os.PathLike[str]) -> list[Path]:
    """All regular files below a folder but hidden ones, sorted; symlink loops are harmless."""
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        # Sorted, so that of two links to one folder the same one is followed every time.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = (Path(parent, name) for name in names if not name.startswith("."))
        found.extend(path for path in paths if path.is_file())
    return sorted(found)


def find_audio(folder: str | os.PathLike[str]) -> list[Path]:
    """The audio files below a folder, told by their names, sorted.

    Raises:
        AudioError: There is no such folder.
    """
    if not Path(folder).is_dir():
        raise AudioError(f"{shown(folder)}: no such folder; check the path")
    return [path for path in find_files(folder) if path.suffix.lower() in AUDIO_SUFFIXES]
