"""Names of files: which hold sound, and how to print them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from smle.errors import AudioError
from smle.files.formats import AUDIO_SUFFIXES


def shown(path: str | os.PathLike[str]) -> str:
    """A path as one printable line: control characters and undecodable bytes are escaped."""
    text = os.fspath(path).encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def find_files(
    folder: str | os.PathLike[str], closed: Callable[[OSError], object] | None = None
) -> list[Path]:
    """All regular files below a folder but hidden ones, sorted; symlink loops are harmless.

    Links that lead nowhere are among them, so that whoever opens one says so.

    Args:
        folder: Where to look.
        closed: Told of every folder that cannot be listed.

    Raises:
        AudioError: A folder cannot be listed, and nobody is to be told.
    """

    def refuse(error: OSError) -> None:
        raise AudioError(unlisted(error)) from error

    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=closed or refuse):
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        # Links last, so that a folder keeps its own name; sorted, so that of two links to one
        # folder the same one is followed every time.
        visible = (name for name in folders if not name.startswith("."))
        folders[:] = sorted(visible, key=lambda name: (Path(parent, name).is_symlink(), name))
        paths = (Path(parent, name) for name in names if not name.startswith("."))
        found.extend(path for path in paths if _may_be_read(path))
    return sorted(found)


def unlisted(error: OSError) -> str:
    """What to say of a folder that cannot be listed."""
    return f"{shown(error.filename)}: cannot be listed ({error.strerror}); allow it, or move it out"


def find_audio(folder: str | os.PathLike[str]) -> list[Path]:
    """The audio files below a folder, told by their names, sorted.

    Raises:
        AudioError: There is no such folder, or one in it cannot be listed.
    """
    if not Path(folder).is_dir():
        raise AudioError(f"{shown(folder)}: no such folder; check the path")
    return [path for path in find_files(folder) if path.suffix.lower() in AUDIO_SUFFIXES]


def _may_be_read(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:  # whoever opens it will say why not
        return True
