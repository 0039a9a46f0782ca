from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from smle.errors import AudioError
from smle.material.mixing import mix_at_snr, snr_db_of

RNG = np.random.default_rng(0)
SPEECH = RNG.standard_normal(16000).astype(np.float32)
NOISE = RNG.standard_normal(16000).astype(np.float32)


@pytest.mark.parametrize("snr_db", [-20.0, 0.0, 37.5])
def test_ratio_is_exact(snr_db: float) -> None:
    scaled = mix_at_snr(SPEECH, NOISE, snr_db)
    assert snr_db_of(SPEECH, scaled) == pytest.approx(snr_db, abs=1e-4)
    power_ratio = np.mean(SPEECH.astype(float) ** 2) / np.mean(scaled.astype(float) ** 2)
    assert 10 * math.log10(power_ratio) == pytest.approx(snr_db, abs=1e-2)


def test_pauses_do_not_change_the_ratio() -> None:
    paused = np.concatenate([SPEECH, np.zeros(16000, np.float32)])
    noise = np.concatenate([NOISE, NOISE])
    assert snr_db_of(paused, noise) == pytest.approx(snr_db_of(SPEECH, NOISE), abs=1e-4)


def test_silence_has_no_finite_ratio() -> None:
    silence = np.zeros_like(SPEECH)
    assert snr_db_of(SPEECH, silence) == math.inf
    assert snr_db_of(silence, NOISE) == -math.inf
    with pytest.raises(AudioError, match="speech is silent"):
        mix_at_snr(silence, NOISE, 0)
    with pytest.raises(AudioError, match="noise is silent"):
        mix_at_snr(SPEECH, silence, 0)


def test_definition_is_that_of_the_fixed_pairs(shared_data: Path) -> None:
    pairs = shared_data / "pairs" / "dev"
    with (pairs / "pairs.csv").open() as file:
        rows = list(csv.DictReader(file))[::8]
    for row in rows:
        clean, rate = sf.read(pairs / "clean" / f"{row['name']}.flac", dtype="float32")
        noisy, _ = sf.read(pairs / "noisy" / f"{row['name']}.flac", dtype="float32")
        found = snr_db_of(clean, noisy - clean, sample_rate=rate)
        assert found == pytest.approx(float(row["snr_db"]), abs=0.03)
