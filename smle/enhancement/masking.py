"""Masks for frames as they come: the gate decides, and each row runs its one chosen expert."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smle.arrays.mixture import ArrayMixture
from smle.arrays.networks import ArrayState
from smle.arrays.spectral import Array, ArrayRunningMean
from smle.enhancement.routing import Decision, DecisionTimes, Routing, Segment, decide

Route = Sequence[int] | None
"""A fixed expert for each row, or None where the gate decides."""


class RoutedMasker:
    """Follows independent rows (channels, files of a batch) and masks their frames.

    A row's expert is the only one that runs on it, except while the masks of two are cross-faded
    at a switch. The new expert goes on from the state of the one before: experts that branched off
    one network understand each other's, and so nothing that was heard is lost. Experts that were
    trained each from fresh weights do not, and start anew.

    Args:
        mixture: Gate and experts.
        rows: How many signals there are.
        route: A fixed expert for each row, or None for the gate's choices.
        hop_s: Seconds from frame to frame; by default those of the model, from which a rate whose
            hop is no whole number of samples departs a little.
        ends: The frame with which each row is over; what follows needs no expert, and its mask
            is 0 from some frame on. By default none ends.
    """

    def __init__(
        self,
        mixture: ArrayMixture,
        rows: int,
        route: Route = None,
        hop_s: float | None = None,
        ends: Sequence[int] | None = None,
    ) -> None:
        recipe = mixture.recipe
        rate = recipe.spectral.frames_per_s
        self._config = recipe.routing
        self._hop_s = recipe.spectral.hop_s if hop_s is None else hop_s
        self._experts = mixture.experts
        self._names = mixture.expert_names
        self._gate = mixture.gate
        self._generalist = len(self._names) - 1 if recipe.generalist else None
        self._times = DecisionTimes(recipe.routing, rate)
        self._related = recipe.training.specialists_start != "fresh"
        self._fade_frames = round(recipe.routing.fade_s * rate)
        self._evidence = ArrayRunningMean(recipe.routing.evidence_s * rate)

        n_specialists = len(mixture.specialists)
        self.rows = rows
        self._frame = 0
        self.ends = ends
        self._route = route
        self._gate_state = self._gate.start(rows)
        self._evidence_state = self._evidence.start(rows, n_specialists)
        first = self._names.index(recipe.start_name)
        self._current = [first] * rows if route is None else list(route)
        self._running: list[_Group] = []  # one for each expert that runs
        for expert in sorted(set(self._current)):
            own = [row for row in range(rows) if self._current[row] == expert]
            start = self._experts[expert].start(len(own))
            self._running.append(self._group(expert, [(own, start)]))
        self._leaving: list[_Group] = []  # whose masks fade out
        self._faded_frames = 0
        unsure = Decision(first, 1 / n_specialists, 0.0)
        sure = [Decision(expert, 1.0, 0.0) for expert in self._current]
        self._decisions: list[tuple[int, list[Decision]]] = [
            (0, [unsure] * rows if route is None else sure)
        ]

    @property
    def route(self) -> Route:
        """A fixed expert for each row, or None where the gate decides."""
        return self._route

    @route.setter
    def route(self, route: Route) -> None:
        # Taken up at the next frame, or when a fade that is under way is over.
        self._route = route

    def __call__(self, features: Array) -> Array:
        """Mask more frames.

        Args:
            features: (rows, frames, bins).

        Returns:
            Masks (rows, frames, bins), from 0 to 1.
        """
        masks, at = [], 0
        while at < features.shape[1]:
            self._retire()
            self._take_up_route()
            stop = min(features.shape[1], at + self._frames_to_next_event())
            part = features[:, at:stop]
            masks.append(self._advance(part))
            self._listen(part, masks[-1])
            at = stop
        return np.concatenate(masks, 1)

    def begin(self) -> None:
        """Count frames, and record what is chosen, from here on; what was heard stays known."""
        self._frame = 0
        self._decisions = [(0, self._decisions[-1][1])]

    def routing(self, rows: Iterable[int], seconds: float | None = None) -> Routing:
        """What was chosen so far.

        Args:
            rows: The rows that belong together, as channels of one signal.
            seconds: Length of that signal; by default all frames so far.
        """
        end_s = self._frame * self._hop_s if seconds is None else seconds
        taken = list(self._decisions)  # another thread may be adding to them
        starts = [frame * self._hop_s for frame, _ in taken]
        stops = [*starts[1:], end_s]
        channels = []
        for row in rows:
            channel = []
            for start, stop, (_, decisions) in zip(starts, stops, taken, strict=True):
                if start < min(stop, end_s):
                    d = decisions[row]
                    name = self._names[d.expert]
                    channel.append(Segment(start, min(stop, end_s), name, d.probability, d.margin))
            channels.append(channel)
        return Routing(self._names, channels)

    def _frames_to_next_event(self) -> int:
        ahead = self._times.next_after(self._frame) - self._frame
        if self._leaving:
            ahead = min(ahead, self._fade_frames - self._faded_frames)
        return ahead

    def _listen(self, features: Array, mask: Array) -> None:
        """Let the gate hear the frames that were just masked, and decide if it is time."""
        due = self._times.next_after(self._frame)
        self._frame += features.shape[1]
        if self._route is not None:
            return
        logits, self._gate_state = self._gate(features, mask, self._gate_state)
        evidence, self._evidence_state = self._evidence(logits, self._evidence_state)
        if self._frame == due and not self._leaving:
            decisions = decide(evidence[:, -1], self._current, self._config, self._generalist)
            self._decisions.append((self._frame, decisions))
            self._switch([d.expert for d in decisions])

    def _retire(self) -> None:
        """Let experts leave the rows that are over."""
        if self.ends is None or self._leaving:
            return
        staying = []
        for group in self._running:
            places = [i for i, row in enumerate(group.rows) if self.ends[row] > self._frame]
            if len(places) < len(group.rows):
                group = self._group(group.expert, [group.part(places)])
            if places:
                staying.append(group)
        self._running = staying

    def _take_up_route(self) -> None:
        if self._route is None or self._leaving or list(self._route) == self._current:
            return
        sure = [Decision(expert, 1.0, 0.0) for expert in self._route]
        self._decisions.append((self._frame, sure))
        self._switch(list(self._route))

    def _switch(self, wanted: list[int]) -> None:
        """Let the experts that are wanted go on from where those that run are."""
        parts: dict[int, list[tuple[list[int], ArrayState]]] = {}
        self._leaving = []
        for group in self._running:
            for expert in sorted({wanted[row] for row in group.rows}):
                part = group.part([i for i, row in enumerate(group.rows) if wanted[row] == expert])
                rows, state = part
                if expert != group.expert:
                    if self._fade_frames:
                        self._leaving.append(self._group(group.expert, [part]))
                    if not self._related:
                        state = self._experts[expert].start(len(rows))
                parts.setdefault(expert, []).append((rows, state))
        self._running = [self._group(expert, own) for expert, own in sorted(parts.items())]
        self._current = wanted
        self._faded_frames = 0

    def _advance(self, features: Array) -> Array:
        """Mask frames between two events."""
        mask = np.zeros_like(features)
        for group in self._running:
            part = self._run(group, features)
            if group.index is None:
                mask = part
            else:
                mask[group.index] = part
        if self._leaving:
            count = features.shape[1]
            steps = np.arange(1, count + 1) + self._faded_frames
            weight = (steps / (self._fade_frames + 1)).astype(np.float32)[:, None]
            for group in self._leaving:
                before = self._run(group, features)
                rows = slice(None) if group.index is None else group.index
                mask[rows] = weight * mask[rows] + (1 - weight) * before
            self._faded_frames += count
            if self._faded_frames >= self._fade_frames:
                self._leaving = []
        return mask

    def _run(self, group: _Group, features: Array) -> Array:
        """Masks of a group's rows, from one call of its expert."""
        own = features if group.index is None else features[group.index]
        mask, group.state = self._experts[group.expert](own, group.state)
        return mask

    def _group(self, expert: int, parts: list[tuple[list[int], ArrayState]]) -> _Group:
        rows = [row for part, _ in parts for row in part]
        state = tuple(np.concatenate(arrays) for arrays in zip(*(s for _, s in parts), strict=True))
        whole = rows == list(range(self.rows))
        return _Group(expert, rows, None if whole else np.array(rows), state)


@dataclass
class _Group:
    """Rows that one expert runs on, with its state for them; no index means all rows."""

    expert: int
    rows: list[int]
    index: NDArray[np.intp] | None
    state: ArrayState

    def part(self, places: list[int]) -> tuple[list[int], ArrayState]:
        """Some of the rows, by their place in the group, and their state."""
        return [self.rows[i] for i in places], tuple(s[places] for s in self.state)
