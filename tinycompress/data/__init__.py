"""Data sets, each split in one fixed way and checked."""

from .dataset import (
    IDX_FILES,
    IDX_SOURCES,
    VALIDATION_PERCENT,
    VALIDATION_SEED,
    DataError,
    Dataset,
    IdxSource,
    _dataset,
    _hold_out,
    load,
    shift,
    window,
)

__all__ = [
    "IDX_FILES",
    "IDX_SOURCES",
    "VALIDATION_PERCENT",
    "VALIDATION_SEED",
    "DataError",
    "Dataset",
    "IdxSource",
    "_dataset",
    "_hold_out",
    "load",
    "shift",
    "window",
]
