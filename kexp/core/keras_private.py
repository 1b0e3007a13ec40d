"""Keras's and TensorFlow's inside: every reach into it, since a new version may change what is here.

Each function says why it reaches in. All were seen to hold in Keras 3.12 (Python 3.10) and 3.15.1, with
TensorFlow 2.20 and 2.21. Both are imported when one is called, so that what needs neither stays fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import keras

# Layers and operations that are an activation, and those that leave the values of their input what they are.
_ACTIVATIONS = {"Sigmoid": "sigmoid", "Softmax": "softmax", "HardSigmoid": "hard_sigmoid", "ReLU": "relu"}
_KEEP_VALUES = (
    *("ActivityRegularization", "Cast", "Dropout", "ExpandDims", "Flatten", "GetItem", "Identity"),
    *("Permute", "Reshape", "Squeeze", "Transpose"),
)


def all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return a model and all layers inside it, at any depth: `model.layers` has the outermost alone.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.layers.Bidirectional(keras.layers.LSTM(2))])
        >>> "LSTMCell" in {type(layer).__name__ for layer in all_layers(model)}
        True
    """
    return list(model._flatten_layers())


def layers_in_order(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Return the layers directly inside a layer, those of a model from its inputs on.

    `all_layers` turns the order of those inside of others around, as Keras does.

    Example:
        >>> import keras
        >>> inner = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), keras.layers.Dense(4)])
        >>> [one.units for one in layers_in_order(inner) if hasattr(one, "units")]
        [3, 4]
    """
    return list(layer._flatten_layers(include_self=False, recursive=False))


def own_variables(layer: keras.layers.Layer) -> list[keras.Variable]:
    """Return the weights that are made to be trained of a layer itself, without those of layers inside it.

    Example:
        >>> import keras
        >>> layer = keras.layers.BatchNormalization()
        >>> layer.build((None, 3))
        >>> [variable.name for variable in own_variables(layer)]
        ['gamma', 'beta']
    """
    return list(layer._trainable_variables)


def without_lora(layer: Any) -> None:
    """Add the product of a layer's LoRA matrices to its own, and have it be a layer without them.

    Keras does so in the weights that it saves alone, beside matrices of zeros.

    Example:
        >>> import keras
        >>> layer = keras.layers.Dense(2)
        >>> layer.build((None, 3))
        >>> layer.enable_lora(1)
        >>> without_lora(layer)
        >>> layer.count_params(), [variable.name for variable in layer.trainable_variables]
        (8, ['kernel', 'bias'])
    """
    name = "embeddings" if hasattr(layer, "lora_embeddings_a") else "kernel"
    own, whole = getattr(layer, f"_{name}"), getattr(layer, name)
    own.assign(whole)
    layer.lora_enabled, layer.lora_rank, layer.lora_alpha = False, None, None
    for part in ("a", "b"):
        matrix = getattr(layer, f"lora_{name}_{part}")
        matrix.assign(matrix * 0)  # for functions that were traced before
        layer._untrack_variable(matrix)
        delattr(layer, f"lora_{name}_{part}")
    own.trainable = True


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

    def origin(value: Any) -> Any:
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


def by_first_call(model: Any) -> list[Any]:
    """Return the layers and operations of a functional model in the order in which they were first called.

    Keras has them by their distance from the outputs.

    Example:
        >>> import keras
        >>> inputs = keras.Input((2,))
        >>> long = keras.layers.Dense(2, name="a")(keras.layers.Dense(2, name="b")(inputs))
        >>> model = keras.Model(inputs, keras.layers.Dense(2, name="c")(inputs) + long)
        >>> [part.name for part in by_first_call(model) if isinstance(part, keras.layers.Dense)]
        ['b', 'a', 'c']
    """
    from keras import tree

    def number(operation: Any) -> int:
        names = [tensor.name for tensor in tree.flatten(operation._inbound_nodes[0].outputs)]
        return min(int(name.rpartition("_")[2]) if name[-1].isdigit() else 0 for name in names)

    return sorted(model.operations, key=number)


def _is_in(model: Any, operation: Any, number: int) -> bool:
    from keras.src.ops.function import make_node_key

    return make_node_key(operation, number) in model._nodes


def flat_calls(model: keras.Model) -> list[tuple[Any, tuple[Any, ...], Any]]:
    """Call the layers of a functional model anew, those of models inside it too, on the model's own inputs.

    Returns:
        For each call in order the layer or operation, its arguments and its outputs, symbolic tensors: a
        model from `model.inputs` to one of them has no models inside it.

    Example:
        >>> import keras
        >>> inner = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="hidden")])
        >>> model = keras.Sequential([inner, keras.layers.Dense(1, name="out")])
        >>> [(layer.name, outputs.shape) for layer, _, outputs in flat_calls(model)]
        [('hidden', (None, 3)), ('out', (None, 1))]
    """
    from keras.src.models.functional import Functional

    calls: list[tuple[Any, tuple[Any, ...], Any]] = []

    def called(operation: Any) -> Callable[..., Any]:
        inner = getattr(operation, "_functional", operation)
        if isinstance(inner, Functional) and type(inner).call is Functional.call:
            return lambda *arguments, **_: inner._run_through_graph(arguments[0], called)

        def call(*arguments: Any, **options: Any) -> Any:
            calls.append((operation, arguments, operation(*arguments, **options)))
            return calls[-1][2]

        return call

    getattr(model, "_functional", model)._run_through_graph(model.inputs, called)
    return calls


def first_epoch_of(model: Any) -> int:
    """Return the epoch, from 0, that a callback has told a model to begin with; 0: none has.

    Keras's BackupAndRestore tells it so, when training begins.
    """
    return int(getattr(model, "_initial_epoch", None) or 0)


def forget_first_epoch(model: Any) -> None:
    """Have a model begin with its first epoch, whatever it was told in an earlier training."""
    if hasattr(model, "_initial_epoch"):
        model._initial_epoch = None


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


def output_activations(model: keras.Model) -> list[str | None]:
    """Return the names of the functions that a model's outputs come from, "linear" for none.

    A model of layers knows what it is made of, which no public name tells; None for what another model or
    layer computes.

    Example:
        >>> import keras
        >>> inner = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
        >>> output_activations(keras.Sequential([keras.Input((2,)), inner, keras.layers.Reshape((1,))]))
        ['sigmoid']
    """
    outputs = getattr(model, "outputs", None)
    return [_activation_of(tensor) for tensor in outputs or [None]]


def _activation_of(tensor: Any) -> str | None:
    history = getattr(tensor, "_keras_history", None)
    if history is None:
        return None
    operation, kind = history.operation, type(history.operation).__name__
    inner = getattr(operation, "outputs", None)
    if inner and hasattr(operation, "layers"):
        return _activation_of(inner[history.tensor_index])
    own = getattr(getattr(operation, "layer", operation), "activation", None)  # of TimeDistributed, its layer
    name = getattr(own, "__name__", None) or _ACTIVATIONS.get(kind)
    if kind in _KEEP_VALUES or (kind == "Activation" and name == "linear"):
        return _activation_of(operation._inbound_nodes[history.node_index].input_tensors[0])
    return name


def learning_rate_of(optimizer: keras.optimizers.Optimizer) -> Any:
    """Return the variable or schedule that an optimizer takes its learning rate from.

    `optimizer.learning_rate` is a number of the moment where there is a schedule.
    """
    return inner_optimizer(optimizer)._learning_rate


def variables_trained_by(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Return the variables that an optimizer was built for; `optimizer.variables` are its own."""
    return inner_optimizer(optimizer)._trainable_variables


