"""A board of native plugins is a genuine pedalboard, bit for bit, and better where that fails."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any

import numpy as np
import pedalboard as pb
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from pedalboard_native._internal import AddLatency

from smle.enhancement.one_thread import one_thread
from smle_pedalboard import Board, SparseExpertEnhancer

RATE = 48000
CHAINS: dict[str, Callable[[], list[Any]]] = {
    "none": list,
    "filters": lambda: [pb.HighpassFilter(80), pb.PeakFilter(), pb.LowShelfFilter()],
    "dynamics": lambda: [pb.Compressor(-30, 4), pb.NoiseGate(-40), pb.Limiter(-20)],
    "modulation": lambda: [pb.Chorus(), pb.Phaser(), pb.Delay(0.01, 0.3)],
    "reverb": lambda: [pb.Reverb()],
    "convolution": lambda: [pb.Convolution(np.geomspace(1, 1e-3, 999, dtype="f4"), 1, RATE)],
    "look-ahead": lambda: [AddLatency(700), pb.Gain(1), pb.BrickwallLimiter(-20)],
    "resampled": lambda: [pb.Resample(8000), pb.GSMFullRateCompressor()],
    "pitch": lambda: [pb.PitchShift(2)],
    "nested": lambda: [None, pb.Chain([AddLatency(9), pb.Gain(3)]), pb.Mix([pb.Gain(), None])],
    "parallel": lambda: [pb.Mix([AddLatency(300), pb.Gain(1)])],
}


def in_chunks(plugin: Any, audio: NDArray[np.float32], *sizes: int) -> NDArray[np.float32]:
    """The last size repeats."""
    pieces, start = [], 0
    for number in range(audio.shape[1]):
        size = sizes[min(number, len(sizes) - 1)]
        pieces.append(plugin(audio[:, start : start + size], RATE, reset=False))
        start += size
        if start >= audio.shape[1]:
            break
    return np.concatenate(pieces, axis=1)


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("buffer_size", [8192, 333])
def test_whole_files_of_native_plugins_are_bit_exact(
    noise: NDArray[np.float32], name: str, buffer_size: int
) -> None:
    genuine, ours = pb.Pedalboard(CHAINS[name]()), Board(CHAINS[name]())
    for audio in (noise, noise.T, noise[0], noise[:1], noise[:, :100]):
        expected = genuine(audio, RATE, buffer_size=buffer_size)
        assert_array_equal(ours(audio, RATE, buffer_size=buffer_size), expected)


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("size", [64, 480, 1000, 8192, 8193])
def test_chunks_of_native_plugins_are_bit_exact(
    noise: NDArray[np.float32], name: str, size: int
) -> None:
    genuine, ours = pb.Pedalboard(CHAINS[name]()), Board(CHAINS[name]())
    assert_array_equal(in_chunks(ours, noise, size), in_chunks(genuine, noise, size))
    assert_array_equal(in_chunks(ours, noise, size), in_chunks(genuine, noise, size))
    assert_array_equal(ours(noise, RATE), genuine(noise, RATE))


def test_chunks_of_one_sample_are_bit_exact(noise: NDArray[np.float32]) -> None:
    genuine, ours = pb.Pedalboard(CHAINS["filters"]()), Board(CHAINS["filters"]())
    short = noise[:, :500]
    assert_array_equal(in_chunks(ours, short, 1), in_chunks(genuine, short, 1))


def test_longer_chunks_keep_the_state_that_native_boards_lose(noise: NDArray[np.float32]) -> None:
    def chain() -> list[Any]:
        return [pb.LadderFilter(cutoff_hz=60), pb.Delay(0.05, mix=1.0), pb.Gain(40)]

    whole = pb.Pedalboard(chain())(noise, RATE)
    assert_array_equal(in_chunks(Board(chain()), noise, 64, 1000, 1, 4096), whole)
    assert np.abs(in_chunks(pb.Pedalboard(chain()), noise, 64, 1000, 1, 4096) - whole).max() > 0.1


def test_latency_is_compensated_as_a_whole_and_the_tail_is_complete(
    noise: NDArray[np.float32], delay_enhancer: Any
) -> None:
    board = Board([AddLatency(700), SparseExpertEnhancer(delay_enhancer), AddLatency(300)])
    for audio in (noise, noise[:, :100], noise[0], noise[:, :2000].T):
        assert_array_equal(board(audio, RATE), 0.5 * audio)
    board.reset()
    fed = np.concatenate([noise, np.zeros((2, 1512), np.float32)], axis=1)
    assert_array_equal(in_chunks(board, fed, 480), 0.5 * noise)


@pytest.mark.parametrize("name", CHAINS)
def test_native_plugins_around_our_effect_sound_as_without_it(
    noise: NDArray[np.float32], delay_enhancer: Any, name: str
) -> None:
    """Halving commutes with nothing nonlinear, so the native chain stands after it."""
    board = Board([pb.Gain(0), SparseExpertEnhancer(delay_enhancer), Board(CHAINS[name]())])
    expected = pb.Pedalboard(CHAINS[name]())(0.5 * noise, RATE)
    np.testing.assert_allclose(board(noise, RATE), expected, atol=1e-6)


def test_a_look_ahead_limiter_before_our_effect_hears_the_end_of_the_file(
    noise: NDArray[np.float32], delay_enhancer: Any
) -> None:
    """The stages after a limiter get its true tail, not one that silence has shaped."""
    native = [pb.BrickwallLimiter(-20), AddLatency(512), pb.Reverb()]
    mixed = [pb.BrickwallLimiter(-20), SparseExpertEnhancer(delay_enhancer), pb.Reverb()]
    expected = 0.5 * pb.Pedalboard(native)(noise, RATE)
    np.testing.assert_allclose(Board(mixed)(noise, RATE), expected, atol=1e-6)


def test_plugins_may_move_while_audio_runs(noise: NDArray[np.float32]) -> None:
    genuine, ours = (kind([pb.LadderFilter(cutoff_hz=60)]) for kind in (pb.Pedalboard, Board))
    for board in (genuine, ours):
        board(noise[:, :480], RATE, reset=False)
        board.append(pb.Invert())
    expected = genuine(noise[:, 480:960], RATE, reset=False)
    assert_array_equal(ours(noise[:, 480:960], RATE, reset=False), expected)
    assert np.abs(ours(noise[:, 480:], RATE, reset=False)).max() < 0.2


def test_narrow_chunks_keep_their_layout(noise: NDArray[np.float32], delay_enhancer: Any) -> None:
    effect = SparseExpertEnhancer(delay_enhancer)
    board = Board([pb.Gain(0), effect, pb.Gain(0)])
    board(noise, RATE)
    board(noise[:, :2], RATE)
    for channels in (1, 2, 6):
        audio = np.resize(noise, (channels, 2000))
        board.reset()
        board(audio[:, :1000], RATE, reset=False)
        rest = [board(audio[:, n : n + 1], RATE, reset=False) for n in range(1000, 1010)]
        assert_array_equal(np.concatenate(rest, axis=1), 0.5 * audio[:, 488:498])


def test_an_empty_chunk_changes_nothing(noise: NDArray[np.float32]) -> None:
    board = Board(CHAINS["convolution"]())
    assert board(noise[:, :0], RATE, reset=False).shape == (2, 0)
    assert board(noise[:, :0], RATE).shape == (2, 0)


def test_a_board_behaves_as_the_list_that_a_pedalboard_is() -> None:
    for kind in (pb.Pedalboard, Board):
        first, last, new = pb.Gain(1), pb.Gain(2), pb.Invert()
        board = kind([first, None, last])
        assert (len(board), board[0], board[-1], board[1]) == (3, first, last, None)
        assert list(board) == [first, None, last]
        assert first in board
        assert new not in board
        board.insert(-1, new)
        assert list(board) == [first, None, new, last]
        board[1] = None
        del board[0]
        board.remove(last)
        board.append(last)
        assert list(board)[1:] == [new, last]
        assert repr(board).startswith(f"<{kind.__name__} with 3 plugins: [None, <ped")
        for error, mistake in {
            IndexError: lambda board=board: board[3],
            ValueError: lambda board=board: board.remove(pb.Gain()),
            TypeError: lambda board=board: board.append(3),
        }.items():
            with pytest.raises(error):
                mistake()
        with pytest.raises(IndexError, match="index out of range"):
            board.insert(4, new)
        with pytest.raises(TypeError):
            board[0:1]
    assert not Board()


def test_nested_boards_follow_their_changes() -> None:
    inner = Board()
    outer = Board([inner, pb.Gain(0)])
    ones = np.ones((2, 8), np.float32)
    assert outer(ones, RATE, reset=False).max() == 1
    inner.append(pb.Invert())
    assert outer(ones, RATE, reset=False).max() == -1


def test_a_plugin_stands_once_in_a_chain() -> None:
    gain = pb.Gain()
    recursive = Board([gain])
    recursive.append(Board([recursive]))
    for plugins in ([gain, gain], [gain, Board([gain])], [pb.Chain([gain]), pb.Mix([gain])]):
        with pytest.raises(RuntimeError, match="same plugin instance is being used multiple"):
            Board(plugins)(np.zeros(9), RATE)
    with pytest.raises(RuntimeError, match="same plugin instance is being used multiple"):
        recursive(np.zeros(9), RATE)


def test_strangers_are_refused() -> None:
    class Instrument:
        is_effect = False

        def process(self) -> None: ...

        def reset(self) -> None: ...

    for stranger in (3, "gain", SparseExpertEnhancer, [pb.Gain()]):
        with pytest.raises(TypeError, match="A Board holds pedalboard plugins"):
            Board([stranger])
    with pytest.raises(ValueError, match="Instrument plugins cannot be added to Pedalboard"):
        Board([Instrument()])


def test_an_overridden_native_plugin_runs_instead_of_being_bypassed() -> None:
    class Silence(pb.Gain):
        def process(self, audio: Any, *_: Any, **__: Any) -> Any:
            return np.zeros_like(audio)

    ones = np.ones((2, 8), np.float32)

    class SilentBoard(Board):
        def process(self, audio: Any, *_: Any, **__: Any) -> Any:
            return np.zeros_like(audio)

    assert pb.Pedalboard([Silence(0)])(ones, RATE).max() == 1
    assert Board([Silence(0)])(ones, RATE).max() == 0
    assert Board([SilentBoard(), pb.Gain(0)])(ones, RATE).max() == 0


class Effect:
    """What a user may write: it answers with what a function makes of the audio."""

    is_effect = True

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        self.answer = answer

    def process(self, audio: Any, *_: Any, **__: Any) -> Any:
        return self.answer(audio)

    def reset(self) -> None: ...


def test_effects_that_give_something_else_than_audio_are_named(noise: NDArray[np.float32]) -> None:
    for answer in (np.transpose, lambda audio: audio[0], lambda audio: None):
        for chain in ([Effect(answer)], [pb.Gain(0), Effect(answer), pb.Gain(0)]):
            with pytest.raises(RuntimeError, match=r"Effect object at .* got audio of shape \(2, "):
                Board(chain)(noise, RATE)
    with pytest.raises(RuntimeError, match="10007 samples never came out of the chain"):
        Board([Effect(lambda audio: audio[:, :0]), pb.Gain(0)])(noise, RATE)
    double = Board([Effect(lambda audio: audio.astype(np.float64))])(noise, RATE)
    assert double.dtype == np.float32


@dataclass
class Doubling:
    """Equal to every other one, and so without a hash."""

    is_effect: bool = True

    def process(self, audio: Any, *_: Any, **__: Any) -> Any:
        return 2 * audio

    def reset(self) -> None: ...


class SlottedDoubling:
    """Without room for a weak reference."""

    __slots__ = ()
    is_effect, process, reset = True, Doubling.process, Doubling.reset


def test_effects_of_any_class_may_stand_on_a_board(noise: NDArray[np.float32]) -> None:
    effects = [Doubling(), SlottedDoubling(), Doubling()]
    assert_array_equal(Board(effects)(noise, RATE), 8 * noise)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_forked_while_another_thread_plays_can_play(
    noise: NDArray[np.float32], delay_enhancer: Any
) -> None:
    effect, reached, go_on = SparseExpertEnhancer(delay_enhancer), Event(), Event()

    def wait(audio: Any) -> Any:
        with one_thread:
            reached.set()
            go_on.wait(60)
        return audio

    waiting = Effect(wait)
    player = threading.Thread(target=Board([effect, waiting]), args=(noise, RATE))
    player.start()
    reached.wait(60)

    def play() -> None:
        with one_thread:
            effect(noise, RATE)
        os._exit(7)

    child = multiprocessing.get_context("fork").Process(target=play, daemon=True)
    child.start()
    child.join(30)
    go_on.set()
    player.join(60)
    assert child.exitcode == 7


def test_boards_in_threads_may_share_plugins(
    noise: NDArray[np.float32], delay_enhancer: Any
) -> None:
    effect, filter_ = SparseExpertEnhancer(delay_enhancer), pb.HighpassFilter(300)
    boards = [Board([filter_, effect]), Board([effect, Board([filter_])])]
    expected = 0.5 * pb.Pedalboard([pb.HighpassFilter(300)])(noise, RATE)
    worst: list[float] = []

    def work(board: Board) -> None:
        results = [board(noise, RATE, buffer_size=500) for _ in range(20)]
        worst.append(float(np.abs(np.array(results) - expected).max()))

    threads = [threading.Thread(target=work, args=(board,)) for board in boards * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(worst) == 4
    assert max(worst) < 1e-6


class Late:
    """Holds samples back, and says so."""

    is_effect, reported_latency_samples = True, 1000

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._held = np.zeros((2, 0), np.float32)

    def process(
        self, audio: NDArray[np.float32], rate: float, size: int = 8192, reset: bool = True
    ) -> NDArray[np.float32]:
        held = np.concatenate([self._held, audio], axis=1)
        ready = max(0, held.shape[1] - self.reported_latency_samples)
        self._held = held[:, ready:]
        return held[:, :ready]


@pytest.mark.parametrize("others", [[], [None], [Board([])], [pb.Gain(0)]])
def test_an_effect_that_lags_is_compensated_whatever_stands_beside_it(
    noise: NDArray[np.float32], others: list[Any]
) -> None:
    board = Board([*others, Late()])
    for _ in range(2):
        assert_array_equal(board(noise, RATE), noise)


def test_an_effect_that_loses_a_sample_of_each_call_does_not_hold_up_the_board(
    noise: NDArray[np.float32],
) -> None:
    calls: list[int] = []

    def lose_one(audio: NDArray[np.float32]) -> NDArray[np.float32]:
        calls.append(audio.shape[1])
        return audio[:, 1:]

    assert Board([Effect(lose_one)])(noise, RATE).shape == noise.shape
    assert len(calls) < 10


@pytest.mark.parametrize("rate", [0, -5, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_an_error_instead_of_the_end(rate: float) -> None:
    with pytest.raises(ValueError, match=f"sample_rate is {rate}"):
        Board([pb.Reverb()])(np.zeros((2, 100), np.float32), rate)


class OwnBoard(Board):
    """A board that does something of its own around the chain."""

    def process(self, *arguments: Any, **options: Any) -> Any:
        return super().process(*arguments, **options)

    __call__ = process


def test_a_board_with_a_process_of_its_own_may_be_shared_by_threads(
    noise: NDArray[np.float32],
) -> None:
    reached, go_on = Event(), Event()

    def wait(audio: Any) -> Any:
        if audio.size:
            reached.set()
            go_on.wait(60)
        return audio

    shared = OwnBoard([Effect(lambda audio: audio) for _ in range(16)])
    boards = [Board([Effect(wait), shared]), shared]
    threads = [threading.Thread(target=b, args=(noise, RATE), daemon=True) for b in boards]
    threads[0].start()
    reached.wait(60)
    threads[1].start()
    threads[1].join(0.2)  # until it waits for what the first one holds
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
