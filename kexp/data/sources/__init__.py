"""Sources: one file per form that data come in, found by scanning.

A file here with a subclass of `DataSource` that has a `name` is a source; there is no list to enter it in.
"""

from __future__ import annotations

from functools import cache

from kexp.core.scan import instances_of
from kexp.data.sources.base import DataLocation, DataSource, ReadOptions

__all__ = ["DataLocation", "DataSource", "ReadOptions", "data_sources", "source_of_value"]


@cache
def data_sources() -> dict[str, DataSource]:
    """Return all sources by name, those whose files come before built-in data first.

    Example:
        >>> [source.name for source in data_sources().values() if source.suffixes]
        ['npz', 'csv', 'parquet', 'txt']
    """
    found = sorted(instances_of(__name__, DataSource), key=lambda source: source.gives_way)
    return {source.name: source for source in found}


def source_of_value(value: object) -> DataSource | None:
    """Return what reads an object in memory, if anything does.

    Example:
        >>> source_of_value(([[1.0]], [0])).name
        'pairs'
    """
    asked = sorted(data_sources().values(), key=lambda source: source.asked_last)
    return next((source for source in asked if source.accepts(value)), None)
