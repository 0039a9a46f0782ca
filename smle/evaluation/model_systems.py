"""The systems in one model: generalist, routed, dense, oracle and best, run on each pair."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from smle.arrays.layers import softmax
from smle.errors import CorpusError
from smle.evaluation.metrics import MetricError, si_sdr_db
from smle.evaluation.pairs import Condition, Pair
from smle.evaluation.scoring import Audio, Fact, SystemEstimate
from smle.evaluation.systems import KINDS, System
from smle.material.clusters import UNKNOWN, Clusters
from smle.material.mixing import mixture_snr_db
from smle.model.digest import model_digest
from smle.model.recipe import Recipe

if TYPE_CHECKING:
    from smle.enhancement.enhancer import Enhancer


# The conditions by which clusters may be named.
_CLUSTERED = ("gender", "speaker", "noise")


@dataclass(frozen=True)
class ModelSystems:
    """Runs models on a noisy signal in each of the ways there are; it pickles.

    Args:
        models: Names of bundled models, or folders.
        route: How the routed system decides: "segment" or "file".
        hear_first: Let every system hear the first four seconds before it begins.
    """

    models: tuple[str, ...]
    route: str = "segment"
    hear_first: bool = False

    def systems(self) -> list[System]:
        """Name the systems and count what they cost."""
        from smle.model.complexity import complexity

        found = []
        for model, title in zip(self.models, self._titles(), strict=True):
            counts = complexity(_enhancer(model).recipe)
            one = counts.specialist_parameters
            costs = {
                "generalist": (one, one, counts.generalist_mmac_per_s),
                "routed": (
                    counts.active_parameters,
                    counts.stored_parameters,
                    counts.active_mmac_per_s,
                ),
                "dense": (
                    _dense_parameters(_enhancer(model).recipe, one, counts.gate_parameters),
                    counts.stored_parameters,
                    counts.dense_mmac_per_s,
                ),
            }
            names = ("active_parameters", "stored_parameters", "mmac_per_s")
            found += [
                System(
                    f"{title}{kind}",
                    kind,
                    model,
                    dict(zip(names, costs[kind], strict=True)) if kind in costs else {},
                    _enhancer(model).expert_names,
                )
                for kind in self._kinds(_enhancer(model).recipe)
            ]
        return found

    def __call__(
        self, noisy: Audio, rate: int, pair: Pair, clean: Audio | None
    ) -> dict[str, SystemEstimate]:
        """Enhance a noisy signal with every system (see `smle.evaluation.scoring.Enhance`)."""
        estimates: dict[str, SystemEstimate] = {}
        self._check_expert(pair.conditions)
        for model, title in zip(self.models, self._titles(), strict=True):
            for kind, estimate in self._run(_enhancer(model), noisy, rate, pair, clean).items():
                estimates[f"{title}{kind}"] = estimate
        return estimates

    def digests(self) -> dict[str, str]:
        """Return a digest of each model's recipe and weights, by name."""
        return {model: model_digest(model) for model in self.models}

    def audible(self, noisy: Audio, rate: int) -> dict[str, SystemEstimate]:
        """Enhance a noisy signal for listening: the routed systems, with who ran when.

        A single model's generalist comes along.
        """
        found = {}
        for model, title in zip(self.models, self._titles(), strict=True):
            enhancer = _enhancer(model)
            if len(self.models) == 1 and enhancer.recipe.generalist:
                alone = enhancer(noisy, rate, route="generalist", hear_first=self.hear_first)
                found["generalist"] = SystemEstimate(alone)
            enhanced = enhancer.enhance(noisy, rate, route=self.route, hear_first=self.hear_first)
            record = {
                "experts": list(enhanced.routing.expert_names),
                "segments": [asdict(segment) for segment in enhanced.routing.segments[0]],
            }
            found[f"{title}routed"] = SystemEstimate(enhanced.audio, record=record)
        return found

    def _check_expert(self, conditions: Mapping[str, Condition]) -> None:
        if "expert" not in conditions:
            return
        named = str(conditions["expert"])
        known = [name for m in self.models for name in _enhancer(m).recipe.specialists]
        if named not in known:
            raise CorpusError(
                f"the condition expert = {named!r} is none of {', '.join(dict.fromkeys(known))}"
            )

    def _kinds(self, recipe: Recipe) -> tuple[str, ...]:
        return KINDS if recipe.generalist else KINDS[1:]

    def _titles(self) -> list[str]:
        if len(self.models) == 1:
            return [""]
        names = [Path(model).name for model in self.models]
        unique = names if len(set(names)) == len(names) else self.models
        return [f"{name} " for name in unique]

    def _run(
        self, enhancer: Enhancer, noisy: Audio, rate: int, pair: Pair, clean: Audio | None
    ) -> dict[str, SystemEstimate]:
        from smle.enhancement.evidence import mean_logits
        from smle.evaluation.dense import enhance_densely
        from smle.model.annealing import alpha_at

        recipe, seconds = enhancer.recipe, noisy.shape[1] / rate
        truth = true_expert(recipe, pair.conditions, noisy, clean, rate)
        experts, costs = {}, {}
        run = partial(enhancer.enhance, noisy, rate, hear_first=self.hear_first)
        for name in enhancer.expert_names:
            alone, costs[name] = _timed(partial(run, route=name))
            experts[name] = alone.audio
        enhanced, routed_s = _timed(partial(run, route=self.route))
        logits = mean_logits(enhancer.mixture, noisy, rate)
        finetune = recipe.training.finetune
        # Specialists that were never tuned together have the papers' final sharpness.
        alpha = alpha_at(finetune.alpha, finetune.steps) if finetune.steps else alpha_at("ten", 0)
        dense, dense_s = _timed(
            partial(
                enhance_densely,
                enhancer.mixture,
                noisy,
                rate,
                logits,
                alpha,
                hear_first=self.hear_first,
            )
        )
        facts: dict[str, Fact] = {
            "expert": enhanced.routing.dominant,
            "choice": recipe.specialists[int(logits.mean(axis=0).argmax())],
            "margin": _margin(logits),
            "entropy_bit": _entropy_bit(logits),
            "switches_per_minute": 60 * enhanced.routing.switches / len(noisy) / max(seconds, 1e-9),
            "cpu_s": routed_s,
        }
        found: dict[str, SystemEstimate] = {}
        if recipe.generalist:
            cost = {"cpu_s": costs["generalist"]}
            found["generalist"] = SystemEstimate(experts["generalist"], cost)
        found["routed"] = SystemEstimate(
            enhanced.audio, facts | ({"truth": truth} if truth is not None else {})
        )
        found["dense"] = SystemEstimate(dense, {"cpu_s": dense_s, "alpha": alpha})
        if truth is not None:
            found["oracle"] = SystemEstimate(experts[truth], {"expert": truth})
        if clean is not None:
            # Nobody is the best where SI-SDR says nothing: the clean signal is silent.
            with suppress(MetricError):
                best = _best(recipe.specialists, experts, clean)
                found["best"] = SystemEstimate(experts[best], {"expert": best})
        return found


