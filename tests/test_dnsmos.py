from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from smle.evaluation.dnsmos import dnsmos, mel_spectrogram
from smle.evaluation.metrics import MetricError, resampled
from tests.speech_like import RATE_HZ, cases, noise_like, speech_like

pytest.importorskip("onnxruntime")
GOLDEN = json.loads((Path(__file__).parent / "golden" / "metrics.json").read_text())["values"]


@pytest.fixture(autouse=True)
def speechmos_package() -> None:
    from importlib.util import find_spec

    if find_spec("speechmos") is None:
        pytest.skip("speechmos is not installed")


@pytest.mark.parametrize("name", ["noisy", "clipped"])
def test_ratings_are_those_of_speechmos(name: str) -> None:
    golden = GOLDEN[name]
    keys = ("sig", "bak", "ovrl", "p808")
    assert dnsmos(cases()[name][0], RATE_HZ) == pytest.approx(
        [golden[f"speechmos {key}"] for key in keys], abs=1e-3
    )


def test_the_mel_spectrogram_is_that_of_librosa() -> None:
    librosa = pytest.importorskip("librosa")
    signal = (speech_like() + noise_like()).astype(np.float32)
    theirs = librosa.feature.melspectrogram(
        y=signal, sr=RATE_HZ, n_fft=321, hop_length=160, n_mels=120
    )
    theirs = (librosa.power_to_db(theirs, ref=np.max) + 40) / 40
    np.testing.assert_allclose(mel_spectrogram(signal), theirs.T, atol=1e-4)


def test_another_rate_is_rated_alike() -> None:
    noisy = speech_like() + noise_like()
    assert dnsmos(resampled(noisy, RATE_HZ, 48000), 48000) == pytest.approx(
        dnsmos(noisy, RATE_HZ), abs=0.3
    )


@pytest.mark.parametrize("signal", [np.zeros(0), np.full(100, np.nan), np.zeros((2, 100))])
def test_what_is_no_signal_is_refused(signal) -> None:
    with pytest.raises(MetricError, match="dnsmos"):
        dnsmos(signal, RATE_HZ)


def test_what_resampling_leaves_nothing_of_is_refused() -> None:
    with pytest.raises(MetricError, match="shorter than one sample"):
        dnsmos(np.array([0.1]), 3 * RATE_HZ)