def inner_optimizer(optimizer: keras.optimizers.Optimizer) -> Any:
    """Return the optimizer inside of one that scales the loss, or the optimizer itself."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def slots_of(optimizer: keras.optimizers.Optimizer, variable: Any) -> list[Any]:
    """Return the TensorFlow variables that Adam or SGD, or one made of them, keeps for a weight, in order.

    Example:
        >>> import keras
        >>> optimizer, weight = keras.optimizers.Adam(), keras.Variable([1.0, 2.0])
        >>> optimizer.build([weight])
        >>> [slot.shape.as_list() for slot in slots_of(optimizer, weight)]
        [[2], [2]]
    """
    number = optimizer._get_variable_index(variable)
    groups = [optimizer._momentums, optimizer._velocities] if hasattr(optimizer, "_velocities") else None
    return [slots[number].value for slots in groups or [optimizer.momentums] if slots]


@contextmanager
def updating_by(optimizer: keras.optimizers.Optimizer, update: Callable[..., None]) -> Iterator[None]:
    """Have an optimizer that is applied inside change each weight by another function.

    Args:
        optimizer: Of Keras; it has no option for this.
        update: Takes gradient, TensorFlow variable and learning rate.
    """
    with _own_methods(optimizer, {"update_step": update}):
        yield


@contextmanager
def at_rates(
    optimizer: keras.optimizers.Optimizer, groups: Sequence[tuple[Sequence[Any], float]]
) -> Iterator[None]:
    """Have an optimizer that is applied inside change weights at rates of their own, decay included.

    Keras has one rate for all.

    Args:
        optimizer: Built for the weights of all groups.
        groups: Weights, and what the optimizer's rate is multiplied by for them.

    Example:
        >>> import keras
        >>> optimizer, weights = keras.optimizers.SGD(1.0), [keras.Variable([1.0]), keras.Variable([1.0])]
        >>> optimizer.build(weights)
        >>> with at_rates(optimizer, [(weights[:1], 1.0), (weights[1:], 0.5)]):
        ...     optimizer.apply([keras.ops.ones((1,)), keras.ops.ones((1,))])
        >>> [weight.numpy().tolist() for weight in weights]
        [[0.0], [0.5]]
    """
    own = inner_optimizer(optimizer)
    factors = {own._get_variable_index(weight): factor for weights, factor in groups for weight in weights}
    step, decay, rate = own.update_step, own._apply_weight_decay, own._get_current_learning_rate

    def update(gradient: Any, variable: Any, learning_rate: Any) -> None:
        step(gradient, variable, learning_rate * factors[own._get_variable_index(variable)])

    def decay_groups(variables: Sequence[Any]) -> None:
        reached = {id(variable) for variable in variables}
        for weights, factor in groups:
            with _own_methods(own, {"_get_current_learning_rate": partial(_scaled, rate, factor)}):
                decay([weight for weight in weights if id(weight) in reached])

    with _own_methods(own, {"update_step": update, "_apply_weight_decay": decay_groups}):
        yield


@contextmanager
def _own_methods(optimizer: Any, methods: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """Have an optimizer other methods than its class in this block, in which it may have had some already."""
    before = {name: vars(optimizer)[name] for name in methods if name in vars(optimizer)}
    vars(optimizer).update(methods)
    try:
        yield
    finally:
        for name in methods:
            del vars(optimizer)[name]
        vars(optimizer).update(before)


def _scaled(rate: Callable[[], Any], factor: float) -> Any:
    return rate() * factor


@contextmanager
def assigning_in_scope(optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Have an optimizer that is applied in a `keras.StatelessScope` change the values of that.

    With TensorFlow Keras refuses it, since such an optimizer changes TensorFlow's variables by their handles.

    Example:
        >>> import keras
        >>> optimizer, weight = keras.optimizers.Adam(0.5), keras.Variable([1.0])
        >>> optimizer.build([weight])
        >>> with keras.StatelessScope() as scope, assigning_in_scope(optimizer):
        ...     optimizer.apply([keras.ops.ones((1,))], [weight])
        >>> weight.numpy().tolist(), scope.get_current_value(weight).numpy().round(3).tolist()
        ([1.0], [0.5])
    """
    from keras.src.optimizers.base_optimizer import BaseOptimizer

    own = {
        name: partial(getattr(BaseOptimizer, name), optimizer)
        for name in ("assign", "assign_add", "assign_sub", "_apply_weight_decay", "_backend_update_step")
    }
    with _own_methods(optimizer, {**own, "_var_key": lambda variable: variable._value._unique_id}):
        yield


