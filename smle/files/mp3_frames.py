"""How long an MP3 is, counted frame by frame.

Files without a Xing, Info or VBRI header do not say it, and files that were put together say it of
their first part alone; decoders that trust them stop too early.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import NamedTuple

# Bit rates in kbit/s by the header's number: MPEG 1, and the lower sample rates of MPEG 2 and 2.5.
_KBITS = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_LENGTH_HEADERS = (b"Xing", b"Info", b"VBRI")
_HEADER_BYTES = 200


class Mp3Frames(NamedTuple):
    """What the frames of an MP3 hold: samples per channel, and whether the first says how many."""

    samples: int
    stated: bool


def count_frames(path: Path) -> Mp3Frames:
    """Walk from frame to frame through a file of MPEG layer III.

    Args:
        path: Not empty; tags and other matter between the frames are skipped.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.mp3")
    ...     frame = bytes.fromhex("fffb9064") + bytes(413)  # 128 kbit/s, 44.1 kHz
    ...     _ = path.write_bytes(3 * frame)
    ...     count_frames(path)
    Mp3Frames(samples=3456, stated=False)
    """
    samples, stated, first = 0, False, True
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = _after_tag(data)
        while (at := data.find(b"\xff", at)) >= 0:
            length, count = _frame(data[at : at + 4])
            # A frame is one that ends where the next begins, or the file.
            after = data[at + length : at + length + 2]
            if not length or (after and not _is_sync(after) and not after.startswith(b"TA")):
                at += 1
                continue
            if first and any(mark in data[at : at + _HEADER_BYTES] for mark in _LENGTH_HEADERS):
                stated = True
            elif at + length <= len(data):
                samples += count
            first = False
            at += length
    return Mp3Frames(samples, stated)


def _after_tag(data: mmap.mmap) -> int:
    head = data[:10]
    if len(head) < 10 or head[:3] != b"ID3":
        return 0
    size = 0
    for byte in head[6:]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def _is_sync(head: bytes) -> bool:
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0


def _frame(head: bytes) -> tuple[int, int]:
    """Bytes and samples of the frame with this header; nothing if it is none of layer III."""
    if len(head) < 4 or not _is_sync(head):
        return 0, 0
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    kbits, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version not in _RATES_HZ or layer != 1 or kbits in (0, 15) or rate == 3:
        return 0, 0
    samples = 1152 if version == 3 else 576
    bits_per_s = 1000 * _KBITS[version != 3][kbits]
    return samples // 8 * bits_per_s // _RATES_HZ[version][rate] + padding, samples
