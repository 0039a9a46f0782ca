"""The speaker embedding of P2: a Siamese GRU whose last state tells speakers apart in noise."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from smle.model.config import SpectralConfig
from smle.tensors.spectral import Features, Stft

HIDDEN_SIZE = 32
LAYERS = 2


class SpeakerEmbedding(nn.Module):
    """Two GRU layers of 32 units; the embedding is the output for the last frame.

    As in P2 but for the input: compressed, level-invariant magnitude from 0 to 4 kHz, each bin
    standardised, with windows of 64 ms. On plain magnitude the loss stays at chance for long.

    Args:
        sample_rate: Rate of the signals in Hz.

    >>> SpeakerEmbedding().eval()(torch.randn(3, 16000)).shape
    torch.Size([3, 32])
    """

    def __init__(self, sample_rate: int = 16000) -> None:
        super().__init__()
        config = SpectralConfig(sample_rate=8000, window_s=0.064, hop_s=0.032)
        self._stft = Stft(config, sample_rate)
        self._features = Features(config)
        self.standardise = nn.BatchNorm1d(config.n_bins, affine=False)
        self.recurrent = nn.GRU(config.n_bins, HIDDEN_SIZE, LAYERS, batch_first=True)

    def forward(self, signal: Tensor) -> Tensor:
        """Embed signals of shape (rows, time) as (rows, 32)."""
        overlap = self._stft.overlap
        spectrum = self._stft.analyse(functional.pad(signal, (overlap, overlap)))
        features, _ = self._features(spectrum, self._features.start(len(signal)))
        standard = self.standardise(features.transpose(1, 2)).transpose(1, 2)
        hidden, _ = self.recurrent(standard)  # (rows, frames, 32)
        last: Tensor = hidden[:, -1]
        return last


def pair_loss(embeddings: Tensor, speakers: Tensor) -> tuple[Tensor, float]:
    """Return P2's loss over all pairs of a batch, and the share of pairs told right.

    The score of a pair is the dot product of its embeddings; the loss is its binary cross-entropy
    against whether both are of one speaker. Pairs of one speaker and pairs of two weigh half each,
    as in P2, which draws single pairs.

    Args:
        embeddings: Shape (rows, size).
        speakers: Number of the speaker of each row, shape (rows,).

    >>> apart = torch.tensor([[3.0, 0.0], [3.0, 0.0], [-3.0, 0.0], [-3.0, 0.0]])
    >>> loss, accuracy = pair_loss(apart, torch.tensor([0, 0, 1, 1]))
    >>> bool(loss < 0.001), accuracy
    (True, 1.0)
    """
    first, second = torch.triu_indices(len(embeddings), len(embeddings), offset=1)
    logits = (embeddings @ embeddings.T)[first, second]
    same = (speakers[first] == speakers[second]).to(logits.dtype)
    weights = same / same.sum().clamp(min=1) + (1 - same) / (1 - same).sum().clamp(min=1)
    entropy = functional.binary_cross_entropy_with_logits(logits, same, reduction="none")
    right = ((logits > 0) == (same > 0)).to(logits.dtype)
    return (weights * entropy).sum() / 2, float((weights * right).sum() / 2)
