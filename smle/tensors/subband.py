"""The banded network: small LSTMs that neighbouring bands share, and a narrow full-band LSTM.

The 257 bins up to 8 kHz are split into bands that widen with frequency. Every band becomes a few
channels; an LSTM over time, shared by all bands of a range, follows each; a bottleneck across all
bands with an LSTM of its own lets them know of each other. Shared weights learn much from little
data, more ranges hold more at the same cost, and the bottleneck costs a fraction of a recurrence
over frequency.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from smle.model.bands import BAND_GROUPS, N_BANDS
from smle.model.config import NetworkConfig

BlockState = tuple[Tensor, ...]


class BandSplit(nn.Module):
    """Spectral features to channels, each band by a linear map of its own.

    Args:
        channels: Features per band.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weights = nn.ParameterList(
            nn.Parameter(_normal((g.bands, g.bins_per_band, channels), g.bins_per_band**-0.5))
            for g in BAND_GROUPS
        )
        self.bias = nn.Parameter(torch.zeros(N_BANDS, channels))

    def forward(self, features: Tensor) -> Tensor:
        """(frames, rows, bins) to (frames, rows, bands, channels)."""
        frames, rows = features.shape[:2]
        bands = []
        for group, weight in zip(BAND_GROUPS, self.weights, strict=True):
            band = features[:, :, group.bins].reshape(frames * rows, group.bands, -1)
            bands.append(torch.bmm(band.transpose(0, 1), weight))
        split = torch.cat(bands).transpose(0, 1) + self.bias
        return split.view(frames, rows, N_BANDS, -1)


class BandMerge(nn.Module):
    """Channels back to values per bin, each band by a linear map of its own.

    Args:
        channels: Features per band.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weights = nn.ParameterList(
            nn.Parameter(_normal((g.bands, channels, g.bins_per_band), 0.3 * channels**-0.5))
            for g in BAND_GROUPS
        )
        bins = sum(group.bands * group.bins_per_band for group in BAND_GROUPS)
        self.bias = nn.Parameter(torch.zeros(bins))

    def forward(self, channels: Tensor) -> Tensor:
        """(frames, rows, bands, channels) to (frames, rows, bins); the last bin is repeated."""
        frames, rows = channels.shape[:2]
        by_band = channels.reshape(frames * rows, N_BANDS, -1).transpose(0, 1)
        bins, first = [], 0
        for group, weight in zip(BAND_GROUPS, self.weights, strict=True):
            band = torch.bmm(by_band[first : first + group.bands], weight)
            bins.append(band.transpose(0, 1).reshape(frames, rows, -1))
            first += group.bands
        merged = torch.cat(bins, 2) + self.bias
        return torch.cat([merged, merged[..., -1:]], 2)


class SubbandBlock(nn.Module):
    """An LSTM along each band, then a bottleneck with an LSTM across all bands, both residual.

    Args:
        channels: Features per band.
        hidden_size: Width of the bottleneck.
        ranges: Ranges of neighbouring bands, each with an LSTM of its own.
    """

    def __init__(self, channels: int, hidden_size: int, ranges: int) -> None:
        super().__init__()
        self.band_norm = nn.LayerNorm(channels)
        self.band_lstms = nn.ModuleList(nn.LSTM(channels, channels) for _ in range(ranges))
        self.band_outputs = nn.ModuleList(nn.Linear(channels, channels) for _ in range(ranges))
        self.full_norm = nn.LayerNorm(channels)
        self.full_input = nn.Linear(N_BANDS * channels, hidden_size)
        self.full_lstm = nn.LSTM(hidden_size, hidden_size)
        self.full_output = nn.Linear(hidden_size, N_BANDS * channels)

    def forward(self, x: Tensor, state: BlockState) -> tuple[Tensor, BlockState]:
        """Follow more frames.

        Args:
            x: (frames, rows, bands, channels).
            state: Hidden and cell of the band LSTMs (rows, bands, channels), then those of the
                full-band LSTM (rows, hidden_size).

        Returns:
            The new channels and the new state, shaped as they came.
        """
        frames, rows, bands, channels = x.shape
        x, band_after = self._along_bands(x, state[:2])
        across = self.full_norm(x).view(frames, rows, bands * channels)
        across = functional.silu(self.full_input(across))
        full = tuple(s[None].contiguous() for s in state[2:])
        followed, full_after = self.full_lstm(across, full)
        x = x + self.full_output(across + followed).view_as(x)
        return x, (*band_after, full_after[0][0], full_after[1][0])

    def _along_bands(self, x: Tensor, state: BlockState) -> tuple[Tensor, BlockState]:
        frames, rows, bands, channels = x.shape
        of_range = bands // len(self.band_lstms)
        pieces = [t.split(of_range, -2) for t in (self.band_norm(x), *state)]
        outputs, hiddens, cells = [], [], []
        layers = zip(self.band_lstms, self.band_outputs, *pieces, strict=True)
        for lstm, output, piece, *before in layers:
            columns = piece.reshape(frames, rows * of_range, channels)
            start = tuple(s.reshape(1, rows * of_range, channels) for s in before)
            followed, after = lstm(columns, start)
            outputs.append(output(followed).view(frames, rows, of_range, channels))
            hidden, cell = (s.view(rows, of_range, channels) for s in after)
            hiddens.append(hidden)
            cells.append(cell)
        return x + torch.cat(outputs, -2), (torch.cat(hiddens, 1), torch.cat(cells, 1))


class SubbandNetwork(nn.Module):
    """Band split, blocks, band merge, and a sigmoid mask.

    Args:
        config: Channels, blocks (`layers`), width of the bottleneck (`hidden_size`) and `ranges`.

    >>> network = SubbandNetwork(NetworkConfig("subband", layers=1))
    >>> mask, state = network(torch.rand(2, 5, 257), network.start(2))
    >>> mask.shape, bool(mask.max() <= 1.0)
    (torch.Size([2, 5, 257]), True)
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.split = BandSplit(config.channels)
        self.blocks = nn.ModuleList(
            SubbandBlock(config.channels, config.hidden_size, config.ranges)
            for _ in range(config.layers)
        )
        self.channel_output = nn.Linear(config.channels, config.channels)
        self.merge = BandMerge(config.channels)

    def start(self, rows: int) -> tuple[Tensor, ...]:
        """The state before the first frame: for each block that of its two LSTMs."""
        zeros = self.merge.bias.new_zeros
        band, full = (rows, N_BANDS, self.config.channels), (rows, self.config.hidden_size)
        return tuple(zeros(shape) for _ in self.blocks for shape in (band, band, full, full))

    def forward(
        self, features: Tensor, state: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Estimate the mask of more frames.

        Args:
            features: (rows, frames, bins).
            state: From the call before, or `start`.

        Returns:
            The mask (rows, frames, bins), from 0 to 1, and the new state.
        """
        x = functional.silu(self.split(features.transpose(0, 1)))  # (frames, rows, bands, channels)
        after: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            x, block_after = block(x, state[4 * index : 4 * index + 4])
            after += block_after
        logits = self.merge(functional.silu(self.channel_output(x))).transpose(0, 1)
        # Most passes to begin with: it is quicker to learn what to take away.
        return torch.sigmoid(1.0 + logits), tuple(after)


def _normal(shape: tuple[int, ...], deviation: float) -> Tensor:
    # On the meta device, where models are shaped before they are loaded, there is nothing to draw,
    # and to try would import a compiler, which takes seconds.
    if torch.get_default_device().type == "meta":
        return torch.empty(shape)
    return torch.randn(shape) * deviation
