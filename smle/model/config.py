"""The facts that define a model: spectra, network, gate and routing, from a recipe's tables."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from smle.errors import RecipeError
from smle.model.bands import N_BANDS

T = TypeVar("T")

# Whole numbers beyond this are no floats.
_MOST = 10**300


@dataclass(frozen=True)
class SpectralConfig:
    """What a model hears: window and hop in seconds, and how a spectrum becomes features.

    Args:
        sample_rate: Rate whose bins the model knows, in Hz; other rates share its bin spacing.
        window_s: Analysis window in seconds.
        hop_s: Step between frames in seconds; the window is a whole number of hops, at least 2.
        compression: Exponent applied to the level-normalised magnitude: 1 is linear as in the
            papers, 0 is its logarithm.
        level_s: Time constant of the running level that features are divided by, in seconds.
    """

    sample_rate: int = 16_000
    window_s: float = 0.032
    hop_s: float = 0.016
    compression: float = 0.0
    level_s: float = 2.0

    def __post_init__(self) -> None:
        within("sample_rate", self.sample_rate, 4_000, 48_000)
        within("window_s", self.window_s, 0.002, 0.256)
        within("hop_s", self.hop_s, 0.001, self.window_s / 2)
        within("compression", self.compression, 0.0, 1.0)
        within("level_s", self.level_s, 0.05, 60.0)
        ratio = self.window_s / self.hop_s
        if abs(ratio - round(ratio)) > 1e-6:
            raise RecipeError(
                f"window_s {self.window_s} is not a whole number of hops of "
                f"{self.hop_s} s; choose a hop that divides it"
            )
        hop = self.sample_rate * self.hop_s
        if abs(hop - round(hop)) > 1e-6:
            raise RecipeError(
                f"hop_s {self.hop_s} is {hop} samples at {self.sample_rate} Hz; "
                "choose a hop of whole samples"
            )

    @property
    def n_fft(self) -> int:
        """Samples in a window at the model's own rate."""
        return round(self.sample_rate * self.window_s)

    @property
    def n_bins(self) -> int:
        """Bins from 0 Hz to half the model's rate."""
        return self.n_fft // 2 + 1

    @property
    def frames_per_s(self) -> float:
        """Frames in a second of signal."""
        return 1.0 / self.hop_s


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of one mask estimator, generalist and specialists alike.

    Args:
        kind: "recurrent" is the papers' network, "subband" the banded one.
        cell: Recurrent cell of the "recurrent" kind.
        hidden_size: Units of the recurrent kind, or of the full-band LSTM of the subband kind.
        layers: Recurrent layers, or blocks.
        channels: Features per band (subband kind).
        ranges: Ranges of neighbouring bands, each with an LSTM of its own (subband kind): more of
            them hold more and cost the same.
    """

    kind: Literal["recurrent", "subband"] = "recurrent"
    cell: Literal["gru", "lstm"] = "gru"
    hidden_size: int = 64
    layers: int = 2
    channels: int = 32
    ranges: int = 1

    def __post_init__(self) -> None:
        within("hidden_size", self.hidden_size, 1, 4_096)
        within("layers", self.layers, 1, 8)
        within("channels", self.channels, 2, 512)
        if self.ranges < 1 or N_BANDS % self.ranges:
            raise RecipeError(f"ranges is {self.ranges}; choose a divisor of the {N_BANDS} bands")


@dataclass(frozen=True)
class GateConfig:
    """The gate: a linear layer, a GRU, then one logit per specialist.

    Args:
        hidden_size: Units of the GRU.
        layers: Of the GRU.
        hears_expert: Whether it hears, beside the noisy features, how much the running expert keeps
            of them; the papers' gate does not.
    """

    hidden_size: int = 32
    layers: int = 1
    hears_expert: bool = False

    def __post_init__(self) -> None:
        within("hidden_size", self.hidden_size, 1, 1_024)
        within("layers", self.layers, 1, 8)


@dataclass(frozen=True)
class RoutingConfig:
    """How logits become choices over time.

    Args:
        segment_s: Seconds between decisions, once the start is over.
        evidence_s: Time constant of the forgetting mean over logits, in seconds.
        margin: A switch needs this much more mean logit than the running specialist has.
        confidence: Below this probability of the choice the generalist runs, if there is one.
        fade_s: Seconds over which masks cross-fade at a switch.
    """

    segment_s: float = 1.0
    evidence_s: float = 1.0
    margin: float = 0.5
    confidence: float = 0.0
    fade_s: float = 0.064

    def __post_init__(self) -> None:
        within("segment_s", self.segment_s, 0.1, 60.0)
        within("evidence_s", self.evidence_s, 0.05, 600.0)
        within("margin", self.margin, 0.0, 100.0)
        within("confidence", self.confidence, 0.0, 1.0)
        within("fade_s", self.fade_s, 0.0, self.segment_s / 2)


def from_table(cls: type[T], table: Any, where: str) -> T:
    """Build a configuration dataclass from a recipe's table.

    Args:
        cls: The dataclass.
        table: What the recipe says: a mapping of its field names.
        where: Name of the table, for messages; empty for the whole file.

    Returns:
        The configuration, every value of its declared type.

    Raises:
        RecipeError: If a key is unknown or missing, or a value has another type or is out of range.

    >>> from_table(GateConfig, {"hidden_size": 16}, "gate").hidden_size
    16
    >>> from_table(GateConfig, {"size": 2}, "gate")
    Traceback (most recent call last):
    ...
    smle.errors.RecipeError: [gate] has no key 'size'; known keys: hidden_size, layers, hears_expert
    """
    if not isinstance(table, dict):
        raise RecipeError(f"[{where}] is {table!r}; write it as a table of keys and values")
    title = f"[{where}]" if where else "the recipe"
    hints = typing.get_type_hints(cls)
    fields = [f for f in dataclasses.fields(cls) if f.init]  # type: ignore[arg-type]
    known = [f.name for f in fields]
    for key in table:
        if key not in known:
            raise RecipeError(f"{title} has no key {key!r}; known keys: {', '.join(known)}")
    values = {k: _typed(hints[k], v, f"{where}.{k}".lstrip(".")) for k, v in table.items()}
    for field in fields:
        required = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        if required and field.name not in values:
            raise RecipeError(f"{title} lacks the key {field.name!r}; add it")
    try:
        return cls(**values)
    except RecipeError as error:
        # A configuration names its own field; which table that is in, only the recipe knows.
        raise RecipeError(f"{where}.{error}" if where else str(error)) from None


def _typed(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return from_table(typing.cast("type[Any]", hint), value, where)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Mapping:
        if not isinstance(value, dict):
            raise RecipeError(f"{where} is {value!r}; write it as a table")
        return value
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _typed(args[0], value, where)
    if origin is Literal:
        if value not in args:
            options = ", ".join(repr(a) for a in args)
            raise RecipeError(f"{where} is {value!r}; choose one of {options}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise RecipeError(f"{where} is {value!r}; write a list")
        if args[-1] is Ellipsis:
            return tuple(_typed(args[0], v, where) for v in value)
        if len(value) != len(args):
            raise RecipeError(f"{where} has {len(value)} values; write {len(args)}")
        return tuple(_typed(a, v, where) for a, v in zip(args, value, strict=True))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) < _MOST else math.inf
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise RecipeError(f"{where} is {value!r}; write a value of type {hint.__name__}")
    if isinstance(value, float) and not math.isfinite(value):
        raise RecipeError(f"{where} is {value!r}; write a finite number")
    return value


def within(name: str, value: float, low: float, high: float) -> None:
    """Raise RecipeError, by the name of the value, unless it lies from low to high."""
    if not low <= value <= high:
        raise RecipeError(f"{name} is {value}; choose a value from {low} to {high}")
