"""Training the speaker embedding of P2, and embedding a corpus with it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from joblib import Parallel, delayed
from numpy.typing import NDArray

from smle.clustering.embedding import SpeakerEmbedding, pair_loss
from smle.clustering.speaker_pairs import SpeakerPairs, with_noise
from smle.material.clusters import Only
from smle.material.decoded import Decoded
from smle.material.draw import NoiseDraw
from smle.training.stage import Progress, Watch

Heard = Literal["clean", "noisy"]

_HELD_OUT_SHARE = 0.1
_FEWEST_TO_HOLD_OUT = 20
_VALIDATE_EVERY_STEPS = 50
_VALIDATION_BATCHES = 4
_LEARNING_RATE = 4e-3
_CLIP_NORM = 1.0
_STAGE = "speaker embedding"
_LONGEST_S = 20.0


@dataclass(frozen=True)
class SiameseTraining:
    """How long the embedding is trained.

    Args:
        steps: Most updates.
        speakers: Speakers per update, up to four signals each; all pairs of them count.
        patience_steps: Updates without a better score on held-out speakers before it ends.
    """

    steps: int = 1000
    speakers: int = 24
    patience_steps: int = 300


@dataclass(frozen=True)
class Trained:
    """A trained embedding.

    Args:
        network: With the weights of the best validation.
        steps: Updates made.
        loss: Binary cross-entropy on fixed pairs.
        accuracy: Share of those pairs told right.
        judged_on: Whether these pairs are of held-out speakers, or, where there are too few to
            hold some out, of the training's own in other mixtures.
        left_out: Speakers that make no pair.
    """

    network: SpeakerEmbedding
    steps: int
    loss: float
    accuracy: float
    judged_on: Literal["held-out speakers", "training speakers"]
    left_out: tuple[str, ...]


def train_embedding(
    speech: Decoded,
    noise: Decoded,
    config: SiameseTraining,
    *,
    seed: int,
    watch: Watch = lambda _: None,
) -> Trained:
    """Train the embedding on pairs of noisy utterances of the corpus's labelled speakers.

    Args:
        speech: Decoded speech.
        noise: Decoded noise at the same rate.
        config: How long.
        seed: Of weights and pairs.
        watch: Told after every update.

    Raises:
        CorpusError: The corpus makes no pairs.
    """
    speakers = list(speech.corpus.speakers)
    everybody = SpeakerPairs(speech, noise, speakers, seed=seed)
    speakers, left_out = everybody.speakers, tuple(everybody.left_out)
    shuffled = [speakers[i] for i in np.random.default_rng(seed).permutation(len(speakers))]
    count = round(_HELD_OUT_SHARE * len(speakers)) if len(speakers) >= _FEWEST_TO_HOLD_OUT else 0
    training = SpeakerPairs(speech, noise, shuffled[count:], seed=seed)
    held_out = SpeakerPairs(speech, noise, shuffled[:count] or shuffled, seed=seed + 1)
    fixed = [held_out.batch(step, config.speakers) for step in range(_VALIDATION_BATCHES)]

    torch.manual_seed(seed)
    network = SpeakerEmbedding(speech.sample_rate)
    optimiser = torch.optim.Adam(network.parameters(), _LEARNING_RATE)
    loss, accuracy = _validate(network, fixed)
    best = Trained(
        copy.deepcopy(network),
        0,
        loss,
        accuracy,
        "held-out speakers" if count else "training speakers",
        left_out,
    )
    for step in range(1, config.steps + 1):
        signals, numbers = training.batch(step, config.speakers)
        batch_loss, _ = pair_loss(network.train()(signals), numbers)
        optimiser.zero_grad()
        batch_loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), _CLIP_NORM)
        optimiser.step()
        score = None
        if step % _VALIDATE_EVERY_STEPS == 0 or step == config.steps:
            score, accuracy = _validate(network, fixed)
            if score < best.loss:
                best = replace(
                    best, network=copy.deepcopy(network), steps=step, loss=score, accuracy=accuracy
                )
        watch(Progress(_STAGE, step, config.steps, batch_loss.item(), score, _LEARNING_RATE))
        if step - best.steps >= config.patience_steps:
            break
    return best


def embed_speakers(
    network: SpeakerEmbedding,
    speech: Decoded,
    noise: Decoded,
    condition: Heard,
    *,
    seed: int,
    jobs: int = -1,
) -> tuple[list[str], NDArray[np.float32]]:
    """Return the labelled speakers and the mean embedding of each, shape (speakers, 32).

    Args:
        network: Trained embedding.
        speech: Decoded speech; of utterances above 20 s the first 20 s are heard.
        noise: Decoded noise, for ``noisy``.
        condition: Whether utterances are heard clean, as in P2, or with noise like the pairs'.
        seed: Of the noise.
        jobs: Files at a time, -1 for as many as there are processors.
    """
    draw = NoiseDraw(noise, Only())
    labelled = [i for i, u in enumerate(speech.corpus.utterances) if u.speaker is not None]

    @torch.inference_mode()
    def embed(index: int) -> NDArray[np.float32]:
        signal = speech.excerpt(index, 0, round(_LONGEST_S * speech.sample_rate))
        if condition == "noisy":
            rng = np.random.default_rng(np.random.SeedSequence([seed, index]))
            signal = with_noise(rng, signal, draw, sample_rate=speech.sample_rate)
        embedded: NDArray[np.float32] = network(torch.from_numpy(signal)[None])[0].numpy()
        return embedded

    embeddings = Parallel(n_jobs=jobs, prefer="threads")(delayed(embed)(i) for i in labelled)
    of_speaker: dict[str, list[NDArray[np.float32]]] = {s: [] for s in speech.corpus.speakers}
    for index, embedding in zip(labelled, embeddings, strict=True):
        of_speaker[str(speech.corpus.utterances[index].speaker)].append(embedding)
    return list(of_speaker), np.stack([np.mean(e, axis=0) for e in of_speaker.values()])


@torch.inference_mode()
def _validate(
    network: SpeakerEmbedding, batches: list[tuple[torch.Tensor, torch.Tensor]]
) -> tuple[float, float]:
    network.eval()
    scores = [pair_loss(network(signals), numbers) for signals, numbers in batches]
    loss = sum(loss.item() for loss, _ in scores) / len(scores)
    return loss, sum(accuracy for _, accuracy in scores) / len(scores)
