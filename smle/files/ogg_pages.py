"""What the pages of an Ogg file say of its length, which decoders that trust its begin overlook."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import NamedTuple

_CAPTURE = b"OggS"
_HEADER = struct.Struct("<4sBBqIIIB")  # capture, version, kind, granule, serial, number, sum, parts
_BEGINS = 2


class OggPages(NamedTuple):
    """Whether further streams follow on the first, and where its first and last pages end.

    Granules are samples, for Opus those of 48 kHz with what the decoder drops at the begin.
    """

    chained: bool
    torn: bool
    first_granule: int
    granule: int


def walk_pages(path: Path) -> OggPages:
    r"""Walk from page to page.

    Args:
        path: Not empty.

    Returns:
        Chained if a stream begins after sound has come, torn if the last page is not all there.

    >>> import tempfile
    >>> page = _HEADER.pack(_CAPTURE, 0, _BEGINS, 0, 7, 0, 0, 1) + b"\x03abc"
    >>> last = _HEADER.pack(_CAPTURE, 0, 4, 960, 7, 1, 0, 1) + b"\x03abc"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.ogg")
    ...     _ = path.write_bytes(page + last)
    ...     walk_pages(path)
    OggPages(chained=False, torn=False, first_granule=960, granule=960)
    """
    chained, torn, serial, begins = False, False, None, True
    granules: list[int] = []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = 0
        while (at := data.find(_CAPTURE, at)) >= 0:
            head = data[at : at + _HEADER.size]
            if len(head) < _HEADER.size:
                torn = True
                break
            _, _, kind, position, own, _, _, parts = _HEADER.unpack(head)
            table = data[at + _HEADER.size : at + _HEADER.size + parts]
            end = at + _HEADER.size + parts + sum(table)
            if len(table) < parts or end > len(data):
                torn = True
                break
            begins = begins and bool(kind & _BEGINS)
            chained = chained or (bool(kind & _BEGINS) and not begins)
            serial = own if serial is None else serial
            if own == serial and position > 0:
                granules = [*granules[:1], position]
            at = end
    return OggPages(chained, torn, *(granules[0], granules[-1]) if granules else (0, 0))
