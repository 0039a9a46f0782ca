"""What a WAV file holds beside its sound: time codes, cue points, labels (`bext`, iXML and others).

libsndfile leaves them behind. As long as there are as many samples, all of it stays true, but for
the loudness that `bext` may tell.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_KEPT = frozenset((b"bext", b"iXML", b"axml", b"cue ", b"plst", b"smpl", b"_PMX"))
_LABELS = b"adtl"
# From version 2 on `bext` holds five measures of loudness, and 0x7FFF where one is not known
# (EBU Tech 3285, version 2).
_BEXT_VERSION, _BEXT_LOUDNESS = slice(346, 348), slice(412, 422)
_UNKNOWN_LOUDNESS = b"\xff\x7f" * 5
# Headers and these fit beside as much sound as a WAV file may hold.
_MOST_BYTES = 1 << 19
_CHUNK = struct.Struct("<4sI")
_FILE = struct.Struct("<4sI4s")
_LARGE_SIZES = struct.Struct("<QQ")  # of the file and of the sound, where 32 bits are too few
_STANDS_ELSEWHERE = 0xFFFF_FFFF
_LARGE_SIZES_AT = _FILE.size + _CHUNK.size


def read_chunks(path: Path) -> bytes:
    r"""Collect the chunks of a WAV file that are worth keeping.

    Args:
        path: A file of any kind.

    Returns:
        The chunks one after the other, with their headers, the loudness of `bext` marked as
        unknown; half a megabyte at most, what does not fit is left out. Nothing if it is no WAV
        file.

    >>> import tempfile
    >>> cue = b"cue " + struct.pack("<I", 4) + bytes(4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.wav")
    ...     _ = path.write_bytes(_FILE.pack(b"RIFF", 24, b"WAVE") + b"data\0\0\0\0" + cue)
    ...     read_chunks(path) == cue
    True
    """
    kept = b""
    with path.open("rb") as file:
        start = file.read(_FILE.size)
        if start[:4] not in (b"RIFF", b"RF64") or start[8:] != b"WAVE":
            return kept
        sound_bytes, end = 0, path.stat().st_size
        while len(head := file.read(_CHUNK.size)) == _CHUNK.size:
            name, size = _CHUNK.unpack(head)
            begin = file.tell()
            if name == b"data" and size == _STANDS_ELSEWHERE and sound_bytes:
                size = sound_bytes
            # Sound whose end was not known when it began, or what is no chunk, such as zeros that
            # were kept for later.
            if begin + size > end or not (name.isascii() and name.decode().isprintable()):
                break
            body = file.read(size) if name != b"data" and size <= _MOST_BYTES - len(kept) else b""
            if name == b"ds64" and len(body) >= _LARGE_SIZES.size:
                _, sound_bytes = _LARGE_SIZES.unpack_from(body)
            if name == b"bext" and int.from_bytes(body[_BEXT_VERSION], "little") >= 2:
                body = _without_loudness(body)
            if body and (name in _KEPT or (name == b"LIST" and body[:4] == _LABELS)):
                kept += head + body + bytes(size % 2)
            file.seek(begin + size + size % 2)
    return kept


def append_chunks(file: BinaryIO, chunks: bytes) -> None:
    """Put chunks behind all that a finished WAV file holds.

    Args:
        file: Open for reading and writing.
        chunks: From `read_chunks`.
    """
    file.seek(0, 2)
    file.write(bytes(file.tell() % 2) + chunks)
    size = file.tell() - _CHUNK.size
    file.seek(0)
    if file.read(4) == b"RF64":
        file.seek(_LARGE_SIZES_AT)
        file.write(size.to_bytes(8, "little"))
    else:
        file.seek(4)
        file.write(size.to_bytes(4, "little"))


def _without_loudness(bext: bytes) -> bytes:
    if len(bext) < _BEXT_LOUDNESS.stop:
        return bext
    return bext[: _BEXT_LOUDNESS.start] + _UNKNOWN_LOUDNESS + bext[_BEXT_LOUDNESS.stop :]
