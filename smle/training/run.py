"""Training a mixture from plain folders, stage by stage."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch

from smle.errors import ModelError
from smle.files.whole_files import write_whole
from smle.material.dataset import MixtureDataset
from smle.model.folders import MODEL_FOLDER, RECIPE_NAME, WEIGHTS_NAME, find_model
from smle.model.recipe import Recipe, StageConfig, read_recipe
from smle.model.weight_shapes import weight_shapes
from smle.tensors.checkpoint import load_model, save_model
from smle.tensors.mixture import Mixture
from smle.training.data import Material, TrainingData
from smle.training.distributed import (
    check_shares,
    is_main_process,
    join_processes,
    own_device,
    wait_for_all,
)
from smle.training.listening_loss import ListeningLoss
from smle.training.objectives import (
    finetune_objective,
    gate_objective,
    network_objective,
    routed_objective,
)
from smle.training.spectra import Spectra
from smle.training.stage import Objective, Watch, is_over, run_stage, trunk_path
from smle.training.weight_averages import (
    POLISHED_GENERALIST,
    POLISHED_SPECIALISTS,
    average_specialists,
    hold_unpolished,
    read_weights,
    share_polish,
)

Stage = Literal["generalist", "gate", "specialists", "finetune", "polish"]
STAGES: tuple[Stage, ...] = ("generalist", "specialists", "gate", "finetune", "polish")
_CHECKPOINTS = "checkpoints"
_CLUSTERS_NAME = "clusters.json"
# Of every stage that comes after another.
_CHECKPOINTS_OF: dict[Stage, str] = {
    "specialists": "specialist-*",
    "gate": "gate*",
    "finetune": "finetune*",
    "polish": "polish-*",
}


def train(
    recipe_path: Path,
    material: Material,
    run: Path,
    *,
    stages: tuple[Stage, ...] = STAGES,
    resume: bool = False,
    start_from: str | Path | None = None,
    device: str = "cpu",
    watch: Watch = lambda _: None,
) -> Path:
    """Train the model of a recipe.

    Args:
        recipe_path: The recipe.
        material: Speech, noise and rooms.
        run: Folder for checkpoints and for the model.
        stages: Which stages to run, in this order; stages of 0 steps are skipped.
        resume: Go on where this run stopped.
        start_from: A model of the same networks to begin with, in place of fresh weights; its name
            or folder (see `smle.model.folders`).
        device: "cpu", "cuda" (a GPU for each process), "cuda:1", "mps".
        watch: Told after every update.

    Returns:
        The model folder, RUN/model.

    Raises:
        RecipeError: If the recipe is wrong or does not fit the clusters.
        CorpusError: If the material cannot be used.
        ModelError: If the run exists and `resume` is not asked for, or was of another recipe, or a
            package is missing, or the processes cannot share a batch evenly.
    """
    recipe = read_recipe(recipe_path)
    text = recipe_path.read_text(encoding="utf-8")
    own, listening = own_device(device), None
    if "polish" in stages and recipe.training.polish.steps:
        # Now, so that what it lacks shows before hours of training.
        weight = None if recipe.training.is_perceptual else recipe.training.polish.loudness_weight
        listening = ListeningLoss(own, weight)
    join_processes(own)
    for stage in stages:
        config: StageConfig = getattr(recipe.training, stage)
        if config.steps:
            check_shares(config.batch_size, stage)
    if is_main_process():
        _check_claim(run, text, resume=resume)
    torch.manual_seed(recipe.training.seed)
    source = _source(run, start_from)
    if stages == ("generalist",) and not recipe.generalist:
        raise ModelError(
            "the recipe has no generalist to train; write generalist = true, or train another stage"
        )
    if source is None:
        _check_first_stage(recipe, stages)
    mixture = _initial_mixture(recipe, source).to(own)
    data = TrainingData(recipe, material, recipe_path.parent)
    groups = data.clusters.to_table() | {"facts": {}}
    if is_main_process():
        _check_clusters(run, groups)
    if set(stages) - {"generalist"}:
        data.check_clusters()
    # Only now: what was asked for wrongly may be asked for again.
    if is_main_process():
        run.mkdir(parents=True, exist_ok=True)
        write_whole(run / RECIPE_NAME, text.encode())
        (run / _CHECKPOINTS).mkdir(exist_ok=True)
        write_whole(run / _CHECKPOINTS / _CLUSTERS_NAME, json.dumps(groups).encode())
        if start_from is not None and not (run / MODEL_FOLDER / WEIGHTS_NAME).is_file():
            # A run that is stopped before its first stage is over goes on from the same weights.
            save_model(mixture, text, run / MODEL_FOLDER)
    wait_for_all()
    trainer = _Trainer(mixture, data, run, own, resume=resume, watch=watch, listening=listening)
    for stage in stages:
        trainer.run(stage)
        # A stage that was over already has nothing to add to what later ones made of it.
        idle = not getattr(recipe.training, stage).steps or trainer.checkpoints_after(stage)
        stands = (run / MODEL_FOLDER / WEIGHTS_NAME).is_file()
        if is_main_process() and not (idle and stands):
            save_model(mixture, text, run / MODEL_FOLDER)
    return run / MODEL_FOLDER


class _Trainer:
    def __init__(
        self,
        mixture: Mixture,
        data: TrainingData,
        run: Path,
        device: torch.device,
        *,
        resume: bool,
        watch: Watch,
        listening: ListeningLoss | None,
    ) -> None:
        self.listening = listening
        self.mixture, self.data, self.resume, self.watch = mixture, data, resume, watch
        self.folder = run / _CHECKPOINTS
        self.config = mixture.recipe.training
        self.spectra = Spectra(mixture.recipe, device)

    def run(self, stage: Stage) -> None:
        config: StageConfig = getattr(self.config, stage)
        if config.steps == 0:
            return
        if stage == "polish":
            hold_unpolished(self.mixture, self.folder, resume=self.resume)
        for make in self._objectives(stage, config):
            objective = make()
            if not (self.resume and is_over(self.folder, objective.name, config)):
                self._forget_after(stage)
            run_stage(
                objective,
                config,
                self.config.clip_norm,
                self.folder,
                resume=self.resume,
                watch=self.watch,
            )
        last = "finetune" if self.config.finetune.steps else "specialists"
        if stage == last:
            average_specialists(self.mixture)
        if stage == "polish":
            share_polish(self.mixture, self.folder)

    def checkpoints_after(self, stage: Stage) -> list[Path]:
        """The checkpoints of later stages."""
        patterns = (_CHECKPOINTS_OF[later] for later in STAGES[STAGES.index(stage) + 1 :])
        return [path for name in patterns for path in self.folder.glob(f"{name}.safetensors")]

    def _forget_after(self, stage: Stage) -> None:
        """Remove what later stages made of weights that are about to change."""
        if is_main_process():
            for path in self.checkpoints_after(stage):
                path.unlink()
        wait_for_all()

    def _objectives(self, stage: Stage, config: StageConfig) -> list[Callable[[], Objective]]:
        training, validation = self.data.datasets(config)
        size, spectra, mixture = config.batch_size, self.spectra, self.mixture
        if stage == "generalist":
            generalist = mixture.generalist
            if generalist is None:
                return []
            return [
                lambda: network_objective(
                    "generalist", generalist, training, validation, size, spectra
                )
            ]
        if stage == "gate":
            return [lambda: gate_objective(mixture, training, validation, config, spectra)]
        if stage == "finetune":
            finetune = self.config.finetune
            if finetune.routing == "hard":
                return [
                    lambda: routed_objective(
                        "finetune", mixture, size, training, validation, spectra
                    )
                ]
            return [lambda: finetune_objective(mixture, finetune, training, validation, spectra)]
        if stage == "polish":
            return self._polish(training, validation, size)
        indices = range(len(mixture.specialists))
        return [partial(self._specialist, index, config) for index in indices]

    def _polish(
        self, training: MixtureDataset, validation: MixtureDataset, size: int
    ) -> list[Callable[[], Objective]]:
        mixture = self.mixture
        spectra = Spectra(mixture.recipe, self.spectra.device, self.listening)
        generalist = mixture.generalist
        objectives = []
        if generalist is not None:
            objectives.append(
                lambda: network_objective(
                    POLISHED_GENERALIST, generalist, training, validation, size, spectra
                )
            )
        if self.config.polish.specialists == "routed":
            of_all = size * len(mixture.specialists)
            objectives.append(
                lambda: routed_objective(
                    POLISHED_SPECIALISTS, mixture, of_all, training, validation, spectra
                )
            )
        return objectives

    def _specialist(self, index: int, config: StageConfig) -> Objective:
        specialist = self.mixture.experts[index]
        start = self.config.specialists_start
        if start == "generalist" and self.mixture.generalist is not None:
            specialist.load_state_dict(self.mixture.generalist.state_dict())
        elif start == "trunk":
            remedy = 'train the generalist first, or write specialists_start = "generalist"'
            specialist.load_state_dict(read_weights(trunk_path(self.folder, "generalist"), remedy))
        training, validation = self.data.datasets(config, only=index)
        size, name = config.batch_size, f"specialist-{index}"
        return network_objective(name, specialist, training, validation, size, self.spectra)


def _check_claim(run: Path, text: str, *, resume: bool) -> None:
    path = run / RECIPE_NAME
    if path.is_file() and not resume:
        raise ModelError(f"{run} holds a run already; resume it (--resume) or name another folder")
    if path.is_file() and path.read_bytes() != text.encode():
        raise ModelError(f"{run} was begun with another recipe; name another folder")


def _check_clusters(run: Path, groups: dict[str, Any]) -> None:
    path = run / _CHECKPOINTS / _CLUSTERS_NAME
    if path.is_file() and _parsed(path) != groups:
        raise ModelError(f"{run} was begun with other clusters; name another folder")


def _parsed(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise ModelError(f"{path} is damaged: remove it, or name another folder") from error


def _source(run: Path, start_from: str | Path | None) -> Path | None:
    """The model that the run goes on from, or begins with."""
    if (run / MODEL_FOLDER / WEIGHTS_NAME).is_file():
        return run / MODEL_FOLDER
    return None if start_from is None else find_model(start_from)


def _check_first_stage(recipe: Recipe, stages: tuple[Stage, ...]) -> None:
    first = next((stage for stage in stages if getattr(recipe.training, stage).steps), None)
    if first is None:
        raise ModelError(
            f"the recipe has no steps for {', '.join(stages)}: write some, train another stage, or "
            "begin with a model (--start-from)"
        )
    start = recipe.training.specialists_start
    if first == "specialists" and start == "generalist" and recipe.generalist:
        raise ModelError(
            "specialists begin with the generalist, which is not trained; train it first, begin "
            'with a model (--start-from), or write specialists_start = "fresh"'
        )


def _initial_mixture(recipe: Recipe, source: Path | None) -> Mixture:
    mixture = Mixture(recipe)
    if source is not None:
        found = load_model(source)
        if weight_shapes(found.recipe) != weight_shapes(recipe):
            raise ModelError(
                f"{source} is a model of other networks, gate or specialists than the recipe's; "
                "begin with one whose weights have the same shapes"
            )
        mixture.load_state_dict(found.state_dict())
    return mixture
