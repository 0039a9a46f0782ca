"""An enhancer that only delays: it makes every truth about latency exact."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from smle.errors import AudioError

LATENCY = 512


class DelayStream:
    def __init__(self, channels: int, route: str, atten_lim_db: float | None) -> None:
        self.latency = LATENCY
        self.route = route
        self.atten_lim_db = atten_lim_db
        self.routing = None
        self._held = np.zeros((channels, LATENCY), np.float32)

    def feed(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        held = np.concatenate([self._held, block], axis=1)
        self._held = held[:, block.shape[1] :]
        return 0.5 * held[:, : block.shape[1]]


class DelayEnhancer:
    """Halves and delays, so that dry and wet audio can be told apart."""

    expert_names = ("low", "high")
    name = "delay"

    def __init__(self) -> None:
        self.streams: list[DelayStream] = []

    def stream(
        self, sample_rate: int, channels: int, *, route: str, atten_lim_db: float | None
    ) -> DelayStream:
        if sample_rate < 4000:
            raise AudioError(f"a sample rate of {sample_rate} Hz cannot be enhanced")
        self.streams.append(DelayStream(channels, route, atten_lim_db))
        return self.streams[-1]
