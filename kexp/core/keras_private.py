"""Keras's and TensorFlow's inside: every reach into it, since a new version may change what is here.

Each function says why it reaches in. All were seen to hold in Keras 3.12 (Python 3.10) and 3.15.1, with
TensorFlow 2.20 and 2.21.
Keras is imported when one is called, so that a call which is refused costs no seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any


def name_counters() -> MutableMapping[str, int]:
    """Return how many names Keras has made in this process, by what they begin with.

    Keras can set them to zero alone (`keras.utils.clear_session`), and not put them back.
    """
    from keras.src.backend.common import global_state
    from keras.src.utils import naming

    counters = global_state.get_global_attribute("object_name_uids")
    if counters is None:
        naming.reset_uids()
        counters = global_state.get_global_attribute("object_name_uids")
    return counters


@contextmanager
def replaced_scope_names(rename: Callable[[str, Any, Any], str]) -> Iterator[None]:
    """Have layers, losses and optimizers that are traced stand in the graph under other names.

    Keras takes the name of a graph's scope from the name of the object, which a saved model keeps.

    Args:
        rename: From the name, the object or None where Keras does not tell it, and the scope around it or
            None, with `name` and `caller`, to the name in the graph.
    """
    import tensorflow as tf
    from keras.src.backend.common import global_state
    from keras.src.backend.tensorflow.core import name_scope

    original = name_scope.__init__

    def init(self: Any, name: str, caller: Any = None, **options: Any) -> None:
        original(self, name, caller=caller, **options)
        around = global_state.get_global_attribute("name_scope_stack")
        self._tf_name_scope = tf.name_scope(rename(name, caller, around[-1] if around else None))

    name_scope.__init__ = init
    try:
        yield
    finally:
        name_scope.__init__ = original


def name_stem(thing: Any) -> str:
    """Return what Keras's own names of an object begin with, such as "conv2d"."""
    from keras.src.utils.naming import to_snake_case

    return to_snake_case(type(thing).__name__)
