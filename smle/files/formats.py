"""Which audio formats can be read and written, and what one turns into when it cannot be kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import soundfile as sf

from smle.errors import AudioError
from smle.files.tags import read_tags

# fmt: off
CONTAINER_SUFFIXES = frozenset((
    ".m4a", ".m4b", ".aac", ".mp4", ".m4v", ".mov", ".mkv", ".mka",
    ".webm", ".wma", ".wmv", ".avi", ".3gp", ".ac3", ".amr", ".ts",
))
"""Read through PyAV, which comes with the `av` extra."""

AUDIO_SUFFIXES = CONTAINER_SUFFIXES | frozenset((
    ".wav", ".wave", ".bwf", ".flac", ".mp3", ".mp2", ".ogg", ".oga",
    ".opus", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64",
))
# fmt: on

RAW_SUBTYPES = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")

_SUFFIX_OF_FORMAT = {
    "WAV": ".wav",
    "FLAC": ".flac",
    "MP3": ".mp3",
    "OGG": ".ogg",
    "AIFF": ".aiff",
    "AU": ".au",
    "CAF": ".caf",
    "W64": ".w64",
    "RF64": ".wav",
    "WAVEX": ".wav",
}
_FORMAT_OF_SUFFIX = {"aif": "aiff", "aifc": "aiff", "oga": "ogg"}
_FORMAT_OF_SUFFIX |= dict.fromkeys(("wave", "bwf", "rf64"), "wav")
# Block codecs pad the last block, so the length would change; 16 bits hold all that they can say.
_KEEPS_LENGTH = frozenset((*RAW_SUBTYPES, "ULAW", "ALAW"))
_OWN_CODECS = {"OGG": ("VORBIS", "OPUS"), "MP3": ("MPEG_LAYER_III",)}
_NEAREST_DEPTH = {
    "ALAC_20": "PCM_24",
    "ALAC_24": "PCM_24",
    "ALAC_32": "PCM_24",
    "PCM_U8": "PCM_S8",
    "PCM_S8": "PCM_U8",
    "PCM_32": "PCM_24",
    "FLOAT": "PCM_24",
    "DOUBLE": "PCM_24",
}
_RATES = {
    "OPUS": (8000, 12000, 16000, 24000, 48000),
    "MPEG_LAYER_III": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
}
_MOST_VORBIS_HZ = 200_000
_MOST_CHANNELS = {"FLAC": 8, "MP3": 2}
# What headers of 32 bits claim that were written before the end was known.
_UNKNOWN_BYTES = (range(1), range(0x7FFF_0000, 0x8000_1000), range(0xFFFF_0000, 1 << 32))

WAV_FORMATS = frozenset(("WAV", "WAVEX", "RF64"))
"""These hold the same chunks beside the sound."""

LIMITED_FORMATS = frozenset(("WAV", "WAVEX", "AIFF", "AU"))
MOST_BYTES = 2**32 - 2**20
"""Of sound in these: their headers count bytes in 32 bits."""

_BYTES = {"PCM_S8": 1, "PCM_U8": 1, "ULAW": 1, "ALAW": 1, "PCM_16": 2, "PCM_24": 3, "DOUBLE": 8}


class SequentialFile(sf.SoundFile):  # type: ignore[misc]
    """A SoundFile that never seeks: seeking after each block would jolt Opus, Vorbis and MP3."""

    def seekable(self) -> bool:
        """Tell soundfile to leave the position alone."""
        return False

    def copy_metadata(self) -> dict[str, str]:
        """The tags, see `read_tags`."""
        return read_tags(self)


@dataclass(frozen=True)
class Target:
    """How an output is encoded: libsndfile's names, and the suffix its file name should have."""

    format: str
    subtype: str
    suffix: str


def format_names() -> tuple[str, ...]:
    """Formats that can be asked for by name, in lower case."""
    return ("wav", "flac", "mp3", "ogg", "opus", "aiff")


