"""The stages of a chain: each run of native plugins as one pedalboard, each Python effect alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from types import FunctionType
from typing import Any, TypeAlias, TypeGuard

import numpy as np
from pedalboard import Chain, Plugin, PluginContainer

from smle_pedalboard.protocol import LONGEST_LATENCY_S, Audio, Effect


def is_native(plugin: object) -> TypeGuard[Plugin]:
    """Whether pedalboard's own C++ does the work.

    A subclass that overrides `process` in Python is not native: a genuine pedalboard would
    accept it and silently run the code of its base class instead.
    """
    return isinstance(plugin, Plugin) and not isinstance(type(plugin).process, FunctionType)


def check_plugin(plugin: Any) -> None:
    """Refuse what cannot stand in a chain.

    Raises:
        TypeError: for anything but a native plugin, an effect that speaks its protocol, or None.
        ValueError: for an instrument, in pedalboard's words.
    """
    if plugin is None:
        return
    speaks = all(callable(getattr(plugin, name, None)) for name in ("process", "reset"))
    if isinstance(plugin, type) or not speaks or not hasattr(plugin, "is_effect"):
        raise TypeError(
            "A Board holds pedalboard plugins, effects that speak their protocol, Boards and "
            f"None, not {plugin!r}."
        )
    if not plugin.is_effect:
        raise ValueError(
            "Provided plugin is an instrument plugin that does not accept audio input. Instrument "
            "plugins cannot be added to Pedalboard, Mix, or Chain objects."
        )


def check_distinct(plugins: Sequence[object]) -> None:
    """Refuse a chain in which a plugin stands twice, be it inside a native container.

    Raises:
        RuntimeError: in pedalboard's words.
    """
    everything: list[object] = []

    def collect(plugin: object) -> None:
        if plugin is None:
            return
        if any(plugin is earlier for earlier in everything):
            raise RuntimeError(
                "The same plugin instance is being used multiple times in the same chain of "
                "plugins, which would cause undefined results. Please ensure that no duplicate "
                "plugins are present before calling."
            )
        everything.append(plugin)
        if isinstance(plugin, PluginContainer):
            for inner in plugin:
                collect(inner)

    for plugin in plugins:
        collect(plugin)


class NativeStage:
    """Native plugins that follow one another, run by pedalboard in one go."""

    def __init__(self, leaves: Sequence[Plugin], longest: int | None) -> None:
        """Wrap the plugins.

        Args:
            leaves: the plugins, in order.
            longest: samples that no block may exceed; None lets the first block decide.
        """
        self.leaves = leaves
        self.longest = longest
        self._spec: tuple[float, int] | None = None

    def run(self, audio: Audio, sample_rate: float, buffer_size: int, *, reset: bool) -> Audio:
        """Feed one block.

        Args:
            audio: (channels, time).
            sample_rate: in Hz.
            buffer_size: largest block given to the plugins, in samples.
            reset: whether the block is all there is, and its tail is wanted.

        Returns:
            (channels, time), without a reset shorter than the input while the delay fills.
        """
        channels, length = audio.shape
        if not length:
            # A genuine call would prepare for blocks of no samples; Convolution dies of it.
            return audio
        if self._spec != (sample_rate, channels):
            if self._spec is not None or self.longest is None:
                self.longest = length
            self._spec = (sample_rate, channels)
            self._chain = self._open(sample_rate, channels)
        # Blocks longer than any before would make the plugins start anew.
        longest = min(buffer_size, self.longest or length)
        return self._chain.process(audio, sample_rate, longest, reset)

    def latency(self, sample_rate: float, channels: int, buffer_size: int) -> int:
        """Samples by which the plugins lag; leaves them reset.

        They do not tell, so they are asked with silence, longer each time.
        """
        chain = self._open(sample_rate, channels)
        length = 64
        while length < LONGEST_LATENCY_S * sample_rate:
            silence = np.zeros((channels, length), np.float32)
            came_out = int(chain.process(silence, sample_rate, buffer_size, False).shape[1])
            chain.reset()
            if came_out:
                return length - came_out
            length *= 4
        return 0

    def _open(self, sample_rate: float, channels: int) -> Chain:
        """Settle the layout on an empty chain: (2, 1) alone would be read as two samples."""
        chain = Chain([])
        chain.process(np.zeros((channels, channels + 1), np.float32), sample_rate)
        for leaf in self.leaves:
            chain.append(leaf)
        return chain


class PythonStage:
    """One Python effect."""

    def __init__(self, effect: Effect) -> None:
        """Wrap the effect."""
        self.leaves = [effect]
        self._spec: tuple[float, int] | None = None

    def run(self, audio: Audio, sample_rate: float, buffer_size: int, *, reset: bool) -> Audio:
        """Feed one block; arguments and result as for native plugins.

        Raises:
            RuntimeError: if the effect gives anything but (channels, time).
        """
        channels, length = audio.shape
        if self._spec != (sample_rate, channels):
            self._spec = (sample_rate, channels)
            self._open(sample_rate, channels)
        if not length:
            return audio
        effect = self.leaves[0]
        done = np.asarray(effect.process(audio, sample_rate, buffer_size, reset), np.float32)
        if done.ndim != 2 or done.shape[0] != channels:
            raise RuntimeError(
                f"{effect!r} got audio of shape {audio.shape} and gave {done.shape}: "
                "an effect must give (channels, time)."
            )
        return done

    def latency(self, sample_rate: float, channels: int, buffer_size: int) -> int:
        """Samples by which the effect says it lags."""
        self._open(sample_rate, channels)
        return int(getattr(self.leaves[0], "reported_latency_samples", None) or 0)

    def _open(self, sample_rate: float, channels: int) -> None:
        """Settle the layout, and let the effect prepare."""
        self.leaves[0].process(np.zeros((channels, 0), np.float32), sample_rate, reset=False)


Stage: TypeAlias = NativeStage | PythonStage


def restart(leaves: Sequence[Effect]) -> None:
    """Clear the state of plugins.

    Native ones are reset through a container: reset one by one they would also be prepared anew,
    which moves some results by a rounding error from those of a genuine pedalboard.
    """
    Chain([leaf for leaf in leaves if is_native(leaf)]).reset()
    for leaf in leaves:
        if not is_native(leaf):
            leaf.reset()


def build_stages(leaves: Sequence[Effect], previous: Sequence[Stage]) -> list[Stage]:
    """Group a chain into stages, keeping the previous stages that still hold the same plugins.

    Args:
        leaves: native plugins and Python effects, in order.
        previous: the stages of the last call, none after a reset.
    """
    kept = {tuple(map(id, stage.leaves)): stage for stage in previous}
    known = [stage.longest for stage in previous if isinstance(stage, NativeStage)]
    longest = min((length for length in known if length is not None), default=None)
    stages: list[Stage] = []
    for native, group in groupby(leaves, is_native):
        members = list(group)
        if native:
            plugins = [member for member in members if is_native(member)]
            stages.append(kept.get(tuple(map(id, members))) or NativeStage(plugins, longest))
        else:
            stages += [kept.get((id(member),)) or PythonStage(member) for member in members]
    return stages
