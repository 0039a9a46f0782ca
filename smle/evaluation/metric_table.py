"""The metrics by name: what each needs, which columns it gives and which way is better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from smle.evaluation.dnsmos import dnsmos
from smle.evaluation.metrics import MetricError, Signal, lsd_db, sdr_db, si_sdr_db, snr_db
from smle.evaluation.perceptual import pesq_mos, stoi


@dataclass(frozen=True)
class Signals:
    """What a metric may look at: one channel of each signal, at one rate and of one length.

    Args:
        estimate: What the system gave, shape (time,).
        sample_rate: In Hz.
        clean: The reference, shape (time,); None when there is none.
        noisy: What the system was given, shape (time,); None when it is not known.
    """

    estimate: Signal
    sample_rate: int
    clean: Signal | None = None
    noisy: Signal | None = None


@dataclass(frozen=True)
class Column:
    """One number that a metric gives.

    Args:
        name: In files.
        label: For readers.
        unit: "dB", "MOS", or "" for a plain ratio.
        higher_is_better: Whether more is better.
    """

    name: str
    label: str
    unit: str = ""
    higher_is_better: bool = True

    @property
    def decimals(self) -> int:
        """How many of them are worth printing."""
        return 3 if self.unit == "" else 2


@dataclass(frozen=True)
class Metric:
    """How a metric is computed.

    Args:
        definition: What it is, and its source.
        columns: The numbers it gives.
        score: From signals to these numbers.
        needs: The signals it needs beside the estimate.
        packages: What must be installed for it.
    """

    definition: str
    columns: tuple[Column, ...]
    score: Callable[[Signals], tuple[float, ...]]
    needs: tuple[str, ...] = ("clean",)
    packages: tuple[str, ...] = ()


def _si_sdr_improvement(signals: Signals) -> tuple[float]:
    before = si_sdr_db(_given(signals.noisy), _given(signals.clean))
    return (si_sdr_db(signals.estimate, _given(signals.clean)) - before,)


def _given(signal: Signal | None) -> Signal:
    if signal is None:
        raise MetricError("a reference signal is missing")
    return signal


METRICS: dict[str, Metric] = {
    "si-sdr": Metric(
        "Scale-invariant signal-to-distortion ratio, means removed (Le Roux et al., ICASSP 2019).",
        (Column("si_sdr_db", "SI-SDR", "dB"),),
        lambda s: (si_sdr_db(s.estimate, _given(s.clean)),),
    ),
    "si-sdri": Metric(
        "SI-SDR of the estimate minus SI-SDR of the noisy signal.",
        (Column("si_sdri_db", "SI-SDRi", "dB"),),
        _si_sdr_improvement,
        needs=("clean", "noisy"),
    ),
    "sdr": Metric(
        "SDR of BSS Eval, which forgives a filter of 512 taps (Vincent et al., TASLP 2006).",
        (Column("sdr_db", "SDR", "dB"),),
        lambda s: (sdr_db(s.estimate, _given(s.clean)),),
    ),
    "snr": Metric(
        "Plain signal-to-noise ratio, nothing rescaled.",
        (Column("snr_db", "SNR", "dB"),),
        lambda s: (snr_db(s.estimate, _given(s.clean)),),
    ),
    "pesq": Metric(
        "PESQ, wide band, as MOS-LQO (ITU-T P.862.2), by the package pesq.",
        (Column("pesq_wb", "PESQ", "MOS"),),
        lambda s: (pesq_mos(s.estimate, _given(s.clean), s.sample_rate),),
        packages=("pesq",),
    ),
    "pesq-nb": Metric(
        "PESQ, narrow band, as MOS-LQO (ITU-T P.862.1), by the package pesq.",
        (Column("pesq_nb", "PESQ nb", "MOS"),),
        lambda s: (pesq_mos(s.estimate, _given(s.clean), s.sample_rate, band="nb"),),
        packages=("pesq",),
    ),
    "stoi": Metric(
        "Short-time objective intelligibility (Taal et al., TASLP 2011), by the package pystoi.",
        (Column("stoi", "STOI"),),
        lambda s: (stoi(s.estimate, _given(s.clean), s.sample_rate),),
        packages=("pystoi",),
    ),
    "estoi": Metric(
        "Extended STOI (Jensen & Taal, TASLP 2016), by the package pystoi, from a fixed seed.",
        (Column("estoi", "ESTOI"),),
        lambda s: (stoi(s.estimate, _given(s.clean), s.sample_rate, extended=True),),
        packages=("pystoi",),
    ),
    "dnsmos": Metric(
        "DNSMOS P.835 and P.808, no reference (Reddy et al., ICASSP 2022), weights of speechmos.",
        (
            Column("dnsmos_sig", "DNSMOS SIG", "MOS"),
            Column("dnsmos_bak", "DNSMOS BAK", "MOS"),
            Column("dnsmos_ovrl", "DNSMOS OVRL", "MOS"),
            Column("dnsmos_p808", "DNSMOS P.808", "MOS"),
        ),
        lambda s: dnsmos(s.estimate, s.sample_rate),
        needs=(),
        packages=("speechmos", "onnxruntime"),
    ),
    "lsd": Metric(
        "Log-spectral distance, floor 80 dB below the loudest bin (Gray & Markel, TASSP 1976).",
        (Column("lsd_db", "LSD", "dB", higher_is_better=False),),
        lambda s: (lsd_db(s.estimate, _given(s.clean), s.sample_rate),),
    ),
}

DEFAULT_METRICS = ("si-sdr", "si-sdri", "pesq", "estoi")
"""What is computed when nothing is asked for; DNSMOS takes longer than all of these together."""


def columns_of(metrics: Sequence[str]) -> tuple[Column, ...]:
    """Return the columns that these metrics give, in order."""
    return tuple(column for name in metrics for column in METRICS[name].columns)


def missing_package(metric: str) -> str | None:
    """Return the first package that a metric lacks here, or None if it can be computed."""
    return next((name for name in METRICS[metric].packages if find_spec(name) is None), None)
