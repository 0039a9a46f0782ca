from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

from smle.arrays.networks import ArrayNetwork
from smle.arrays.spectral import ArrayFeatures, ArrayStft
from smle.enhancement.masking import RoutedMasker
from smle.enhancement.one_thread import OneThread
from smle.enhancement.streaming import Stream
from smle.errors import AudioError
from smle.model.config import RoutingConfig, SpectralConfig
from tests.models import LSTM, RECURRENT, SUBBAND, arrays, enhancer, mixture

RATES_HZ = (8_000, 16_000, 22_050, 44_100, 48_000, 96_000)


def noise(rng: np.random.Generator, channels: int, samples: int) -> np.ndarray:
    """Noise whose loudness changes, so that gates change their mind."""
    loudness = np.repeat(rng.uniform(0.01, 1, 12), samples // 12 + 1)[:samples]
    return (0.1 * loudness * rng.standard_normal((channels, samples))).astype(np.float32)


def in_blocks(stream: Stream, audio: np.ndarray, sizes: list[int]) -> np.ndarray:
    parts, at = [], 0
    while at < audio.shape[1]:
        size = sizes[len(parts) % len(sizes)]
        block = audio[:, at : at + size]
        part = stream.feed(block)
        assert part.shape == block.shape
        parts.append(part)
        at += size
    return np.concatenate([*parts, stream.flush()], 1)[:, stream.latency :]


@pytest.mark.parametrize("rate", RATES_HZ)
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("network", [RECURRENT, LSTM, SUBBAND], ids=["gru", "lstm", "subband"])
def test_blocks_of_any_size_give_what_the_whole_signal_gives(network, channels, rate):
    rng = np.random.default_rng(rate + channels)
    audio = noise(rng, channels, int(1.3 * rate) + 5)
    model = enhancer(network)
    whole = model.enhance(audio, rate)
    assert whole.routing.switches > 0
    for sizes in ([160], [1000], [8193], rng.integers(1, 900, 50).tolist()):
        streamed = in_blocks(model.stream(rate, channels), audio, sizes)
        np.testing.assert_allclose(streamed, whole.audio, atol=1e-6)


def test_single_samples_give_what_the_whole_signal_gives():
    audio = noise(np.random.default_rng(1), 2, 3_000)
    model = enhancer()
    streamed = in_blocks(model.stream(16_000, 2), audio, [1])
    np.testing.assert_allclose(streamed, model(audio, 16_000), atol=1e-6)


@pytest.mark.parametrize("rate", RATES_HZ)
def test_the_stated_latency_is_what_a_click_meets(rate):
    stream = enhancer().stream(rate, 1, atten_lim_db=0.0)  # all passes
    click = np.zeros((1, rate), np.float32)
    click[0, rate // 3] = 1.0
    out = np.concatenate([stream.feed(click), stream.flush()], 1)
    assert int(np.abs(out).argmax()) == rate // 3 + stream.latency
    assert out[0, rate // 3 + stream.latency] == pytest.approx(1.0, abs=1e-5)
    assert stream.latency <= 0.032 * rate * 1.005


def test_a_stream_may_be_used_again_after_flush_and_reset():
    audio = noise(np.random.default_rng(2), 1, 20_000)
    stream = enhancer().stream(16_000, 1)
    first = in_blocks(stream, audio, [999])
    stream.reset()
    np.testing.assert_array_equal(in_blocks(stream, audio, [999]), first)


@pytest.mark.parametrize("gain_db", [-60, -40, -20])
@pytest.mark.parametrize("network", [RECURRENT, SUBBAND], ids=["gru", "subband"])
def test_the_level_of_a_recording_does_not_matter(network, gain_db):
    audio = noise(np.random.default_rng(3), 1, 40_000)
    audio /= np.abs(audio).max()
    model = enhancer(network)
    gain = np.float32(10 ** (gain_db / 20))
    loud, quiet = model(audio, 16_000), model(gain * audio, 16_000)
    np.testing.assert_allclose(quiet / gain, loud, atol=2e-6)


def test_silence_gives_silence():
    for rate in RATES_HZ:
        assert not enhancer()(np.zeros((2, rate // 2), np.float32), rate).any()


def test_a_constant_survives_no_better_than_the_mask_lets_it():
    out = enhancer()(np.ones((1, 16_000), np.float32), 16_000)
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= 1.5


def test_an_attenuation_limit_adds_the_noisy_signal():
    audio = noise(np.random.default_rng(4), 2, 30_000)
    model = enhancer(SUBBAND)
    kept = 10 ** (-12 / 20)
    expected = kept * audio + (1 - kept) * model(audio, 48_000)
    np.testing.assert_allclose(model(audio, 48_000, atten_lim_db=12.0), expected, atol=1e-6)


def test_a_change_of_the_attenuation_limit_makes_no_click():
    rate = 16_000
    tone = np.sin(2 * np.pi * 200 * np.arange(2 * rate) / rate).astype(np.float32)[None]
    stream = enhancer().stream(rate, 1, atten_lim_db=0.0, route="one")
    first = stream.feed(tone[:, :rate])
    stream.atten_lim_db = 60.0
    out = np.concatenate([first, stream.feed(tone[:, rate:])], 1)[0, 1000:]
    steady = np.abs(np.diff(tone[0], 2)).max()
    assert np.abs(np.diff(out, 2)).max() < 2 * steady


def test_an_attenuation_limit_glides_to_another():
    """Over 64 ms, which are 4 frames: what none of them may do is to arrive at once."""
    audio = noise(np.random.default_rng(12), 1, 32_000)
    model = enhancer(SUBBAND)
    enhanced = model(audio, 16_000)
    stream = model.stream(16_000, 1, atten_lim_db=0.0)
    first = stream.feed(audio[:, :16_384])
    stream.atten_lim_db = None
    out = np.concatenate([first, stream.feed(audio[:, 16_384:]), stream.flush()], 1)[:, 512:]
    kept = ((out - enhanced) * (audio - enhanced)).reshape(1, -1, 256).sum(2)
    kept /= ((audio - enhanced) ** 2).reshape(1, -1, 256).sum(2)
    before = kept[0, 62:70]  # the share of noisy signal, hop by hop
    assert before[0] == pytest.approx(1, abs=1e-3)
    assert before[-1] == pytest.approx(0, abs=1e-3)
    assert np.abs(np.diff(before)).max() < 0.4


@pytest.mark.parametrize("model_rate", [8_000, 48_000])
@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 48_000, 96_000])
def test_models_of_any_rate_take_signals_of_any_rate(model_rate, rate):
    audio = noise(np.random.default_rng(13), 1, rate)
    model = enhancer(spectral=SpectralConfig(sample_rate=model_rate))
    out = model(audio, rate)
    assert out.shape == audio.shape
    assert np.isfinite(out).all()
    assert np.abs(out).max() > 1e-4


def test_a_switch_of_experts_makes_no_click():
    rate = 16_000
    tone = np.sin(2 * np.pi * 200 * np.arange(3 * rate) / rate).astype(np.float32)[None]
    stream = enhancer(SUBBAND).stream(rate, 1, route="one")
    first = stream.feed(tone[:, :rate])
    stream.route = "two"
    out = np.concatenate([first, stream.feed(tone[:, rate:])], 1)[0, 4000:]
    assert [s.expert for s in stream.routing.segments[0]] == ["one", "two"]
    # A sine's second difference is w^2 times its amplitude; a click would stand far above.
    assert np.abs(np.diff(out, 2)).max() < 2 * (2 * np.pi * 200 / rate) ** 2


def test_each_row_runs_one_specialist_only_and_no_other_rows():
    model = arrays(mixture())
    frames_run = dict.fromkeys(range(4), 0)
    for number, expert in enumerate(model.experts):
        model.experts[number] = Counting(expert, frames_run, number)
    masker = RoutedMasker(model, 4, route=[0, 2, 2, 0])
    masker(np.random.default_rng(0).random((4, 50, 257), np.float32))
    assert frames_run == {0: 100, 1: 0, 2: 100, 3: 0}


def test_no_frame_of_a_live_stream_runs_more_than_two_experts():
    model = arrays(mixture(routing=RoutingConfig(segment_s=0.2, evidence_s=0.1, margin=0.0)))
    frames_run = dict.fromkeys(range(4), 0)
    for number, expert in enumerate(model.experts):
        model.experts[number] = Counting(expert, frames_run, number)
    masker = RoutedMasker(model, 1)
    features = np.random.default_rng(1).random((1, 200, 257), np.float32)
    most = 0
    for frame in range(200):
        before = sum(frames_run.values())
        masker(features[:, [frame]])
        most = max(most, sum(frames_run.values()) - before)
    assert masker.routing([0]).switches > 0
    assert most == 2


@dataclass
class Counting:
    """An expert that counts its frames."""

    expert: ArrayNetwork
    frames_run: dict[int, int]
    number: int

    def __call__(self, features, state):
        self.frames_run[self.number] += features.shape[0] * features.shape[1]
        return self.expert(features, state)

    def start(self, rows):
        return self.expert.start(rows)


def test_a_batch_gives_what_one_by_one_gives():
    rng = np.random.default_rng(5)
    shapes = ((1, 9_000), (2, 16_001), (1, 1), (3, 20_000))
    audios = [noise(rng, channels, samples) for channels, samples in shapes]
    for route in ("segment", "file", "two"):
        model = enhancer(SUBBAND)
        batch = model.enhance_batch(audios, 16_000, route=route)
        for audio, item in zip(audios, batch, strict=True):
            alone = model.enhance(audio, 16_000, route=route)
            np.testing.assert_allclose(item.audio, alone.audio, atol=1e-6)
            assert len(item.routing.segments) == audio.shape[0]
            for mine, theirs in zip(item.routing.segments, alone.routing.segments, strict=True):
                assert [s.expert for s in mine] == [s.expert for s in theirs]
                assert mine[-1].stop_s == pytest.approx(audio.shape[1] / 16_000)


def test_a_batch_that_is_heard_first_gives_what_one_by_one_gives():
    rng = np.random.default_rng(6)
    shapes = ((1, 70_000), (2, 9_001), (1, 15_999), (1, 65_000), (2, 700), (1, 0))
    audios = [noise(rng, channels, samples) for channels, samples in shapes]
    model = enhancer(SUBBAND)
    for audio, item in zip(
        audios, model.enhance_batch(audios, 16_000, hear_first=True), strict=True
    ):
        alone = model.enhance(audio, 16_000, hear_first=True)
        np.testing.assert_allclose(item.audio, alone.audio, atol=1e-6)


@pytest.mark.parametrize("network", [RECURRENT, SUBBAND], ids=["gru", "subband"])
def test_experts_go_on_from_what_was_heard_first_and_levels_nearly_anew(network):
    rng = np.random.default_rng(7)
    before, audio = 30 * noise(rng, 2, 16_000), noise(rng, 2, 20_000)
    model = enhancer(network)
    stream = model.stream(16_000, 2, route="two")
    stream.hear(before)
    heard = in_blocks(stream, audio, [700])
    assert stream.routing.segments[0][0].start_s == 0
    assert stream.routing.segments[0][-1].stop_s == pytest.approx(20_000 / 16_000)
    spectral = model.recipe.spectral
    stft, features = ArrayStft(spectral, 16_000), ArrayFeatures(spectral)
    masker = RoutedMasker(model.mixture, 2, [1, 1])
    level = features.start(2)
    for signal in (before, audio):
        spectrum = stft.analyse(np.pad(signal, ((0, 0), (stft.overlap, 0))))
        heard_features, level = features(spectrum, features.brief(level, 8))
        mask = masker(heard_features)
    expected, _ = stft.synthesise(mask * spectrum, stft.empty_tail(2))
    whole = expected[:, stft.overlap :]
    np.testing.assert_allclose(heard[:, : whole.shape[1]], whole, atol=1e-6)
    assert np.abs(heard - model(audio, 16_000, route="two")).max() > 1e-5


@pytest.mark.parametrize("size", [1, 160, 5_000])
def test_what_is_heard_first_may_come_in_blocks(size):
    rng = np.random.default_rng(12)
    before, audio = noise(rng, 2, 20_000 if size > 1 else 600), noise(rng, 2, 9_000)
    streams = [enhancer().stream(16_000, 2) for _ in range(2)]
    streams[0].hear(before)
    for start in range(0, before.shape[1], size):
        streams[1].hear(before[:, start : start + size])
    at_once, in_blocks_ = (stream.feed(audio) for stream in streams)
    np.testing.assert_allclose(in_blocks_, at_once, atol=1e-6)
    assert streams[0].routing.dominant == streams[1].routing.dominant


def test_a_gate_that_heard_first_begins_with_its_choice():
    rng = np.random.default_rng(8)
    audio = noise(rng, 1, 30_000)
    model = enhancer()
    stream = model.stream(16_000, 1)
    stream.hear(audio)
    chosen = stream.routing.segments
    stream.feed(audio[:, :1_000])
    first = stream.routing.segments[0][0]
    assert not chosen[0]
    assert first.expert in model.recipe.specialists
    assert first.probability > 1 / 3


def test_only_a_stream_that_has_not_begun_may_hear_first():
    audio = noise(np.random.default_rng(9), 1, 5_000)
    stream = enhancer().stream(16_000, 1)
    stream.feed(audio[:, :1])
    with pytest.raises(AudioError, match="has begun"):
        stream.hear(audio)
    stream.reset()
    stream.hear(audio)
    stream.reset()
    plain = enhancer().stream(16_000, 1).feed(audio)
    np.testing.assert_array_equal(stream.feed(audio), plain)


def test_a_limit_that_is_set_after_hearing_is_there_from_the_first_sample():
    audio = noise(np.random.default_rng(11), 1, 9_000)
    stream = enhancer().stream(16_000, 1)
    stream.hear(audio)
    stream.atten_lim_db = 0.0
    np.testing.assert_allclose(in_blocks(stream, audio, [999]), audio, atol=1e-6)


def test_another_route_forgets_nothing_that_was_heard_first():
    audio = noise(np.random.default_rng(10), 1, 20_000)
    model = enhancer()
    stream = model.stream(16_000, 1, route="one")
    stream.hear(audio)
    stream.route = "two"
    heard = stream.feed(audio)
    fresh = model.stream(16_000, 1, route="two").feed(audio)
    assert np.abs(heard - fresh).max() > 1e-3


def test_channels_are_routed_and_enhanced_each_for_itself():
    rng = np.random.default_rng(6)
    audio = noise(rng, 3, 30_000)
    model = enhancer()
    together = model(audio, 16_000)
    for channel in range(3):
        np.testing.assert_allclose(together[channel], model(audio[channel], 16_000), atol=1e-6)


@pytest.mark.parametrize(
    ("block", "word"),
    [
        (np.zeros((3, 10)), "channels"),
        (np.zeros(10), "shape"),
        (np.full((2, 4), np.nan), "finite"),
        (np.full((2, 4), np.inf), "finite"),
        (np.full((2, 4), 1e19), "as large as"),
    ],
)
def test_a_block_that_cannot_be_used_is_refused(block, word):
    with pytest.raises(AudioError, match=word):
        enhancer().stream(16_000, 2).feed(block)


def test_a_signal_that_lies_the_other_way_is_refused_before_it_takes_minutes():
    with pytest.raises(AudioError, match=r"shape \(8000, 2\).*transpose"):
        enhancer()(np.zeros((8_000, 2), np.float32), 16_000)


def test_a_list_is_a_signal_too():
    assert enhancer()([0.0, 0.5, -0.5], 16_000).shape == (3,)


def test_what_comes_after_the_largest_values_is_sound():
    audio = noise(np.random.default_rng(9), 1, 32_000)
    for network in (RECURRENT, SUBBAND):
        stream = enhancer(network).stream(16_000, 1)
        assert np.isfinite(stream.feed(np.full((1, 4_000), 1e12))).all()
        assert np.isfinite(stream.feed(audio)).all()


@pytest.mark.parametrize("rate", [0, 1, 3_999, 4_000_000_000])
def test_a_rate_that_cannot_be_used_is_refused(rate):
    with pytest.raises(AudioError, match=str(rate)):
        enhancer()(np.zeros(100, np.float32), rate)


def test_an_unknown_expert_is_refused_with_the_known_ones():
    with pytest.raises(AudioError, match="one, two, three, generalist"):
        enhancer().stream(16_000, 1, route="four")


def test_blas_keeps_to_one_thread_inside_and_gets_its_threads_back():
    controller = ThreadpoolController().select(user_api="blas")
    threads = [library["num_threads"] for library in controller.info()]
    with OneThread(), ThreadPoolExecutor(2) as pool:
        inside = pool.submit(lambda: [library["num_threads"] for library in controller.info()])
        assert set(inside.result()) == {1}
    assert [library["num_threads"] for library in controller.info()] == threads
