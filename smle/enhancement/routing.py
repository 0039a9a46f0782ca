"""Routing over time: when to decide, whom to choose, and the record of what was chosen."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smle.arrays.layers import softmax
from smle.model.config import RoutingConfig

# While little has been heard, decisions come at these parts of a segment.
_EARLY_PARTS = (1 / 8, 1 / 4, 1 / 2)


@dataclass(frozen=True)
class Segment:
    """Who ran from one decision to the next, in one channel.

    Args:
        start_s: Begin, in seconds.
        stop_s: End, in seconds.
        expert: Name of the expert.
        probability: What the gate gave the expert, from 0 to 1; for the generalist, its best
            specialist's. Before the first decision all specialists are equal.
        margin: Evidence of the best specialist less that of the next, in logits; 0 where there is
            no next.
    """

    start_s: float
    stop_s: float
    expert: str
    probability: float
    margin: float


@dataclass(frozen=True)
class Routing:
    """Who ran when.

    Args:
        expert_names: All experts of the model.
        segments: For every channel its segments, in order.
    """

    expert_names: tuple[str, ...]
    segments: list[list[Segment]]

    @property
    def dominant(self) -> str:
        """The expert that ran for most of the time, over all channels."""
        seconds: dict[str, float] = defaultdict(float)
        for segment in self._all():
            seconds[segment.expert] += segment.stop_s - segment.start_s
        return max(seconds, key=lambda name: seconds[name], default=self.expert_names[0])

    @property
    def probability(self) -> float:
        """Mean probability of the dominant expert while it ran."""
        dominant = self.dominant
        own = [s for s in self._all() if s.expert == dominant]
        seconds = sum(s.stop_s - s.start_s for s in own)
        if seconds <= 0:
            return 0.0
        return sum((s.stop_s - s.start_s) * s.probability for s in own) / seconds

    @property
    def switches(self) -> int:
        """How often one expert followed another, over all channels."""
        return sum(
            before.expert != after.expert
            for channel in self.segments
            for before, after in itertools.pairwise(channel)
        )

    def _all(self) -> list[Segment]:
        return [segment for channel in self.segments for segment in channel]


class DecisionTimes:
    """The frames after which a decision is due: a few early ones, then every segment.

    Args:
        config: Length of a segment and of a fade.
        frames_per_s: Frames in a second.

    >>> times = DecisionTimes(RoutingConfig(segment_s=1.0), 62.5)
    >>> times.next_after(0), times.next_after(31), times.next_after(62), times.next_after(200)
    (8, 62, 124, 248)
    """

    def __init__(self, config: RoutingConfig, frames_per_s: float) -> None:
        self._segment = max(1, math.floor(config.segment_s * frames_per_s))
        fade = max(1, round(config.fade_s * frames_per_s))
        self._early: list[int] = []
        for part in _EARLY_PARTS:
            frame = round(part * self._segment)
            before = self._early[-1] if self._early else 0
            next_due = round(2 * part * self._segment)
            # A fade is over before the next decision, so no row's disturbs another's.
            if frame - before > fade and next_due - frame >= fade:
                self._early.append(frame)

    def next_after(self, frame: int) -> int:
        """The first decision due after `frame` frames."""
        for early in self._early:
            if early > frame:
                return early
        return (frame // self._segment + 1) * self._segment


@dataclass(frozen=True, slots=True)  # streams may run for weeks
class Decision:
    """One row's choice, with what spoke for it."""

    expert: int
    probability: float
    margin: float


def decide(
    evidence: NDArray[np.float32], current: list[int], config: RoutingConfig, generalist: int | None
) -> list[Decision]:
    """Choose an expert for each row: the best specialist, with hysteresis.

    Args:
        evidence: Mean logits (rows, specialists).
        current: Expert that runs now, per row.
        config: Margin for a switch, and the confidence below which the generalist runs.
        generalist: Its number among the experts, if there is one.

    Returns:
        A decision per row.

    >>> config = RoutingConfig(margin=1.0)
    >>> [d.expert for d in decide(np.array([[0.0, 0.9], [0.0, 1.1]]), [0, 0], config, None)]
    [0, 1]
    """
    probabilities = softmax(evidence).tolist()
    decisions = []
    for logits, probability, now in zip(evidence.tolist(), probabilities, current, strict=True):
        best = max(range(len(logits)), key=logits.__getitem__)
        rest = [logit for k, logit in enumerate(logits) if k != best]
        margin = logits[best] - max(rest) if rest else 0.0
        choice = best
        if now < len(logits) and logits[best] - logits[now] < config.margin:
            choice = now
        sure = probability[best]
        if generalist is not None and sure < config.confidence:
            choice = generalist
        shown = probability[choice] if choice < len(logits) else sure
        decisions.append(Decision(choice, shown, margin))
    return decisions
