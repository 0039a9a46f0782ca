"""`smle` started as a process, and what it left."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from smle.batch.ledger import LEDGER_NAME

ROOT = Path(__file__).resolve().parents[1]
SMLE = [sys.executable, "-m", "smle_cli"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"}


def sound(
    seconds: float, sample_rate: int = 16_000, channels: int = 1, seed: int = 0
) -> np.ndarray:
    """Bursts of tone in noise, shape (channels, time)."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    tone = np.sin(2 * np.pi * 300 * t) * (np.sin(2 * np.pi * 1.5 * t) > 0)
    return (0.2 * tone + 0.05 * rng.standard_normal((channels, t.size))).astype(np.float32)


def start(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": ENVIRONMENT, **options}
    return subprocess.Popen([*SMLE, *map(str, arguments)], **options)  # type: ignore[call-overload,no-any-return]


def outputs(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != LEDGER_NAME
    }


def whole_outputs(folder: Path) -> int:
    """How many outputs stand there by now, while a process adds more."""
    return sum(not path.name.startswith(".") for path in folder.rglob("*.*"))


def wait_for_outputs(out: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a process that is at work has made that many outputs."""
    while whole_outputs(out) < count:
        assert process.poll() is None
        time.sleep(0.01)


def peak_memory(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process; the most resident bytes that it, or one of its children, had.

    Not by rusage: there a process begins with the memory of whoever started it.
    """
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc")
    peak = 0
    while process.poll() is None:
        for pid in (process.pid, *_children(process.pid)):
            peak = max(peak, _high_water(pid))
        time.sleep(0.02)
    return peak


def _children(pid: int) -> list[int]:
    try:
        tasks = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # it is gone
        return []
    return [int(child) for text in tasks for child in text.split()]


def _high_water(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return 1024 * int(found[1]) if found else 0
