"""The mixture: a gate, K specialists, and the generalist that steps in when the gate is unsure."""

from __future__ import annotations

from typing import cast

from torch import nn

from smle.model.recipe import Recipe
from smle.tensors.gate import Gate
from smle.tensors.networks import Network, build_network


class Mixture(nn.Module):
    """Gate and experts of one recipe, with fresh weights until they are loaded.

    Experts are counted specialists first, in the recipe's order, then the generalist if there is
    one. Training mixes their masks softly; everything else picks one
    (`smle.enhancement.masking`).

    Args:
        recipe: Names of the specialists and the shape of every network.

    >>> from smle.model.recipe import Recipe
    >>> mixture = Mixture(Recipe(name="pair", specialists=("low", "high"), generalist=True))
    >>> mixture.expert_names
    ('low', 'high', 'generalist')
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.specialists = nn.ModuleList(
            build_network(recipe.network, recipe.spectral) for _ in recipe.specialists
        )
        self.gate = Gate(recipe.gate, recipe.spectral, len(recipe.specialists))
        self.generalist = (
            build_network(recipe.network, recipe.spectral) if recipe.generalist else None
        )

    @property
    def expert_names(self) -> tuple[str, ...]:
        """Names of the experts, in the order of `experts`."""
        return self.recipe.expert_names

    @property
    def experts(self) -> list[Network]:
        """Specialists, then the generalist if there is one."""
        networks = [*self.specialists]
        if self.generalist is not None:
            networks.append(self.generalist)
        return cast("list[Network]", networks)
