"""Masks for frames as they come: the gate decides, and each row runs its one chosen expert."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from smle.mixture import Mixture
from smle.networks import State
from smle.routing import Decision, DecisionTimes, Routing, Segment, decide
from smle.spectral import RunningMean

Route = Sequence[int] | None
"""A fixed expert for each row, or None where the gate decides."""


class RoutedMasker:
    """Follows independent rows (channels, files of a batch) and masks their frames.

    A row's expert is the only one that runs on it, except while a switch fades: the new expert
    is warmed up on the frames just past, then the masks of both are cross-faded.

    Args:
        mixture: Gate and experts.
        rows: How many signals there are.
        route: A fixed expert for each row, or None for the gate's choices.
    """

    def __init__(self, mixture: Mixture, rows: int, route: Route = None) -> None:
        recipe = mixture.recipe
        rate = recipe.spectral.frames_per_s
        self._config = recipe.routing
        self._seconds_per_frame = recipe.spectral.hop_s
        self._experts = mixture.experts
        self._names = mixture.expert_names
        self._gate = mixture.gate
        self._generalist = len(self._names) - 1 if recipe.generalist else None
        self._times = DecisionTimes(recipe.routing, rate)
        self._warm_up_frames = round(recipe.routing.warm_up_s * rate)
        self._fade_frames = round(recipe.routing.fade_s * rate)
        self._evidence = RunningMean(recipe.routing.evidence_s * rate)

        n_specialists = len(mixture.specialists)
        self.rows = rows
        self._frame = 0
        self._route = route
        self._gate_state = self._gate.start(rows)
        self._evidence_state = self._evidence.start(self._gate_state.new_zeros(rows, n_specialists))
        self._states: dict[int, State] = {}
        self._past: Tensor | None = None  # features (rows, up to warm_up_frames, bins)
        first = self._names.index(recipe.start_name)
        self._current = [first] * rows if route is None else list(route)
        self._leaving: dict[int, int] = {}  # row -> expert whose mask fades out
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

    @torch.inference_mode()
    def __call__(self, features: Tensor) -> Tensor:
        """Mask more frames.

        Args:
            features: (rows, frames, bins).

        Returns:
            Masks (rows, frames, bins), from 0 to 1.
        """
        masks, at = [], 0
        while at < features.shape[1]:
            self._take_up_route()
            stop = min(features.shape[1], at + self._frames_to_next_event())
            part = features[:, at:stop]
            masks.append(self._advance(part))
            self._listen(part)
            at = stop
        return torch.cat(masks, 1)

    def routing(self, rows: Iterable[int], seconds: float | None = None) -> Routing:
        """What was chosen so far.

        Args:
            rows: The rows that belong together, as channels of one signal.
            seconds: Length of that signal; by default all frames so far.
        """
        end_s = self._frame * self._seconds_per_frame if seconds is None else seconds
        starts = [frame * self._seconds_per_frame for frame, _ in self._decisions]
        stops = [*starts[1:], end_s]
        channels = []
        for row in rows:
            channel = []
            for start, stop, (_, decisions) in zip(starts, stops, self._decisions, strict=True):
                if start < end_s:
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

    def _listen(self, features: Tensor) -> None:
        """Let the gate hear the frames that were just masked, and decide if it is time."""
        due = self._times.next_after(self._frame)
        self._frame += features.shape[1]
        if self._warm_up_frames:
            past = features if self._past is None else torch.cat([self._past, features], 1)
            self._past = past[:, -self._warm_up_frames :]
        if self._route is not None:
            return
        logits, self._gate_state = self._gate(features, self._gate_state)
        evidence, self._evidence_state = self._evidence(logits, self._evidence_state)
        if self._frame == due:
            decisions = decide(evidence[:, -1], self._current, self._config, self._generalist)
            self._decisions.append((self._frame, decisions))
            self._switch([d.expert for d in decisions])

    def _take_up_route(self) -> None:
        if self._route is None or self._leaving or list(self._route) == self._current:
            return
        sure = [Decision(expert, 1.0, 0.0) for expert in self._route]
        self._decisions.append((self._frame, sure))
        self._switch(list(self._route))

    def _switch(self, wanted: list[int]) -> None:
        """Warm up the experts that come, and let those that leave fade out."""
        changing = [row for row in range(self.rows) if wanted[row] != self._current[row]]
        if not changing:
            return
        self._leaving = {row: self._current[row] for row in changing if self._fade_frames}
        self._faded_frames = 0
        for expert in sorted({wanted[row] for row in changing}):
            rows = [row for row in changing if wanted[row] == expert]
            fresh = self._experts[expert].start(len(rows))
            if self._past is not None:
                _, fresh = self._network(expert, self._past[rows], fresh)
            for kept, new in zip(self._state_of(expert), fresh, strict=True):
                kept[rows] = new
        self._current = wanted

    def _advance(self, features: Tensor) -> Tensor:
        """Mask frames between two events."""
        mask = self._run(dict(enumerate(self._current)), features)
        if self._leaving:
            rows = sorted(self._leaving)
            before = self._run(self._leaving, features)
            count = features.shape[1]
            steps = torch.arange(1, count + 1, device=mask.device) + self._faded_frames
            weight = (steps / (self._fade_frames + 1))[None, :, None]
            mask[rows] = weight * mask[rows] + (1 - weight) * before
            self._faded_frames += count
            if self._faded_frames >= self._fade_frames:
                self._leaving = {}
        return mask

    def _run(self, choice: dict[int, int], features: Tensor) -> Tensor:
        """Run each row's expert, one call per expert; the result has a row per chosen row."""
        rows = sorted(choice)
        mask: Tensor | None = None
        for expert in sorted(set(choice.values())):
            places = [i for i, row in enumerate(rows) if choice[row] == expert]
            own = [rows[i] for i in places]
            state = self._state_of(expert)
            if len(own) == self.rows:
                whole, after = self._network(expert, features, state)
                self._states[expert] = after
                return whole
            part, after = self._network(expert, features[own], tuple(s[own] for s in state))
            for kept, new in zip(state, after, strict=True):
                kept[own] = new
            if mask is None:
                mask = part.new_empty((len(rows), *part.shape[1:]))
            mask[places] = part
        assert mask is not None
        return mask

    def _network(self, expert: int, features: Tensor, state: State) -> tuple[Tensor, State]:
        mask, after = self._experts[expert](features, state)
        return mask, after

    def _state_of(self, expert: int) -> State:
        if expert not in self._states:
            self._states[expert] = self._experts[expert].start(self.rows)
        return self._states[expert]
