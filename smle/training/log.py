"""Losses of a training for TensorBoard."""

from __future__ import annotations

from pathlib import Path

from smle.errors import SmleError
from smle.training.stage import Progress


class TensorBoardLog:
    """Writes every update's figures as TensorBoard events; give it to `train` as its watch.

    Args:
        folder: Where the events go; `tensorboard --logdir` shows them.

    Raises:
        SmleError: If TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise SmleError(
                "tensorboard is not installed; install it with: pip install 'smle[logs]'"
            ) from None
        self._writer = SummaryWriter(folder)

    def __call__(self, progress: Progress) -> None:
        """Write the figures of an update."""
        figures = {"loss": progress.loss, "learning_rate": progress.learning_rate}
        if progress.score is not None:
            figures["validation"] = progress.score
        for name, value in (figures | progress.extras).items():
            self._writer.add_scalar(f"{progress.stage}/{name}", value, progress.step)
