from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from smle.enhancement.evidence import mean_logits
from smle.errors import CorpusError
from smle.evaluation.dense import enhance_densely
from smle.evaluation.gate_summary import gate_text, summarise_gates
from smle.evaluation.metrics import si_sdr_db
from smle.evaluation.model_systems import ModelSystems, true_expert
from smle.evaluation.pairs import Pair
from smle.evaluation.score_table import build_table
from smle.evaluation.scoring import PairScores, SystemScores
from smle.evaluation.systems import System
from smle.tensors.mixture import Mixture
from tests.models import SUBBAND, enhancer, recipe
from tests.speech_like import RATE_HZ, noise_like, speech_like

CLEAN = speech_like(1.5)[None].astype(np.float32)
NOISY = CLEAN + noise_like(1.5)[None].astype(np.float32)
BOTH = np.concatenate([NOISY, 0.3 * NOISY[:, ::-1]])


@pytest.mark.parametrize("seed", range(3))
def test_a_very_sharp_dense_mixture_is_the_one_specialist_of_the_whole_file(seed: int) -> None:
    model = enhancer(seed=seed)
    logits = mean_logits(model.mixture, BOTH, RATE_HZ)
    sharp = enhance_densely(model.mixture, BOTH, RATE_HZ, logits, alpha=1e6)
    np.testing.assert_allclose(sharp, model(BOTH, RATE_HZ, route="file"), atol=1e-6)


def test_a_dense_mixture_of_one_specialist_is_that_specialist() -> None:
    model = enhancer(SUBBAND, specialists=("one",))
    logits = mean_logits(model.mixture, BOTH, RATE_HZ)
    dense = enhance_densely(model.mixture, BOTH, RATE_HZ, logits, alpha=1.0)
    np.testing.assert_allclose(dense, model(BOTH, RATE_HZ, route="one"), atol=1e-6)


def test_an_even_dense_mixture_is_the_mean_of_the_specialists() -> None:
    model = enhancer()
    even = enhance_densely(model.mixture, NOISY, RATE_HZ, np.zeros((1, 3)), alpha=1.0)
    alone = [model(NOISY, RATE_HZ, route=name) for name in ("one", "two", "three")]
    np.testing.assert_allclose(even, np.mean(alone, axis=0), atol=1e-6)


def test_oracle_best_and_routed_are_what_they_are_called(model_folder: Path) -> None:
    systems = ModelSystems((str(model_folder),), route="file")
    pair = Pair("a", conditions={"expert": "two"})
    found = systems(NOISY, RATE_HZ, pair, CLEAN)
    model = systems_enhancer(model_folder)
    np.testing.assert_array_equal(found["oracle"].audio, model(NOISY, RATE_HZ, route="two"))
    np.testing.assert_array_equal(found["routed"].audio, model(NOISY, RATE_HZ, route="file"))
    logits = mean_logits(model.mixture, NOISY, RATE_HZ)
    alpha = found["dense"].facts["alpha"]
    dense = enhance_densely(model.mixture, NOISY, RATE_HZ, logits, alpha)
    np.testing.assert_array_equal(found["dense"].audio, dense)
    np.testing.assert_array_equal(
        found["generalist"].audio, model(NOISY, RATE_HZ, route="generalist")
    )
    specialists = model.recipe.specialists
    scores = {
        name: si_sdr_db(model(NOISY, RATE_HZ, route=name)[0], CLEAN[0]) for name in specialists
    }
    assert scores[str(found["best"].facts["expert"])] == max(scores.values())
    assert si_sdr_db(found["best"].audio[0], CLEAN[0]) == max(scores.values())
    assert found["routed"].facts["truth"] == "two"


def test_every_system_may_hear_first(model_folder: Path) -> None:
    pair = Pair("a", conditions={"expert": "two"})
    live, heard = (
        ModelSystems((str(model_folder),), hear_first=first)(NOISY, RATE_HZ, pair, CLEAN)
        for first in (False, True)
    )
    model = systems_enhancer(model_folder)
    for system, route in (("oracle", "two"), ("routed", "segment"), ("generalist", "generalist")):
        expected = model(NOISY, RATE_HZ, route=route, hear_first=True)
        np.testing.assert_array_equal(heard[system].audio, expected)
    for system in live:
        assert np.abs(heard[system].audio - live[system].audio).max() > 1e-4


def test_nobody_is_the_best_on_silence_and_the_others_stay(model_folder: Path) -> None:
    found = ModelSystems((str(model_folder),))(NOISY, RATE_HZ, Pair("a"), np.zeros_like(CLEAN))
    assert "best" not in found
    assert {"generalist", "routed", "dense"} <= set(found)


def systems_enhancer(folder: Path):
    import smle

    return smle.load(folder)


def test_costs_count_what_runs_and_what_is_stored(model_folder: Path) -> None:
    systems = {system.kind: system.cost for system in ModelSystems((str(model_folder),)).systems()}
    model = systems_enhancer(model_folder)
    stored = sum(p.numel() for p in Mixture(model.recipe).parameters())
    assert systems["routed"]["stored_parameters"] == stored
    assert systems["generalist"]["active_parameters"] < systems["routed"]["active_parameters"]
    assert systems["routed"]["active_parameters"] < systems["dense"]["active_parameters"]
    generalist = systems["generalist"]["active_parameters"]
    assert systems["dense"]["active_parameters"] + generalist == stored
    assert systems["oracle"] == {}


