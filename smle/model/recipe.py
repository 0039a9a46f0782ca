"""A recipe: the one TOML file that says what a model is and how it is trained."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from smle.errors import RecipeError
from smle.model.bands import N_BINS
from smle.model.config import (
    GateConfig,
    NetworkConfig,
    RoutingConfig,
    SpectralConfig,
    from_table,
    within,
)

FORMAT = 1
# The longest window of the loss is mirrored by so many samples at the ends of a mixture.
_MIRRORED = 512
LISTENING_RATE_HZ, LISTENING_S = 16_000, 0.5
_MAX_RECIPE_BYTES = 1_000_000
_MAX_SPECIALISTS = 64
_NO_NAMES = ("", "segment", "file", "folder")  # what else a route may be
_MAX_STEPS = 1_000_000_000
_MAX_WEIGHT = 1_000.0
LossKind = Literal["si-sdr", "si-sdr+spectral", "si-sdr+spectral+perceptual"]
AlphaSchedule = Literal["one", "exponential", "sigmoid", "sine", "ten"]


@dataclass(frozen=True)
class StageConfig:
    """How long and how fast one stage of training goes.

    Args:
        steps: Updates; 0 skips the stage.
        learning_rate: Peak rate of the optimiser, held until the decay.
        optimiser: "adamw", or "muon" for the weight matrices and AdamW for the rest.
        batch_size: Mixtures per update.
        decay: Last part of the steps over which the rate falls to zero.
        average: Decay of the running average of weights that is kept, 0 for the last weights.
        validate_every_steps: Steps between scores on fixed mixtures of training material.
        patience_steps: Steps without a better score after which the stage ends; 0 for never.
        snr_db: Signal-to-noise ratio of the stage's mixtures, if it is not that of `[mixing]`.
    """

    steps: int = 1000
    learning_rate: float = 1e-3
    optimiser: Literal["adamw", "muon"] = "adamw"
    batch_size: int = 16
    decay: float = 0.3
    average: float = 0.99
    validate_every_steps: int = 250
    patience_steps: int = 0
    snr_db: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        within("steps", self.steps, 0, _MAX_STEPS)
        within("learning_rate", self.learning_rate, 0, 10)
        within("batch_size", self.batch_size, 1, 65_536)
        within("decay", self.decay, 0, 1)
        within("average", self.average, 0, 0.999_999)
        within("validate_every_steps", self.validate_every_steps, 1, _MAX_STEPS)
        within("patience_steps", self.patience_steps, 0, _MAX_STEPS)
        if self.snr_db is not None:
            within("snr_db", self.snr_db[0], -100, self.snr_db[1])
            within("snr_db", self.snr_db[1], self.snr_db[0], 100)


@dataclass(frozen=True)
class FinetuneConfig(StageConfig):
    """The joint stage, P1's fine-tuning through a soft mixture that hardens.

    Args:
        routing: "soft" as in P1; "hard" trains every specialist on what the gate sends to it, and
            leaves the gate alone (the other fields are the soft one's).
        alpha: Schedule of the sharpness (see `smle.model.annealing`).
        gate_weight: Weight of the gate's cross-entropy beside the loss of the estimate.
        balance_weight: Weight of the penalty on uneven use of the specialists.
        straight_through: Hard choices forward, soft gradients backward.
    """

    routing: Literal["soft", "hard"] = "soft"
    alpha: AlphaSchedule = "sigmoid"
    gate_weight: float = 0.0
    balance_weight: float = 0.0
    straight_through: bool = False


@dataclass(frozen=True)
class PolishConfig(StageConfig):
    """The last stage, in which networks learn how they sound (`smle.training.listening_loss`).

    The generalist learns on all mixtures.

    Args:
        specialists: "routed" if each learns on the mixtures that the gate sends to it, a batch for
            each in every update; "shared" if they take over what the generalist's weights change
            by, which networks of one trunk may.
        share: Share of the polished weights that networks keep; the rest are those before the
            polish. The mean sounds nearly as good and stays closer to the clean signal.
        loudness_weight: Of the loudness that PESQ compares, beside intelligibility and ratings;
            more of it gains PESQ and loses DNSMOS. Not used where `training.loss` hears both.
    """

    steps: int = 0
    specialists: Literal["routed", "shared"] = "routed"
    share: float = 1.0
    loudness_weight: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.share <= 1:
            raise RecipeError(f"share is {self.share}; choose a share above 0 and up to 1")
        within("loudness_weight", self.loudness_weight, 0, _MAX_WEIGHT)


@dataclass(frozen=True)
class TrainingConfig:
    """Every stage of training, and what they share.

    Args:
        seed: Of weights and mixtures.
        loss: "si-sdr" as in the papers, or with compressed spectral terms, or with these and with
            how estimates sound (`smle.training.losses`).
        specialists_start: "generalist" fine-tunes it on each cluster; "trunk" takes it from where
            its learning rate began to fall, so that with as many steps as that fall took each
            specialist has been trained as long as the generalist; "fresh" begins anew.
        specialists_share: Share of their own weights that specialists keep after fine-tuning, and
            after polishing; the rest are the generalist's. Networks that branched off one trunk may
            be averaged, and the mean can be better than either (M. Wortsman et al., 2022, WiSE-FT).
        gate_target: The gate learns the mixture's "cluster", as in the papers, or after that also
            to choose the specialist whose loss on it is "least".
        clip_norm: Largest norm of a gradient.
        mixed_precision: Run the networks in bfloat16, weights and losses in float32; quicker on
            GPUs, and on CPUs that know the type.
    """

    seed: int = 1
    loss: LossKind = "si-sdr+spectral"
    specialists_start: Literal["generalist", "trunk", "fresh"] = "generalist"
    specialists_share: float = 1.0
    gate_target: Literal["cluster", "least"] = "cluster"
    clip_norm: float = 1.0
    mixed_precision: bool = False
    generalist: StageConfig = field(default_factory=StageConfig)
    specialists: StageConfig = field(default_factory=StageConfig)
    gate: StageConfig = field(default_factory=StageConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    polish: PolishConfig = field(default_factory=PolishConfig)

    @property
    def is_perceptual(self) -> bool:
        """Whether every stage hears loudness and intelligibility, not the polish alone."""
        return self.loss == "si-sdr+spectral+perceptual"

    def __post_init__(self) -> None:
        within("seed", self.seed, 0, 2**63 - 1)
        if not 0 < self.clip_norm < math.inf:
            raise RecipeError(f"clip_norm is {self.clip_norm}; choose a norm above 0")


@dataclass(frozen=True)
class Recipe:
    """What a model is and how it is trained.

    Args:
        name: Of the model.
        specialists: Names of the specialists, one per cluster, in the clusters' order.
        summary: One line for `smle models`.
        generalist: Whether the model carries a generalist as well.
        start: Expert that runs before the first decision; the generalist, or the first specialist.
        clusters: Table for the clusters: `by` and what it needs (see `smle.training.data`).
        mixing: Table for the mixtures that it is trained on (see `smle.material.mixing_config`).

    >>> Recipe(name="pair", specialists=("low", "high")).start_name
    'low'
    """

    name: str
    specialists: tuple[str, ...]
    summary: str = ""
    generalist: bool = False
    spectral: SpectralConfig = field(default_factory=SpectralConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    gate: GateConfig = field(default_factory=GateConfig)
    routing: RoutingConfig = field(default_factory=RoutingConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    clusters: Mapping[str, Any] = field(default_factory=dict)
    mixing: Mapping[str, Any] = field(default_factory=dict)
    start: str = ""

    def __post_init__(self) -> None:
        if not 1 <= len(self.specialists) <= _MAX_SPECIALISTS:
            raise RecipeError(
                f"specialists lists {len(self.specialists)} names; "
                f"give from 1 to {_MAX_SPECIALISTS}"
            )
        unfit = [name for name in self.specialists if name in _NO_NAMES]
        if unfit:
            raise RecipeError(f"a specialist is named {unfit[0]!r}, which means something else")
        if len(set(self.expert_names)) != len(self.expert_names):
            raise RecipeError(
                f"specialists {', '.join(self.specialists)} are not told apart; "
                "give each a name of its own, none of them 'generalist'"
            )
        if self.network.kind == "subband" and self.spectral.n_bins != N_BINS:
            raise RecipeError(
                f"network.kind 'subband' with {self.spectral.n_bins} bins; its bands need "
                f"{N_BINS}, so use 16000 Hz with a window of 0.032 s"
            )
        share = self.training.specialists_share
        if not 0 < share <= 1 or (share < 1 and not self.generalist):
            raise RecipeError(
                f"training.specialists_share is {share}; choose a share above 0 and up to 1, and "
                "below 1 only with generalist = true"
            )
        if self.training.specialists_start == "trunk" and not self.generalist:
            raise RecipeError(
                "training.specialists_start is 'trunk', and there is no generalist to branch off; "
                "write 'fresh', or generalist = true"
            )
        fresh = self.training.specialists_start == "fresh"
        if self.training.polish.specialists == "shared" and (fresh or not self.generalist):
            raise RecipeError(
                "training.polish.specialists is 'shared', and there is no generalist that they "
                "branched off; write 'routed', or generalist = true and a specialists_start"
            )
        perceptual = self.training.is_perceptual
        listener = "training.loss" if perceptual else "training.polish"
        remedy = "choose another loss" if perceptual else "give it 0 steps"
        listens = perceptual or self.training.polish.steps > 0
        if listens and self.spectral.sample_rate != LISTENING_RATE_HZ:
            raise RecipeError(
                f"{listener} listens at {LISTENING_RATE_HZ} Hz, and spectral.sample_rate is "
                f"{self.spectral.sample_rate}; {remedy}"
            )
        length_s = self.mixing.get("segment_s")
        if not isinstance(length_s, int | float):  # of which whoever reads that table complains
            length_s = math.inf
        samples = length_s * self.spectral.sample_rate
        if listens and length_s < LISTENING_S:
            raise RecipeError(
                f"{listener} listens for {LISTENING_S} s, and mixing.segment_s is {length_s}; "
                f"make it longer, or {remedy}"
            )
        if self.training.loss != "si-sdr" and samples <= _MIRRORED:
            raise RecipeError(
                f"mixing.segment_s is {length_s} at {self.spectral.sample_rate} Hz, too short for "
                f"training.loss {self.training.loss!r}; make it longer"
            )
        if self.start_name not in self.expert_names:
            raise RecipeError(
                f"start is {self.start!r}; choose one of {', '.join(self.expert_names)}"
            )

    @property
    def expert_names(self) -> tuple[str, ...]:
        """The specialists, then the generalist if the model carries one."""
        return (*self.specialists, "generalist") if self.generalist else self.specialists

    @property
    def start_name(self) -> str:
        """Expert that runs before the first decision."""
        return self.start or ("generalist" if self.generalist else self.specialists[0])


def read_recipe(path: Path) -> Recipe:
    """Read a recipe from a TOML file.

    Args:
        path: The file.

    Returns:
        The recipe, checked.

    Raises:
        RecipeError: If it cannot be read, or says something unknown, mistyped or out of range.
    """
    try:
        if path.stat().st_size > _MAX_RECIPE_BYTES:
            raise RecipeError(f"{path} has {path.stat().st_size} bytes; a recipe is a short text")
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise RecipeError(f"{path} cannot be read ({error.strerror}); give a recipe file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecipeError(f"{path} is no TOML ({error}); mend it") from None
    try:
        return parse_recipe(table)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from None


def parse_recipe(table: Mapping[str, Any]) -> Recipe:
    """Build a recipe from the tables of its TOML file.

    Raises:
        RecipeError: If it says something unknown, mistyped, out of range or from a newer format.

    >>> parse_recipe({"format": 1, "name": "one", "specialists": ["all"]}).name
    'one'
    """
    given = dict(table)
    version = given.pop("format", None)
    if version is None:
        raise RecipeError(f"a recipe begins with its format; add the line format = {FORMAT}")
    if version != FORMAT:
        raise RecipeError(
            f"format is {version!r}, this smle reads {FORMAT}; "
            "install a newer smle or use another model"
        )
    return from_table(Recipe, given, "")
