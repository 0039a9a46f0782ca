"""Model folders read with suspicion, and without torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from smle.errors import ModelError, RecipeError
from smle.model.folders import RECIPE_NAME, WEIGHTS_NAME
from smle.model.recipe import Recipe, read_recipe
from smle.model.weight_shapes import count_parameters, weight_shapes

_MAX_PARAMETERS = 200_000_000


def read_model(folder: Path) -> tuple[Recipe, dict[str, NDArray[np.float32]]]:
    """Read recipe and weights of a model folder.

    Sizes are checked before anything is allocated; nothing in the folder is executed.

    Args:
        folder: Holds the recipe and the weights.

    Returns:
        The recipe, and the weights by name.

    Raises:
        ModelError: If recipe or weights are missing, broken, misshapen, not finite or absurd.
    """
    try:
        recipe = read_recipe(folder / RECIPE_NAME)
    except RecipeError as error:
        raise ModelError(f"model {folder}: {error}") from None
    shapes = weight_shapes(recipe)
    parameters = count_parameters(shapes)
    if parameters > _MAX_PARAMETERS:
        raise ModelError(
            f"model {folder}: its recipe asks for {parameters} parameters; "
            f"the limit is {_MAX_PARAMETERS}"
        )
    path = folder / WEIGHTS_NAME
    weights = _read(path, shapes)
    for name, weight in weights.items():
        if not np.isfinite(weight).all():
            raise ModelError(f"{path}: {name} holds values that are not finite; train it again")
    return recipe, weights


def _read(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    """Read exactly the named float32 arrays from a safetensors file."""
    try:
        with safe_open(path, framework="numpy") as file:
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
