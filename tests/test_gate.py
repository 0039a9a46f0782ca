"""The gate hears what the running expert keeps: its balance, in pieces of any length."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from smle.model.config import GateConfig, SpectralConfig
from smle.tensors.gate import Gate
from smle.tensors.spectral import Features


def gate(compression: float = 0.0) -> Gate:
    torch.manual_seed(0)
    spectral = SpectralConfig(compression=compression)
    return Gate(GateConfig(8, hears_expert=True), spectral, 3).requires_grad_(False)


def heard(compression: float, gain: float = 1.0) -> torch.Tensor:
    spectrum = gain * torch.randn(2, 40, 257, generator=torch.Generator().manual_seed(1))
    features = Features(SpectralConfig(compression=compression))
    return features(spectrum + 0j, features.start(2))[0]


@pytest.mark.parametrize("compression", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_the_balance_is_the_ratio_of_kept_to_removed_power(compression, kept):
    mask = torch.full((2, 40, 257), kept)
    balance, _ = gate(compression)._balance(heard(compression), mask, torch.zeros(2, 3))
    expected = 2 * math.log(kept / (1 - kept))
    assert balance[..., 0] == pytest.approx(np.full((2, 40), expected), abs=1e-3)


def test_a_louder_moment_weighs_more_than_a_quiet_one():
    spectrum = torch.ones(1, 40, 257)
    spectrum[:, 20:] = 0.1
    features = Features(SpectralConfig())
    mask = torch.where(torch.arange(40) < 20, 0.9, 0.1)[None, :, None].expand(1, 40, 257)
    own = features(spectrum + 0j, features.start(1))[0]
    balance, _ = gate()._balance(own, mask, torch.zeros(1, 3))
    assert balance[0, -1, 0] > 1.0


def test_frames_in_pieces_give_what_all_at_once_give():
    made, features = gate(), heard(0.0)
    mask = torch.rand(features.shape, generator=torch.Generator().manual_seed(2))
    whole, _ = made(features, mask, made.start(2))
    state, parts = made.start(2), []
    for piece in (slice(0, 7), slice(7, 8), slice(8, 40)):
        logits, state = made(features[:, piece], mask[:, piece], state)
        parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=1e-5)


def test_logits_do_not_depend_on_the_level():
    made = gate()
    mask = torch.full((2, 40, 257), 0.7)
    loud, quiet = (made(heard(0.0, gain), mask, made.start(2))[0] for gain in (1.0, 1e-3))
    torch.testing.assert_close(loud, quiet, atol=1e-4, rtol=1e-4)
