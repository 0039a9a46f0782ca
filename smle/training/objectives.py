"""What each stage of training minimises, on batches of mixtures."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from smle.material.dataset import Batch, MixtureDataset
from smle.material.prefetch import prefetch
from smle.model.annealing import alpha_at
from smle.model.recipe import FinetuneConfig, StageConfig
from smle.tensors.gate import soft_routing
from smle.tensors.mixture import Mixture
from smle.tensors.networks import Network
from smle.training.distributed import share_of
from smle.training.losses import balance_penalty
from smle.training.spectra import Spectra
from smle.training.stage import LossAndFigures, Objective

_VALIDATION_BATCHES = 8
_VALIDATION_STEP = 2**31
# The part of the gate's training that names clusters, where costs follow.
_NAMING_PART = 0.85
_MAX_STEPS = 2**31


def network_objective(
    name: str,
    network: Network,
    training: MixtureDataset,
    validation: MixtureDataset,
    batch_size: int,
    spectra: Spectra,
) -> Objective:
    """Train one mask estimator: the generalist, or a specialist on its cluster's material."""

    def loss(module: nn.Module, batch: Batch, step: int) -> LossAndFigures:
        return spectra.losses(module, batch).mean(), {}

    return _objective(name, network, loss, training, validation, batch_size, spectra)


def gate_objective(
    mixture: Mixture,
    training: MixtureDataset,
    validation: MixtureDataset,
    config: StageConfig,
    spectra: Spectra,
) -> Objective:
    """Train the gate to name the cluster of each mixture, and then to choose the least loss.

    P1 asks for the right name after the last frame alone, by cross-entropy; a gate that decides
    while it listens owes one at any time. The other target, for the last part of the stage, is
    what a choice costs: the expected loss over the best specialist's, so that confusing two that
    do equally well costs nothing.
    """
    least = mixture.recipe.training.gate_target == "least"
    specialists = mixture.experts[: len(mixture.specialists)]

    def naming_loss(module: nn.Module, batch: Batch, step: int) -> LossAndFigures:
        _, features = spectra.hear(batch)
        logits = _listen(module, mixture, features, spectra, step)
        entropy, accuracy = _gate_terms(logits, batch.labels.to(logits.device))
        return entropy, {"accuracy": accuracy}

    def choice_loss(module: nn.Module, batch: Batch, step: int) -> LossAndFigures:
        spectrum, features = spectra.hear(batch)
        logits = _listen(module, mixture, features, spectra, step)
        with torch.no_grad():
            masks = [spectra.mask(expert, features) for expert in specialists]
            losses = torch.stack([spectra.compare(mask, spectrum, batch) for mask in masks], 1)
        regret = losses - losses.min(1, keepdim=True).values  # (rows, specialists)
        expected = (torch.softmax(logits, -1) * regret[:, None]).sum(-1).mean()
        choice = logits.mean(1).argmax(-1, keepdim=True)
        return expected, {"regret": regret.gather(1, choice).mean().item()}

    def loss(module: nn.Module, batch: Batch, step: int) -> LossAndFigures:
        naming = not least or step < _NAMING_PART * config.steps
        return (naming_loss if naming else choice_loss)(module, batch, step)

    return _objective(
        "gate",
        mixture.gate,
        loss,
        training,
        validation,
        config.batch_size,
        spectra,
        choice_loss if least else naming_loss,
    )


class JointModule(nn.Module):
    """Gate and specialists without the generalist, which fine-tuning leaves as it is."""

    def __init__(self, mixture: Mixture) -> None:
        super().__init__()
        self.gate, self.specialists = mixture.gate, mixture.specialists

    @property
    def experts(self) -> list[Network]:
        """The specialists."""
        return cast("list[Network]", [*self.specialists])


def finetune_objective(
    mixture: Mixture,
    config: FinetuneConfig,
    training: MixtureDataset,
    validation: MixtureDataset,
    spectra: Spectra,
) -> Objective:
    """Train gate and specialists together through the soft mixture of masks (P1).

    Validation is hard-routed by the mean evidence of each mixture: what is kept is what ships.
    """

    def loss(module: nn.Module, batch: Batch, step: int) -> LossAndFigures:
        joint = _joint(module)
        spectrum, features = spectra.hear(batch)
        alpha = alpha_at(config.alpha, step)
        logits = _listen(joint.gate, mixture, features, spectra, step)
        weights = soft_routing(logits, alpha)  # (rows, specialists)
        used = _hard(weights) + weights - weights.detach() if config.straight_through else weights
        masks = [spectra.mask(expert, features) for expert in joint.experts]
        mask = sum(
            (used[:, k, None, None] * mask for k, mask in enumerate(masks)),
            start=torch.zeros_like(masks[0]),
        )
        total = spectra.compare(mask, spectrum, batch).mean()
        entropy, accuracy = _gate_terms(logits, batch.labels.to(logits.device))
        total = total + config.gate_weight * entropy
        total = total + config.balance_weight * balance_penalty(weights)
        return total, {"alpha": alpha, "accuracy": accuracy}

    def hard_loss(module: nn.Module, batch: Batch, step: int) -> LossAndFigures:
        joint = _joint(module)
        losses, _ = _routed_losses(joint.gate, joint.specialists, mixture, batch, spectra, step)
        return losses.mean(), {}

    module = JointModule(mixture)
    return _objective(
        "finetune", module, loss, training, validation, config.batch_size, spectra, hard_loss
    )


