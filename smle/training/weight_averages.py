"""Means of networks of one trunk: what specialists keep of their own, and all of a polish."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from smle.errors import ModelError
from smle.tensors.mixture import Mixture
from smle.training.distributed import is_main_process, wait_for_all
from smle.training.stage import save_weights

POLISHED_GENERALIST, POLISHED_SPECIALISTS = "polish-generalist", "polish-specialists"


def average_specialists(mixture: Mixture) -> None:
    """Give the specialists, as a stage left them, their share of the generalist, if there is one.

    Args:
        mixture: Its recipe names the share of their own that they keep.
    """
    generalist, own_share = mixture.generalist, mixture.recipe.training.specialists_share
    if generalist is None:
        return
    for specialist in mixture.specialists:
        for own, common in zip(specialist.parameters(), generalist.parameters(), strict=True):
            own.data.lerp_(common.data, 1 - own_share)


def hold_unpolished(mixture: Mixture, folder: Path, *, resume: bool) -> None:
    """Keep what the networks were: a polish that is over may be asked for again.

    Args:
        mixture: About to be polished.
        folder: Of the checkpoints.
        resume: Take what is kept already, in place of what the networks are now.

    Raises:
        ModelError: If what is kept cannot be read.
    """
    modules: dict[str, nn.Module] = {POLISHED_SPECIALISTS: mixture.specialists}
    if mixture.generalist is not None:
        modules[POLISHED_GENERALIST] = mixture.generalist
    for name, module in modules.items():
        path = _unpolished_path(folder, name)
        if resume and path.is_file():
            module.load_state_dict(read_weights(path, "train the stage before it anew"))
        elif is_main_process():
            save_weights(module, path)
    wait_for_all()


def share_polish(mixture: Mixture, folder: Path) -> None:
    """Let all networks have their share of what the polish changed.

    Args:
        mixture: Polished; its recipe names the share, and whether specialists were polished.
        folder: Of the checkpoints, where `hold_unpolished` kept what the networks were.

    Raises:
        ModelError: If what was kept cannot be read.
    """
    polish, generalist = mixture.recipe.training.polish, mixture.generalist
    if polish.specialists == "routed":
        average_specialists(mixture)
        _keep_share(mixture.specialists, polish.share, folder, POLISHED_SPECIALISTS)
    if generalist is None:
        return
    before = _keep_share(generalist, polish.share, folder, POLISHED_GENERALIST)
    if polish.specialists == "shared":
        for specialist in mixture.specialists:
            for name, own in specialist.named_parameters():
                own.data += generalist.get_parameter(name).data - before[name]


def read_weights(path: Path, remedy: str) -> dict[str, Tensor]:
    """Read weights that an earlier stage left.

    Args:
        path: Their file.
        remedy: What to do where it cannot be read, for the error.

    Returns:
        Weights by name.

    Raises:
        ModelError: If the file cannot be read.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read ({error}); {remedy}") from None


def _keep_share(module: nn.Module, share: float, folder: Path, name: str) -> dict[str, Tensor]:
    """Give a polished module back a part of what it was before, which is returned."""
    before = read_weights(_unpolished_path(folder, name), "train the stage before it anew")
    for key, weight in module.named_parameters():
        before[key] = before[key].to(weight)
        weight.data.lerp_(before[key], 1 - share)
    return before


def _unpolished_path(folder: Path, name: str) -> Path:
    return folder / f"{name}-before.safetensors"
