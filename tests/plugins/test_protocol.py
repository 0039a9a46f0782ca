"""Our effect and our board answer as a genuine plugin does, errors and their words included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pedalboard
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smle_pedalboard import Board, SparseExpertEnhancer
from tests.plugins.delay import DelayEnhancer

SHAPES = st.one_of(
    st.tuples(st.integers(0, 3)),
    st.tuples(st.integers(0, 4), st.integers(0, 4)),
    st.just((2, 2, 2)),
    st.just(()),
)


def answer(plugin: Any, audio: Any, **options: Any) -> Any:
    """What came back, or the error and its words."""
    try:
        result = plugin.process(audio, 48000, **options)
    except (TypeError, ValueError, RuntimeError) as error:
        return type(error), str(error)
    return result.dtype, result.shape, result.tolist()


@settings(max_examples=300, deadline=None)
@given(shapes=st.lists(SHAPES, min_size=1, max_size=5), resets=st.booleans())
def test_every_sequence_of_shapes_is_read_as_genuine_plugins_read_it(
    shapes: list[tuple[int, ...]], resets: bool
) -> None:
    genuine = pedalboard.Pedalboard([pedalboard.Gain(gain_db=6.0)])
    ours = Board([pedalboard.Gain(gain_db=6.0)])
    for number, shape in enumerate(shapes):
        audio = np.arange(1, 1 + np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
        assert answer(ours, audio, reset=False) == answer(genuine, audio, reset=False)
        if resets and number == 1:
            ours.reset()
            genuine.reset()


@given(shapes=st.lists(SHAPES, min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_the_effect_reads_shapes_as_genuine_plugins_do(shapes: list[tuple[int, ...]]) -> None:
    genuine = pedalboard.Gain(gain_db=0.0)
    ours = SparseExpertEnhancer(DelayEnhancer(), mix=0.0)
    for shape in shapes:
        audio = np.arange(1, 1 + np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
        assert answer(ours, audio) == answer(genuine, audio)


@pytest.fixture(params=["effect", "board"])
def ours(request: pytest.FixtureRequest, delay_enhancer: Any) -> Any:
    effect = SparseExpertEnhancer(delay_enhancer)
    return effect if request.param == "effect" else Board([effect, pedalboard.Gain()])


@pytest.mark.parametrize("dtype", ["i2", "i4", "f2", "g", "c16", "?"])
def test_other_dtypes_are_refused_in_the_words_of_pedalboard(ours: Any, dtype: str) -> None:
    audio = np.zeros(100, dtype)
    assert answer(ours, audio) == answer(pedalboard.Gain(), audio)


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", ">f8"])
def test_both_float_types_come_back_as_new_float32(ours: Any, dtype: str) -> None:
    audio = np.zeros((2, 100), dtype)
    result = ours(audio, 48000)
    assert result.dtype == np.float32
    assert not np.shares_memory(result, audio)


@pytest.mark.parametrize("bad", [([0.0, 0.0], 48000), (np.zeros(9), "48000"), (np.zeros(9), None)])
def test_arguments_of_the_wrong_kind_are_type_errors(ours: Any, bad: tuple[Any, Any]) -> None:
    for plugin in (ours, pedalboard.Gain()):
        with pytest.raises(TypeError, match="incompatible function arguments"):
            plugin(*bad)


def test_a_buffer_without_samples_is_an_error_instead_of_a_hang(ours: Any) -> None:
    with pytest.raises(ValueError, match="buffer_size is 0: give at least 1"):
        ours(np.zeros(100), 48000, buffer_size=0)
    with pytest.raises(TypeError, match="buffer_size must be an int"):
        ours(np.zeros(100), 48000, buffer_size=1.5)


def test_what_a_plugin_is_cannot_be_changed(ours: Any) -> None:
    assert (ours.is_effect, ours.is_instrument) == (True, False)
    for name in ("is_effect", "is_instrument"):
        with pytest.raises(AttributeError, match="no setter"):
            setattr(ours, name, True)


def test_a_genuine_pedalboard_refuses_ours_and_the_message_names_board(ours: Any) -> None:
    with pytest.raises(TypeError, match="Board"):
        pedalboard.Pedalboard([pedalboard.Gain(), ours])
    with pytest.raises(TypeError, match="Board"):
        pedalboard.Pedalboard().append(ours)
