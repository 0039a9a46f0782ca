"""The network of DNSMOS P.835 in torch, so that training can listen to it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from smle.errors import ModelError
from smle.evaluation.dnsmos import network_file

_WINDOW, _HOP = 320, 160
_CONVOLUTIONS = 7
# After these convolutions the picture is halved in time and in frequency.
_HALVED_AFTER = (3, 4, 5)


class RatingNetwork:
    """Rates speech, background and both together, without any reference.

    Args:
        path: The ONNX file of a P.835 network.
        device: Where the signals are.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        weights = [weight.to(device) for weight in _weights(path)]
        self._cosine, self._sine = (weight[:, :, 0].T for weight in weights[:2])
        layers = list(zip(weights[2::2], weights[3::2], strict=True))
        self._convolutions = [
            (kernel.to(memory_format=torch.channels_last), bias)  # twice as quick on a CPU
            for kernel, bias in layers[:_CONVOLUTIONS]
        ]
        self._dense = layers[_CONVOLUTIONS:]

    def __call__(self, signal: Tensor) -> Tensor:
        """Rate signals, at the level they are played at.

        Args:
            signal: (rows, samples) at 16 kHz.

        Returns:
            The network's own figures for speech, background and both (rows, 3), before the
            polynomials that make ratings of them.
        """
        frames = signal.unfold(-1, _WINDOW, _HOP)  # (rows, frames, samples)
        power = (frames @ self._cosine).square() + (frames @ self._sine).square()
        picture = torch.log10(power.clamp(min=1e-12))[:, None]  # (rows, 1, frames, bins)
        for index, (kernel, bias) in enumerate(self._convolutions):
            picture = functional.relu(functional.conv2d(picture, kernel, bias, padding=1))
            if index in _HALVED_AFTER:
                picture = functional.max_pool2d(picture, 2)
        values = picture.amax((2, 3)).float()
        for matrix, bias in self._dense[:-1]:
            values = functional.relu(values @ matrix + bias)
        matrix, bias = self._dense[-1]
        return values @ matrix + bias


def personalised_network(device: torch.device) -> RatingNetwork:
    """The network that DNSMOS has for personalised enhancement.

    Networks that train by the ratings of this one may still be told apart by the usual one, which
    the evaluation reports: their weights differ, though not what they learnt from.

    Args:
        device: Where the signals are.

    Raises:
        ModelError: If a package is missing.
    """
    for package in ("onnx", "speechmos"):
        if find_spec(package) is None:
            raise ModelError(
                f"training.polish needs the package {package}; pip install 'smle[train]', or give "
                "it 0 steps"
            )
    return RatingNetwork(network_file("pdnsmos_models/sig_bak_ovr.onnx"), device)


def _weights(path: Path) -> Iterator[Tensor]:
    """The constants of an ONNX graph, in the order in which its layers use them."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type in ("Conv", "MatMul", "Add"):
            for name in node.input:
                if name in constants:
                    yield torch.from_numpy(numpy_helper.to_array(constants[name]).copy())
