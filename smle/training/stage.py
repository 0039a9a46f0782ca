"""One stage of training: the loop over updates, with schedule, averaging, checkpoints and resume.

A batch is a pure function of seed and step, and nothing else is random, so an interrupted stage
goes on from its checkpoint exactly as if it had never stopped.
"""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor, nn

from smle.errors import ModelError
from smle.files.whole_files import write_whole
from smle.material.dataset import Batch
from smle.model.recipe import StageConfig
from smle.training.distributed import average_gradients, is_main_process, wait_for_all
from smle.training.optimisers import optimisers_for

_WARM_UP_STEPS = 100
_SECONDS_BETWEEN_CHECKPOINTS = 120.0


@dataclass(frozen=True)
class Progress:
    """Where a stage stands, for whoever watches.

    Args:
        stage: Name of the stage.
        step: Updates made.
        steps: Updates to make.
        loss: Of the last update.
        score: Mean validation loss, where this step validated.
        learning_rate: Of the last update.
        extras: Further figures by name.
    """

    stage: str
    step: int
    steps: int
    loss: float
    score: float | None
    learning_rate: float
    extras: dict[str, float] = field(default_factory=dict)


Watch = Callable[[Progress], None]
LossAndFigures = tuple[Tensor, dict[str, float]]


@dataclass
class Objective:
    """What a stage trains and by what.

    Args:
        name: Of the stage; also of its checkpoint.
        module: Holds every parameter that the stage changes.
        loss: Loss and further figures of a batch at a step, given the module.
        batches: Batches from a step on.
        validate: Mean loss of a module on fixed mixtures.
    """

    name: str
    module: nn.Module
    loss: Callable[[nn.Module, Batch, int], LossAndFigures]
    batches: Callable[[int], Generator[Batch]]
    validate: Callable[[nn.Module], float]


def run_stage(
    objective: Objective,
    config: StageConfig,
    clip_norm: float,
    folder: Path,
    *,
    resume: bool,
    watch: Watch,
) -> None:
    """Train a module in place; it ends with the best weights that validation saw.

    Args:
        objective: What to train.
        config: How long and how fast.
        clip_norm: Largest norm of a gradient.
        folder: Where the checkpoint `NAME.safetensors` lives.
        resume: Go on from that checkpoint if it is there.
        watch: Told after every update.

    The weights with which the decay of the learning rate begins, the last ones if it never does,
    are left in `trunk_path`.

    Raises:
        ModelError: If the checkpoint to resume from is broken, or the loss is not finite.
    """
    module = objective.module
    optimisers = optimisers_for(module, config)
    state = _StageState(module, optimisers, copy.deepcopy(module), copy.deepcopy(module))
    path = folder / f"{objective.name}.safetensors"
    if resume and path.is_file():
        state.load(path)
    elif is_main_process():
        trunk_path(folder, objective.name).unlink(missing_ok=True)
    saved_at = time.monotonic()
    with closing(objective.batches(state.step)) as batches:
        while state.step < config.steps and not state.finished:
            rate = learning_rate_at(config, state.step)
            for optimiser in optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = rate
            if state.step == decay_begins(config) and is_main_process():
                save_weights(module, trunk_path(folder, objective.name))
            module.train()
            loss, extras = objective.loss(module, next(batches), state.step)
            if not torch.isfinite(loss):
                raise ModelError(
                    f"the loss of stage {objective.name} is {loss.item()} at step {state.step}; "
                    "lower its learning_rate"
                )
            module.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            average_gradients(module)
            nn.utils.clip_grad_norm_(module.parameters(), clip_norm)
            for optimiser in optimisers:
                optimiser.step()
            state.step += 1
            _follow(state.average, module, config.average, state.step)
            score = None
            if state.step % config.validate_every_steps == 0 or state.step == config.steps:
                score = objective.validate(state.average.eval())
                state.judge(score, config.patience_steps)
            watch(
                Progress(objective.name, state.step, config.steps, loss.item(), score, rate, extras)
            )
            due = time.monotonic() - saved_at > _SECONDS_BETWEEN_CHECKPOINTS
            if is_main_process() and (due or score is not None):
                state.save(path)
                saved_at = time.monotonic()
    if is_main_process() and not trunk_path(folder, objective.name).is_file():
        save_weights(module, trunk_path(folder, objective.name))
    wait_for_all()
    module.load_state_dict(state.best.state_dict())


