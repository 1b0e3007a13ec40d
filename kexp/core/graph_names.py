"""Names in a graph that do not depend on what the process did before.

Keras counts the names that it makes, "dense_9", "dense_10", through the whole process. TensorFlow's
arithmetic optimizer orders sums by the text of the names, and "dense_10" comes before "dense_9": the same
training would end with other last bits in a process that has made other models before.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from kexp.core.keras_private import name_counters, name_stem, scope_names

_counted_anew: ContextVar[bool] = ContextVar("names are counted anew", default=False)


@contextmanager
def names_counted_anew() -> Iterator[None]:
    """Have Keras make names as in a process that has made none.

    After it, names go on behind all that there are, so that layers made inside and later ones fit into one
    model. Inside of another one they go on as if it had not been, for it may be left out when what it makes
    is there already.

    Example:
        >>> import keras
        >>> with names_counted_anew():
        ...     keras.layers.Flatten().name, keras.layers.Flatten().name
        ('flatten', 'flatten_1')
        >>> keras.layers.Flatten().name in ("flatten", "flatten_1")
        False
    """
    before = dict(name_counters())
    name_counters().clear()
    token = _counted_anew.set(True)
    try:
        yield
    finally:
        _counted_anew.reset(token)
        counters = name_counters()
        made = {} if _counted_anew.get() else dict(counters)
        counters.clear()
        counters.update({name: max(before.get(name, 0), made.get(name, 0)) for name in {**before, **made}})


@contextmanager
def stable_graph_names() -> Iterator[None]:
    """Trace a function whose graph has names that follow from what is traced alone.

    Names that Keras has made are counted from the first that is used in the graph; those that people have
    given stay. Where names are counted anew they follow from the code already, and stay too.

    Example:
        >>> import keras, tensorflow as tf
        >>> def names(layer):
        ...     function = tf.function(layer, autograph=False)
        ...     with stable_graph_names():
        ...         graph = function.get_concrete_function(tf.TensorSpec([None, 1])).graph
        ...     return [node.name for node in graph.get_operations()]
        >>> first, second = keras.layers.Dense(1), keras.layers.Dense(1)
        >>> names(first) == names(second)
        True
    """
    if _counted_anew.get():
        yield
        return
    with scope_names(_GraphNames().name):
        yield


class _GraphNames:
    """The names in one graph, by the objects that have them."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._named: dict[Any, tuple[Any, str]] = {}

    def name(self, own: str, owner: Any, around: Any) -> str:
        """Return the name in the graph of an object with a name of its own.

        Args:
            own: Its name.
            owner: The object; None of a loss, which Keras does not tell.
            around: The scope around it, if there is one.
        """
        key = own if owner is None else id(owner)
        if key not in self._named:
            # With the object, so that no other gets its id.
            self._named[key] = owner, self._made(own, owner, around)
        return self._named[key][1]

    def _made(self, own: str, owner: Any, around: Any) -> str:
        if around is not None and id(around.caller) in self._named and own.startswith(f"{around.name}_"):
            # What a layer calls its own after itself.
            own = self._named[id(around.caller)][1] + own.removeprefix(around.name)
        stem = re.sub(r"_\d+$", "", own)
        if owner is not None and not stem.endswith(name_stem(owner)):  # at the end: "forward_lstm_3"
            return own
        self._counts[stem] += 1
        return stem if self._counts[stem] == 1 else f"{stem}_{self._counts[stem] - 1}"
