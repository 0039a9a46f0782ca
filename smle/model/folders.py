"""Where models are, and what their recipes say: found without loading weights."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from smle.errors import ModelError
from smle.model.recipe import Recipe, read_recipe

RECIPE_NAME = "recipe.toml"
WEIGHTS_NAME = "model.safetensors"
DEFAULT_MODEL = "default"
MODEL_FOLDER = "model"
"""Where a training run leaves its model."""


def models_folder() -> Path:
    """Where the bundled models are: beside the package in a wheel, in models/ of a source tree."""
    bundled = Path(str(resources.files("smle"))) / "_models"
    return bundled if bundled.is_dir() else Path(__file__).parents[2] / "models"


def bundled_models() -> dict[str, Path]:
    """Folders of the bundled models by name, sorted."""
    folders = sorted(path.parent for path in models_folder().glob(f"*/{WEIGHTS_NAME}"))
    return {folder.name: folder for folder in folders}


def find_model(name: str | Path) -> Path:
    """Find a model's folder.

    Args:
        name: Name of a bundled model, "default" for the one that is meant for everybody, or the
            path of a model folder, or of a training run, which holds one.

    Returns:
        The folder.

    Raises:
        ModelError: If there is neither.
    """
    bundled = bundled_models()
    if str(name) == DEFAULT_MODEL:
        name = (models_folder() / "DEFAULT").read_text(encoding="utf-8").strip()
    if str(name) in bundled:
        return bundled[str(name)]
    for folder in (Path(name), Path(name) / MODEL_FOLDER):
        if (folder / RECIPE_NAME).is_file() and (folder / WEIGHTS_NAME).is_file():
            return folder
    known = ", ".join(bundled) or "none"
    raise ModelError(
        f"no model {str(name)!r}; bundled models: {known}; "
        f"or give a folder that holds {RECIPE_NAME} and {WEIGHTS_NAME}"
    )


def recipe_of(model: str) -> Recipe:
    """The recipe of a model, by name or folder, without its weights."""
    return read_recipe(find_model(model) / RECIPE_NAME)
