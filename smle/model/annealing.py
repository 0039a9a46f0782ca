"""How the sharpness alpha of the soft mixture grows while it is fine-tuned (P1's schedules)."""

from __future__ import annotations

import math

from smle.model.recipe import AlphaSchedule

_FROZEN_AT = 10.0


def alpha_at(schedule: AlphaSchedule, step: int) -> float:
    """Sharpness of softmax(alpha * logits) at a step, at most 10.

    Args:
        schedule: "one" and "ten" stay; "exponential" is 1.0023^n, "sigmoid" is
            5 + 5 sigmoid(0.01 (n - 500)), "sine" is 5 sin(0.005 n - 499.9) + 5.2 until it first
            reaches 10.
        step: Updates made so far, n.

    Returns:
        alpha; from where a schedule reaches 10 it stays there.

    >>> alpha_at("one", 500), alpha_at("sigmoid", 500), alpha_at("exponential", 5000)
    (1.0, 7.5, 10.0)
    """
    if schedule == "one":
        return 1.0
    if schedule == "exponential":
        # Past 1100 steps it is frozen; the cap keeps the power finite.
        return min(1.0023 ** min(step, 1100), _FROZEN_AT)
    if schedule == "sigmoid":
        return 5 + 5 / (1 + math.exp(-0.01 * (step - 500)))
    if schedule == "sine":
        return _FROZEN_AT if step >= _SINE_FROZEN_STEP else _sine(step)
    return _FROZEN_AT


def _sine(step: int) -> float:
    return 5 * math.sin(0.005 * step - 499.9) + 5.2


_SINE_FROZEN_STEP = next(step for step in range(2000) if _sine(step) >= _FROZEN_AT)
