"""What benchmarks/papers.py trains: systems, budgets and the recipe of each network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HIDDEN_SIZE = 64
HIDDEN_SIZES = (64, 128, 256, 512)
# How often the updates of one network some generalists get: as many as that many specialists.
TIMES = (2, 5)
LEVELS_DB = (-5, 0, 5, 10)
Training = Literal[
    "naive", "tuned", "tuned-wide", "tuned-named", "gate-longer", "gate-cost", "guarded"
]
REMEDIES: dict[str, tuple[Training, ...]] = {
    "gender-2": ("guarded", "tuned-wide"),
    "snr-4": ("guarded", "gate-longer", "gate-cost", "tuned-named"),
    "speaker-2": ("guarded", "tuned-wide"),
    "speaker-5": ("guarded",),
    "speaker-10": ("guarded",),
}
"""What was tried, by group, where a claim did not hold; see `mixture_recipe`."""
_LONGER = 4
_CONFIDENCE = 0.6


@dataclass(frozen=True)
class Budget:
    """What every network of the table gets, whatever system it belongs to.

    Args:
        updates: Of each generalist, specialist and gate.
        joint: How many of them a fine-tuned specialist makes together with the gate. The others
            let their learning rate fall in that time.
        batch_size: Mixtures in an update.
        segment_s: Length of a mixture.
        learning_rate: Peak, of Muon and AdamW.
    """

    updates: int = 600
    joint: int = 240
    batch_size: int = 8
    segment_s: float = 2.5
    learning_rate: float = 6e-3

    def __post_init__(self) -> None:
        if not 0 < self.joint < self.updates:
            raise ValueError(f"{self.joint} joint updates of {self.updates}; choose fewer, above 0")

    @property
    def audio_s(self) -> float:
        """Seconds of mixtures that each network is trained on."""
        return self.updates * self.batch_size * self.segment_s


@dataclass(frozen=True)
class Group:
    """A way to group the training material, one specialist for each cluster."""

    by: Literal["gender", "snr", "speaker"]
    specialists: tuple[str, ...]

    @property
    def name(self) -> str:
        """As in the table."""
        return f"{self.by}-{len(self.specialists)}"


GROUPS = (
    Group("gender", ("F", "M")),
    Group("snr", tuple(f"{level} dB" for level in LEVELS_DB)),
    *(Group("speaker", tuple(f"speaker-{i}" for i in range(k))) for k in (2, 5, 10)),
)

# Mixtures as in the papers: one recorded noise, nothing else. Every level has as much room.
_TEMPLATE = """\
format = 1
name = "{name}"
specialists = [{specialists}]
generalist = {generalist}

[spectral]
compression = 1

[network]
kind = "recurrent"
cell = "lstm"
hidden_size = {hidden_size}
layers = 2

[clusters]
{clusters}

[mixing]
segment_s = {budget.segment_s}
snr_db = [-7.5, 12.5]
speed = 0
equalise = 0
room = 0
clip = 0
band_limit = 0
second_noise = 0
babble = 0
synthetic = 0
noise_only = 0
clean_only = 0

[training]
seed = {seed}
loss = "si-sdr"
specialists_start = "fresh"
gate_target = "{gate_target}"
mixed_precision = true
"""

_STAGE = """
[training.{stage}]
steps = {steps}
learning_rate = {rate}
optimiser = "muon"
batch_size = {batch_size}
decay = {decay}
validate_every_steps = {every}
"""


def generalist_name(hidden_size: int, times: int = 1) -> str:
    """As in the table."""
    return f"generalist-{hidden_size}" + (f"-x{times}" if times > 1 else "")


def generalist_recipe(budget: Budget, seed: int, hidden_size: int, times: int = 1) -> str:
    """The recipe of a generalist; its one specialist is never trained.

    Args:
        budget: Updates.
        seed: Of weights and mixtures.
        hidden_size: Of the network.
        times: How many networks' updates it gets.
    """
    stages = {"generalist": times * budget.updates, "specialists": 0, "gate": 0, "finetune": 0}
    return _recipe(
        generalist_name(hidden_size, times),
        ("nobody",),
        'by = "snr"\nlevels_db = [0]',
        stages,
        budget,
        seed,
        hidden_size=hidden_size,
        generalist=True,
    )


def mixture_recipe(group: Group, training: Training, budget: Budget, seed: int) -> str:
    """The recipe of a gate and its specialists.

    Args:
        group: What they specialise in.
        training: "naive": specialists from scratch, each on its cluster, and a gate that names
            clusters. "tuned": the joint stage alone, which follows on the naive one's trunks;
            "tuned-wide", with batches so large that each specialist hears as many mixtures as
            alone; "tuned-named", with a gate that goes on to be told the clusters' names.
            "gate-longer": four times the updates more for the naive one's gate; "gate-cost", with
            what its choices cost as its last lesson. "guarded": no training; the naive one with the
            generalist, which runs first, and whenever the gate is unsure, as in bundled models.
        budget: Updates.
        seed: Of weights and mixtures.
    """
    alone = budget.updates if training == "naive" else 0
    gate = _LONGER * budget.updates if training.startswith("gate") else alone
    joint = budget.joint if training.startswith("tuned") else 0
    stages = {"generalist": 0, "specialists": alone, "gate": gate, "finetune": joint}
    clusters = f'by = "{group.by}"\n'
    if group.by == "snr":
        clusters += f"levels_db = {list(LEVELS_DB)}"
    else:
        clusters += f'file = "{clusters_file(group)}"'
    text = _recipe(
        f"{group.name}-{training}",
        group.specialists,
        clusters,
        stages,
        budget,
        seed,
        gate_target="least" if training == "gate-cost" else "cluster",
        joint_batches=len(group.specialists) if training == "tuned-wide" else 1,
        generalist=training == "guarded",
    )
    if training == "guarded":
        text += f"\n[routing]\nconfidence = {_CONFIDENCE}\n"
    return text + ("gate_weight = 1.0\n" if training == "tuned-named" else "")


def clusters_file(group: Group) -> str:
    """Where a recipe looks for clusters: a path relative to its own folder."""
    return f"../{group.by}.json"


def _recipe(
    name: str,
    specialists: tuple[str, ...],
    clusters: str,
    stages: dict[str, int],
    budget: Budget,
    seed: int,
    *,
    hidden_size: int = HIDDEN_SIZE,
    generalist: bool = False,
    gate_target: str = "cluster",
    joint_batches: int = 1,
) -> str:
    text = _TEMPLATE.format(
        name=name,
        specialists=", ".join(f'"{specialist}"' for specialist in specialists),
        generalist=str(generalist).lower(),
        hidden_size=hidden_size,
        clusters=clusters,
        budget=budget,
        seed=seed,
        gate_target=gate_target,
    )
    for stage, steps in stages.items():
        joint = stage == "finetune"
        text += _STAGE.format(
            stage=stage,
            steps=steps,
            rate=budget.learning_rate,
            batch_size=budget.batch_size * (joint_batches if joint else 1),
            decay=1.0 if joint else budget.joint / budget.updates,
            every=max(1, budget.updates // 5),
        )
        if joint:
            text += 'alpha = "sigmoid"\n'
    return text
