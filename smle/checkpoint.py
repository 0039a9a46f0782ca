"""Model folders: a recipe beside its weights, read with suspicion, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from smle.errors import ModelError, RecipeError
from smle.mixture import Mixture
from smle.model_folders import RECIPE_NAME, WEIGHTS_NAME
from smle.recipe import read_recipe
from smle.whole_files import write_whole as write_whole

_MAX_PARAMETERS = 200_000_000


def load_model(folder: Path, device: torch.device | str = "cpu") -> Mixture:
    """Load a mixture from its folder.

    Sizes are checked before anything is allocated; nothing in the folder is executed.

    Args:
        folder: Holds the recipe and the weights.
        device: Where the weights go.

    Returns:
        The mixture, ready to evaluate.

    Raises:
        ModelError: If recipe or weights are missing, broken, misshapen, not finite or absurd.
    """
    try:
        recipe = read_recipe(folder / RECIPE_NAME)
        with torch.device("meta"):
            mixture = Mixture(recipe)
    except RecipeError as error:
        raise ModelError(f"model {folder}: {error}") from None
    parameters = sum(p.numel() for p in mixture.parameters())
    if parameters > _MAX_PARAMETERS:
        raise ModelError(
            f"model {folder}: its recipe asks for {parameters} parameters; "
            f"the limit is {_MAX_PARAMETERS}"
        )
    path = folder / WEIGHTS_NAME
    weights = read_tensors(path, {n: tuple(p.shape) for n, p in mixture.state_dict().items()})
    for name, tensor in weights.items():
        if not torch.isfinite(tensor).all():
            raise ModelError(f"{path}: {name} holds values that are not finite; train it again")
    mixture.load_state_dict(weights, assign=True)
    return mixture.to(device).requires_grad_(False).eval()


def read_tensors(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Read the named float32 tensors from a safetensors file.

    Args:
        path: The file.
        shapes: Name and shape of every tensor that must be there, and no other.

    Returns:
        The tensors by name.

    Raises:
        ModelError: If the file is missing or broken, or holds other names, shapes or types.
    """
    try:
        with safe_open(path, framework="pt") as file:
            names = set(file.keys())
            if names != set(shapes):
                odd = sorted(names ^ set(shapes))[0]
                have = "holds an unknown" if odd in names else "lacks the"
                raise ModelError(f"{path} {have} tensor {odd!r}; it belongs to another recipe")
            for name, shape in shapes.items():
                view = file.get_slice(name)
                if tuple(view.get_shape()) != shape or view.get_dtype() != "F32":
                    raise ModelError(
                        f"{path}: {name} is {view.get_dtype()} {tuple(view.get_shape())}, "
                        f"the recipe asks for F32 {shape}"
                    )
            return {name: file.get_tensor(name) for name in shapes}
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({error}); get the model anew") from None


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
