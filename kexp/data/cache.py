"""Data sets that are kept from one load to the next, where a process trains on the same data many times."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec

from kexp.data.dataset import Dataset
from kexp.data.folds import current_fold

P = ParamSpec("P")
Cache = OrderedDict[Any, Dataset]
_KEPT = 2

_cache: ContextVar[Cache | None] = ContextVar("data sets that are kept", default=None)


@contextmanager
def kept_data(cache: Cache) -> Iterator[None]:
    """Have `kexp.data.load` keep the last two data sets in a cache, and take them from it, in this block.

    Example:
        >>> from kexp.data import load
        >>> with kept_data(OrderedDict()):
        ...     load("iris") is load("iris")
        True
    """
    token = _cache.set(cache)
    try:
        yield
    finally:
        _cache.reset(token)


def cached(load: Callable[P, Dataset]) -> Callable[P, Dataset]:
    """Make a function that loads data take it from the cache, where one is in use."""

    @functools.wraps(load)
    def call(*args: P.args, **kwargs: P.kwargs) -> Dataset:
        cache = _cache.get()
        if cache is None:
            return load(*args, **kwargs)
        try:
            key = (current_fold(), args, tuple(sorted(kwargs.items())))
            found = cache.get(key)
        except TypeError:  # of an argument without a hash
            return load(*args, **kwargs)
        if found is None:
            found = cache[key] = load(*args, **kwargs)
        cache.move_to_end(key)
        while len(cache) > _KEPT:
            cache.popitem(last=False)
        return found

    return call
