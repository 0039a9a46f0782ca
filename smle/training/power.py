"""Power of spectra for losses, with gradients that cost a fraction of what autograd makes of them.

Autograd sums real and imaginary squares in a reduction over two values, raises every power a
second time, and sends a real signal's gradient through a complex transform of full length: that was
a third of the time of an update of a small network.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


def power_of(spectrum: Tensor) -> Tensor:
    """Square the magnitude of complex values.

    Args:
        spectrum: Complex, of any shape.

    Returns:
        Real, of the same shape.

    >>> power_of(torch.tensor([3.0 + 4.0j]))
    tensor([25.])
    """
    return cast("Tensor", _Power.apply(spectrum))  # type: ignore[no-untyped-call]


def power_spectrum(signal: Tensor, window: Tensor, n_fft: int | None = None) -> Tensor:
    """Square the magnitude of the short-time Fourier transform, each frame half a window on.

    Args:
        signal: (rows, samples), as many as the window has at least.
        window: (samples), an even number of them; no gradient reaches it.
        n_fft: Even size of the transform, by default that of the window, which zeros follow.

    Returns:
        (rows, frames, bins); the first frame begins with the first sample, and samples after the
        last whole frame are left out.

    >>> power_spectrum(torch.ones(1, 8), torch.ones(4))[0, :, 0]
    tensor([16., 16., 16.])
    """
    size = len(window) if n_fft is None else n_fft
    return cast("Tensor", _PowerSpectrum.apply(signal, window, size))  # type: ignore[no-untyped-call]


def raised(power: Tensor, exponent: float) -> Tensor:
    """Raise positive values to an exponent, by functions that cost less than a power does.

    Args:
        power: Of any shape; more than 0, where a gradient is wanted.
        exponent: Any number.

    Returns:
        Of the same shape.

    >>> raised(torch.tensor([16.0]), 0.5)
    tensor([4.])
    """
    return torch.exp(exponent * torch.log(power))


def _squares(spectrum: Tensor) -> Tensor:
    real, imaginary = torch.view_as_real(spectrum).unbind(-1)
    return torch.addcmul(real * real, imaginary, imaginary)


class _Power(Function):
    @staticmethod
    def forward(ctx: Any, spectrum: Tensor) -> Tensor:
        ctx.save_for_backward(spectrum)
        return _squares(spectrum)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (spectrum,) = ctx.saved_tensors
        return cast("Tensor", spectrum * (2 * gradients[0]))


class _PowerSpectrum(Function):
    @staticmethod
    def forward(ctx: Any, signal: Tensor, window: Tensor, size: int) -> Tensor:
        frames = signal.unfold(-1, len(window), len(window) // 2) * window
        spectrum = torch.fft.rfft(frames, size)
        ctx.save_for_backward(spectrum, window)
        ctx.size, ctx.samples = size, signal.shape[-1]
        return _squares(spectrum)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        spectrum, window = ctx.saved_tensors
        # The inverse transform counts every bin but the outer two twice, as the factor 2 of a
        # square's derivative wants it, and divides by the size.
        weighted = spectrum * gradients[0]
        weighted[..., 0] *= 2
        weighted[..., -1] *= 2
        frames = torch.fft.irfft(weighted, ctx.size)[..., : len(window)] * (window * ctx.size)
        rows, hop = len(frames), len(window) // 2
        covered = (frames.shape[1] + 1) * hop
        by_sample = frames.new_zeros(rows, ctx.samples)
        by_sample[:, : covered - hop] = frames[..., :hop].reshape(rows, -1)
        by_sample[:, hop:covered] += frames[..., hop:].reshape(rows, -1)
        return by_sample, None, None
