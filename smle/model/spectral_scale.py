"""How features are scaled, in torch and in NumPy alike."""

from __future__ import annotations

# Powers below this are digital silence for the level; full scale lies near 1e3.
SILENCE_POWER = 1e-20
# Logarithms of powers relative to the level: what lies 50 dB below it is not told apart, and the
# scale brings them near -3 to 1.
LOG_FLOOR = 1e-5
LOG_SCALE = 0.25
