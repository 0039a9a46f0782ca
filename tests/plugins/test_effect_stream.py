"""The stream in blocks is the whole file, its latency is the stated one, and nothing clicks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from smle.enhancement.bandwidth import HighBands
from smle.enhancement.enhancer import Enhancer
from smle.errors import AudioError
from smle.model.config import GateConfig, NetworkConfig, RoutingConfig
from smle.model.recipe import Recipe
from smle.tensors.mixture import Mixture
from smle.tensors.spectral import Features, Stft
from smle_pedalboard import SparseExpertEnhancer
from tests.models import arrays

Signal = NDArray[np.float32]

RATES = [8_000, 16_000, 22_050, 44_100, 48_000, 96_000]
RECIPE = Recipe(
    name="random",
    specialists=("low", "high"),
    generalist=True,
    network=NetworkConfig("recurrent", hidden_size=16),
    gate=GateConfig(hidden_size=8),
    routing=RoutingConfig(segment_s=0.1, evidence_s=0.05, margin=0.0, fade_s=0.05),
)


@pytest.fixture(scope="module")
def mixture() -> Mixture:
    """Fresh weights: one expert attenuates little, the next a lot; the gate is easily moved."""
    torch.manual_seed(4)
    mixture = Mixture(RECIPE).eval().requires_grad_(False)
    for expert, bias in zip(mixture.experts, (2.0, -2.0, 0.0), strict=True):
        expert.output.bias.fill_(bias)
    for parameter in mixture.gate.parameters():
        parameter.mul_(6.0)
    return mixture


@pytest.fixture(scope="module")
def enhancer(mixture: Mixture) -> Enhancer:
    """What enhances with these weights."""
    return Enhancer(arrays(mixture), Path("random"))


def noise(seconds: float, sample_rate: int, channels: int) -> Signal:
    """Noise whose loudness and colour jump, elsewhere in each channel, so that gates change."""
    rng = np.random.default_rng(3)
    length = round(seconds * sample_rate)
    white = rng.standard_normal((channels, length))
    dull = np.cumsum(white, axis=1) % 2.0 - 1.0
    jumps = 10 ** rng.uniform(-2, 0, (channels, 13)).repeat(length // 13 + 1, axis=1)[:, :length]
    bright = rng.random((channels, 7)).repeat(length // 7 + 1, axis=1)[:, :length] < 0.5
    return (0.1 * jumps * np.where(bright, white, dull)).astype(np.float32)


def in_blocks(effect: SparseExpertEnhancer, audio: Signal, rate: int, sizes: list[int]) -> Signal:
    """Sizes repeat; enough zeros follow to bring out the tail."""
    effect.reset()
    effect(audio[:, :0], rate, reset=False)
    latency = effect.reported_latency_samples
    assert latency is not None
    fed = np.pad(audio, ((0, 0), (0, latency)))
    pieces, start, number = [], 0, 0
    while start < fed.shape[1]:
        stop = start + sizes[number % len(sizes)]
        pieces.append(effect(fed[:, start:stop], rate, reset=False))
        start, number = stop, number + 1
    return np.concatenate(pieces, axis=1)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_blocks_of_any_size_give_the_whole_file(
    enhancer: Enhancer, rate: int, channels: int
) -> None:
    random = np.random.default_rng(8).integers(0, 3000, 50).tolist()
    effect = SparseExpertEnhancer(enhancer)
    long, short = noise(0.5, rate, channels), noise(0.1, rate, channels)
    whole, brief = enhancer.enhance(long, rate), enhancer.enhance(short, rate)
    assert whole.routing.switches >= channels
    for sizes in ([64], [480], [512], [1000], [8192], [8193], random):
        blocks = in_blocks(effect, long, rate, sizes)
        np.testing.assert_allclose(blocks, whole.audio, atol=1e-5)
        assert effect.routing is not None
        assert effect.routing.switches >= whole.routing.switches
    for sizes in ([1], [16]):
        np.testing.assert_allclose(in_blocks(effect, short, rate, sizes), brief.audio, atol=1e-5)
    np.testing.assert_allclose(effect(long, rate), whole.audio, atol=1e-5)


@pytest.mark.parametrize("rate", RATES)
def test_the_stream_is_the_textbook_transform(
    mixture: Mixture, enhancer: Enhancer, rate: int
) -> None:
    """Analyse, mask and synthesise in one go, in torch, and nothing carried from block to block."""
    audio = noise(0.7, rate, 2)
    stft, features = Stft(RECIPE.spectral, rate), Features(RECIPE.spectral)
    padded = torch.from_numpy(np.pad(audio, ((0, 0), (stft.overlap, stft.n_fft))))
    spectrum = stft.analyse(padded)
    expert = mixture.experts[1]
    with torch.inference_mode():
        heard, _ = features(spectrum, features.start(2))
        mask = expert(heard, expert.start(2))[0].numpy()
        high_bands = HighBands(
            spectrum.shape[2], rate / stft.n_fft, 8_000, stft.hop_length / rate, rows=2
        )
        fitted = torch.from_numpy(high_bands(mask, spectrum.numpy()))
        signal, _ = stft.synthesise(fitted * spectrum, stft.empty_tail(2))
    expected = signal.numpy()[:, stft.overlap :][:, : audio.shape[1]]
    effect = SparseExpertEnhancer(enhancer, route="high")
    np.testing.assert_allclose(in_blocks(effect, audio, rate, [480]), expected, atol=1e-5)


@pytest.mark.parametrize("rate", RATES)
def test_a_click_through_an_all_pass_mask_measures_the_stated_latency(
    enhancer: Enhancer, rate: int
) -> None:
    stream = enhancer.stream(rate, 2, atten_lim_db=0.0)
    clicks = np.zeros((2, 5000 + stream.latency), np.float32)
    clicks[0, 1234], clicks[1, 777] = 1.0, -0.5
    starts = range(0, clicks.shape[1], 480)
    out = np.concatenate([stream.feed(clicks[:, n : n + 480]) for n in starts], axis=1)
    measured = np.abs(out).argmax(axis=1) - [1234, 777]
    assert measured.tolist() == [stream.latency] * 2
    late = np.pad(clicks, ((0, 0), (stream.latency, 0)))[:, : out.shape[1]]
    np.testing.assert_allclose(out, late, atol=1e-6)
    effect = SparseExpertEnhancer(enhancer, atten_lim_db=0.0)
    effect(clicks, rate)
    assert effect.reported_latency_samples == stream.latency


def test_a_new_attenuation_limit_arrives_whatever_the_block_size(enhancer: Enhancer) -> None:
    audio, estimates = noise(1.0, 16_000, 1), []
    for size in (160, 16_000):
        stream = enhancer.stream(16_000, 1, route="high", atten_lim_db=0.0)
        pieces = [stream.feed(audio)]
        stream.atten_lim_db = None
        pieces += [stream.feed(audio[:, n : n + size]) for n in range(0, 16_000, size)]
        estimates.append(np.concatenate(pieces, axis=1))
    np.testing.assert_allclose(estimates[0], estimates[1], atol=1e-6)
    free = enhancer.stream(16_000, 1, route="high")
    free.feed(audio)
    # Four frames to the end of the glide, and the window of the last one before it.
    np.testing.assert_allclose(free.feed(audio)[:, 1_600:], estimates[0][:, 17_600:], atol=1e-6)


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_the_record_of_a_long_stream_holds_its_true_times(enhancer: Enhancer, rate: int) -> None:
    stream = enhancer.stream(rate, 1, route="low")
    for _ in range(60):
        stream.feed(np.zeros((1, rate), np.float32))
    stream.route = "high"
    stream.feed(np.zeros((1, rate), np.float32))
    first, second = stream.routing.segments[0]
    assert first.stop_s == second.start_s == pytest.approx(60, abs=0.04)
    assert second.stop_s == 61


def test_routes_of_rows_are_checked(enhancer: Enhancer) -> None:
    assert enhancer.stream(16_000, 2, route=["low", 1]).route == ["low", 1]  # type: ignore[list-item]
    for route in ([0], [0, 99], [0, -1]):
        with pytest.raises(AudioError, match=r"for 2 channels|no expert"):
            enhancer.stream(16_000, 2, route=route)


def tone(seconds: float) -> Signal:
    """A loud 200 Hz sine at 48 kHz, which bends by 0.5 * (2 pi 200 / 48000)**2 = 3.4e-4 at most."""
    time_s = np.arange(round(seconds * 48_000)) / 48_000
    return (0.5 * np.sin(2 * np.pi * 200 * time_s)).astype(np.float32)


def sharpest_bend(audio: Signal) -> float:
    return float(np.abs(np.diff(audio.astype(np.float64), 2)).max())


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [("route", "low", "high"), ("atten_lim_db", 0.0, None), ("mix", 0.0, 1.0)],
)
def test_a_parameter_moved_while_a_tone_runs_makes_no_click(
    enhancer: Enhancer, name: str, before: object, after: object
) -> None:
    effect = SparseExpertEnhancer(enhancer, route="high")
    setattr(effect, name, before)
    settled = effect(tone(2.0), 48_000, reset=False)[-9600:]
    setattr(effect, name, after)
    moving = effect(tone(1.0), 48_000, reset=False)
    assert np.abs(settled).max() > 1.5 * np.abs(moving[-9600:]).max()
    assert sharpest_bend(np.concatenate([settled, moving])) < 1.1 * sharpest_bend(settled)


def test_a_switch_by_the_gate_makes_no_click(mixture: Mixture) -> None:
    """The loud expert begins; the first decision, after an eighth of a segment, is the other."""
    routing = RoutingConfig(segment_s=1.6, fade_s=0.064)
    moved = Mixture(replace(RECIPE, start="low", routing=routing)).eval().requires_grad_(False)
    moved.load_state_dict(mixture.state_dict())
    moved.gate.output.weight.fill_(0.0)
    moved.gate.output.bias.copy_(torch.tensor([-5.0, 5.0]))
    model = Enhancer(arrays(moved), Path("random"))
    effect = SparseExpertEnhancer(model)
    audio = effect(tone(1.0), 48_000)[4800:-4800]
    assert effect.routing is not None
    (first, second, *_) = effect.routing.segments[0]
    assert (first.expert, second.expert) == ("low", "high")
    assert 0.15 < second.start_s < 0.25
    assert np.abs(audio[:2400]).max() > 1.5 * np.abs(audio[-2400:]).max()
    assert sharpest_bend(audio) < 1.1 * sharpest_bend(audio[:2400])
    # What no cross-fade at all would show.
    fixed = [
        SparseExpertEnhancer(model, route=route)(tone(1.0), 48_000)[4800:-4800]
        for route in ("low", "high")
    ]
    cut = np.concatenate([fixed[0][:4860], fixed[1][4860:]])
    assert sharpest_bend(cut) > 20 * sharpest_bend(fixed[0])
