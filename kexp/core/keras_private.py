"""Keras's and TensorFlow's inside: every reach into it, since a new version may change what is here.

Each function says why it reaches in. All were seen to hold in Keras 3.12 (Python 3.10) and 3.15.1, with
TensorFlow 2.20 and 2.21. Both are imported when one is called, so that what needs neither stays fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from kexp.core.types import ArrayLike, Nest

if TYPE_CHECKING:
    import keras

# What Keras's layers draw from; beta and the rest are made of these. (The shape is their first argument.)
_DRAWS = ("normal", "uniform", "truncated_normal", "randint", "gamma")


def all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return a model and all layers inside it, at any depth: `model.layers` has the outermost alone.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.layers.Bidirectional(keras.layers.LSTM(2))])
        >>> "LSTMCell" in {type(layer).__name__ for layer in all_layers(model)}
        True
    """
    return list(model._flatten_layers())


def parts_of(layer: Any) -> tuple[list[tuple[Any, list[Any]]], Any]:
    """Return the layers and operations inside a layer in order, how its graph calls them, and its outputs.

    Keras tells it only as part of a config, which a layer that cannot be serialised has none of.

    Returns:
        Pairs of a layer or operation and its calls, each the arguments and keyword arguments in a tuple, and
        the structure of the outputs. A tensor stands there as a text: of which operation, which call of that
        and which output it is. Where there is no graph there are no calls, and None for the outputs.

    Example:
        >>> import keras
        >>> inputs = keras.Input((2,))
        >>> parts, outputs = parts_of(keras.Model(inputs, keras.layers.Add()([inputs, 2 * inputs])))
        >>> for part, calls in parts:
        ...     print(type(part).__name__, calls)
        InputLayer [((), {})]
        Multiply [((2, 'tensor 0.0.0'), {})]
        Add [((['tensor 0.0.0', 'tensor 1.0.0'],), {})]
        >>> outputs
        'tensor 2.0.0'
    """
    from keras import tree
    from keras.src.ops.function import Function

    inner = layer._flatten_layers(include_self=False, recursive=False) if hasattr(layer, "_layers") else []
    if not isinstance(layer, Function):
        return [(one, []) for one in inner], None
    calls = {
        id(one): [node for number, node in enumerate(one._inbound_nodes) if _is_in(layer, one, number)]
        for one in layer.operations
    }
    places = list(calls)

    def origin(value: ArrayLike) -> Any:
        if not hasattr(value, "_keras_history"):
            return value
        operation, number, output = value._keras_history
        if id(operation) not in places:
            return "tensor from outside"
        call = calls[id(operation)].index(operation._inbound_nodes[number])
        return f"tensor {places.index(id(operation))}.{call}.{output}"

    graph = [
        (one, [tree.map_structure(origin, (node.arguments.args, node.arguments.kwargs)) for node in nodes])
        for one, nodes in zip(layer.operations, calls.values(), strict=True)
    ]
    others: list[tuple[Any, list[Any]]] = [(one, []) for one in inner if id(one) not in places]
    return [*graph, *others], tree.map_structure(origin, layer._outputs_struct)


def _is_in(model: Any, operation: Any, number: int) -> bool:
    from keras.src.ops.function import make_node_key

    return make_node_key(operation, number) in model._nodes


def untracked(model: keras.Model, name: str) -> dict[Any, Any]:
    """Return a dict that a model holds and that Keras does not track as a part of it.

    Example:
        >>> import keras
        >>> model = keras.Sequential([])
        >>> untracked(model, "programs")["fast"] = "a function"
        >>> untracked(model, "programs")
        {'fast': 'a function'}
    """
    return vars(model).setdefault(f"_kexp_{name}", {})


def datasets_before(dataset: Any) -> list[Any]:
    """Return the tf.data.Datasets that one is made of, by which it is known whether it can end.

    Example:
        >>> import tensorflow as tf
        >>> [int(before.cardinality()) for before in datasets_before(tf.data.Dataset.range(3).repeat())]
        [3]
    """
    return list(dataset._inputs())


def learning_rate_of(optimizer: keras.optimizers.Optimizer) -> Any:
    """Return the variable or schedule that an optimizer takes its learning rate from.

    `optimizer.learning_rate` is a number of the moment where there is a schedule.
    """
    return getattr(optimizer, "inner_optimizer", optimizer)._learning_rate


