"""The first seconds of a signal, to be heard before they are enhanced."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HEARD_S = 4.0
"""How much of a signal is heard before it begins, at most."""

_STEP_S = 0.5


def beginning(signal: NDArray[np.floating], sample_rate: int) -> NDArray[np.floating]:
    """Cut out what is heard before a signal begins: its first four seconds.

    A shorter signal is heard in whole half seconds, so that signals of about one length are heard
    together; one below half a second is too short to tell voice and noise apart, and not heard.

    Args:
        signal: (rows, samples).
        sample_rate: In Hz.

    Returns:
        (rows, samples), a view.

    >>> beginning(np.arange(7)[None], 4)
    array([[0, 1, 2, 3, 4, 5]])
    """
    step = max(int(_STEP_S * sample_rate), 1)  # a stream refuses a rate that makes no sense
    steps = min(signal.shape[1] // step, int(HEARD_S / _STEP_S))
    return signal[:, : steps * step]
