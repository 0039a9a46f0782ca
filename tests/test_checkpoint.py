from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import smle
from smle.enhancement.enhancer import Enhancer
from smle.errors import ModelError, RecipeError
from smle.model.folders import find_model
from smle.model.recipe import parse_recipe, read_recipe
from smle.tensors.checkpoint import load_model, save_model
from smle.tensors.mixture import Mixture
from tests.models import arrays

RECIPE = """
format = 1
name = "small"
specialists = ["a", "b"]
[network]
hidden_size = 4
layers = 1
[gate]
hidden_size = 4
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    save_model(Mixture(read_recipe(path)), RECIPE, tmp_path / "small")
    return tmp_path / "small"


def test_a_model_is_the_same_after_saving_and_loading(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    mixture = Mixture(read_recipe(path))
    save_model(mixture, RECIPE, tmp_path / "small")
    loaded = load_model(tmp_path / "small")
    for name, weight in mixture.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight)
    audio = np.random.default_rng(0).standard_normal((1, 9000)).astype(np.float32)
    kept = Enhancer(arrays(mixture), tmp_path)(audio, 16_000)
    np.testing.assert_array_equal(smle.load(tmp_path / "small")(audio, 16_000), kept)
    assert sorted(p.name for p in (tmp_path / "small").iterdir()) == [
        "model.safetensors",
        "recipe.toml",
    ]


def refused(folder: Path, *words: str) -> None:
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words), message


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "recipe.toml"
    path.write_text(path.read_text().replace(old, new))


def test_weights_of_another_shape_are_refused(folder):
    change(folder, "[network]\nhidden_size = 4", "[network]\nhidden_size = 5")
    refused(folder, "the recipe asks for")


def test_weights_of_other_networks_are_refused(folder):
    change(folder, 'specialists = ["a", "b"]', 'specialists = ["a", "b", "c"]')
    refused(folder, "lacks the tensor", "specialists.2")


def test_truncated_weights_are_refused(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    refused(folder, "cannot be read")


@pytest.mark.parametrize("content", [b"", b"garbage", struct.pack("<Q", 2**60) + b"{}"])
def test_a_file_that_is_no_safetensors_is_refused(folder, content):
    (folder / "model.safetensors").write_bytes(content)
    refused(folder, "cannot be read")


def test_a_header_that_promises_more_than_the_file_holds_is_refused(folder):
    header = json.dumps({"x": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}})
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header.encode())
    refused(folder, "cannot be read")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(folder, value):
    weights = load_file(folder / "model.safetensors")
    weights["gate.output.bias"][0] = value
    save_file(weights, folder / "model.safetensors")
    refused(folder, "gate.output.bias", "not finite")


def test_weights_of_another_type_are_refused(folder):
    weights = load_file(folder / "model.safetensors")
    weights["gate.output.bias"] = weights["gate.output.bias"].double()
    save_file(weights, folder / "model.safetensors")
    refused(folder, "F64", "F32")


def test_pickles_are_not_opened(folder):
    torch.save({"gate": torch.zeros(1)}, folder / "model.safetensors")
    refused(folder, "cannot be read")


def test_a_newer_format_is_refused(folder):
    change(folder, "format = 1", "format = 2")
    refused(folder, "format is 2", "newer")


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("hidden_size = 4", "hidden_size = 4000000", "4000000"),
        ("hidden_size = 4", "hidden_size = 0", "0"),
        ("hidden_size = 4", "hidden_size = -4", "-4"),
        ("layers = 1", "layers = 1000000000", "1000000000"),
        ("hidden_size = 4\nlayers = 1", "hidden_size = 4096\nlayers = 8", "parameters"),
        ("layers = 1", 'cell = "transformer"', "transformer"),
        ("layers = 1", "ranges = 3", "divisor"),
        ('["a", "b"]', "[]", "specialists"),
        ('["a", "b"]', '["a", "a"]', "told apart"),
        ("[network]", "[netwrk]", "netwrk"),
        ("format = 1", "format = 1\n]", "TOML"),
    ],
)
def test_an_absurd_recipe_is_refused_before_anything_is_allocated(folder, old, new, word):
    change(folder, old, new)
    refused(folder, word)


def test_a_missing_model_is_refused_with_the_known_ones():
    with pytest.raises(ModelError, match=r"bundled models: .*tiny"):
        find_model("no-such-model")


def test_the_folder_of_a_training_stands_for_its_model(folder, tmp_path):
    (tmp_path / "run").mkdir()
    folder.rename(tmp_path / "run" / "model")
    assert find_model(tmp_path / "run") == tmp_path / "run" / "model"


def test_every_bundled_model_loads():
    for name in ("tiny", "default"):
        assert load_model(find_model(name)).expert_names[-1] == "generalist"


def test_a_recipe_without_a_format_or_with_a_mark_at_its_begin_is_understood(tmp_path):
    text = 'format = 1\nname = "x"\nspecialists = ["a"]\n'
    (tmp_path / "recipe.toml").write_text(text, encoding="utf-8-sig")
    assert read_recipe(tmp_path / "recipe.toml").name == "x"
    with pytest.raises(RecipeError, match="add the line format = 1"):
        parse_recipe({"name": "x", "specialists": ["a"]})


def test_a_recipe_says_where_a_value_is_wrong():
    table = {"format": 1, "name": "x", "specialists": ["a"], "training": {"gate": {"steps": "9"}}}
    with pytest.raises(Exception, match=r"training\.gate\.steps is '9'"):
        parse_recipe(table)
