"""A chain of native plugins and Python effects, with the manners of `pedalboard.Pedalboard`."""

from __future__ import annotations

import copy
import operator
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from pedalboard import Plugin

from smle.enhancement.streaming import check_values
from smle_pedalboard.layout import ChannelLayout
from smle_pedalboard.locks import locked
from smle_pedalboard.protocol import (
    DEFAULT_BUFFER_SIZE,
    Audio,
    Effect,
    InputAudio,
    check_call,
    with_tail,
)
from smle_pedalboard.stages import (
    NativeStage,
    Stage,
    build_stages,
    check_distinct,
    check_plugin,
    is_native,
    restart,
)

Item: TypeAlias = Plugin | Effect | None


class Board:
    """Runs native plugins, Python effects, nested boards and None one after the other.

    A board of native plugins only gives the samples of `pedalboard.Pedalboard`, bit for bit. It
    also keeps their state when a later chunk is longer than the first one, where a genuine
    pedalboard prepares its plugins anew. Latency is compensated for the chain as a whole.

    >>> import numpy as np, pedalboard
    >>> board = Board([pedalboard.Gain(gain_db=6.0), None, Board([pedalboard.Invert()])])
    >>> board(np.full((2, 4), 0.25, np.float32), 48000).round(2)[0]
    array([-0.5, -0.5, -0.5, -0.5], dtype=float32)
    """

    def __init__(self, plugins: Iterable[Item] | None = None) -> None:
        """Put plugins on a board.

        Args:
            plugins: native plugins, effects that speak their protocol, boards or None.

        Raises:
            TypeError: if something else is among them.
            ValueError: if an instrument is among them.
        """
        self._plugins: list[Item] = []
        for plugin in plugins or []:
            self.append(plugin)
        self._layout = ChannelLayout()
        self._stages: list[Stage] = []

    @property
    def is_effect(self) -> bool:
        """True: a board takes audio in."""
        return True

    @property
    def is_instrument(self) -> bool:
        """False: a board plays no notes."""
        return False

    def process(
        self,
        input_array: InputAudio,
        sample_rate: float,
        buffer_size: int = DEFAULT_BUFFER_SIZE,
        reset: bool = True,
    ) -> Audio:
        """Run audio through all plugins.

        Args:
            input_array: float32 or float64; (time,), (channels, time) or (time, channels).
            sample_rate: in Hz.
            buffer_size: largest block given to a plugin, in samples.
            reset: True starts anew and gives as many samples as it got, latency removed.
                False continues: the first calls give fewer samples, by the latency of the chain,
                and its tail comes out by feeding as many zeros.

        Returns:
            A new float32 array in the layout of the input.

        Raises:
            TypeError: if the input is no float32 or float64 array.
            ValueError: if buffer_size is below 1.
            RuntimeError: if the channel layout is ambiguous, a plugin stands twice in the chain or
                a Python effect gives no audio or audio of another shape.
            AudioError: if there are Python effects and a value is no sample; the board is then as
                it was before the call.
        """
        check_call(input_array, sample_rate, buffer_size)
        with self._locked_leaves() as leaves:
            layout = copy.copy(self._layout)
            audio = layout.read(input_array)
            if not all(map(is_native, leaves)):
                # A native plugin before the effect that would refuse it might never get rid of it.
                check_values(audio)
            self._layout = layout
            if audio.shape[0]:
                if reset:
                    self._restart(leaves)
                self._stages = build_stages(leaves, self._stages)
                if reset:
                    audio = self._run_whole(audio, sample_rate, buffer_size)
                else:
                    audio = self._run(audio, sample_rate, buffer_size)
            return layout.write(audio, input_array.ndim)

    __call__ = process

    def reset(self) -> None:
        """Clear the state of all plugins and the channel layout; keep parameters."""
        with self._locked_leaves() as leaves:
            self._restart(leaves)
            self._layout.forget()

    def _run(self, audio: Audio, sample_rate: float, buffer_size: int) -> Audio:
        for stage in self._stages:
            audio = stage.run(audio, sample_rate, buffer_size, reset=False)
        return audio

    def _run_whole(self, audio: Audio, sample_rate: float, buffer_size: int) -> Audio:
        """Run audio and the silence that brings out its tail, if possible as one block.

        Some native plugins (PitchShift, Mix) lose what they hold when a call ends.
        """
        if len(self._stages) == 1 and isinstance(self._stages[0], NativeStage):
            return self._stages[0].run(audio, sample_rate, buffer_size, reset=True)
        channels, length = audio.shape
        latency = sum(stage.latency(sample_rate, channels, buffer_size) for stage in self._stages)
        buffer_size = min(buffer_size, max(length, 1))

        def run(part: Audio) -> Audio:
            return self._run(part, sample_rate, buffer_size)

        return with_tail(run, audio, latency, sample_rate)

    def _restart(self, leaves: list[Effect]) -> None:
        restart(leaves)
        self._stages = []

    @contextmanager
    def _locked_leaves(self) -> Iterator[list[Effect]]:
        """All plugins of the chain in order, nested boards opened, for this thread alone."""
        leaves: list[Effect] = []
        boards: list[Board] = []
        # What a board with a `process` of its own will lock itself: all at once, or two threads
        # could wait for each other.
        inner: list[Effect] = []
        self._collect(leaves, boards, inner)
        check_distinct(leaves)
        with locked([*leaves, *boards, *inner]):
            yield leaves

    def _collect(self, leaves: list[Effect], boards: list[Board], inner: list[Effect]) -> None:
        check_distinct([*boards, self])
        boards.append(self)
        for plugin in list(self._plugins):
            if isinstance(plugin, Board) and type(plugin).process is Board.process:
                plugin._collect(leaves, boards, inner)
                continue
            if plugin is not None:
                leaves.append(plugin)
            if isinstance(plugin, Board):
                plugin._collect(inner, boards, inner)

    def append(self, plugin: Item) -> None:
        """Append a plugin to the end of this board."""
        with locked([self]):
            check_plugin(plugin)
            self._plugins.append(plugin)

    def insert(self, index: int, plugin: Item) -> None:
        """Insert a plugin at the index, which must lie within the board."""
        with locked([self]):
            check_plugin(plugin)
            self._plugins.insert(self._position(index, len(self) + 1), plugin)

    def remove(self, plugin: Item) -> None:
        """Remove a plugin by its identity."""
        with locked([self]):
            for position, present in enumerate(self._plugins):
                if present is plugin:
                    del self._plugins[position]
                    return
        raise ValueError("remove(x): x not in list")

    def __getitem__(self, index: int) -> Item:
        """Return the plugin at the index, which may be negative."""
        return self._plugins[self._position(index, len(self))]

    def __setitem__(self, index: int, plugin: Item) -> None:
        """Replace the plugin at the index."""
        with locked([self]):
            check_plugin(plugin)
            self._plugins[self._position(index, len(self))] = plugin

    def __delitem__(self, index: int) -> None:
        """Delete the plugin at the index."""
        with locked([self]):
            del self._plugins[self._position(index, len(self))]

    def __len__(self) -> int:
        """Return the number of plugins, None included, nested boards counted as one."""
        return len(self._plugins)

    def __iter__(self) -> Iterator[Item]:
        """Iterate over the plugins."""
        return iter(self._plugins)

    def __contains__(self, plugin: object) -> bool:
        """Return whether this very plugin is on the board."""
        return any(present is plugin for present in self._plugins)

    def __repr__(self) -> str:
        """Return the plugins in order."""
        plural = "" if len(self) == 1 else "s"
        return f"<{type(self).__name__} with {len(self)} plugin{plural}: {self._plugins}>"

    def __reduce__(self) -> tuple[type[Board], tuple[list[Item]]]:
        """Pickle the plugins; audio state is not kept."""
        return type(self), (self._plugins,)

    def _position(self, index: int, count: int) -> int:
        position = operator.index(index)
        position += len(self) if position < 0 else 0
        if not 0 <= position < count:
            raise IndexError("index out of range")
        return position
