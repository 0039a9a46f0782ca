"""What networks are polished by agrees with the packages that measure the same."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from smle.errors import RecipeError
from smle.model.recipe import parse_recipe
from smle.training.intelligibility import intelligibility
from smle.training.loudness import loudness_error
from smle.training.perceptual_loss import perceptual_loss
from tests.speech_like import RATE_HZ, noise_like, speech_like

CPU = torch.device("cpu")
CLEAN = speech_like()
NOISY = [CLEAN + gain * noise_like() for gain in (0.03, 0.1, 0.3, 1.0, 3.0)]


def rows(*signals: np.ndarray) -> torch.Tensor:
    return torch.tensor(np.stack(signals), dtype=torch.float32)


def needs(*packages: str) -> None:
    for package in packages:
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")


@pytest.mark.parametrize("network", ["dnsmos_models", "pdnsmos_models"])
def test_the_rating_network_rates_as_onnxruntime_does(network: str) -> None:
    needs("onnx", "onnxruntime", "speechmos")
    import onnxruntime

    from smle.evaluation.dnsmos import WINDOW, network_file
    from smle.training.rating_network import RatingNetwork

    path = network_file(f"{network}/sig_bak_ovr.onnx")
    signals = rows(*(np.resize(signal, WINDOW) for signal in (CLEAN, *NOISY)))
    theirs = onnxruntime.InferenceSession(path).run(None, {"input_1": signals.numpy()})[0]
    np.testing.assert_allclose(RatingNetwork(path, CPU)(signals), theirs, atol=1e-4)


def test_intelligibility_ranks_noise_and_follows_stoi() -> None:
    needs("pystoi")
    from smle.evaluation.perceptual import stoi

    ours = intelligibility(rows(*NOISY), rows(*[CLEAN] * len(NOISY))).numpy()
    theirs = [stoi(noisy, CLEAN, RATE_HZ, extended=True) for noisy in NOISY]
    assert (np.diff(ours) < 0).all()
    np.testing.assert_allclose(ours, theirs, atol=0.15)


def test_loudness_ranks_noise_and_follows_pesq() -> None:
    needs("pesq")
    from smle.evaluation.perceptual import pesq_mos

    ours = loudness_error(rows(*NOISY), rows(*[CLEAN] * len(NOISY))).numpy()
    theirs = [pesq_mos(noisy, CLEAN, RATE_HZ) for noisy in NOISY]
    assert (np.diff(ours) > 0).all()
    assert np.corrcoef(ours, theirs)[0, 1] < -0.9


def test_a_copy_at_any_level_is_perfect() -> None:
    clean = rows(CLEAN, CLEAN, CLEAN)
    copies = clean * torch.tensor([[0.01], [1.0], [3.0]])
    torch.testing.assert_close(intelligibility(copies, clean), torch.ones(3), atol=1e-3, rtol=0)
    assert loudness_error(copies, clean).max() < 0.02


def test_less_noise_is_better_and_nothing_left_is_no_answer() -> None:
    needs("onnx", "speechmos")
    from smle.training.listening_loss import ListeningLoss

    judge = ListeningLoss(CPU, 0.1)
    losses = [judge(rows(estimate), rows(CLEAN)).item() for estimate in (CLEAN, *NOISY)]
    assert losses == sorted(losses)
    assert judge(rows(np.zeros_like(CLEAN)), rows(CLEAN)).item() > losses[4]


def test_beside_a_loss_that_hears_the_rest_ratings_stand_alone() -> None:
    needs("onnx", "speechmos")
    from smle.training.listening_loss import ListeningLoss

    noisy, clean = rows(NOISY[2], CLEAN), rows(CLEAN, np.zeros_like(CLEAN))
    whole, ratings = (ListeningLoss(CPU, weight)(noisy, clean) for weight in (0.1, None))
    rest = perceptual_loss(noisy, clean, loudness_weight=0.1, intelligibility_weight=0.5)
    torch.testing.assert_close(whole, ratings + rest)
    assert ratings[0] < 0 == ratings[1] == rest[1]


def test_loudness_weighs_as_much_as_it_is_told_to() -> None:
    needs("onnx", "speechmos")
    from smle.training.listening_loss import ListeningLoss

    noisy, clean = rows(NOISY[2]), rows(CLEAN)
    light, heavy = (ListeningLoss(CPU, weight)(noisy, clean) for weight in (0.1, 0.25))
    torch.testing.assert_close(heavy - light, 0.15 * loudness_error(noisy, clean))


def test_silence_is_not_judged_and_leaves_gradients_finite() -> None:
    needs("onnx", "speechmos")
    from smle.training.listening_loss import ListeningLoss

    clean = rows(CLEAN, np.zeros_like(CLEAN), CLEAN)
    estimate = rows(NOISY[2], NOISY[2], np.zeros_like(CLEAN)).requires_grad_()
    loss = ListeningLoss(CPU, 0.1)(estimate, clean)
    assert loss[1] == 0.0
    loss.sum().backward()
    assert torch.isfinite(estimate.grad).all()
    assert not estimate.grad[1].any()


@pytest.mark.parametrize(
    ("part", "value", "word"),
    [
        ("spectral", {"sample_rate": 8000}, "listens at 16000 Hz"),
        ("mixing", {"segment_s": 0.3}, "segment_s is 0.3"),
        ("training", {"polish": {"steps": 10, "share": 1.5}}, "share is 1.5"),
        ("training", {"polish": {"loudness_weight": -1.0}}, "loudness_weight is -1.0"),
        ("training", {"polish": {"specialists": "shared"}}, "there is no generalist"),
    ],
)
def test_polishing_refuses_what_it_cannot_listen_to(part: str, value: object, word: str) -> None:
    polish = {"polish": {"steps": 10}}
    table = {"format": 1, "name": "one", "specialists": ["all"], "training": polish, part: value}
    with pytest.raises(RecipeError, match=word):
        parse_recipe(table)


@pytest.mark.parametrize(
    ("part", "value", "word"),
    [
        ("spectral", {"sample_rate": 8000}, "training.loss listens at 16000 Hz"),
        ("mixing", {"segment_s": 0.3}, r"training.loss listens for 0.5 s.*segment_s is 0.3"),
    ],
)
def test_a_loss_refuses_what_it_cannot_listen_to(part: str, value: object, word: str) -> None:
    table = {"format": 1, "name": "one", "specialists": ["all"], part: value}
    with pytest.raises(RecipeError, match=word):
        parse_recipe(table | {"training": {"loss": "si-sdr+spectral+perceptual"}})
