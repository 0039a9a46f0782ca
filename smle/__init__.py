"""Speech enhancement with a sparse mixture of local experts.

>>> import smle
>>> enhancer = smle.load()
>>> enhancer.name in smle.bundled_models()
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smle.enhancer import Enhanced, Enhancer, load
    from smle.errors import AudioError, CorpusError, ModelError, RecipeError, SmleError
    from smle.model_folders import bundled_models
    from smle.routing import Routing, Segment
    from smle.streaming import Stream

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
    "bundled_models": "model_folders",
    "Enhanced": "enhancer",
    "Enhancer": "enhancer",
    "load": "enhancer",
    "Routing": "routing",
    "Segment": "routing",
    "Stream": "streaming",
}


def __getattr__(name: str) -> Any:
    # `import smle` for an error class or a file stays quick.
    if name not in __all__:
        raise AttributeError(f"module 'smle' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"smle.{_HOMES.get(name, 'errors')}"), name)
