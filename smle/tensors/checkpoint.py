"""Model folders for training: weights become networks, and are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save as serialise

from smle.files.whole_files import write_whole
from smle.model.folders import RECIPE_NAME, WEIGHTS_NAME
from smle.model.weights import read_model
from smle.tensors.mixture import Mixture


def load_model(folder: Path) -> Mixture:
    """Load a mixture from its folder, to train it further or to look into it.

    Args:
        folder: Holds the recipe and the weights.

    Returns:
        The mixture, ready to evaluate.

    Raises:
        ModelError: If recipe or weights are missing, broken, misshapen, not finite or absurd.
    """
    recipe, weights = read_model(folder)
    with torch.device("meta"):
        mixture = Mixture(recipe)
    tensors = {name: torch.from_numpy(weight) for name, weight in weights.items()}
    mixture.load_state_dict(tensors, assign=True)
    return mixture.requires_grad_(False).eval()


def save_model(mixture: Mixture, recipe_text: str, folder: Path) -> None:
    """Write a model folder: the recipe as it was given, and the weights.

    Args:
        mixture: The weights.
        recipe_text: TOML of the recipe that describes them.
        folder: Made if it is missing; its recipe and weights are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: t.detach().cpu().contiguous() for name, t in mixture.state_dict().items()}
    write_whole(folder / WEIGHTS_NAME, serialise(weights))
    write_whole(folder / RECIPE_NAME, recipe_text.encode())
