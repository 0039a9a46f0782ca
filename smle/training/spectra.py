"""Batches to features, and masks to losses."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from smle.material.dataset import Batch
from smle.model.recipe import Recipe
from smle.tensors.spectral import Features, Stft
from smle.training.listening_loss import ListeningLoss
from smle.training.losses import EnhancementLoss


class Spectra:
    """Turns batches into features and masks into losses, for every stage alike.

    Args:
        recipe: Spectra and loss.
        device: Where the networks are.
        listening: What estimates are judged by as well, if anything.
    """

    def __init__(
        self, recipe: Recipe, device: torch.device, listening: ListeningLoss | None = None
    ) -> None:
        self.device = device
        self.stft = Stft(recipe.spectral, recipe.spectral.sample_rate, device)
        self._features = Features(recipe.spectral)
        self._loss = EnhancementLoss(recipe.training.loss)
        self._listening = listening
        self._mixed_precision = recipe.training.mixed_precision

    def hear(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Noisy spectrum (rows, frames, bins) and features (rows, frames, bins) of a batch."""
        spectrum = self._spectrum(batch.noisy)
        features, _ = self._features(spectrum, self._features.start(spectrum.shape[0], self.device))
        return spectrum, features

    def mask(self, network: nn.Module, features: Tensor) -> Tensor:
        """Mask (rows, frames, bins) that a mask estimator makes from the start of its features."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._mixed_precision):
            start = network.start(len(features))  # type: ignore[operator]
            mask: Tensor = network(features, start)[0]
        return mask.float()

    def losses(self, network: nn.Module, batch: Batch) -> Tensor:
        """Loss of each row of a batch, masked by one network."""
        spectrum, features = self.hear(batch)
        return self.compare(self.mask(network, features), spectrum, batch)

    def compare(self, mask: Tensor, spectrum: Tensor, batch: Batch) -> Tensor:
        """Loss of each row for a mask (rows, frames, bins)."""
        estimate_spectrum = mask * spectrum
        tail = self.stft.empty_tail(len(mask))
        estimate, _ = self.stft.synthesise(estimate_spectrum, tail)
        samples = batch.noisy.shape[1]
        estimate = estimate[:, self.stft.overlap :][:, :samples]
        clean = batch.clean.to(self.device)[:, : estimate.shape[1]]
        level = batch.noisy.to(self.device).square().mean(1).sqrt()
        clean_spectrum = self._spectrum(batch.clean)
        loss = self._loss(estimate, clean, estimate_spectrum, clean_spectrum, level)
        return loss if self._listening is None else loss + self._listening(estimate, clean)

    def _spectrum(self, signal: Tensor) -> Tensor:
        overlap = self.stft.overlap
        return self.stft.analyse(functional.pad(signal.to(self.device), (overlap, overlap)))
