"""How long a file is, where libsndfile believes what its first header says or guesses."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from smle.errors import AudioError
from smle.files.formats import SequentialFile
from smle.files.mp3_frames import count_frames
from smle.files.ogg_pages import OggPages, walk_pages
from smle.files.paths import shown

# libsndfile's own for a FLAC that does not say; nobody has recorded for that long.
_MOST_FRAMES = 1 << 60
# What encoders put before and behind the sound of an MP3, and its length header leaves out.
_MP3_PADDING_FRAMES = 4 * 1152
_OPUS_RATE_HZ = 48_000
# The first page of an Ogg file ends within seconds; Opus drops a little at the begin.
_LATEST_FIRST_PAGE_S, _PAGES_TOLERANCE_S = 10.0, 0.25


class Length(NamedTuple):
    """Frames of a file, whether that is certain, and whether libsndfile finds all of them."""

    frames: int
    exact: bool
    all_found: bool = True


def length_of(path: Path, file: SequentialFile) -> Length:
    """Find out how long an opened file is.

    Args:
        path: The file.
        file: What libsndfile makes of it.

    Raises:
        AudioError: The file is an Ogg that is not whole.
    """
    found: int = file.frames
    if file.subtype == "MPEG_LAYER_III":
        counted = count_frames(path)
        if counted.samples > found + _MP3_PADDING_FRAMES:
            return Length(counted.samples, exact=False, all_found=False)
        return Length(found if counted.stated else counted.samples, exact=counted.stated)
    if file.subtype in ("MPEG_LAYER_I", "MPEG_LAYER_II"):
        # Reckoned from the bit rate: wrong where frames are padded.
        return Length(found, exact=False)
    if file.format == "OGG":
        pages = walk_pages(path)
        if pages.chained:
            return Length(found, exact=False, all_found=False)
        _check_pages(path, file, pages)
    if found > _MOST_FRAMES:
        return Length(max(1, path.stat().st_size // file.channels), exact=False)
    return Length(found, exact=True)


def truncated(path: Path, held: int, promised: int, what: str) -> AudioError:
    """The error of a file that ends before it says that it does."""
    return AudioError(
        f"{shown(path)}: truncated: {held} of {promised} {what} are there; "
        "copy it again or re-encode it"
    )


def _check_pages(path: Path, file: SequentialFile, pages: OggPages) -> None:
    """Compare what libsndfile found of an Ogg file with what its pages promise."""
    if pages.torn:
        raise AudioError(
            f"{shown(path)}: truncated: its last page is cut off; copy it again or re-encode it"
        )
    rate = _OPUS_RATE_HZ if file.subtype == "OPUS" else file.samplerate
    # A stream that was recorded from its middle counts from elsewhere.
    from_begin = pages.first_granule < _LATEST_FIRST_PAGE_S * rate
    promised = int((pages.granule / rate - _PAGES_TOLERANCE_S) * file.samplerate)
    if from_begin and file.frames < promised:
        raise truncated(path, file.frames, promised, "frames")
