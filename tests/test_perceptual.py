from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from smle.evaluation.metrics import MetricError
from smle.evaluation.perceptual import pesq_mos, stoi
from tests.speech_like import RATE_HZ, cases, noise_like, speech_like

GOLDEN = json.loads((Path(__file__).parent / "golden" / "metrics.json").read_text())["values"]
HOME = "smle.evaluation.perceptual"
CLEAN = speech_like()
NOISY = CLEAN + noise_like()


@pytest.fixture
def pesq_package() -> None:
    pytest.importorskip("pesq")


@pytest.fixture
def pystoi_package() -> None:
    pytest.importorskip("pystoi")


@pytest.mark.usefixtures("pesq_package")
@pytest.mark.parametrize("name", ["noisy", "half level", "clipped", "inverted"])
@pytest.mark.parametrize("band", ["wb", "nb"])
def test_pesq_is_that_of_the_package(name: str, band: str) -> None:
    estimate, clean = cases()[name]
    assert pesq_mos(estimate, clean, RATE_HZ, band=band) == pytest.approx(
        GOLDEN[name][f"pesq {band}"], abs=1e-3
    )


@pytest.mark.usefixtures("pesq_package")
def test_pesq_of_a_copy_is_the_best_there_is() -> None:
    assert pesq_mos(CLEAN, CLEAN, RATE_HZ) == pytest.approx(4.64, abs=0.01)
    assert pesq_mos(CLEAN, CLEAN, RATE_HZ, band="nb") == pytest.approx(4.55, abs=0.01)


@pytest.mark.usefixtures("pesq_package")
def test_pesq_resamples_to_16_khz() -> None:
    from smle.evaluation.metrics import resampled

    high = [resampled(signal, RATE_HZ, 48000) for signal in (NOISY, CLEAN)]
    assert pesq_mos(*high, 48000) == pytest.approx(pesq_mos(NOISY, CLEAN, RATE_HZ), abs=0.02)


@pytest.mark.usefixtures("pesq_package")
@pytest.mark.parametrize(
    ("estimate", "clean", "rate", "word"),
    [
        (NOISY, np.zeros_like(CLEAN), RATE_HZ, "silent"),
        (np.zeros_like(CLEAN), CLEAN, RATE_HZ, "estimate is silent"),
        (CLEAN[:1000], CLEAN[:1000], RATE_HZ, "1/4 of a second"),
        (NOISY, CLEAN, 8000, "16000"),
        (np.full_like(CLEAN, np.nan), CLEAN, RATE_HZ, "NaN"),
    ],
)
def test_pesq_says_why_it_cannot(estimate, clean, rate: int, word: str) -> None:
    with pytest.raises(MetricError, match=word):
        pesq_mos(estimate, clean, rate)


@pytest.mark.usefixtures("pesq_package")
def test_a_crash_of_the_pesq_package_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{HOME}.PESQ_SAFE_S", 1)
    monkeypatch.setattr(f"{HOME}._PESQ_PROGRAM", "import os; os.kill(os.getpid(), 11)")
    with pytest.raises(MetricError, match="crashed on 5 s"):
        pesq_mos(NOISY, CLEAN, RATE_HZ)


@pytest.mark.usefixtures("pesq_package")
def test_pesq_in_a_process_of_its_own_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    here = pesq_mos(NOISY, CLEAN, RATE_HZ)
    monkeypatch.setattr(f"{HOME}.PESQ_SAFE_S", 1)
    assert pesq_mos(NOISY, CLEAN, RATE_HZ) == here
    click = np.where(np.arange(CLEAN.size) == 5, 1e-9, 0.0)
    monkeypatch.setattr(f"{HOME}._PESQ_PROGRAM", "raise ValueError('No utterances')")
    with pytest.raises(MetricError, match=r"^pesq: No utterances$"):
        pesq_mos(click, CLEAN, RATE_HZ)


@pytest.mark.usefixtures("pystoi_package")
@pytest.mark.parametrize("name", GOLDEN)
def test_stoi_is_that_of_the_package(name: str) -> None:
    estimate, clean = cases()[name]
    assert stoi(estimate, clean, RATE_HZ) == pytest.approx(GOLDEN[name]["pystoi stoi"], abs=1e-5)
    extended = stoi(estimate, clean, RATE_HZ, extended=True)
    assert extended == pytest.approx(GOLDEN[name]["pystoi estoi"], abs=1e-4)


@pytest.mark.usefixtures("pystoi_package")
def test_estoi_is_the_same_every_time_and_leaves_the_global_seed_alone() -> None:
    # Half of the estimate is silent: there the package's noise is all it hears.
    estimate = np.where(np.arange(CLEAN.size) < CLEAN.size // 2, 0, NOISY)
    np.random.seed(5)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = stoi(estimate, CLEAN, RATE_HZ, extended=True)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    np.random.seed(6)  # noqa: NPY002
    assert stoi(estimate, CLEAN, RATE_HZ, extended=True) == first


@pytest.mark.usefixtures("pystoi_package")
@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("samples", [10, 300, 3000])
def test_stoi_refuses_what_is_too_short(samples: int, extended: bool) -> None:
    with pytest.raises(MetricError, match="too little speech"):
        stoi(NOISY[:samples], CLEAN[:samples], RATE_HZ, extended=extended)


@pytest.mark.usefixtures("pystoi_package")
@pytest.mark.parametrize("extended", [False, True])
def test_a_muted_estimate_is_not_intelligible(extended: bool) -> None:
    assert stoi(np.zeros_like(CLEAN), CLEAN, RATE_HZ, extended=extended) == 0
