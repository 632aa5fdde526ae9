"""Duplicates: exact ones, near ones, and an index to hold new texts against.

    from imitation_data.dedup import NearOptions, find
    matches = find([texts], NearOptions(threshold=0.8))

The names are imported when first used: the kernels take a second to load.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imitation_data.dedup.bands import Banding, banding
    from imitation_data.dedup.index import Index
    from imitation_data.dedup.near import Matches, find
    from imitation_data.dedup.shingling import Shingling
    from imitation_data.dedup.sketch import NearOptions

_HOMES = {
    "Banding": "bands",
    "Index": "index",
    "Matches": "near",
    "NearOptions": "sketch",
    "Shingling": "shingling",
    "banding": "bands",
    "find": "near",
}

__all__ = ["Banding", "Index", "Matches", "NearOptions", "Shingling", "banding", "find"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'imitation_data.dedup' has no attribute {name!r}")
    return getattr(import_module(f"imitation_data.dedup.{_HOMES[name]}"), name)
