"""The enhancer as an effect in Pedalboard chains, and a board that holds it with native ones."""

from __future__ import annotations

from smle_pedalboard.board import Board
from smle_pedalboard.effect import SparseExpertEnhancer

__all__ = ["Board", "SparseExpertEnhancer"]
