"""A small model with fresh weights, and the examples as modules."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from smle.checkpoint import save_model
from smle.mixture import Mixture
from smle.recipe import parse_recipe

RECIPE = """
format = 1
name = "random"
specialists = ["low", "high"]
generalist = true
[network]
kind = "recurrent"
hidden_size = 16
[gate]
hidden_size = 8
[routing]
margin = 0.0
"""


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("random")
    torch.manual_seed(0)
    save_model(Mixture(parse_recipe(tomllib.loads(RECIPE))), RECIPE, folder)
    return folder


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "examples")
    return importlib.import_module
