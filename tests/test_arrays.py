"""What enhances, in NumPy, does what was trained, in torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from smle.arrays.gate import ArrayGate
from smle.arrays.spectral import ArrayFeatures, ArrayRunningMean, ArrayStft
from smle.model.config import GateConfig, SpectralConfig
from smle.tensors.gate import Gate
from smle.tensors.spectral import Features, Stft
from tests.models import LSTM, RANGES, RECURRENT, SUBBAND, arrays, mixture

KINDS = pytest.mark.parametrize(
    "network", [RECURRENT, LSTM, SUBBAND, RANGES], ids=["gru", "lstm", "subband", "ranges"]
)


def pieces(frames: int) -> list[slice]:
    """Frames one by one, some together, and the rest."""
    return [slice(0, 1), slice(1, 2), slice(2, 9), slice(9, 10), slice(10, frames)]


@KINDS
@pytest.mark.parametrize("rows", [1, 3])
def test_a_network_masks_in_pieces_as_the_trained_one_does_at_once(network, rows):
    made = mixture(replace(network, layers=2))
    features = torch.randn(rows, 40, 257)
    for expert, trained in zip(arrays(made).experts, made.experts, strict=True):
        expected, _ = trained(features, trained.start(rows))
        state, parts = expert.start(rows), []
        for piece in pieces(40):
            mask, state = expert(features[:, piece].numpy(), state)
            parts.append(mask)
        np.testing.assert_allclose(np.concatenate(parts, 1), expected.numpy(), atol=1e-5)


@KINDS
def test_rows_do_not_hear_each_other(network):
    expert = arrays(mixture(network)).experts[0]
    features = np.random.default_rng(0).standard_normal((3, 20, 257)).astype(np.float32)
    together, _ = expert(features, expert.start(3))
    for row in range(3):
        alone, _ = expert(features[[row]], expert.start(1))
        np.testing.assert_allclose(alone[0], together[row], atol=1e-6)


@KINDS
@pytest.mark.parametrize("rows", [1, 3])
def test_a_call_leaves_what_it_was_given_and_keeps_the_state_alone(network, rows):
    """Not the memory of all frames, of which the state is the last."""
    expert = arrays(mixture(network)).experts[0]
    features = np.random.default_rng(0).standard_normal((rows, 50, 257)).astype(np.float32)
    _, state = expert(features, expert.start(rows))
    given = features.copy(), [array.copy() for array in state]
    first, after = expert(features, state)
    second, _ = expert(features, state)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(features, given[0])
    for array, before in zip(state, given[1], strict=True):
        np.testing.assert_array_equal(array, before)
    for array in after:
        memory = array if array.base is None else array.base
        assert memory.nbytes == array.nbytes


@pytest.mark.parametrize("hears_expert", [False, True])
@pytest.mark.parametrize("compression", [0.0, 0.3])
def test_a_gate_says_in_pieces_what_the_trained_one_says_at_once(hears_expert, compression):
    torch.manual_seed(0)
    config = GateConfig(8, layers=2, hears_expert=hears_expert)
    spectral = SpectralConfig(compression=compression)
    trained = Gate(config, spectral, 3).requires_grad_(False)
    gate = ArrayGate(config, spectral, {n: t.numpy() for n, t in trained.state_dict().items()})
    features, mask = torch.rand(2, 40, 257), torch.rand(2, 40, 257)
    expected, _ = trained(features, mask, trained.start(2))
    state, parts = gate.start(2), []
    for piece in pieces(40):
        logits, state = gate(features[:, piece].numpy(), mask[:, piece].numpy(), state)
        parts.append(logits)
    np.testing.assert_allclose(np.concatenate(parts, 1), expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("compression", [0.0, 0.3])
def test_spectra_and_features_are_those_of_training(rate, compression):
    config = SpectralConfig(compression=compression)
    stft, trained_stft = ArrayStft(config, rate), Stft(config, rate)
    features, trained_features = ArrayFeatures(config), Features(config)
    signal = np.random.default_rng(0).standard_normal((2, rate // 2)).astype(np.float32)
    spectrum = stft.analyse(signal)
    expected = trained_stft.analyse(torch.from_numpy(signal))
    np.testing.assert_allclose(spectrum, expected.numpy(), atol=2e-4)
    heard, _ = trained_features(expected, trained_features.start(2))
    state, parts = features.start(2), []
    for piece in pieces(spectrum.shape[1]):
        part, state = features(spectrum[:, piece], state)
        parts.append(part)
    np.testing.assert_allclose(np.concatenate(parts, 1), heard.numpy(), atol=1e-4)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
@pytest.mark.parametrize("hops", [2, 3])
def test_analysis_and_synthesis_reconstruct(rate, hops):
    config = SpectralConfig(window_s=hops * 0.016)
    stft = ArrayStft(config, rate)
    rng = np.random.default_rng(rate)
    signal = rng.standard_normal((2, stft.hop_length * 20)).astype(np.float32)
    padded = np.pad(signal, ((0, 0), (stft.overlap, stft.overlap)))
    back, _ = stft.synthesise(stft.analyse(padded), stft.empty_tail(2))
    np.testing.assert_allclose(back[:, stft.overlap :], signal, atol=1e-5)


def test_a_mean_as_if_of_a_few_frames_is_that_of_a_few():
    mean = ArrayRunningMean(10.0)
    fours, zeros = np.full((1, 100, 1), 4, np.float32), np.zeros((1, 20, 1), np.float32)
    _, long = mean(fours, mean.start(1, 1))
    _, short = mean(fours[:, :3], mean.start(1, 1))
    expected, _ = mean(zeros, short)
    np.testing.assert_allclose(mean(zeros, mean.as_if_of(3, long))[0], expected, rtol=1e-5)
    assert mean.as_if_of(8, short) is short
