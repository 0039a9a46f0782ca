"""What networks are polished by: how estimates would be rated, beside how they differ."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from smle.training.perceptual_loss import perceptual_loss, speaks
from smle.training.rating_network import personalised_network

_INTELLIGIBILITY_WEIGHT = 0.5
_RATING_WEIGHT = 0.15
# Ratings cost several times what a network costs, so only these mixtures are rated.
_RATED_SHARE = 3 / 8


class ListeningLoss:
    """Ratings of estimates, beside intelligibility and loudness, as a loss.

    Each measure alone can be pleased by what spoils the others; together they hold each other.

    Args:
        device: Where the estimates are.
        loudness_weight: Of loudness beside the others; much more than 0.1 prefers silence to speech
            as loud as the noise left in it. None for ratings alone, beside a loss that hears the
            rest already.

    Raises:
        ModelError: If a package is missing.
    """

    def __init__(self, device: torch.device, loudness_weight: float | None) -> None:
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
        loss = torch.zeros_like(estimate[:, 0])
        if self._loudness_weight is not None:
            loss = perceptual_loss(
                estimate,
                clean,
                loudness_weight=self._loudness_weight,
                intelligibility_weight=_INTELLIGIBILITY_WEIGHT,
            )
        rated = speaks(clean).nonzero()[:, 0][: math.ceil(_RATED_SHARE * len(estimate))]
        if not len(rated):
            return loss
        with torch.autocast(self._device.type, torch.bfloat16):
            rating = self._ratings(estimate[rated]).mean(1)
        share = len(rated) / len(estimate)
        return loss.index_add(0, rated, -_RATING_WEIGHT / share * rating)
