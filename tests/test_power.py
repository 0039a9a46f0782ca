"""Power of spectra and its gradients, against torch's own transform and autograd."""

from __future__ import annotations

import pytest
import torch

from smle.training.power import power_of, power_spectrum, raised

# The second window leaves samples after the last frame; zeros follow the third in its transform.
WINDOWS = pytest.mark.parametrize(("window", "n_fft"), [(8, None), (6, None), (10, 16)])


def values(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    drawn = torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(0))
    return drawn.requires_grad_(True)


@WINDOWS
def test_the_power_spectrum_is_that_of_torch(window, n_fft):
    signal, shape = values(2, 40), torch.hann_window(window, dtype=torch.float64)
    # torch puts zeros on both sides of a short window, which moves it, and no magnitude.
    before = ((n_fft or window) - window) // 2
    moved = torch.nn.functional.pad(signal, (before, (n_fft or window) - window - before))
    expected = torch.stft(
        moved, n_fft or window, window // 2, window, shape, center=False, return_complex=True
    )
    power = power_spectrum(signal, shape, n_fft)
    torch.testing.assert_close(power, expected.abs().square().transpose(1, 2))


@WINDOWS
def test_the_gradient_of_the_power_spectrum(window, n_fft):
    shape = torch.hann_window(window, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda s: power_spectrum(s, shape, n_fft), values(2, 40))


def test_the_gradient_of_the_power():
    assert torch.autograd.gradcheck(power_of, values(3, 5, dtype=torch.complex128))


@pytest.mark.parametrize("exponent", [0.15, 0.5, 2.0])
def test_the_gradient_of_a_power_that_is_raised(exponent):
    power = values(7).detach().square().add(1e-3).requires_grad_(True)
    torch.testing.assert_close(raised(power, exponent), power**exponent)
    assert torch.autograd.gradcheck(lambda p: raised(p, exponent), power)
