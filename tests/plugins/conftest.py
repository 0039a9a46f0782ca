"""Fixtures of the plug-in's tests."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.plugins.delay import DelayEnhancer


@pytest.fixture
def delay_enhancer() -> DelayEnhancer:
    return DelayEnhancer()


@pytest.fixture(scope="session")
def noise() -> NDArray[np.float32]:
    """Stereo noise of a little more than one buffer, at -14 dBFS."""
    return (0.2 * np.random.default_rng(5).standard_normal((2, 10_007))).astype(np.float32)
