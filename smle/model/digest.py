"""What tells a model from every other: the bytes of its recipe and of its weights."""

from __future__ import annotations

from smle.files.digest import digest_of
from smle.model.folders import RECIPE_NAME, WEIGHTS_NAME, find_model


def model_digest(model: str) -> str:
    """A fingerprint that tells a model, by name or folder, from every other."""
    folder = find_model(model)
    return "".join(digest_of(folder / name) for name in (RECIPE_NAME, WEIGHTS_NAME))
