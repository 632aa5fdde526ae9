"""Build, validate and version imitation datasets, with every row accounted for.

The names below are the public API; they are imported when first used, so that importing the package
costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imitation_data.conversation import Conversation, Message
    from imitation_data.dataset_step import apply_dataset_step
    from imitation_data.errors import ImitationDataError
    from imitation_data.explanation import Explanation, explain
    from imitation_data.ledger import Drop, Edit, Kept
    from imitation_data.readers import BadRecord, Record, read
    from imitation_data.recipe import Recipe, load_recipe
    from imitation_data.rows.step import apply
    from imitation_data.runner import Built, build
    from imitation_data.stored import load

_HOMES = {
    "BadRecord": "readers",
    "Built": "runner",
    "Conversation": "conversation",
    "Drop": "ledger",
    "Edit": "ledger",
    "Explanation": "explanation",
    "ImitationDataError": "errors",
    "Kept": "ledger",
    "Message": "conversation",
    "Recipe": "recipe",
    "Record": "readers",
    "apply": "rows.step",
    "apply_dataset_step": "dataset_step",
    "build": "runner",
    "explain": "explanation",
    "load": "stored",
    "load_recipe": "recipe",
    "read": "readers",
}

__all__ = [
    "BadRecord",
    "Built",
    "Conversation",
    "Drop",
    "Edit",
    "Explanation",
    "ImitationDataError",
    "Kept",
    "Message",
    "Recipe",
    "Record",
    "apply",
    "apply_dataset_step",
    "build",
    "explain",
    "load",
    "load_recipe",
    "read",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'imitation_data' has no attribute {name!r}")
    return getattr(import_module(f"imitation_data.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
