"""Which loudspeaker each channel is for, where a file tells."""

from __future__ import annotations

from collections.abc import Sequence

import soundfile as sf

# SFC_GET_CHANNEL_MAP_INFO and SFC_SET_CHANNEL_MAP_INFO in sndfile.h; soundfile has no names.
_GET, _SET = 0x1100, 0x1101


def read_speakers(file: sf.SoundFile) -> tuple[int, ...]:
    """The loudspeaker of each channel, by libsndfile's numbers; nothing where none are told.

    Args:
        file: Open for reading.
    """
    found = sf._ffi.new("int[]", file.channels)
    told = sf._snd.sf_command(file._file, _GET, found, sf._ffi.sizeof(found))
    return tuple(found) if told and any(found) else ()


def write_speakers(file: sf.SoundFile, speakers: Sequence[int]) -> None:
    """Say which loudspeaker each channel is for, if the format can.

    Args:
        file: Open for writing, and without a sample yet.
        speakers: As `read_speakers` found them.
    """
    if speakers:
        given = sf._ffi.new("int[]", list(speakers))
        sf._snd.sf_command(file._file, _SET, given, sf._ffi.sizeof(given))
