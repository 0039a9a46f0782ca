"""Folders of clean, noisy and two systems' files, small and made from numbers."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from smle.files.audio import write
from tests.speech_like import RATE_HZ, noise_like, speech_like

NAMES = tuple(f"{'sub/' if n % 2 else ''}file{n}" for n in range(6))
SNRS_DB = (-5, 0, 5)


def make_folders(root: Path, seconds: float = 0.6) -> Path:
    """Write clean/, noisy/, good/, poor/ and conditions.csv below a folder."""
    rows = []
    for n, name in enumerate(NAMES):
        clean, noise = speech_like(seconds, n), noise_like(seconds, n + 50)
        snr_db = SNRS_DB[n % 3]
        noise *= np.sqrt(clean @ clean / (noise @ noise)) * 10 ** (-snr_db / 20)
        signals = {
            "clean": clean,
            "noisy": clean + noise,
            "good": clean + 0.2 * noise,
            "poor": clean + (0.5 + 0.2 * (n % 3)) * noise,
        }
        for folder, signal in signals.items():
            path = root / folder / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, signal[None].astype(np.float32), RATE_HZ, subtype="FLOAT")
        rows.append({"name": name, "snr_db": snr_db, "speaker": f"speaker {n // 2}"})
    with (root / "conditions.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return root
