"""The bands of the banded network: 257 bins up to 8 kHz, in bands that widen with frequency."""

from __future__ import annotations

from typing import NamedTuple


class BandGroup(NamedTuple):
    """Neighbouring bands of equal width."""

    first_bin: int
    bins_per_band: int
    bands: int

    @property
    def bins(self) -> slice:
        """The bins of all of them."""
        return slice(self.first_bin, self.first_bin + self.bins_per_band * self.bands)


# 125 Hz wide up to 1 kHz, then doubling by octave; the last bin is left over.
BAND_GROUPS = (
    BandGroup(0, 4, 8),
    BandGroup(32, 8, 4),
    BandGroup(64, 16, 4),
    BandGroup(128, 32, 4),
)
N_BANDS = sum(group.bands for group in BAND_GROUPS)
N_BINS = 257
