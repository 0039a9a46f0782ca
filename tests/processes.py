"""`smle` started as a process, and what it left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from smle.ledger import LEDGER_NAME

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


def wait_for_outputs(out: Path, count: int) -> None:
    """Wait until that many outputs stand there."""
    while whole_outputs(out) < count:
        time.sleep(0.01)
