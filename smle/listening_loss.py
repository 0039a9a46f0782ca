"""What networks are polished by: how estimates sound, beside how they differ."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from smle.intelligibility import intelligibility
from smle.loudness import loudness_error
from smle.rating_network import personalised_network

_INTELLIGIBILITY_WEIGHT = 0.5
_RATING_WEIGHT = 0.15
# Ratings cost several times what a network costs, so only these mixtures are rated.
_RATED_SHARE = 3 / 8
_SILENCE = 1e-7


class ListeningLoss:
    """Intelligibility, loudness and ratings of estimates, as a loss.

    Each measure alone can be pleased by what spoils the others; together they hold each other.

    Args:
        device: Where the estimates are.
        loudness_weight: Of loudness beside the others; much more than 0.1 prefers silence to speech
            as loud as the noise left in it.

    Raises:
        ModelError: If a package is missing.
    """

    def __init__(self, device: torch.device, loudness_weight: float) -> None:
        self._device = device
        self._loudness_weight = loudness_weight
        self._ratings = personalised_network(device)

    def __call__(self, estimate: Tensor, clean: Tensor) -> Tensor:
        """Judge estimates.

        Args:
            estimate: (rows, samples) at 16 kHz.
            clean: (rows, samples); rows of silence are not judged.

        Returns:
            One value per row, lower for what sounds better. The ratings stand in the rows that were
            rated, for all: means over rows are what to minimise.
        """
        speech = clean.square().mean(1) > _SILENCE
        loss = self._loudness_weight * loudness_error(estimate, clean)
        loss = speech * (loss - _INTELLIGIBILITY_WEIGHT * intelligibility(estimate, clean))
        rated = speech.nonzero()[:, 0][: math.ceil(_RATED_SHARE * len(estimate))]
        if not len(rated):
            return loss
        with torch.autocast(self._device.type, torch.bfloat16):
            rating = self._ratings(estimate[rated]).mean(1)
        share = len(rated) / len(estimate)
        return loss.index_add(0, rated, -_RATING_WEIGHT / share * rating)
