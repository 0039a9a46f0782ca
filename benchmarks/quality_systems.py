"""What benchmarks/quality.py compares: published peers, and models as they are shipped."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from inspect import getsource
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from high_band import HIGH_BAND_METRICS
from peers import PEERS

from smle.evaluation.metric_table import METRICS
from smle.evaluation.model_systems import ModelSystems
from smle.evaluation.pairs import Pair
from smle.evaluation.scoring import Audio, SystemEstimate
from smle.evaluation.systems import System
from smle.files.audio import read

# Here, where worker processes come by: the library does not know a benchmark's own metrics.
METRICS.update(HIGH_BAND_METRICS)

_SHIPPED = ("generalist", "routed")
_TIMED_FILES = 16


class Systems(Protocol):
    """Systems that run here (see `smle.evaluation.scoring.Enhance`)."""

    def systems(self) -> list[System]:
        """Name them and count what they cost."""

    def identity(self) -> dict[str, Any]:
        """What their scores depend on."""

    def __call__(
        self, noisy: Audio, rate: int, pair: Pair, clean: Audio | None
    ) -> Mapping[str, SystemEstimate]:
        """Enhance (channels, time) with each."""


class PeerSystems:
    """Runs published enhancers.

    Args:
        names: In PEERS, all of them installed.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def systems(self) -> list[System]:
        """Name the peers and say what they cost, as far as it is known."""
        return [System(name, "estimate", cost=_peer_cost(name)) for name in self.names]

    def identity(self) -> dict[str, Any]:
        """Version and delay of each peer, and a digest of how it is run."""
        return {
            name: {
                "version": PEERS[name].installed_version,
                "delay": PEERS[name].delay,
                "code": sha256(getsource(PEERS[name].start).encode()).hexdigest()[:16],
            }
            for name in self.names
        }

    def __call__(
        self, noisy: Audio, rate: int, pair: Pair, clean: Audio | None
    ) -> dict[str, SystemEstimate]:
        """Enhance every channel with every peer; loading a network is not timed."""
        found = {}
        for name in self.names:
            peer = PEERS[name]
            denoisers = [peer.start() for _ in noisy]
            start = time.process_time()
            estimate = np.stack(
                [peer.enhance(run, row, rate) for run, row in zip(denoisers, noisy, strict=True)]
            )
            found[name] = SystemEstimate(estimate, {"cpu_s": time.process_time() - start})
        return found


class ModelRoutes:
    """Runs models hard-routed by segment, and their generalists alone.

    Args:
        models: Names of bundled models, or folders.
    """

    def __init__(self, models: Sequence[str]) -> None:
        self._models = {model: ModelSystems((model,)) for model in models}

    def systems(self) -> list[System]:
        """Name the systems and count what they cost."""
        return [
            replace(system, name=_title(model, system.kind))
            for model, found in self._models.items()
            for system in found.systems()
            if system.kind in _SHIPPED
        ]

    def identity(self) -> dict[str, Any]:
        """Digests of the weights."""
        return ModelSystems(tuple(self._models)).digests()

    def __call__(
        self, noisy: Audio, rate: int, pair: Pair, clean: Audio | None
    ) -> dict[str, SystemEstimate]:
        """Enhance with every model."""
        return {
            _title(model, kind): estimate
            for model, systems in self._models.items()
            for kind, estimate in systems(noisy, rate, pair, clean).items()
            if kind in _SHIPPED
        }


def cpu_s_per_audio_s(groups: Sequence[Systems], pairs: Sequence[Pair]) -> dict[str, float]:
    """Time all systems on a few files, in turn, so that a busy machine is as busy for all.

    Args:
        groups: What to time.
        pairs: About 16 of them, evenly spaced, are run.

    Returns:
        Median over files of CPU seconds for a second of audio, by system.
    """
    rates: dict[str, list[float]] = {}
    # The first file warms libraries up and does not count.
    for pair in [pairs[0], *pairs[:: max(1, len(pairs) // _TIMED_FILES)]]:
        assert pair.noisy is not None
        noisy, rate = read(pair.noisy)
        for group in groups:
            for name, estimate in group(noisy, rate, pair, None).items():
                cpu_s = float(estimate.facts["cpu_s"])
                rates.setdefault(name, []).append(cpu_s * rate / noisy.shape[1])
    return {name: float(np.median(found[1:])) for name, found in rates.items()}


def _title(model: str, kind: str) -> str:
    return f"smle {Path(model).name} {kind}"


def _peer_cost(name: str) -> dict[str, float]:
    peer = PEERS[name]
    costs = {
        "active_parameters": peer.parameters,
        "stored_parameters": peer.parameters,
        "mmac_per_s": peer.mmac_per_s,
    }
    return {cost: value for cost, value in costs.items() if value is not None}
