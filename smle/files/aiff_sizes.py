"""Sizes in AIFF files, where libsndfile counts the byte that evens out a chunk as sound."""

from __future__ import annotations

import struct
from typing import BinaryIO


def mend_sizes(file: BinaryIO, sound_bytes: int, frame_bytes: int) -> None:
    """Let the header of an AIFF file say how much sound it holds.

    Args:
        file: Open for reading and writing.
        sound_bytes: How many bytes of sound were written.
        frame_bytes: Bytes of one sample of every channel.
    """
    if sound_bytes % 2 == 0:
        return  # nothing to even out
    file.seek(12)  # FORM, its size, AIFF or AIFC
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack(">4sI", head)
        begin = file.tell()
        if name == b"COMM":
            file.seek(begin + 2)
            file.write(struct.pack(">I", sound_bytes // frame_bytes))
        elif name == b"SSND":
            file.seek(begin - 4)
            file.write(struct.pack(">I", 8 + sound_bytes))  # offset and block size come before it
            return
        file.seek(begin + size + size % 2)