def routed_objective(
    name: str,
    mixture: Mixture,
    batch_size: int,
    training: MixtureDataset,
    validation: MixtureDataset,
    spectra: Spectra,
) -> Objective:
    """Train every specialist on the mixtures that the gate sends to it; the gate stays as it is.

    A specialist that was trained on a cluster never met what a mistaken gate sends; now it does,
    and a mistake costs what the gate's own grouping costs, no more.
    """

    def loss(module: nn.Module, batch: Batch, step: int) -> LossAndFigures:
        specialists = cast("nn.ModuleList", module)
        losses, choice = _routed_losses(mixture.gate, specialists, mixture, batch, spectra, step)
        share = functional.one_hot(choice, len(specialists)).float().mean(0)
        return losses.mean(), {
            f"share_{name}": part
            for name, part in zip(mixture.recipe.specialists, share.tolist(), strict=True)
        }

    return _objective(name, mixture.specialists, loss, training, validation, batch_size, spectra)


Loss = Callable[[nn.Module, Batch, int], LossAndFigures]


def _objective(
    name: str,
    module: nn.Module,
    loss: Loss,
    training: MixtureDataset,
    validation: MixtureDataset,
    batch_size: int,
    spectra: Spectra,
    validation_loss: Loss | None = None,
) -> Objective:
    first, count = share_of(batch_size)
    fixed: list[Batch] = []

    def batches(step: int) -> Generator[Batch]:
        return prefetch(training, range(step, _MAX_STEPS), count, first_item=first)

    @torch.no_grad()
    def validate(candidate: nn.Module) -> float:
        if not fixed:
            steps = range(_VALIDATION_STEP, _VALIDATION_STEP + _VALIDATION_BATCHES)
            fixed.extend(validation.batch(step, batch_size) for step in steps)
        losses = [(validation_loss or loss)(candidate, batch, 0)[0] for batch in fixed]
        return float(torch.stack(losses).mean())

    return Objective(name, module, loss, batches, validate)


def _listen(
    gate: nn.Module, mixture: Mixture, features: Tensor, spectra: Spectra, step: int
) -> Tensor:
    """Logits (rows, frames, specialists) while one of the experts runs, each in its turn."""
    mask = None
    if mixture.gate.hears_expert:
        expert = mixture.experts[-1 - step % len(mixture.experts)]
        with torch.no_grad():
            mask = spectra.mask(expert, features)
    logits: Tensor = gate(features, mask, mixture.gate.start(len(features)))[0]
    return logits


def _routed_losses(
    gate: nn.Module,
    specialists: Iterable[nn.Module],
    mixture: Mixture,
    batch: Batch,
    spectra: Spectra,
    step: int,
) -> tuple[Tensor, Tensor]:
    """Loss of each row, masked by the one specialist that the gate chose for it, and the choice."""
    spectrum, features = spectra.hear(batch)
    with torch.no_grad():
        logits = _listen(gate, mixture, features, spectra, step)
    choice = logits.mean(1).argmax(-1)
    mask = torch.zeros_like(features)
    for k, specialist in enumerate(specialists):
        rows = (choice == k).nonzero()[:, 0]
        if len(rows):
            mask[rows] = spectra.mask(specialist, features[rows])
    return spectra.compare(mask, spectrum, batch), choice


def _joint(module: nn.Module) -> JointModule:
    assert isinstance(module, JointModule)
    return module


def _hard(weights: Tensor) -> Tensor:
    return functional.one_hot(weights.argmax(-1), weights.shape[-1]).to(weights.dtype)


def _gate_terms(logits: Tensor, labels: Tensor) -> tuple[Tensor, float]:
    known = labels >= 0
    if not known.any():
        return logits.sum() * 0.0, float("nan")
    kept, wanted = logits[known], labels[known]
    every_frame = wanted[:, None].expand(-1, kept.shape[1]).flatten()
    entropy = functional.cross_entropy(kept.flatten(0, 1), every_frame)
    accuracy = (kept.mean(1).argmax(-1) == wanted).float().mean().item()
    return entropy, accuracy
