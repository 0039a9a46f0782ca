"""Where an update's time goes: making mixtures, or the network that learns from them.

python benchmarks/training_profile.py DATA [--cache DIR] [--updates 60] [--hidden-size 64]

DATA holds speech/train, noise/train and rir. A specialist of the papers' kind is trained with all
augmentation, and with one noise alone as in the papers; mixtures are made by a thread ahead of the
network, as in `smle train`. Processor seconds of both are counted apart, so a busy machine disturbs
them little; the wait is what the network loses by the clock because no mixture was ready.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from smle.material.corpus import read_corpus
from smle.material.dataset import MixtureDataset
from smle.material.decoded import Decoded
from smle.material.mixing_config import MixingConfig
from smle.material.prefetch import prefetch
from smle.material.rooms import Rooms, read_responses
from smle.model.config import NetworkConfig
from smle.model.recipe import Recipe, StageConfig, TrainingConfig
from smle.tensors.networks import build_network
from smle.training.optimisers import optimisers_for
from smle.training.spectra import Spectra

BATCH_SIZE, SEGMENT_S = 8, 2.5
PLAIN = MixingConfig(
    segment_s=SEGMENT_S,
    speed=0,
    equalise=0,
    room=0,
    clip=0,
    band_limit=0,
    second_noise=0,
    babble=0,
    synthetic=0,
)
_WARM_UP = 5


@dataclass(frozen=True)
class Profile:
    """Seconds per update.

    Args:
        loading_s: Of processor time, for making the mixtures.
        network_s: Of processor time, for spectra, network, loss and optimiser.
        wait_s: By the clock, until a batch was there.
        wall_s: By the clock, for all.
    """

    loading_s: float
    network_s: float
    wait_s: float
    wall_s: float


def profile(dataset: MixtureDataset, recipe: Recipe, updates: int) -> Profile:
    """Train a network for some updates and take the times.

    Args:
        dataset: Of mixtures.
        recipe: Shape of the network, and its loss.
        updates: That are timed; a few more come before.
    """
    torch.manual_seed(0)
    network = build_network(recipe.network, recipe.spectral)
    optimisers = optimisers_for(network, recipe.training.specialists)
    spectra = Spectra(recipe, torch.device("cpu"))
    batches = prefetch(dataset, range(_WARM_UP + updates), BATCH_SIZE)
    waited_s = 0.0
    for step in range(_WARM_UP + updates):
        if step == _WARM_UP:
            waited_s, wall = 0.0, time.perf_counter()
            everything, own = time.process_time(), time.thread_time()
        asked = time.perf_counter()
        batch = next(batches)
        waited_s += time.perf_counter() - asked
        spectrum, features = spectra.hear(batch)
        loss = spectra.compare(spectra.mask(network, features), spectrum, batch).mean()
        network.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for optimiser in optimisers:
            optimiser.step()
    network_s = time.thread_time() - own
    return Profile(
        loading_s=(time.process_time() - everything - network_s) / updates,
        network_s=network_s / updates,
        wait_s=waited_s / updates,
        wall_s=(time.perf_counter() - wall) / updates,
    )


def main() -> None:
    """Print a line for each way to mix."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="folder for decoded audio")
    parser.add_argument("--updates", type=int, default=60)
    parser.add_argument("--hidden-size", type=int, default=64)
    options = parser.parse_args()
    torch.set_num_threads(1)
    speech, noise = (
        Decoded(read_corpus(options.data / kind / "train"), cache_dir=options.cache)
        for kind in ("speech", "noise")
    )
    rooms = Rooms(read_responses(options.data / "rir"))
    recipe = Recipe(
        name="profile",
        specialists=("one",),
        network=NetworkConfig(cell="lstm", hidden_size=options.hidden_size),
        training=TrainingConfig(loss="si-sdr", specialists=StageConfig(optimiser="muon")),
    )
    print(f"H = {options.hidden_size}, {options.updates} updates of {BATCH_SIZE} x {SEGMENT_S} s")
    print("| mixtures | loading, CPU ms | network, CPU ms | waiting, ms | update, ms |")
    print("| --- | --- | --- | --- | --- |")
    for name, config in {
        "all augmentation": MixingConfig(segment_s=SEGMENT_S),
        "one noise": PLAIN,
    }.items():
        dataset = MixtureDataset(speech, noise, rooms, config, seed=1)
        found = profile(dataset, recipe, options.updates)
        times = (found.loading_s, found.network_s, found.wait_s, found.wall_s)
        print(f"| {name} | {' | '.join(f'{1000 * each:.1f}' for each in times)} |")


if __name__ == "__main__":
    main()