def is_over(folder: Path, name: str, config: StageConfig) -> bool:
    """Whether a stage's checkpoint is of its last update, or unreadable: then resuming says so."""
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        return False
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads(file.metadata()["state"])
            return bool(facts["finished"] or facts["step"] >= config.steps)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        return True


def learning_rate_at(config: StageConfig, step: int) -> float:
    """Warm up, hold, and fall along a cosine over the last part of the stage.

    >>> config = StageConfig(steps=1000, learning_rate=1.0, decay=0.5)
    >>> learning_rate_at(config, 400), round(learning_rate_at(config, 750), 2)
    (1.0, 0.5)
    """
    warm = min(1.0, (step + 1) / _WARM_UP_STEPS)
    begin = decay_begins(config)
    fallen = max(0.0, step - begin) / max(1.0, config.steps - begin)
    return config.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * min(1.0, fallen)))


def decay_begins(config: StageConfig) -> int:
    """The step from which on the learning rate falls."""
    return round(config.steps * (1 - config.decay))


def trunk_path(folder: Path, name: str) -> Path:
    """Where a stage leaves the weights that its decay began with."""
    return folder / f"{name}-trunk.safetensors"


def save_weights(module: nn.Module, path: Path) -> None:
    """Write a module's weights to a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {key: tensor.detach().cpu() for key, tensor in module.state_dict().items()}
    write_whole(path, serialise(tensors))


class _StageState:
    """Everything that must survive an interruption: weights, average, best, optimisers."""

    def __init__(
        self,
        module: nn.Module,
        optimisers: list[torch.optim.Optimizer],
        average: nn.Module,
        best: nn.Module,
    ) -> None:
        self.module = module
        self._owner = {
            parameter: optimiser
            for optimiser in optimisers
            for group in optimiser.param_groups
            for parameter in group["params"]
        }
        self.average, self.best = average, best
        self.step = 0
        self.best_step = 0
        self.best_score = math.inf
        self.finished = False

    def judge(self, score: float, patience_steps: int) -> None:
        if score < self.best_score:
            self.best_score, self.best_step = score, self.step
            self.best.load_state_dict(self.average.state_dict())
        self.finished = 0 < patience_steps <= self.step - self.best_step

    def save(self, path: Path) -> None:
        tensors: dict[str, Tensor] = {}
        for part, module in self._modules():
            for name, tensor in module.state_dict().items():
                tensors[f"{part}/{name}"] = tensor.detach().cpu().contiguous().clone()
        for name, parameter in self.module.named_parameters():
            for key, tensor in self._owner[parameter].state.get(parameter, {}).items():
                tensors[f"optimiser/{key}/{name}"] = tensor.detach().cpu().contiguous()
        facts = {
            "step": self.step,
            "best_step": self.best_step,
            "best_score": self.best_score,
            "finished": self.finished,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, serialise(tensors, {"state": json.dumps(facts)}))

    def load(self, path: Path) -> None:
        try:
            with safe_open(path, framework="pt") as file:
                facts = json.loads(file.metadata()["state"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            for part, module in self._modules():
                prefix = f"{part}/"
                module.load_state_dict(
                    {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
                )
            for name, parameter in self.module.named_parameters():
                keys = [k for k in tensors if k.startswith("optimiser/") and k.endswith(f"/{name}")]
                for key in keys:
                    kind = key.split("/")[1]
                    tensor = tensors[key]
                    tensor = tensor if kind == "step" else tensor.to(parameter.device)
                    self._owner[parameter].state[parameter][kind] = tensor
        except (SafetensorError, OSError, KeyError, TypeError, RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise ModelError(
                f"{path} cannot be resumed ({reason}); remove it to begin the stage again, "
                "from the weights in RUN/model"
            ) from None
        self.step, self.best_step = facts["step"], facts["best_step"]
        self.best_score, self.finished = facts["best_score"], facts["finished"]

    def _modules(self) -> tuple[tuple[str, nn.Module], ...]:
        return (("last", self.module), ("average", self.average), ("best", self.best))


@torch.no_grad()
def _follow(average: nn.Module, module: nn.Module, decay: float, step: int) -> None:
    # Early on the average is shorter, so that it is not an average with the initial weights.
    weight = 1 - min(decay, (1 + step) / (10 + step)) if decay > 0 else 1.0
    for kept, new in zip(average.parameters(), module.parameters(), strict=True):
        kept.lerp_(new, weight)
