"""The effect around a pure delay: latency, mix, parameters, copies."""

from __future__ import annotations

import copy
import pickle
import sys
import threading
from typing import Any

import numpy as np
import pedalboard
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from smle.errors import AudioError
from smle_pedalboard import Board, SparseExpertEnhancer
from smle_pedalboard.dry_wet import DryWet
from tests.models import enhancer

RATE = 48000


@pytest.fixture
def effect(delay_enhancer: Any) -> SparseExpertEnhancer:
    return SparseExpertEnhancer(delay_enhancer)


@pytest.mark.parametrize("buffer_size", [1000, 8192, 100_000])
def test_whole_audio_comes_back_aligned_and_complete(
    effect: SparseExpertEnhancer, noise: NDArray[np.float32], buffer_size: int
) -> None:
    for audio in (noise, noise.T, noise[0], noise[:1], noise[:, :100], noise[:, :1]):
        result = effect(audio, RATE, buffer_size=buffer_size)
        assert_array_equal(result, 0.5 * audio)


@pytest.mark.parametrize("size", [1, 16, 64, 480, 512, 1000, 8192, 8193])
def test_a_stream_gives_less_at_first_and_its_tail_for_zeros(
    effect: SparseExpertEnhancer, noise: NDArray[np.float32], size: int
) -> None:
    audio = noise[:, : 20 * size]
    effect.process(audio[:, :0], RATE, reset=False)
    assert effect.reported_latency_samples == 512
    fed = np.concatenate([audio, np.zeros((2, 512), np.float32)], axis=1)
    chunks = [fed[:, start : start + size] for start in range(0, fed.shape[1], size)]
    results = [effect(chunk, RATE, reset=False) for chunk in chunks]
    assert_array_equal(np.concatenate(results, axis=1), 0.5 * audio)
    came = np.cumsum([result.shape[1] for result in results])
    went = np.cumsum([chunk.shape[1] for chunk in chunks])
    assert_array_equal(came, np.maximum(went - 512, 0))


def test_a_call_goes_on_where_the_last_one_ended_as_native_plugins_do(
    effect: SparseExpertEnhancer, noise: NDArray[np.float32]
) -> None:
    from pedalboard_native._internal import AddLatency

    native = pedalboard.Pedalboard([AddLatency(512), pedalboard.Gain(0)])
    for reset, audio in [(True, noise), (False, noise), (False, noise[:, :99]), (True, noise)]:
        result = effect(audio, RATE, reset=reset)
        assert_array_equal(result, 0.5 * native(audio, RATE, reset=reset))


def test_other_rates_and_channels_start_anew(
    effect: SparseExpertEnhancer, delay_enhancer: Any, noise: NDArray[np.float32]
) -> None:
    assert effect(noise, RATE, reset=False).shape == (2, 10_007 - 512)
    assert effect(noise, RATE, reset=False).shape == (2, 10_007)
    assert effect(noise[:1], RATE, reset=False).shape == (1, 10_007 - 512)
    assert effect(noise[:1], 44100.0, reset=False).shape == (1, 10_007 - 512)
    assert len(delay_enhancer.streams) == 3
    for rate, words in ((44100.5, "give a whole number"), (float("nan"), "above 0")):
        with pytest.raises(ValueError, match=rf"sample_rate is {rate}.*{words}"):
            effect(noise, rate)


def test_a_rate_that_cannot_be_enhanced_is_refused_each_time_and_forgotten(
    effect: SparseExpertEnhancer, noise: NDArray[np.float32]
) -> None:
    effect(noise, RATE, reset=False)
    for reset in (False, False, True):
        with pytest.raises(AudioError, match="1000 Hz cannot be enhanced"):
            effect(noise, 1000, reset=reset)
    assert effect(noise, RATE, reset=False).shape == noise.shape
    effect.reset()
    assert_array_equal(Board([effect])(noise, RATE), 0.5 * noise)


def test_a_chunk_that_is_not_finite_changes_nothing(
    effect: SparseExpertEnhancer, noise: NDArray[np.float32]
) -> None:
    before = effect(noise[:, :700], RATE, reset=False)
    broken = noise[:, 700:].copy()
    broken[1, -1] = np.nan
    with pytest.raises(AudioError, match="not finite"):
        effect(broken, RATE, buffer_size=100, reset=False)
    after = effect(noise[:, 700:], RATE, reset=False)
    assert_array_equal(np.concatenate([before, after], axis=1), 0.5 * noise[:, :-512])


