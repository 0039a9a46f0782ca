"""Score all systems on one pair, every failure kept to its file and metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smle.errors import SmleError
from smle.evaluation.alignment import cut_to_common, delay_samples, in_time
from smle.evaluation.metric_table import METRICS, Metric, Signals
from smle.evaluation.metrics import LIMIT_DB, MetricError, energy_of_clean
from smle.evaluation.pairs import Condition, Pair
from smle.files.audio import read
from smle.material.mixing import mixture_snr_db

NOISY = "noisy"
INPUT_SNR = "input_snr_db"

Audio = NDArray[np.float32]
Fact = float | int | str


@dataclass(frozen=True)
class ScoringRule:
    """How pairs are scored.

    Args:
        metrics: Names in METRICS.
        align: Whether to remove a constant delay of each estimate.
        max_delay_s: The largest delay to look for.
        tolerance_s: By how much lengths may differ.

    Raises:
        MetricError: If there is no metric of that name.
    """

    metrics: tuple[str, ...]
    align: bool = False
    max_delay_s: float = 0.5
    tolerance_s: float = 0.05

    def __post_init__(self) -> None:
        for name in self.metrics:
            if name not in METRICS:
                raise MetricError(f"no metric {name!r}; choose from {', '.join(METRICS)}")


@dataclass(frozen=True)
class SystemEstimate:
    """What one system made of a noisy signal.

    Args:
        audio: Shape (channels, time), at the noisy signal's rate.
        facts: What else is known, such as the expert chosen.
        record: Who ran when, for the page.
    """

    audio: Audio
    facts: Mapping[str, Fact] = field(default_factory=dict)
    record: Mapping[str, Any] | None = None


Enhance = Callable[[Audio, int, Pair, Audio | None], Mapping[str, SystemEstimate]]
"""From noisy (channels, time), rate, pair and clean in time with it to each system's estimate."""


