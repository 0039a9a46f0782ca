"""Files that are being written, under names of their own until they are whole."""

from __future__ import annotations

import contextlib
import os
import secrets
from io import FileIO
from pathlib import Path

from smle.files.aiff_sizes import mend_sizes
from smle.files.locks import lock, open_held
from smle.files.wav_chunks import append_chunks

_SUFFIX = ".smle-part"


def part_path(path: Path) -> Path:
    """A hidden name beside a file's own that nothing else has."""
    return path.with_name(f".{secrets.token_hex(8)}{_SUFFIX}")


def remove_parts(folder: str | os.PathLike[str]) -> int:
    """Remove what killed runs left half-written in a folder; returns how many files that were.

    What is still being written is locked by its writer, and stays.
    """
    removed = 0
    for part in list(Path(folder).glob(f".*{_SUFFIX}")):
        mode = "r+b" if os.access(part, os.W_OK) else "rb"
        with contextlib.suppress(OSError), part.open(mode) as file:
            # Removed while it is locked: its writer may be about to lock it.
            if lock(file.fileno()) == "ours":
                part.unlink()
                removed += 1
    return removed


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to the disk."""
    with contextlib.suppress(OSError):  # some file systems cannot; the file itself is safe
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class PartFile:
    """The file object libsndfile writes to; keeps the error that a callback from C cannot raise.

    Args:
        path: The file, which is made.
        before: What it begins with; libsndfile counts from behind it.
    """

    def __init__(self, path: Path, before: bytes) -> None:
        self._file = FileIO(path, "x+b", opener=open_held)
        self._start = len(before)
        self.error: OSError | None = None
        self.readinto = self._file.readinto
        self.write(before)

    def tell(self) -> int:
        """Where the file stands, as libsndfile counts."""
        return self._file.tell() - self._start

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go elsewhere; returns where that is."""
        if whence == os.SEEK_SET:
            offset += self._start
        return self._file.seek(offset, whence) - self._start

    def write(self, data: bytes) -> int:
        """Write all of the data; returns how much of it there was room for."""
        done = 0
        try:
            while done < len(data):
                done += self._file.write(data[done:])
        except OSError as error:
            self.error = self.error or error
        return done

    def append_chunks(self, chunks: bytes) -> None:
        """Append RIFF chunks to a WAV file that is whole (`smle.files.wav_chunks`)."""
        # The same open file: closing another would let go of the lock.
        with open(self._file.fileno(), "r+b", closefd=False) as file:
            append_chunks(file, chunks)

    def mend_aiff_sizes(self, sound_bytes: int, frame_bytes: int) -> None:
        """Correct the sizes in an AIFF file that is whole (`smle.files.aiff_sizes`)."""
        with open(self._file.fileno(), "r+b", closefd=False) as file:
            mend_sizes(file, sound_bytes, frame_bytes)

    def sync(self) -> None:
        """Flush the file to the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file, which ends its lock."""
        self._file.close()
