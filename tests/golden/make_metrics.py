"""Write metrics.json: what other implementations say of the signals in tests/speech_like.py.

Needs torchmetrics, mir_eval, pesq, pystoi, speechmos and librosa:
    python tests/golden/make_metrics.py
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import mir_eval
import numpy as np
import torch
from pesq import pesq
from pystoi import stoi
from speechmos import dnsmos
from torchmetrics.functional.audio import (
    scale_invariant_signal_distortion_ratio,
    signal_distortion_ratio,
    signal_noise_ratio,
)

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))
from tests.speech_like import RATE_HZ, cases  # noqa: E402

PACKAGES = ("torchmetrics", "mir_eval", "pesq", "pystoi", "speechmos", "librosa")


def golden(estimate: np.ndarray, clean: np.ndarray) -> dict[str, float]:
    """Ask every reference implementation."""
    mine, truth = torch.from_numpy(estimate), torch.from_numpy(clean)
    np.random.seed(0)  # noqa: NPY002 (pystoi draws from it)
    rated = dnsmos.run(np.clip(estimate, -1, 1), RATE_HZ)
    return {
        "torchmetrics si_sdr_db": float(
            scale_invariant_signal_distortion_ratio(mine, truth, zero_mean=True)
        ),
        "torchmetrics snr_db": float(signal_noise_ratio(mine, truth)),
        "torchmetrics sdr_db": float(signal_distortion_ratio(mine, truth)),
        "mir_eval sdr_db": float(mir_eval.separation.bss_eval_sources(clean, estimate)[0][0]),
        "pesq wb": pesq(RATE_HZ, clean, estimate, "wb"),
        "pesq nb": pesq(RATE_HZ, clean, estimate, "nb"),
        "pystoi stoi": float(stoi(clean, estimate, RATE_HZ)),
        "pystoi estoi": float(stoi(clean, estimate, RATE_HZ, extended=True)),
        "speechmos sig": float(rated["sig_mos"]),
        "speechmos bak": float(rated["bak_mos"]),
        "speechmos ovrl": float(rated["ovrl_mos"]),
        "speechmos p808": float(rated["p808_mos"]),
    }


if __name__ == "__main__":
    table = {
        "versions": {package: version(package) for package in PACKAGES},
        "values": {
            name: {key: round(value, 6) for key, value in golden(*signals).items()}
            for name, signals in cases().items()
        },
    }
    (HERE / "metrics.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