def true_expert(
    recipe: Recipe,
    conditions: Mapping[str, Condition],
    noisy: Audio,
    clean: Audio | None,
    rate: int,
) -> str | None:
    """Return the specialist of the cluster that a pair truly belongs to, if that is known.

    A condition `expert` says it outright. Otherwise the recipe says what was clustered: for `snr`
    the level nearest to the condition `snr_db` or to the ratio measured, else the condition of
    that name (`gender`, `speaker`, `noise`) where its value is a specialist's name; where the
    recipe says nothing, whichever of them does.

    Args:
        recipe: Of the model.
        conditions: Of the pair.
        noisy: Shape (channels, time).
        clean: Same shape, if it is known.
        rate: In Hz.

    Returns:
        Name of a specialist, or None.
    """
    if "expert" in conditions:
        named = str(conditions["expert"])
        return named if named in recipe.specialists else None
    by = recipe.clusters.get("by")
    if by != "snr":
        # Clusters from a file need not say in the recipe what they are of.
        values = [str(conditions.get(name)) for name in ([by] if by else _CLUSTERED)]
        return next((value for value in values if value in recipe.specialists), None)
    snr = conditions.get("snr_db")
    if not isinstance(snr, float):
        if clean is None or len(clean) != len(noisy):
            return None
        length = min(clean.shape[1], noisy.shape[1])
        clean, noisy = clean[:, :length], noisy[:, :length]
        snr = mixture_snr_db(noisy, clean, sample_rate=rate)
    levels = tuple(float(level) for level in recipe.clusters.get("levels_db", ()))
    label = Clusters("snr", recipe.specialists, levels_db=levels).label(snr_db=snr)
    return None if label == UNKNOWN else recipe.specialists[label]


@cache
def _enhancer(model: str) -> Enhancer:
    import smle

    return smle.load(model)


def _timed(run: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    found = run()
    return found, time.process_time() - start


def _dense_parameters(recipe: Recipe, specialist: int, gate: int) -> int:
    return len(recipe.specialists) * specialist + gate


def _margin(logits: NDArray[np.float64]) -> float:
    top = np.sort(logits.mean(axis=0))[::-1]
    return float(top[0] - top[1]) if top.size > 1 else 0.0


def _entropy_bit(logits: NDArray[np.float64]) -> float:
    shares = softmax(logits.mean(axis=0))
    return float(-(shares * np.log2(np.maximum(shares, 1e-300))).sum())


def _best(specialists: Sequence[str], experts: Mapping[str, Audio], clean: Audio) -> str:
    def score(name: str) -> float:
        length = min(experts[name].shape[1], clean.shape[1])
        return float(
            np.mean(
                [
                    si_sdr_db(estimate[:length], reference[:length])
                    for estimate, reference in zip(experts[name], clean, strict=True)
                ]
            )
        )

    return max(specialists, key=score)