def variables_trained_by(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Return the variables that an optimizer was built for; `optimizer.variables` are its own."""
    return getattr(optimizer, "inner_optimizer", optimizer)._trainable_variables


def take_gradients_as_they_are(optimizer: keras.optimizers.Optimizer) -> None:
    """Have an optimizer take gradients that are the same on all replicas already.

    Keras would sum them over replicas once more, and has no option for it.
    """
    getattr(optimizer, "inner_optimizer", optimizer)._all_reduce_sum_gradients = list


def direction_of(metric: keras.metrics.Metric) -> Literal["max", "min"] | None:
    """Return whether a metric is better when it is higher or lower; None where it does not say.

    Keras tells its own callbacks so, of compiled models.

    Example:
        >>> import keras
        >>> direction_of(keras.metrics.RootMeanSquaredError()), direction_of(keras.metrics.Mean())
        ('min', None)
    """
    known: dict[str | None, Literal["max", "min"]] = {"up": "max", "down": "min"}
    return known.get(getattr(metric, "_direction", None))


def lower_is_better(metric: keras.metrics.Metric) -> None:
    """Say of a metric of ours what Keras's own say of themselves."""
    metric._direction = "down"


def takes_logits(loss: keras.losses.Loss) -> bool | None:
    """Return whether a loss says that it takes logits, or None; `get_config` fails for losses of lambdas."""
    own = getattr(loss, "from_logits", None)
    known = getattr(loss, "_fn_kwargs", {}).get("from_logits") if own is None else own
    return None if known is None else bool(known)


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
    return model(x, training=training) if model._call_has_training_arg else model(x)


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

    def numpy(self) -> Any:
        """Return its value."""
        import tensorflow as tf

        return tf.raw_ops.ReadVariableOp(resource=self._handle, dtype=self.dtype).numpy()

    def assign(self, value: ArrayLike) -> None:
        """Set its value."""
        import tensorflow as tf

        tf.raw_ops.AssignVariableOp(resource=self._handle, value=tf.constant(value, self.dtype))


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


def name_stem(thing: Any) -> str:
    """Return what Keras's own names of an object begin with, such as "conv2d"."""
    from keras.src.utils.naming import to_snake_case

    return to_snake_case(type(thing).__name__)


@contextmanager
def scope_names(rename: Callable[[str, Any, Any], str]) -> Iterator[None]:
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

    with _replaced(name_scope, "__init__", init):
        yield


@contextmanager
def drawing_by(
    draw: Callable[..., Any], dropout: Callable[..., Any], moments: Callable[..., Any]
) -> Iterator[None]:
    """Have Keras's layers draw random numbers and normalise batches by other functions, and losses be whole.

    Keras's replicas all draw the same, and add up their moments in a way that loses what is small beside its
    mean; its losses are divided by the number of replicas, as its own step needs it. It has no option for it.

    Args:
        draw: Takes Keras's function and its arguments, of which the first is the shape.
        dropout: Takes Keras's function and its arguments.
        moments: Takes a tensor, axes and whether they are kept, and gives mean and variance over replicas.
    """
    from keras.src.backend.tensorflow import nn, random
    from keras.src.losses import loss

    with ExitStack() as stack:
        for name in ("scale_loss_for_distribution", "unscale_loss_for_distribution"):
            stack.enter_context(_replaced(loss, name, lambda value: value))
        for name in _DRAWS:
            stack.enter_context(_replaced(random, name, partial(draw, getattr(random, name))))
        stack.enter_context(_replaced(random, "dropout", partial(dropout, random.dropout)))
        stack.enter_context(_replaced(nn, "_compute_moments_sync", moments))
        yield


def wait_for_workers(workers: int, timeout_s: float) -> None:
    """Set how long this process, one of several, waits for the others, before the strategy is made.

    The strategy would else say the same, but for the time, which it leaves at an hour.
    """
    from tensorflow.python.distribute.collective_all_reduce_strategy import coordination_config_pb2
    from tensorflow.python.eager import context

    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader="/job:worker/replica:0/task:0",
        cluster_register_timeout_in_ms=int(1000 * timeout_s),
        coordinated_jobs=[coordination_config_pb2.CoordinatedJob(name="worker", num_tasks=workers)],
    )


def slurm_tasks(nodes: str, tasks_per_node: str) -> Iterator[tuple[str, int]]:
    """Return the hosts of SLURM's short forms and how many tasks each has.

    TensorFlow reads them; its public resolver divides by the GPUs of a node, of which there may be none.

    Raises:
        ValueError: They are something else.

    Example:
        >>> list(slurm_tasks("node[1-2]", "3(x2)"))
        [('node1', 3), ('node2', 3)]
    """
    from tensorflow.python.distribute.cluster_resolver import slurm_cluster_resolver as slurm

    return zip(slurm.expand_hostlist(nodes), slurm.expand_tasks_per_node(tasks_per_node), strict=True)


@contextmanager
def _replaced(owner: Any, name: str, value: ArrayLike) -> Iterator[None]:
    original = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)