def test_two_models_stand_side_by_side_with_their_names(model_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(model_folder, tmp_path / "other")
    models = ModelSystems((str(model_folder), str(tmp_path / "other")))
    names = [system.name for system in models.systems()]
    assert names[0] == f"{model_folder.name} generalist"
    assert "other routed" in names


def test_two_folders_of_one_name_are_told_apart_by_their_paths(
    model_folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / model_folder.name
    shutil.copytree(model_folder, other)
    names = [system.name for system in ModelSystems((str(model_folder), str(other))).systems()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("clusters", "conditions", "expert"),
    [
        ({"by": "snr", "levels_db": [-5, 0, 5]}, {"snr_db": -4.0}, "one"),
        ({"by": "snr", "levels_db": [-5, 0, 5]}, {"snr_db": 9.0}, "three"),
        ({"by": "gender"}, {"gender": "two"}, "two"),
        ({"by": "gender"}, {"gender": "unknown"}, None),
        ({"by": "gender"}, {}, None),
        ({"by": "snr", "levels_db": [-5, 0, 5]}, {"snr_db": 9.0, "expert": "one"}, "one"),
    ],
)
def test_the_true_expert_follows_from_what_was_clustered(clusters, conditions, expert) -> None:
    made = recipe(clusters=clusters)
    assert true_expert(made, conditions, NOISY, CLEAN, RATE_HZ) == expert


def test_the_true_expert_follows_from_the_measured_snr() -> None:
    made = recipe(clusters={"by": "snr", "levels_db": [-20, 0, 60]})
    assert true_expert(made, {}, CLEAN + 0.001 * NOISY, CLEAN, RATE_HZ) == "three"
    assert true_expert(made, {}, CLEAN + 0.001 * NOISY, CLEAN[:, :-50], RATE_HZ) == "three"
    assert true_expert(made, {}, NOISY, None, RATE_HZ) is None


def test_an_expert_that_is_nobody_is_refused_and_one_that_a_model_lacks_is_no_truth(
    model_folder: Path, tmp_path: Path
) -> None:
    told = Pair("a", conditions={"expert": "four"})
    systems = ModelSystems((str(model_folder),))
    with pytest.raises(CorpusError, match="expert = 'four' is none of one, two"):
        systems(NOISY, RATE_HZ, told, CLEAN)
    assert true_expert(recipe(), told.conditions, NOISY, CLEAN, RATE_HZ) is None


def test_the_level_of_the_clean_file_does_not_change_the_truth() -> None:
    made = recipe(clusters={"by": "snr", "levels_db": [-20, 0, 60]})
    for gain in (0.25, 4.0):
        loud = gain * CLEAN
        assert true_expert(made, {}, CLEAN + 0.001 * NOISY, loud, RATE_HZ) == "three"


def test_clusters_from_a_file_need_not_say_what_they_are_of() -> None:
    made = recipe(clusters={"file": "clusters.json"})
    assert true_expert(made, {"gender": "two", "noise": "rain"}, NOISY, CLEAN, RATE_HZ) == "two"
    assert true_expert(made, {"gender": "x"}, NOISY, CLEAN, RATE_HZ) is None


def test_a_condition_is_a_number_of_whatever_type() -> None:
    made = recipe(clusters={"by": "snr", "levels_db": [-20, 0, 60]})
    for number in (-18, np.float32(-18), np.int64(-18)):
        told = Pair("a", conditions={"snr_db": number}).conditions
        assert true_expert(made, told, NOISY, CLEAN, RATE_HZ) == "one"
        json.dumps(told)


def test_gates_are_summed_up_by_truth_and_choice() -> None:
    system = System("routed", "routed", "test", experts=("one", "two", "generalist"))
    facts = {"choice": "one", "margin": 2.0, "entropy_bit": 0.5, "switches_per_minute": 3.0}
    chosen = [("one", "one"), ("one", "two"), ("two", "two"), ("two", "generalist")]
    scores = [
        PairScores(
            f"file{n}",
            1.0,
            RATE_HZ,
            {},
            {"routed": SystemScores(facts={**facts, "truth": truth, "expert": expert})},
        )
        for n, (truth, expert) in enumerate(chosen)
    ]
    table = build_table(scores, ("si-sdr",), ("routed",))
    [gate] = summarise_gates(table, [system])
    assert gate["accuracy"] == 0.5
    assert gate["whole_file_accuracy"] == 0.5
    assert gate_text(gate) == (
        "gate of test: right on 50.0 % of files, 50.0 % by the mean of its logits, margin 2.00, "
        "entropy 0.50 bit, 3.0 switches a minute"
    )
    assert gate["rows"] == [
        {"label": "one", "counts": [1, 1, 0]},
        {"label": "two", "counts": [0, 1, 1]},
    ]
    unknown = replace(table, facts=({"routed": {**facts, "expert": "two"}},) * 4)
    [blind] = summarise_gates(unknown, [system])
    assert blind["accuracy"] is None
    assert blind["rows"] == [{"label": "all files", "counts": [0, 4, 0]}]
