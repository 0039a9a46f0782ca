"""How a gate weighs what the running expert keeps and removes, in torch and in NumPy alike."""

from __future__ import annotations

# The balance follows the power of about this long.
BALANCE_S = 6.0
# The balance, its square, how long was listened, and the products of that with both.
BALANCE_FEATURES = 5
POWER_FLOOR = 1e-8
