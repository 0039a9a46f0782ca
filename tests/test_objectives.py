"""What stages minimise, held against what they say in other words."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from smle.material.dataset import Batch
from smle.model.recipe import FinetuneConfig, StageConfig, TrainingConfig
from smle.tensors.mixture import Mixture
from smle.training.objectives import (
    JointModule,
    finetune_objective,
    gate_objective,
    network_objective,
    routed_objective,
)
from smle.training.spectra import Spectra
from tests.models import mixture, recipe

CPU = torch.device("cpu")
NO_DATA: object = None  # what draws mixtures; a loss is told which ones


def batch(clean_only: bool = False) -> Batch:
    noise = torch.Generator().manual_seed(1)
    clean = 0.1 * torch.randn(3, 8_000, generator=noise)
    noisy = clean if clean_only else clean + 0.1 * torch.randn(3, 8_000, generator=noise)
    return Batch(noisy, clean, torch.zeros(3), torch.zeros(3, dtype=torch.long), torch.zeros(3))


def spectra_of(mixed: Mixture) -> Spectra:
    return Spectra(mixed.recipe, CPU)


@pytest.mark.parametrize(
    ("loss", "perfect"),
    [("si-sdr", -30.0), ("si-sdr+spectral", -0.3), ("si-sdr+spectral+perceptual", -1.5 - 0.7)],
)
def test_a_mask_that_keeps_all_of_a_clean_signal_is_as_good_as_can_be(loss, perfect):
    """Only if the estimate comes out in time: half a window late it would be far from -30 dB."""
    spectra = Spectra(recipe(training=TrainingConfig(loss=loss)), CPU)
    clean = batch(clean_only=True)
    spectrum, features = spectra.hear(clean)
    losses = spectra.compare(torch.ones_like(features), spectrum, clean)
    torch.testing.assert_close(losses, torch.full((3,), perfect), atol=0.02, rtol=0)


def test_the_level_of_a_mixture_does_not_matter_to_its_loss():
    mixed, loud = mixture(), batch()
    quiet = replace(loud, noisy=0.01 * loud.noisy, clean=0.01 * loud.clean)
    spectra = spectra_of(mixed)
    losses = [spectra.losses(mixed.experts[0], one) for one in (loud, quiet)]
    torch.testing.assert_close(*losses, atol=1e-3, rtol=1e-3)


def test_straight_through_is_judged_by_its_hard_choice():
    mixed, mixtures = mixture(), batch()
    config = FinetuneConfig(straight_through=True)
    spectra = spectra_of(mixed)
    soft = finetune_objective(mixed, config, NO_DATA, NO_DATA, spectra)
    hard = routed_objective("finetune", mixed, 3, NO_DATA, NO_DATA, spectra)
    expected, _ = hard.loss(mixed.specialists, mixtures, 0)
    torch.testing.assert_close(soft.loss(JointModule(mixed), mixtures, 0)[0], expected)


def test_a_soft_mixture_of_one_specialist_learns_what_that_one_learns():
    mixed, mixtures = mixture(specialists=("one",)), batch()
    spectra = spectra_of(mixed)
    joint = finetune_objective(mixed, FinetuneConfig(), NO_DATA, NO_DATA, spectra)
    alone = network_objective("one", mixed.specialists[0], NO_DATA, NO_DATA, 3, spectra)
    expected, _ = alone.loss(mixed.specialists[0], mixtures, 0)
    torch.testing.assert_close(joint.loss(JointModule(mixed), mixtures, 0)[0], expected)


def certain(choice: int) -> Mixture:
    """Of two specialists, one that keeps all and one that keeps nothing, a gate names one."""
    training = TrainingConfig(gate_target="least")
    mixed = mixture(specialists=("all", "nothing"), training=training)
    for specialist, bias in zip(mixed.specialists, (50.0, -50.0), strict=True):
        specialist.output.weight.zero_()
        specialist.output.bias.fill_(bias)
    mixed.gate.output.weight.zero_()
    mixed.gate.output.bias.copy_(torch.tensor([50.0, -50.0]) * (1 - 2 * choice))
    return mixed


def test_a_gate_that_learns_costs_pays_for_the_worse_choice_only():
    config = StageConfig(steps=100)
    costs = []
    for choice in (0, 1):
        mixed = certain(choice)
        objective = gate_objective(mixed, NO_DATA, NO_DATA, config, spectra_of(mixed))
        costs.append(objective.loss(mixed.gate, batch(clean_only=True), 99))
    assert float(costs[0][0]) == pytest.approx(0, abs=1e-6)
    assert costs[0][1]["regret"] == pytest.approx(0, abs=1e-6)
    assert float(costs[1][0]) > 0.3
    assert costs[1][1]["regret"] == pytest.approx(float(costs[1][0]), rel=1e-4)


@pytest.mark.parametrize("weight", ["gate_weight", "balance_weight"])
def test_terms_beside_the_loss_of_the_estimate_count_by_their_weight(weight):
    """A gate that is sure names the cluster 0 for nothing, and uses the specialists unevenly."""
    mixed, mixtures = certain(0), batch()
    spectra = spectra_of(mixed)
    found = []
    for value in (0.0, 1.0, 2.0):
        config = FinetuneConfig(**{weight: value})
        objective = finetune_objective(mixed, config, NO_DATA, NO_DATA, spectra)
        found.append(float(objective.loss(JointModule(mixed), mixtures, 0)[0]))
    assert found[2] - found[1] == pytest.approx(found[1] - found[0], abs=1e-5)
    if weight == "gate_weight":
        assert found[1] == pytest.approx(found[0], abs=1e-5)
    else:
        assert found[1] > found[0] + 0.1