def test_a_refused_chunk_settles_no_layout(effect: SparseExpertEnhancer) -> None:
    stereo = np.zeros((2, 4800), np.float32)
    for board in (effect, Board([effect])):
        board(stereo, RATE, reset=False)
        with pytest.raises(AudioError):
            board(np.full((1, 100), np.nan, np.float32), RATE, reset=False)
        assert board(stereo[:, :1], RATE, reset=False).shape == (2, 1)


def test_a_chunk_that_is_not_finite_does_not_stay_in_a_filter_before_the_effect(
    delay_enhancer: Any, noise: NDArray[np.float32]
) -> None:
    plugins = pedalboard.Compressor(-22, 3), SparseExpertEnhancer(delay_enhancer)
    board = Board(plugins)
    before = board(noise[:, :700], RATE, reset=False)
    with pytest.raises(AudioError, match="not finite"):
        board(np.full((2, 10), np.inf, np.float32), RATE, reset=False)
    after = board(noise[:, 700:], RATE, reset=False)
    board.reset()
    assert_array_equal(np.concatenate([before, after], axis=1), board(noise, RATE, reset=False))


def test_what_is_set_before_the_first_sample_is_there_at_once(noise: NDArray[np.float32]) -> None:
    prepared, ready = SparseExpertEnhancer(enhancer()), SparseExpertEnhancer(enhancer())
    prepared(noise[:, :0], RATE, reset=False)
    for effect in (prepared, ready):
        effect.route, effect.atten_lim_db, effect.mix = 0, 12.0, 0.5
    assert_array_equal(prepared(noise, RATE, reset=False), ready(noise, RATE, reset=False))
    assert prepared.routing == ready.routing
    assert prepared.routing is not None
    assert all(len(channel) == 1 for channel in prepared.routing.segments)


def test_silence_fed_for_the_tail_is_no_part_of_the_routing(noise: NDArray[np.float32]) -> None:
    effect = SparseExpertEnhancer(enhancer())
    effect(noise, RATE)
    assert effect.routing == enhancer().enhance(noise, RATE).routing


def test_a_reset_effect_has_nothing_to_tell(noise: NDArray[np.float32]) -> None:
    effect = SparseExpertEnhancer(enhancer())
    effect(noise, RATE)
    effect.reset()
    assert effect.routing is not None
    assert not any(effect.routing.segments)


def test_nothing_is_reported_before_audio_came(effect: SparseExpertEnhancer) -> None:
    assert effect.reported_latency_samples is None
    assert effect.routing is None


def test_mix_blends_with_the_aligned_input(
    effect: SparseExpertEnhancer, noise: NDArray[np.float32]
) -> None:
    for mix, gain in [(0.0, 1.0), (1.0, 0.5), (0.25, 0.875)]:
        effect.mix = mix
        assert_allclose(effect(noise, RATE), gain * noise, atol=1e-7)


def test_a_new_mix_glides_whatever_the_block_size() -> None:
    dry, wet = np.zeros((1, 4800), np.float32), np.ones((1, 4800), np.float32)
    for size in (1, 64, 4800):
        blend = DryWet(1, 512, RATE)
        assert blend(dry[:, :1], wet[:, :1], 0.0) == 0.0
        starts = range(0, 4800, size)
        parts = [blend(dry[:, n : n + size], wet[:, n : n + size], 0.5) for n in starts]
        line = np.concatenate(parts, axis=1)[0]
        assert np.diff(line, prepend=0.0).min() >= 0.0
        assert_allclose(line[[319, 479, 959, -1]], [0.125, 0.25, 0.5, 0.5], atol=1e-6)


def test_a_mix_that_moves_all_the_time_is_followed_whatever_the_block_size() -> None:
    dry, wet = np.zeros((1, 9600), np.float32), np.ones((1, 9600), np.float32)
    for size in (1, 16, 480):
        blend = DryWet(1, 512, RATE)
        starts = range(0, 9600, size)
        parts = [blend(dry[:, n : n + size], wet[:, n : n + size], n / 9600) for n in starts]
        line = np.concatenate(parts, axis=1)[0]
        # Half a glide late, and as late as a block is long, while it takes all ten glides to 1.
        assert_allclose(line[960:], (np.arange(960, 9600) - 480) / 9600, atol=(size + 1) / 9600)


