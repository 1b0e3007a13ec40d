"""The inside of Keras's trainer and of TensorFlow's functions: what `compile` keeps, and what a step touches.

As `kexp.core.keras_private`, of which this is the other half: each function says why it reaches in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kexp.core.types import ArrayLike, Nest

if TYPE_CHECKING:
    import keras


def overrides(model: keras.Model, method: str) -> bool:
    """Return whether a model has a method of its own in place of one of Keras's trainer.

    Example:
        >>> import keras
        >>> overrides(keras.Sequential([]), "train_step")
        False
    """
    import keras

    return getattr(type(model), method) is not getattr(keras.Model, method) or method in vars(model)


def call_model(model: keras.Model, x: Nest, *, training: bool) -> Any:
    """Return the outputs of a model, whose `call` may not know of training, as Keras's own step does."""
    knows = getattr(model, "_call_has_training_arg", True)  # which something else than a model has not
    return model(x, training=training) if knows else model(x)


def compute_loss(
    model: keras.Model, x: Nest, y: Nest, outputs: Nest, sample_weight: Nest, *, training: bool
) -> Any:
    """Return the loss of a compiled model, whose `compute_loss` may be of before Keras 3.3."""
    return model._compute_loss(x=x, y=y, y_pred=outputs, sample_weight=sample_weight, training=training)


def build_compiled(model: keras.Model, batch: tuple[Any, ...]) -> None:
    """Make what a compiled model makes at its first batch: losses, metrics and the state of its optimizer.

    Args:
        model: Compiled, and built.
        batch: Tensors (x,), (x, y) or (x, y, sample_weight).
    """
    model._symbolic_build(data_batch=batch)


def compiled_losses(model: keras.Model) -> list[Any]:
    """Return the losses that a model was compiled with, as Keras resolves them; empty before it is built."""
    return [entry.loss for entry in losses_by_path(model)]


def losses_by_path(model: keras.Model) -> list[Any]:
    """Return the losses of a compiled model with `path` in its outputs, `loss`, `loss_weights` and `name`."""
    return list(getattr(model._compile_loss, "_flat_losses", None) or ())


def compiled_with(model: keras.Model) -> dict[str, Any]:
    """Return the arguments that a model was compiled with, by name, as they were given.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.layers.Dense(1)])
        >>> model.compile("sgd", loss="mse")
        >>> compiled_with(model)["loss"]
        'mse'
    """
    return dict(model._compile_config.config)


def loss_tracker(model: keras.Model) -> Any:
    """Return the metric that a compiled model has for the mean of its loss."""
    return model._loss_tracker


@contextmanager
def saved_uncompiled(model: keras.Model) -> Iterator[None]:
    """Have a compiled model saved as if it were not: its file needs no loss or optimizer to be loaded."""
    compiled, optimizer = model.compiled, getattr(model, "optimizer", None)
    model.compiled, model.optimizer = False, None
    try:
        yield
    finally:
        model.compiled, model.optimizer = compiled, optimizer


def function_graph(graph: Any, name: str) -> Any:
    """Return the graph of a function that operations of a graph call by name, as loops call their bodies.

    The public form of it, a GraphDef, names outputs as only TensorFlow's table of operations can tell.
    """
    return graph._get_function(name).graph


def touched_variables(function: Any, known: list[Any]) -> list[TouchedVariable]:
    """Return the variables that a traced function reads or writes, but for those that are known.

    Args:
        function: A concrete function of TensorFlow's.
        known: Keras's variables that somebody keeps already.
    """
    import tensorflow as tf

    own = {id(variable.value.handle) for variable in known if hasattr(variable.value, "handle")}
    handles = [external for external, _ in function.graph.captures if external.dtype == tf.resource]
    touched = [TouchedVariable(handle) for handle in handles if id(handle) not in own]
    return [one for one in touched if one.dtype is not None]


class TouchedVariable:
    """A variable of TensorFlow's of which there is no more than its handle.

    Args:
        handle: What a graph captured, which may be another resource than a variable: then `dtype` is None.
    """

    def __init__(self, handle: Any) -> None:
        import tensorflow as tf

        self._handle = handle
        data = getattr(handle, "_handle_data", None)
        is_variable = data is not None and data.is_set and len(data.shape_and_type) == 1
        self.dtype = tf.as_dtype(data.shape_and_type[0].dtype) if data and is_variable else None
        self.shape = tf.TensorShape(data.shape_and_type[0].shape) if data and is_variable else None

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> Any:
        """Return its value, for what TensorFlow makes a tensor of."""
        import tensorflow as tf

        return tf.raw_ops.ReadVariableOp(resource=self._handle, dtype=self.dtype, name=name)

    def numpy(self) -> Any:
        """Return its value."""
        return self.__tf_tensor__().numpy()

    def assign(self, value: ArrayLike) -> None:
        """Set its value."""
        import tensorflow as tf

        tf.raw_ops.AssignVariableOp(resource=self._handle, value=tf.constant(value, self.dtype))
