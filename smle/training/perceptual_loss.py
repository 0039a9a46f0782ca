"""How estimates sound beside clean speech, as a loss that gradients flow through."""

from __future__ import annotations

from torch import Tensor

from smle.training.intelligibility import intelligibility
from smle.training.loudness import loudness_error

_SILENCE = 1e-7


def perceptual_loss(
    estimate: Tensor, clean: Tensor, *, loudness_weight: float, intelligibility_weight: float
) -> Tensor:
    """Judge estimates by their loudness, as PESQ hears it, and by how well they are understood.

    Args:
        estimate: (rows, samples) at 16 kHz, at least 0.5 s.
        clean: (rows, samples).
        loudness_weight: Of `smle.training.loudness`.
        intelligibility_weight: Of `smle.training.intelligibility`.

    Returns:
        One value per row, lower for what sounds better; 0 where the clean signal is silent.

    >>> import torch
    >>> clean = torch.randn(1, 16000)
    >>> weights = {"loudness_weight": 0.3, "intelligibility_weight": 0.7}
    >>> round(perceptual_loss(clean, clean, **weights).item(), 2)
    -0.7
    """
    loss = loudness_weight * loudness_error(estimate, clean)
    return speaks(clean) * (loss - intelligibility_weight * intelligibility(estimate, clean))


def speaks(clean: Tensor) -> Tensor:
    """Which rows (rows,) of clean signals (rows, samples) are more than silence."""
    return clean.square().mean(1) > _SILENCE