def target_for(
    format: str, subtype: str, *, wanted: str = "same", wanted_subtype: str | None = None
) -> Target:
    """Choose the encoding of an output from that of its input and from what the user asked for.

    Args:
        format: The input's format as libsndfile names it (`WAV`), or any other name.
        subtype: The input's subtype as libsndfile names it (`PCM_16`).
        wanted: `same` or one of `format_names`.
        wanted_subtype: A subtype of libsndfile, or None to stay as near to the input as possible.

    Returns:
        A pair that libsndfile can write. With `same` and no subtype it is the input's own pair,
        except where that cannot be written or would change the length.

    Raises:
        AudioError: The format or the combination does not exist.

    Example:
        >>> target_for("WAV", "PCM_24")
        Target(format='WAV', subtype='PCM_24', suffix='.wav')
        >>> target_for("WAV", "FLOAT", wanted="flac").subtype
        'PCM_24'
    """
    if wanted == "opus":
        chosen, wanted_subtype = "OGG", wanted_subtype or "OPUS"
    elif wanted == "same":
        chosen = format if format in _SUFFIX_OF_FORMAT else "WAV"
    elif wanted.upper() in _SUFFIX_OF_FORMAT:
        chosen = wanted.upper()
    else:
        raise AudioError(f"unknown format {wanted!r}: choose same, {', '.join(format_names())}")
    suffix = ".opus" if wanted == "opus" else _SUFFIX_OF_FORMAT[chosen]
    keeps_length = _KEEPS_LENGTH.union(_OWN_CODECS.get(chosen, ()))
    if wanted_subtype is not None:
        wanted_subtype = wanted_subtype.upper()
        if wanted == "opus" and wanted_subtype != "OPUS":
            raise AudioError(
                f"OPUS files hold no {wanted_subtype}: leave the subtype out, or name "
                "the output .ogg"
            )
        if not sf.check_format(chosen, wanted_subtype):
            known = ", ".join(s for s in sf.available_subtypes(chosen) if s in keeps_length)
            raise AudioError(f"{chosen} has no subtype {wanted_subtype}: choose one of {known}")
        if wanted_subtype not in keeps_length:
            raise AudioError(
                f"{wanted_subtype} would fill up its last block and change the length; "
                f"choose {', '.join(_OWN_CODECS.get(chosen, ('PCM_16', 'PCM_24', 'FLOAT')))}"
            )
        return Target(chosen, wanted_subtype, suffix)
    for candidate in (subtype, _NEAREST_DEPTH.get(subtype)):
        if candidate in keeps_length and sf.check_format(chosen, candidate):
            return Target(chosen, candidate, suffix)
    return Target(chosen, _OWN_CODECS.get(chosen, ("PCM_16",))[0], suffix)


def check_holds(format: str, subtype: str, sample_rate: int, channels: int) -> None:
    """Check that a file can hold a signal.

    Args:
        format: libsndfile's name of the format.
        subtype: Its name of the encoding.
        sample_rate: In Hz.
        channels: How many.

    Raises:
        AudioError: It cannot.

    Example:
        >>> check_holds("OGG", "OPUS", 48_000, 2)
    """
    most = _MOST_CHANNELS.get(format)
    if most and channels > most:
        raise AudioError(
            f"{format} holds up to {most} channels, not {channels}; choose another format"
        )
    rates = _RATES.get(subtype)
    if rates and sample_rate not in rates:
        known = ", ".join(map(str, rates))
        raise AudioError(f"{subtype} knows {known} Hz, not {sample_rate}; choose another format")
    # libsndfile crashes above.
    if subtype == "VORBIS" and sample_rate > _MOST_VORBIS_HZ:
        raise AudioError(
            f"{subtype} knows rates up to {_MOST_VORBIS_HZ} Hz, not {sample_rate}; "
            "choose another format"
        )


def tells_length(size_bytes: int) -> bool:
    """Whether the size in a header of 32 bits is one, not what stands for an unknown one.

    Example:
        >>> tells_length(3_000_000_000), tells_length(0xFFFF_FFFF)
        (True, False)
    """
    return not any(size_bytes in unknown for unknown in _UNKNOWN_BYTES)


def format_of(name: Path) -> str:
    """The format that a file's name asks for, as `format_names` has it; or what its suffix is.

    Example:
        >>> format_of(Path("talk.AIF"))
        'aiff'
    """
    suffix = name.suffix.lower().removeprefix(".")
    return _FORMAT_OF_SUFFIX.get(suffix, suffix)


def is_written(name: Path) -> bool:
    """Whether files of a name's suffix can be written, not only read.

    Example:
        >>> is_written(Path("talk.caf")), is_written(Path("talk.m4a"))
        (True, False)
    """
    return name.suffix.lower() not in CONTAINER_SUFFIXES | {".mp2"}


def container_for(target: Target, frames: int | None, channels: int) -> str:
    """The format to write: a WAV file that would pass 4 GiB becomes RF64, which has no such limit.

    Args:
        target: What is wanted.
        frames: How many there will be; None if nobody knows, and it might.
        channels: How many.

    Example:
        >>> container_for(Target("WAV", "PCM_16", ".wav"), 48000 * 3600 * 7, 2)
        'RF64'
    """
    large = frames is None or frames * frame_bytes(target.subtype, channels) > MOST_BYTES
    return "RF64" if large and target.format in ("WAV", "WAVEX") else target.format


def frame_bytes(subtype: str, channels: int) -> int:
    """Bytes of one sample of every channel, where each sample takes as many."""
    return channels * _BYTES.get(subtype, 4)
