"""Grouping a corpus by anything: reads it, checks what is asked, and groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from smle.clustering.by_loss import LossClustering, by_loss
from smle.clustering.by_property import by_gender, by_noise, by_snr, by_speaker
from smle.clustering.grouping import Grouped
from smle.clustering.siamese import Heard, SiameseTraining
from smle.errors import CorpusError
from smle.material.clusters import By
from smle.material.corpus import Corpus, read_corpus
from smle.training.stage import Watch


@dataclass(frozen=True)
class Clustering:
    """What to group, and how.

    Args:
        by: What makes material alike.
        corpus: Folder or manifest; not needed for ``snr``.
        noise: Folder or manifest of noise to train with, for ``speaker`` and ``loss``.
        speakers: Table of speakers' genders.
        ks: Numbers of clusters, for ``speaker``, ``noise`` and ``loss``.
        levels_db: Centres, for ``snr``.
        heard: Whether speakers are embedded from clean or noisy utterances.
        steps: Updates of the embedding, or of a specialist in a round of ``loss``.
        seed: Everything random follows from it.
        jobs: Files at a time, -1 for as many as there are processors.
        cache: Folder for decoded audio.
    """

    by: By
    corpus: Path | None = None
    noise: Path | None = None
    speakers: Path | None = None
    ks: Sequence[int] = (2,)
    levels_db: Sequence[float] = (-5.0, 0.0, 5.0, 10.0)
    heard: Heard = "clean"
    steps: int | None = None
    seed: int = 0
    jobs: int = -1
    cache: Path | None = None


def cluster_corpus(asked: Clustering, *, watch: Watch = lambda _: None) -> Grouped:
    """Group what is asked.

    Args:
        asked: What to group, and how.
        watch: Told after every update of a training.

    Raises:
        CorpusError: The material cannot be read or grouped so.
    """
    if asked.by == "snr":
        return by_snr(asked.levels_db)
    seed, cache, jobs = asked.seed, asked.cache, asked.jobs
    complaint = f"--by {asked.by} groups recordings: name their folder"
    corpus = _read(asked.corpus, complaint, jobs, asked.speakers)
    if asked.by == "gender":
        return by_gender(corpus)
    if asked.by == "noise":
        return by_noise(corpus, asked.ks, seed=seed, cache_dir=cache, jobs=jobs)
    noise = _read(asked.noise, f"--by {asked.by} trains on noisy speech: add --noise FOLDER", jobs)
    if asked.by == "speaker":
        return by_speaker(
            corpus,
            noise,
            asked.ks,
            seed=seed,
            heard=asked.heard,
            training=SiameseTraining(steps=asked.steps) if asked.steps else None,
            cache_dir=cache,
            jobs=jobs,
            watch=watch,
        )
    return by_loss(
        corpus,
        noise,
        asked.ks,
        seed=seed,
        config=LossClustering(steps=asked.steps) if asked.steps else None,
        cache_dir=cache,
        jobs=jobs,
        watch=watch,
    )


def _read(path: Path | None, complaint: str, jobs: int, speakers: Path | None = None) -> Corpus:
    if path is None:
        raise CorpusError(complaint)
    return read_corpus(path, speakers=speakers, jobs=jobs)