@dataclass(frozen=True)
class SystemScores:
    """The scores of one system on one pair.

    Args:
        values: Numbers by column; failed ones are absent.
        failures: Reasons by metric.
        delay: Samples by which the estimate is late; removed if the rule says `align`.
        facts: What else is known, such as the expert chosen.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    delay: int = 0
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True)
class PairScores:
    """The scores of all systems on one pair."""

    name: str
    seconds: float
    sample_rate: int
    conditions: Mapping[str, Condition]
    systems: Mapping[str, SystemScores]


def score_pair(pair: Pair, rule: ScoringRule, enhance: Enhance | None = None) -> PairScores:
    """Score every system on one pair.

    The noisy signal is scored as a system of its own where it is known. All signals are brought
    to the rate of the clean one; channels are scored one by one and averaged.

    Args:
        pair: Its files.
        rule: What to compute.
        enhance: Systems that run here, on the noisy signal.

    Returns:
        Scores by system. A file that cannot be used is a failure of every metric of its system.

    Raises:
        SmleError: If the clean or noisy file, which all systems need, cannot be used.
    """
    rate: int | None = None
    clean = noisy = None
    noisy_delay = 0
    conditions = dict(pair.conditions)
    if pair.clean is not None:
        clean, rate = read(pair.clean)
    if pair.noisy is not None:
        noisy, rate = read(pair.noisy, sample_rate=rate)
        if clean is not None and rule.align:
            noisy_delay = _delay(noisy, clean, rate, rule)
        if clean is not None and INPUT_SNR not in conditions:
            # A silent clean file has no such ratio, but there may be metrics that need neither.
            with suppress(MetricError):
                conditions[INPUT_SNR] = _input_snr_db(noisy, clean, noisy_delay, rate, rule)
    estimates: dict[str, SystemEstimate | SmleError] = {}
    if noisy is not None:
        estimates[NOISY] = SystemEstimate(noisy)
    for system, path in pair.estimates.items():
        try:
            audio, rate = read(path, sample_rate=rate)
            estimates[system] = SystemEstimate(audio)
        except SmleError as error:
            estimates[system] = error
    if enhance is not None and noisy is not None and rate is not None:
        # Only for who is oracle and best: what is scored is put in time below.
        heard = None if clean is None else _delayed(clean, noisy_delay)
        estimates.update(enhance(noisy, rate, pair, heard))
    reference = next((signal for signal in (clean, noisy) if signal is not None), None)
    if reference is None:
        usable = [found.audio for found in estimates.values() if isinstance(found, SystemEstimate)]
        reference = usable[0] if usable else np.zeros((1, 0), np.float32)
    systems: dict[str, SystemScores] = {}
    known: dict[int, SystemScores] = {}
    for system, estimate in estimates.items():
        if not isinstance(estimate, SystemEstimate):
            systems[system] = SystemScores(failures=dict.fromkeys(rule.metrics, str(estimate)))
            continue
        # Oracle and best are often one and the same signal; metrics take longer than specialists.
        key = id(estimate.audio)
        if key not in known:
            known[key] = _score(estimate, clean, noisy, noisy_delay, rate or 1, rule)
        systems[system] = replace(known[key], facts=estimate.facts)
    return PairScores(pair.name, reference.shape[1] / (rate or 1), rate or 0, conditions, systems)


def _delay(signal: Audio, clean: Audio, rate: int, rule: ScoringRule) -> int:
    # Other channel counts have no delay; `cut_to_common` refuses them with the reason.
    if len(signal) != len(clean):
        return 0
    return delay_samples(signal, clean, round(rule.max_delay_s * rate))


def _delayed(signal: Audio, samples: int) -> Audio:
    return np.pad(signal, ((0, 0), (samples, 0))) if samples > 0 else signal[:, -samples:]


def _input_snr_db(
    noisy: Audio, clean: Audio, noisy_delay: int, rate: int, rule: ScoringRule
) -> float:
    signals = in_time({"noisy file": noisy, "clean file": clean}, {"noisy file": noisy_delay})
    signals = cut_to_common(signals, rate, rule.tolerance_s + abs(noisy_delay) / rate)
    energy_of_clean(signals["clean file"].ravel().astype(np.float64))
    snr_db = mixture_snr_db(signals["noisy file"], signals["clean file"], sample_rate=rate)
    return float(np.clip(snr_db, -LIMIT_DB, LIMIT_DB))


def _score(
    estimate: SystemEstimate,
    clean: Audio | None,
    noisy: Audio | None,
    noisy_delay: int,
    rate: int,
    rule: ScoringRule,
) -> SystemScores:
    signals = {"estimate": estimate.audio}
    if clean is not None:
        signals["clean file"] = clean
    if noisy is not None:
        signals["noisy file"] = noisy
    delay, allowed_s = 0, rule.tolerance_s
    if clean is not None:
        delay = _delay(estimate.audio, clean, rate, rule)
    if rule.align:
        delays = {"estimate": delay, "noisy file": noisy_delay}
        allowed_s += (max(0, *delays.values()) - min(0, *delays.values())) / rate
        signals = in_time(signals, delays)
    try:
        signals = cut_to_common(signals, rate, allowed_s)
    except SmleError as error:
        return SystemScores(failures=dict.fromkeys(rule.metrics, str(error)), delay=delay)
    values: dict[str, float] = {}
    failures: dict[str, str] = {}
    for name in rule.metrics:
        metric = METRICS[name]
        if missing := [need for need in metric.needs if f"{need} file" not in signals]:
            failures[name] = f"{name} needs the {' and the '.join(missing)} signal"
            continue
        try:
            values.update(_over_channels(metric, signals, rate))
        except MetricError as error:
            failures[name] = str(error)
        # One file on which a metric's package breaks must not end the evaluation of the rest.
        except Exception as error:
            failures[name] = f"{name}: {type(error).__name__}: {error}"
    return SystemScores(values, failures, delay)


def _over_channels(metric: Metric, signals: Mapping[str, Audio], rate: int) -> dict[str, float]:
    channels = [
        metric.score(
            Signals(
                signals["estimate"][channel].astype(np.float64),
                rate,
                _channel(signals.get("clean file"), channel),
                _channel(signals.get("noisy file"), channel),
            )
        )
        for channel in range(signals["estimate"].shape[0])
    ]
    means = np.mean(channels, axis=0).tolist()
    return {column.name: mean for column, mean in zip(metric.columns, means, strict=True)}


def _channel(signal: Audio | None, channel: int) -> NDArray[np.float64] | None:
    return None if signal is None else signal[channel].astype(np.float64)
