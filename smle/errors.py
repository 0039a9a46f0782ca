"""What can go wrong, said in one line: what is wrong, with the value, and the remedy."""

from __future__ import annotations


class SmleError(Exception):
    """Base of every error that smle raises for bad input."""


class AudioError(SmleError):
    """A file or signal cannot be used."""


class ModelError(SmleError):
    """A model folder cannot be used."""


class CorpusError(SmleError):
    """Training or evaluation material cannot be used."""


class RecipeError(SmleError):
    """A recipe is wrong."""
