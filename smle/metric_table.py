"""The metrics by name: what each needs, which columns it gives and which way is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from smle.dnsmos import dnsmos
from smle.metrics import MetricError, Signal, lsd_db, sdr_db, si_sdr_db, snr_db
from smle.perceptual import pesq_mos, stoi


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
class Metric:
    """How a metric is computed and how its columns are read.

    Args:
        columns: Names of the numbers it gives.
        score: From signals to these numbers.
        needs: The signals it needs beside the estimate.
        higher_is_better: Whether more is better.
        module: What must be installed for it.
    """

    columns: tuple[str, ...]
    score: Callable[[Signals], tuple[float, ...]]
    needs: tuple[str, ...] = ("clean",)
    higher_is_better: bool = True
    module: str | None = None


def _si_sdr_improvement(signals: Signals) -> tuple[float]:
    before = si_sdr_db(_given(signals.noisy), _given(signals.clean))
    return (si_sdr_db(signals.estimate, _given(signals.clean)) - before,)


def _given(signal: Signal | None) -> Signal:
    if signal is None:
        raise MetricError("a reference signal is missing")
    return signal


METRICS: dict[str, Metric] = {
    "si-sdr": Metric(("si_sdr_db",), lambda s: (si_sdr_db(s.estimate, _given(s.clean)),)),
    "si-sdri": Metric(("si_sdri_db",), _si_sdr_improvement, needs=("clean", "noisy")),
    "sdr": Metric(("sdr_db",), lambda s: (sdr_db(s.estimate, _given(s.clean)),)),
    "snr": Metric(("snr_db",), lambda s: (snr_db(s.estimate, _given(s.clean)),)),
    "pesq": Metric(
        ("pesq_wb",),
        lambda s: (pesq_mos(s.estimate, _given(s.clean), s.sample_rate),),
        module="pesq",
    ),
    "pesq-nb": Metric(
        ("pesq_nb",),
        lambda s: (pesq_mos(s.estimate, _given(s.clean), s.sample_rate, band="nb"),),
        module="pesq",
    ),
    "stoi": Metric(
        ("stoi",), lambda s: (stoi(s.estimate, _given(s.clean), s.sample_rate),), module="pystoi"
    ),
    "estoi": Metric(
        ("estoi",),
        lambda s: (stoi(s.estimate, _given(s.clean), s.sample_rate, extended=True),),
        module="pystoi",
    ),
    "dnsmos": Metric(
        ("dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl", "dnsmos_p808"),
        lambda s: dnsmos(s.estimate, s.sample_rate),
        needs=(),
        module="speechmos",
    ),
    "lsd": Metric(
        ("lsd_db",),
        lambda s: (lsd_db(s.estimate, _given(s.clean), s.sample_rate),),
        higher_is_better=False,
    ),
}