def drawn_seed(seed: Any) -> Any:
    """Return the (2,) seed that Keras's layers draw with, and move on the generator that it is from.

    Example:
        >>> import keras
        >>> generator = keras.random.SeedGenerator(3)
        >>> [drawn_seed(generator).numpy().tolist() for _ in range(2)]
        [[3, 0], [3, 1]]
    """
    from keras.src.random.seed_generator import draw_seed

    return draw_seed(seed)


def take_gradients_as_they_are(optimizer: keras.optimizers.Optimizer) -> None:
    """Have an optimizer take gradients that are the same on all replicas already.

    Keras would sum them over replicas once more, and has no option for it.
    """
    inner_optimizer(optimizer)._all_reduce_sum_gradients = list


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


def takes_logits(loss: keras.losses.Loss | keras.metrics.Metric) -> bool | None:
    """Return whether a loss or metric says that it takes logits, or None; `get_config` fails for lambdas."""
    own = getattr(loss, "from_logits", getattr(loss, "_from_logits", None))
    known = getattr(loss, "_fn_kwargs", {}).get("from_logits") if own is None else own
    return None if known is None else bool(known)


def wrapped_function(part: keras.losses.Loss | keras.metrics.Metric) -> Any:
    """Return the function that a loss or metric is made of, None if it is none such; no config has it whole.

    Example:
        >>> import keras
        >>> wrapped_function(keras.metrics.MeanMetricWrapper(min)), wrapped_function(keras.metrics.Mean())
        (<built-in function min>, None)
    """
    return getattr(part, "_fn", None) or getattr(part, "fn", None)


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
def application_weights(answer: Callable[[str, str, str | None], str | None]) -> Iterator[None]:
    """Have builders of `keras.applications` with weights="imagenet" download nothing in this block.

    Their networks differ with weights of their own (EfficientNet scales its inputs once more), so that these
    cannot be loaded into one that was built without.

    Args:
        answer: From the name, the address and the checksum, or None, of the file that is asked for, to the
            path of the file to load; None: none is loaded.
    """
    import keras
    from keras.src.utils import file_utils

    load, download, own = keras.Model.load_weights, file_utils.get_file, get_ident()

    def get_file(fname: str, origin: str, *, file_hash: str | None = None, **options: Any) -> str:
        if get_ident() != own:
            return str(download(fname, origin, file_hash=file_hash, **options))
        return answer(fname, origin, file_hash) or ""

    def load_weights(model: keras.Model, filepath: str, **options: Any) -> None:
        if filepath:
            load(model, filepath, **options)

    with (
        _replaced(file_utils, "get_file", get_file),
        _replaced(keras.Model, "load_weights", load_weights),
    ):
        yield


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
def computing_by(
    draws: Mapping[str, Callable[..., Any]], recurrent: Mapping[str, Callable[..., Any]]
) -> Iterator[None]:
    """Have Keras's layers draw random numbers and take the steps of recurrent layers by other functions.

    Keras has no option for either.

    Args:
        draws: By the name of Keras's own, such as "normal" and "dropout"; each takes Keras's function and its
            arguments.
        recurrent: By the name of Keras's own, "lstm" or "gru", which it has for cuDNN, with its arguments.
    """
    from keras.src import backend

    with ExitStack() as stack:
        for name, draw in draws.items():
            own = getattr(backend.random, name)
            stack.enter_context(_replaced(backend.random, name, partial(draw, own)))
        for name, layer in recurrent.items():
            stack.enter_context(_replaced(backend, name, layer))
        yield


@contextmanager
def measuring_all_replicas(moments: Callable[..., Any]) -> Iterator[None]:
    """Have layers normalise batches by another function, and losses be whole.

    Keras's replicas add up their moments in a way that loses what is small beside its mean; its losses are
    divided by the number of replicas, as its own step needs it. It has no option for it.

    Args:
        moments: Takes a tensor, axes and whether they are kept, and gives mean and variance over replicas.
    """
    from keras.src.backend.tensorflow import nn
    from keras.src.losses import loss

    with ExitStack() as stack:
        for name in ("scale_loss_for_distribution", "unscale_loss_for_distribution"):
            stack.enter_context(_replaced(loss, name, lambda value: value))
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
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    original = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)
