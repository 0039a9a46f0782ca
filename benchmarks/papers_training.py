"""Trains what benchmarks/papers.py compares, each run in a folder of its own, resumably."""

from __future__ import annotations

import csv
import json
import time
from dataclasses import dataclass
from pathlib import Path

from papers_plan import (
    HIDDEN_SIZE,
    HIDDEN_SIZES,
    REMEDIES,
    TIMES,
    Budget,
    Group,
    Training,
    generalist_name,
    generalist_recipe,
    mixture_recipe,
)
from safetensors.torch import load_file

from smle.clustering.run import Clustering, cluster_corpus
from smle.files.whole_files import write_whole
from smle.material.clusters import write_clusters
from smle.tensors.checkpoint import load_model, save_model
from smle.training.data import Material
from smle.training.run import Stage, train
from smle.training.stage import Watch, trunk_path

_KS = (2, 5, 10)
_EMBEDDING_STEPS = 700
_STAGES: dict[str, tuple[Stage, ...]] = {
    "naive": ("specialists", "gate"),
    "gate": ("gate",),
    "tuned": ("finetune",),
    "guarded": (),
}
_RECIPE, _FINISHED, _TRUNKS = "recipe.toml", "finished.json", "trunks"


@dataclass(frozen=True)
class Run:
    """One folder of trained networks.

    Args:
        folder: Where it lies: OUT/seed-N/NAME.
        seed: Of weights and mixtures.
        group: What its specialists specialise in; None for a generalist.
        training: How a mixture was trained.
        hidden_size: Of its networks.
        times: How many networks' updates a generalist got.
    """

    folder: Path
    seed: int
    group: Group | None = None
    training: Training = "naive"
    hidden_size: int = HIDDEN_SIZE
    times: int = 1

    @property
    def model(self) -> Path:
        """The model folder, once it is trained."""
        return self.folder / "model"

    @property
    def is_finished(self) -> bool:
        """Whether it was trained to its end."""
        return (self.folder / _FINISHED).is_file()

    @property
    def cpu_s(self) -> float | None:
        """CPU seconds of its training; None where that was interrupted."""
        seconds: float | None = json.loads((self.folder / _FINISHED).read_text())["cpu_s"]
        return seconds


def runs(out: Path, groups: tuple[Group, ...], seeds: tuple[int, ...]) -> list[Run]:
    """All runs, in the order to train them: a whole seed of H = 64, then what is large, then on."""
    found: list[Run] = []
    for seed in seeds:
        place = out / f"seed-{seed}"
        found.append(Run(place / generalist_name(HIDDEN_SIZE), seed))
        for group in groups:
            names: tuple[Training, Training] = ("naive", "tuned")
            found += [Run(place / f"{group.name}-{how}", seed, group, how) for how in names]
        if seed == seeds[0]:
            found += [
                Run(place / generalist_name(HIDDEN_SIZE, times), seed, times=times)
                for times in TIMES
            ]
            found += [
                Run(place / generalist_name(size), seed, hidden_size=size)
                for size in HIDDEN_SIZES
                if size != HIDDEN_SIZE
            ]
            found += [
                Run(place / f"{group.name}-{how}", seed, group, how)
                for group in groups
                for how in REMEDIES.get(group.name, ())
            ]
    return found


def list_material(data: Path, out: Path, cache: Path | None) -> Material:
    """Write lists of all labelled training speech and all training noise.

    Every system hears the same recordings: those whose speaker and gender are known.

    Args:
        data: Holds speech.csv and noise.csv.
        out: Where the lists go.
        cache: Folder for decoded audio.
    """
    for name, label in (("speech", "speaker"), ("noise", "class")):
        with (data / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            rows = [
                {
                    "path": str((data / row["path"]).resolve()),
                    "speaker": row[label],
                    "gender": row.get("gender", ""),
                    "seconds": row["seconds"],
                }
                for row in csv.DictReader(file)
                if row["path"].startswith(f"{name}/train/") and row[label]
            ]
        with (out / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return Material(out / "speech.csv", out / "noise.csv", cache=cache)


def find_clusters(group: Group, material: Material, out: Path, watch: Watch) -> None:
    """Group the speakers by gender, or by the embedding of P2; what is there already stays.

    Args:
        group: Which grouping is wanted; all of one kind are made together.
        material: Speech and noise.
        out: Where GROUP.json is, or goes.
        watch: Told after every update of the embedding.
    """
    path = out / f"{group.by}.json"
    if group.by == "snr" or path.is_file():
        return
    asked = Clustering(
        by=group.by,
        corpus=material.speech,
        noise=material.noise,
        ks=_KS,
        steps=_EMBEDDING_STEPS,
        jobs=1,
        cache=material.cache,
    )
    write_clusters(path, cluster_corpus(asked, watch=watch).groupings)


def train_run(run: Run, budget: Budget, material: Material, watch: Watch) -> None:
    """Train one run to its end, from where it stopped; a finished one costs nothing.

    Args:
        run: Which.
        budget: Of each of its networks.
        material: Speech and noise.
        watch: Told after every update.

    Raises:
        ModelError: If the folder holds a run of another budget.
    """
    stages: tuple[Stage, ...] = ("generalist",)
    if run.group is None:
        text = generalist_recipe(budget, run.seed, run.hidden_size, run.times)
    else:
        text = mixture_recipe(run.group, run.training, budget, run.seed)
        stages = _STAGES[run.training.partition("-")[0]]
        find_clusters(run.group, material, run.folder.parent.parent, watch)
    claimed = run.folder / _RECIPE
    if run.is_finished and claimed.read_text(encoding="utf-8") == text:
        return
    begun_before = claimed.is_file()
    start = time.process_time()
    run.folder.mkdir(parents=True, exist_ok=True)
    recipe = run.folder.with_name(f"{run.folder.name}.toml")
    write_whole(recipe, text.encode())
    begin = _begin(run, text)
    train(recipe, material, run.folder, stages=stages, resume=True, start_from=begin, watch=watch)
    facts = {"cpu_s": None if begun_before else round(time.process_time() - start, 1)}
    write_whole(run.folder / _FINISHED, json.dumps(facts).encode())


def _begin(run: Run, recipe: str) -> Path | None:
    """The model that a run begins with; None for fresh weights."""
    if run.group is None or run.training == "naive":
        return None
    naive = run.folder.with_name(f"{run.group.name}-naive")
    if run.training.startswith("gate"):
        return naive / "model"
    mixture = load_model(naive / "model")
    if run.training == "guarded":
        alone = load_model(run.folder.with_name(generalist_name(HIDDEN_SIZE)) / "model")
        mixture.generalist = alone.generalist
        save_model(mixture, recipe, run.model)
        return run.model
    # The specialists as they were before their learning rate fell.
    for index, specialist in enumerate(mixture.specialists):
        path = trunk_path(naive / "checkpoints", f"specialist-{index}")
        specialist.load_state_dict(load_file(path))
    save_model(mixture, recipe, run.folder / _TRUNKS)
    return run.folder / _TRUNKS
