"""Text tags: title, artist and the like, of sound files of every format."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import soundfile as sf

# The frames of ID3v2.4 that hold what libsndfile has a name for.
_FRAMES = {
    "title": b"TIT2",
    "artist": b"TPE1",
    "album": b"TALB",
    "date": b"TDRC",
    "tracknumber": b"TRCK",
    "genre": b"TCON",
    "copyright": b"TCOP",
    "software": b"TSSE",
    "comment": b"COMM",
}
_UTF_8 = b"\x03"
# A comment is in a language, here an unknown one, and has a description, here none.
_BEFORE_COMMENT = b"XXX\x00"
_SOFTWARE_MARK = " (libsndfile-"


def read_tags(file: sf.SoundFile) -> dict[str, str]:
    """The tags of an open file, by libsndfile's names; text that is no UTF-8 is taken for CP1252.

    Args:
        file: Open for reading.
    """
    found = {}
    for name, number in sf._str_types.items():
        text = sf._snd.sf_get_string(file._file, number)
        if text != sf._ffi.NULL:
            # libsndfile signs the software tag itself, each time anew.
            found[name] = _decoded(sf._ffi.string(text)).split(_SOFTWARE_MARK)[0]
    return {name: text for name, text in found.items() if text}


def write_tags(file: sf.SoundFile, tags: Mapping[str, str]) -> None:
    """Give a file its tags, those that its format takes.

    Args:
        file: Open for writing, and without a sample yet.
        tags: By libsndfile's names.
    """
    for name, text in tags.items():
        # What a format does not take as a tag is no reason to lose the sound.
        with contextlib.suppress(sf.SoundFileError):
            setattr(file, name, text)


def id3_tag(tags: Mapping[str, str]) -> bytes:
    r"""The tags as MP3 files begin with them (ID3v2.4); libsndfile would garble what is not ASCII.

    Args:
        tags: By libsndfile's names; those that ID3 has no frame for are left out.

    >>> id3_tag({"title": "Ü"})
    b'ID3\x04\x00\x00\x00\x00\x00\rTIT2\x00\x00\x00\x03\x00\x00\x03\xc3\x9c'
    >>> id3_tag({})
    b''
    """
    frames = b""
    for name, text in tags.items():
        if name in _FRAMES:
            before = _BEFORE_COMMENT if name == "comment" else b""
            body = _UTF_8 + before + text.encode("utf-8", "replace")
            frames += _FRAMES[name] + _seven_bits_a_byte(len(body)) + b"\x00\x00" + body
    if len(frames) >> 28:  # more than the tag could say
        return b""
    return b"ID3\x04\x00\x00" + _seven_bits_a_byte(len(frames)) + frames if frames else b""


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("cp1252", "replace")


def _seven_bits_a_byte(size: int) -> bytes:
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
