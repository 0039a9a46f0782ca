"""Speech enhancement with a sparse mixture of local experts.

>>> import smle
>>> enhancer = smle.load()
>>> enhancer.name in smle.bundled_models()
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smle.enhancement.enhancer import Enhanced, Enhancer, load
    from smle.enhancement.routing import Routing, Segment
    from smle.enhancement.streaming import Stream
    from smle.errors import AudioError, CorpusError, ModelError, RecipeError, SmleError
    from smle.model.folders import bundled_models

__all__ = [
    "AudioError",
    "CorpusError",
    "Enhanced",
    "Enhancer",
    "ModelError",
    "RecipeError",
    "Routing",
    "Segment",
    "SmleError",
    "Stream",
    "bundled_models",
    "load",
]

_HOMES = {
    "bundled_models": "model.folders",
    "Enhanced": "enhancement.enhancer",
    "Enhancer": "enhancement.enhancer",
    "load": "enhancement.enhancer",
    "Routing": "enhancement.routing",
    "Segment": "enhancement.routing",
    "Stream": "enhancement.streaming",
}


def __getattr__(name: str) -> Any:
    # `import smle` for an error class or a file stays quick.
    if name not in __all__:
        raise AttributeError(f"module 'smle' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"smle.{_HOMES.get(name, 'errors')}"), name)
