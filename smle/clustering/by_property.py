"""Grouping a corpus by a property: speaker, gender, signal-to-noise ratio or kind of noise."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from smle.clustering.grouping import Grouped, check_ks, count, gender_facts, group
from smle.clustering.siamese import Heard, SiameseTraining, embed_speakers, train_embedding
from smle.clustering.timbre import corpus_timbre
from smle.errors import CorpusError
from smle.material.clusters import Clusters
from smle.material.corpus import Corpus
from smle.material.decoded import Decoded
from smle.training.stage import Watch


def by_speaker(
    corpus: Corpus,
    noise: Corpus,
    ks: Sequence[int],
    *,
    seed: int = 0,
    heard: Heard = "clean",
    training: SiameseTraining | None = None,
    cache_dir: str | Path | None = None,
    jobs: int = -1,
    watch: Watch = lambda _: None,
) -> Grouped:
    """Group speakers by k-means on their mean embeddings (P2).

    Args:
        corpus: Speech, with speakers.
        noise: Noise for the pairs that the embedding is trained on.
        ks: Numbers of clusters.
        seed: Everything random follows from it.
        heard: Whether the embedded utterances are clean, as in P2, or noisy.
        training: How long the embedding is trained.
        cache_dir: Folder for decoded audio.
        jobs: Files at a time, -1 for as many as there are processors.
        watch: Told after every update of the training.

    Raises:
        CorpusError: The corpus lacks speakers, or a K is above their number.
    """
    speakers = corpus.speakers
    if len(speakers) < 2:
        raise CorpusError(
            f"{corpus.root} has {len(speakers)} labelled speaker(s): grouping by speaker needs "
            "two or more, each in a folder of its own"
        )
    check_ks(ks, len(speakers), "speakers")
    labelled = corpus.select(lambda utterance: utterance.speaker is not None)
    speech = Decoded(labelled, cache_dir=cache_dir, jobs=jobs)
    noises = Decoded(noise, cache_dir=cache_dir, jobs=jobs)
    trained = train_embedding(speech, noises, training or SiameseTraining(), seed=seed, watch=watch)
    names, points = embed_speakers(trained.network, speech, noises, heard, seed=seed, jobs=jobs)
    seconds = _seconds_of_speakers(labelled)
    genders = {u.speaker: u.gender for u in labelled.utterances if u.speaker}
    facts = {
        "embedding": {
            "heard": heard,
            "steps": trained.steps,
            "pair_loss": round(trained.loss, 4),
            "pair_accuracy": round(trained.accuracy, 4),
            "judged_on": trained.judged_on,
        }
    }
    groupings = [
        _with_facts(group("speaker", names, points, seconds, k, seed=seed, genders=genders), facts)
        for k in ks
    ]
    notes = []
    if trained.left_out:
        notes.append(
            f"{len(trained.left_out)} speaker(s) with a single short recording are grouped, but "
            f"the embedding was not trained on them: {', '.join(trained.left_out[:5])}"
            + (", ..." if len(trained.left_out) > 5 else "")
        )
    if len(labelled) < len(corpus):
        notes.append(f"{len(corpus) - len(labelled)} recordings without a speaker were left out")
    return Grouped(groupings, names, points, tuple(notes))


def by_gender(corpus: Corpus) -> Grouped:
    """Group speakers by their gender labels.

    Raises:
        CorpusError: Fewer than two genders are labelled.
    """
    labelled = corpus.select(lambda utterance: utterance.gender is not None)
    names = tuple(sorted({str(u.gender) for u in labelled.utterances}))
    if len(names) < 2:
        raise CorpusError(
            f"{corpus.root} has {len(names)} gender(s) labelled: add speakers.csv with the columns "
            "speaker and gender, or give --speakers whose speakers are its folders"
        )
    number = {name: index for index, name in enumerate(names)}
    of_speaker = {u.speaker: str(u.gender) for u in labelled.utterances if u.speaker}
    assignments = {speaker: number[gender] for speaker, gender in of_speaker.items()}
    seconds = _seconds_of_speakers(labelled)
    facts = count(assignments, seconds, len(names)) | gender_facts(
        assignments, of_speaker, len(names)
    )
    notes: tuple[str, ...] = ()
    if len(labelled) < len(corpus):
        notes = (f"{len(corpus) - len(labelled)} recordings without a gender were left out",)
    return Grouped([Clusters("gender", names, number | assignments, facts=facts)], notes=notes)


def by_snr(levels_db: Sequence[float]) -> Grouped:
    """Group mixtures by the nearest of given signal-to-noise ratios (P1).

    Raises:
        CorpusError: Fewer than two different levels.

    >>> by_snr([5, -5]).groupings[0].edges_db
    (0.0,)
    """
    levels = tuple(sorted({float(level) for level in levels_db}))
    if len(levels) < 2:
        raise CorpusError(f"{len(levels)} level(s) given: name two or more different ones in dB")
    return Grouped([Clusters("snr", tuple(f"{level:g} dB" for level in levels), levels_db=levels)])


def by_noise(
    noise: Corpus,
    ks: Sequence[int],
    *,
    seed: int = 0,
    cache_dir: str | Path | None = None,
    jobs: int = -1,
) -> Grouped:
    """Group recordings of noise by how they sound: level, spread and movement in 24 bands.

    Args:
        noise: Recordings of noise.
        ks: Numbers of clusters.
        seed: Of k-means.
        cache_dir: Folder for decoded audio.
        jobs: Files at a time, -1 for as many as there are processors.

    Raises:
        CorpusError: A K is above the number of recordings.
    """
    check_ks(ks, len(noise), "recordings")
    points = corpus_timbre(Decoded(noise, cache_dir=cache_dir, jobs=jobs), jobs=jobs)
    names = list(noise.names)
    seconds = dict(zip(names, (u.seconds for u in noise.utterances), strict=True))
    groupings = [group("noise", names, points, seconds, k, seed=seed) for k in ks]
    return Grouped(groupings, names, points)


def _seconds_of_speakers(corpus: Corpus) -> dict[str, float]:
    seconds = dict.fromkeys(corpus.speakers, 0.0)
    for utterance in corpus.utterances:
        if utterance.speaker:
            seconds[utterance.speaker] += utterance.seconds
    return seconds


def _with_facts(clusters: Clusters, facts: dict[str, Any]) -> Clusters:
    return dataclasses.replace(clusters, facts={**clusters.facts, **facts})