def test_mix_moved_between_chunks_makes_no_click(effect: SparseExpertEnhancer) -> None:
    hum = np.sin(2 * np.pi * 100 * np.arange(RATE) / RATE).astype(np.float32)
    parts = []
    for number, start in enumerate(range(0, RATE, 480)):
        effect.mix = number % 2
        parts.append(effect(hum[start : start + 480], RATE, reset=False))
    steepest = np.abs(np.diff(np.concatenate(parts))).max()
    assert steepest < 2 * np.pi * 100 / RATE + 0.5 * np.pi / 2 / (0.02 * RATE)


def test_parameters_reach_a_running_stream_with_the_next_buffer(
    effect: SparseExpertEnhancer, delay_enhancer: Any, noise: NDArray[np.float32]
) -> None:
    effect(noise, RATE, reset=False)
    (stream,) = delay_enhancer.streams
    effect.route, effect.atten_lim_db = "high", 12
    effect(noise[:, :1], RATE, reset=False)
    assert (stream.route, stream.atten_lim_db) == ("high", 12)
    effect(noise, RATE)
    assert (delay_enhancer.streams[-1].route, delay_enhancer.streams[-1].atten_lim_db) == (
        "high",
        12,
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("mix", 1.5, "Mix must be between 0.0 and 1.0."),
        ("mix", float("nan"), "Mix must be between 0.0 and 1.0."),
        ("atten_lim_db", -1.0, "atten_lim_db is -1.0: give 0 dB or more, or None"),
        ("route", "loud", "route is 'loud': give segment, low, high or a number below 2"),
        ("route", "2", "route is '2': give segment, low, high or a number below 2"),
    ],
)
def test_parameters_out_of_range_are_refused_at_once(
    effect: SparseExpertEnhancer, delay_enhancer: Any, name: str, value: Any, message: str
) -> None:
    before = getattr(effect, name)
    with pytest.raises(ValueError, match=message):
        setattr(effect, name, value)
    assert getattr(effect, name) == before
    with pytest.raises(ValueError, match=message):
        SparseExpertEnhancer(delay_enhancer, **{name: value})


def test_misspelt_parameters_are_refused_as_on_a_native_plugin(
    effect: SparseExpertEnhancer,
) -> None:
    for plugin in (pedalboard.Gain(), effect):
        with pytest.raises(AttributeError, match="no attribute 'gain_dB'"):
            plugin.gain_dB = 3  # type: ignore[union-attr]


def test_copies_keep_parameters_and_share_no_audio(
    delay_enhancer: Any, noise: NDArray[np.float32]
) -> None:
    effect = SparseExpertEnhancer(delay_enhancer, "low", 12.0, 0.5)
    effect(noise, RATE, reset=False)
    twin = copy.copy(effect)
    assert (twin.route, twin.atten_lim_db, twin.mix) == ("low", 12.0, 0.5)
    assert twin(noise, RATE, reset=False).shape == (2, 10_007 - 512)
    assert "model='delay' route='low' atten_lim_db=12.0 mix=0.5 at 0x" in repr(twin)
    board = copy.copy(Board([effect, None]))
    assert list(board) == [effect, None]


def test_a_pickled_effect_sounds_the_same(noise: NDArray[np.float32]) -> None:
    effect = SparseExpertEnhancer(enhancer(), 1, mix=0.5)
    twin = pickle.loads(pickle.dumps(Board([effect])))
    assert_array_equal(twin(noise, RATE), effect(noise, RATE))


def test_routing_is_read_while_another_thread_plays(noise: NDArray[np.float32]) -> None:
    effect = SparseExpertEnhancer(enhancer())
    effect(noise, RATE, reset=False)
    player = threading.Thread(target=lambda: effect(np.tile(noise, 40), RATE, buffer_size=480))
    player.start()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        while player.is_alive():
            assert effect.routing is not None
    finally:
        sys.setswitchinterval(interval)
        player.join(timeout=60)


def test_threads_take_turns(effect: SparseExpertEnhancer, noise: NDArray[np.float32]) -> None:
    wrong: list[int] = []

    def work(channels: int) -> None:
        for _ in range(20):
            result = effect(noise[:channels], RATE, buffer_size=100)
            wrong.append(not np.array_equal(result, 0.5 * noise[:channels]))

    threads = [threading.Thread(target=work, args=(channels,)) for channels in (1, 2, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(wrong) == 60
    assert not any(wrong)
