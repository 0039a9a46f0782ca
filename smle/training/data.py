"""What a model is trained on: material, the part of it that is held out, and its clusters."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from smle.errors import CorpusError, RecipeError
from smle.material.clusters import UNKNOWN, Clusters, Only, read_clusters
from smle.material.corpus import Corpus, read_corpus
from smle.material.dataset import MixtureDataset
from smle.material.decoded import Decoded
from smle.material.mixing_config import MixingConfig
from smle.material.rooms import Rooms, read_responses
from smle.material.simulated_rooms import simulate_responses
from smle.model.config import from_table
from smle.model.recipe import Recipe, StageConfig

# Every twentieth utterance and noise is heard in validation alone (P1 holds out 5 % as well).
_HOLD_OUT_EVERY = 20
_CLUSTERS_KEYS = ("by", "levels_db", "file")


@dataclass(frozen=True)
class Material:
    """Folders to train on.

    Args:
        speech: Clean speech: a corpus as `smle.material.corpus.read_corpus` takes it.
        noise: Noise: a folder.
        rooms: Room responses, if there are any.
        cache: Folder for decoded audio, so that the next start is quick; optional.
    """

    speech: Path
    noise: Path
    rooms: Path | None = None
    cache: Path | None = None


def recipe_clusters(recipe: Recipe, folder: Path) -> Clusters:
    """The clusters that a recipe's specialists belong to.

    Args:
        recipe: Its table `clusters` holds `by = "snr"` with `levels_db`, or `file`, a path relative
            to the recipe, as `smle cluster` wrote it.
        folder: Where the recipe lies.

    Raises:
        RecipeError: If there are not as many clusters as specialists, or the table says something
            unknown, or something else than the file.
    """
    table = recipe.clusters
    for key in table:
        if key not in _CLUSTERS_KEYS:
            known = ", ".join(_CLUSTERS_KEYS)
            raise RecipeError(f"[clusters] has no key {key!r}; known keys: {known}")
    if "file" in table:
        clusters = read_clusters(folder / str(table["file"]), k=len(recipe.specialists))
        if clusters.by == "snr":
            raise RecipeError(
                f"clusters.file {table['file']} is by snr, which the model must know as well; "
                f'write by = "snr" and levels_db = {list(clusters.levels_db)} in place of it'
            )
        if table.get("by", clusters.by) != clusters.by:
            raise RecipeError(
                f"clusters.by is {table['by']!r}, but clusters.file {table['file']} is by "
                f"{clusters.by}; write by = {clusters.by!r}"
            )
        names = clusters.names
        if names != recipe.specialists and set(names) == set(recipe.specialists):
            raise RecipeError(
                f"specialists stand in another order than their clusters in {table['file']}; "
                f"write specialists = {list(names)}"
            )
    elif table.get("by") != "snr":
        raise RecipeError(
            f'clusters.by is {table.get("by")!r} without a file; write by = "snr" and levels_db, '
            "or the file that `smle cluster` made"
        )
    else:
        levels = table.get("levels_db")
        if not (isinstance(levels, list) and all(isinstance(v, int | float) for v in levels)):
            raise RecipeError(
                f"clusters.levels_db is {levels!r}; write a list of numbers, one per specialist"
            )
        clusters = Clusters.from_table({"names": recipe.specialists, **table})
    if clusters.by == "snr" and len(clusters.levels_db) != len(recipe.specialists):
        raise RecipeError(
            f"clusters.levels_db has {len(clusters.levels_db)} levels for "
            f"{len(recipe.specialists)} specialists; give one each"
        )
    return replace(clusters, names=recipe.specialists)


class TrainingData:
    """Datasets of one training, made when they are asked for.

    Args:
        recipe: Clusters, mixing and seed.
        material: Speech, noise and rooms.
        folder: Where the recipe lies.
    """

    def __init__(self, recipe: Recipe, material: Material, folder: Path) -> None:
        self.recipe = recipe
        self.clusters = recipe_clusters(recipe, folder)
        self.config = from_table(MixingConfig, dict(recipe.mixing), "mixing")
        rate = recipe.spectral.sample_rate
        speech, noise = read_corpus(material.speech), read_corpus(material.noise)
        self._parts = {}
        for held_out in (False, True):
            self._parts[held_out] = tuple(
                Decoded(_part(corpus, held_out), sample_rate=rate, cache_dir=material.cache)
                for corpus in (speech, noise)
            )
        rooms = read_responses(material.rooms, sample_rate=rate) if material.rooms else []
        rooms += simulate_responses(
            self.config.simulated_rooms, seed=recipe.training.seed, sample_rate=rate
        )
        self._rooms = Rooms(rooms, sample_rate=rate) if rooms else None

    def dataset(
        self,
        *,
        held_out: bool,
        only: int | None = None,
        snr_db: tuple[float, float] | None = None,
    ) -> MixtureDataset:
        """Mixtures of one cluster, or of all; validation never shares a recording with training.

        Args:
            held_out: Whether they are for validation.
            only: Position of the cluster.
            snr_db: Their signal-to-noise ratio, if it is not that of the recipe's mixtures.
        """
        speech, noise = self._parts[held_out]
        config = self.config if snr_db is None else replace(self.config, snr_db=snr_db)
        return MixtureDataset(
            speech,
            noise,
            self._rooms,
            config,
            self.recipe.training.seed,
            only=Only() if only is None else self.clusters.only(only),
            clusters=self.clusters,
        )

    def datasets(
        self, stage: StageConfig, only: int | None = None
    ) -> tuple[MixtureDataset, MixtureDataset]:
        """What a stage trains on, and what it is validated on (`only` as in `dataset`)."""
        training, validation = (
            self.dataset(held_out=held_out, only=only, snr_db=stage.snr_db)
            for held_out in (False, True)
        )
        return training, validation

    def check_clusters(self) -> None:
        """Raise CorpusError, before hours are spent, if a specialist has nothing to learn from.

        Recordings that no specialist learns from are told of in the log.
        """
        snr_db = self.recipe.training.specialists.snr_db
        for index, name in enumerate(self.recipe.specialists):
            try:
                self.dataset(held_out=False, only=index, snr_db=snr_db)
            except CorpusError as error:
                raise CorpusError(f"specialist {name!r}: {error}") from None
            try:
                self.dataset(held_out=True, only=index, snr_db=snr_db)
            except CorpusError:
                raise CorpusError(
                    f"specialist {name!r} has nothing to be validated on: every "
                    f"{_HOLD_OUT_EVERY}th recording is held out, and none of them belongs to its "
                    "cluster; add recordings, or make fewer clusters"
                ) from None
        left_out, count = self._unclustered()
        if left_out:
            logging.getLogger(__name__).warning(
                "%d of %d recordings that are grouped belong to no cluster, so no specialist "
                "learns from them; cluster this corpus",
                left_out,
                count,
            )

    def _unclustered(self) -> tuple[int, int]:
        """Count recordings of the grouped kind in no cluster, and all of them."""
        if self.clusters.by == "snr":
            return 0, 0
        speech, noise = self._parts[False]
        corpus = noise.corpus if self.clusters.by == "noise" else speech.corpus
        labels = [
            self.clusters.label(
                speaker=utterance.speaker, gender=utterance.gender, noise=name, utterance=name
            )
            for name, utterance in zip(corpus.names, corpus.utterances, strict=True)
        ]
        return labels.count(UNKNOWN), len(labels)


def _part(corpus: Corpus, held_out: bool) -> Corpus:
    kept = tuple(
        utterance
        for index, utterance in enumerate(corpus.utterances)
        if (index % _HOLD_OUT_EVERY == _HOLD_OUT_EVERY - 1) == held_out
    )
    if not kept:
        raise CorpusError(
            f"{corpus.root} holds {len(corpus.utterances)} files; "
            f"training needs {_HOLD_OUT_EVERY} or more, so that some can be held out"
        )
    return replace(corpus, utterances=kept)
