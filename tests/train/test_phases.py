"""Phases: what each trains and at which rate, frozen weights, exact continuation across them."""

import json

import keras
import numpy as np
import pytest
from keras import layers

import kexp
from kexp.core.errors import InputError
from kexp.run.context import capture_training
from kexp.train.checkpoint.checkpoint import newest_step
from tests.train.iris_runs import Cut, CutAfter, assert_same

HEAD, TOP = kexp.Phase(epochs=2, trainable=["head"]), kexp.Phase(epochs=2, trainable=0.7, learning_rate=3e-3)


@pytest.fixture(scope="module")
def digits():
    data = kexp.data.load("digits")
    rows = slice(0, 240)
    parts = {
        "train": kexp.data.Split(data.train.inputs[rows], data.train.targets[rows]),
        "validation": kexp.data.Split(data.validation.inputs[:60], data.validation.targets[:60]),
    }
    return kexp.data.Dataset(data.name, parts["train"], parts["validation"], None, data.spec, "digits")


def network():
    keras.utils.set_random_seed(2)
    inputs = keras.Input((8, 8, 1), dtype="uint8")
    x = layers.Rescaling(1 / 16)(inputs)
    for number in (1, 2):
        x = layers.Conv2D(6, 3, use_bias=False, name=f"conv_{number}")(x)
        x = layers.BatchNormalization(name=f"norm_{number}")(x)
        x = layers.ReLU()(x)
    x = layers.Dropout(0.2)(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(10, name="head")(x), name="net")


def train(model, data, run_dir, phases=(HEAD, TOP), **options):
    options = {"batch_size": 40, "quiet": True, "optimizer": "adamw", "monitor": "last", **options}
    return kexp.fit(model, data, phases=phases, run_dir=str(run_dir), **options)


class Moved(keras.callbacks.Callback):
    """Notes after each epoch which variables of the model are others than at its beginning."""

    def __init__(self):
        super().__init__()
        self.epochs = []

    def on_train_begin(self, logs=None):
        self._before = {variable.path: np.copy(variable) for variable in self.model.weights}

    def on_epoch_end(self, epoch, logs=None):
        moved = [one.path for one in self.model.weights if not np.array_equal(self._before[one.path], one)]
        self.epochs.append({path.removeprefix("net/") for path in moved})


def test_a_phase_trains_its_layers_and_leaves_the_others_to_the_bit(digits, tmp_path):
    moved = Moved()
    train(network(), digits, tmp_path / "run", callbacks=[moved])
    head = {"head/kernel", "head/bias"}
    # norm_2 is among the top layers, and stays as it is: it was not trained before.
    assert moved.epochs == [head, head, head | {"conv_2/kernel"}, head | {"conv_2/kernel"}]


def test_batch_normalisation_moves_where_it_is_asked_to_and_where_it_always_did(digits, tmp_path):
    moved = Moved()
    phases = (
        kexp.Phase(epochs=1, trainable=["head"]),
        kexp.Phase(epochs=1, trainable=["head", "*_2"], batch_norm=True),
    )
    train(network(), digits, tmp_path / "asked", phases, callbacks=[moved])
    assert {path.split("/")[0] for path in moved.epochs[-1]} == {"head", "conv_2", "norm_2"}
    assert "norm_2/moving_mean" in moved.epochs[-1]
    moved = Moved()
    train(network(), digits, tmp_path / "always", [kexp.Phase(epochs=1)], callbacks=[moved])
    assert "norm_1/moving_mean" in moved.epochs[0]


def test_the_model_trains_afterwards_what_it_did_before(digits, tmp_path):
    model = network()
    model.get_layer("conv_1").trainable = False
    moved = Moved()
    # The second phase is told to train what the model did, which the first one has changed.
    phases = [kexp.Phase(epochs=1, trainable=["head"]), kexp.Phase(epochs=1, trainable=None)]
    train(model, digits, tmp_path / "run", phases, callbacks=[moved])
    assert [layer.name for layer in model.layers if not layer.trainable] == ["conv_1"]
    assert {path.split("/")[0] for path in moved.epochs[-1]} == {"conv_2", "head"}


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])  # one update for all weights, and one for each
def test_rates_by_depth_are_those_of_optimizers_with_these_rates(digits, optimizer):
    phase = kexp.Phase(epochs=1, depth_decay=0.3)
    rows = np.arange(160, dtype="int32").reshape(4, 40)

    def engine(model, **options):
        options = {"batch_size": 40, "quiet": True, "optimizer": optimizer, "learning_rate": 0.01, **options}
        return capture_training(lambda it: it, kexp.fit, model, digits, **options).engine()

    model = network()
    own = engine(model, phases=[phase])
    assert own.run(rows[:1], 40) is None
    groups = own.players[0].groups
    assert [group.learning_rate for group in groups] == [1.0, 0.3, pytest.approx(0.09)]
    assert [len(group.weights) for group in groups] == [2, 3, 3]
    alone, layer = network(), "conv_1"
    before = alone.get_layer(layer).get_weights()
    assert engine(alone, learning_rate=0.01 * 0.09).run(rows[:1], 40) is None
    for old, new, other in zip(
        before, model.get_layer(layer).get_weights(), alone.get_layer(layer).get_weights(), strict=True
    ):
        assert np.abs(new - old).max() > 1e-6
        np.testing.assert_allclose(new - old, other - old, atol=2e-7, rtol=1e-4)


def test_a_run_that_is_cut_anywhere_ends_as_the_one_left_alone(digits, tmp_path):
    options = {"optimizer": "adamw", "schedule": "cosine", "warmup": 0.2, "ema": 0.9, "monitor": None}
    phases = (HEAD, kexp.Phase(epochs=2, learning_rate=3e-3, depth_decay=0.5))
    alone = train(network(), digits, tmp_path / "alone", phases, **options)
    folder, options = tmp_path / "cut", {**options, "checkpoint_every": "2 steps"}
    # One run, cut three times: amid the first phase, at its end after 12 steps, and amid the second.
    for step, batches in ((8, 9), (12, 5), (18, 7)):
        with pytest.raises(Cut):
            train(network(), digits, folder, phases, callbacks=[CutAfter(batches)], **options)
        assert newest_step(folder / "checkpoints") == step
        assert not (folder / "result.json").exists()
    again = train(network(), digits, folder, phases, **options)
    assert_same(alone.model.get_weights(), again.model.get_weights())
    assert (folder / "metrics.jsonl").read_text() == (tmp_path / "alone/metrics.jsonl").read_text()


def test_a_phase_ends_early_and_the_next_one_begins_with_the_best_weights(digits, tmp_path):
    class Weights(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.begins, self.ends = [], []

        def on_epoch_begin(self, epoch, logs=None):
            self.begins.append(self.model.get_weights())

        def on_epoch_end(self, epoch, logs=None):
            self.ends.append(self.model.get_weights())

    seen = Weights()
    phases = (
        kexp.Phase(epochs=20, trainable=["head"], learning_rate=0.3, early_stop=2),  # far too large
        kexp.Phase(epochs=3, learning_rate=3e-3, early_stop=0),
    )
    options = {"monitor": "val_accuracy", "early_stop": 1}
    result = train(network(), digits, tmp_path / "run", phases, callbacks=[seen], **options)
    ended = len(result.history["loss"]) - 3
    assert ended < 20
    ranked = [(result.history["val_accuracy"][n], -result.history["val_loss"][n]) for n in range(ended)]
    best = ranked.index(max(ranked))
    assert best == ended - 3
    assert result.phases == kexp.load(result.run_dir).phases == (1, ended + 1)
    assert f"phase 2 begins, with epoch {ended + 1}." in result.report().read_text("utf-8")
    assert_same(seen.begins[ended], seen.ends[best])


def test_phases_go_with_compiled_models_and_optimizers_of_the_caller(digits, tmp_path):
    model = network()
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    moved = Moved()
    x, y = digits.train.inputs, digits.train.targets
    options = {"run_dir": str(tmp_path / "run"), "quiet": True, "batch_size": 40}
    result = kexp.fit(model, x, y, phases=[HEAD, TOP], callbacks=[moved], **options)
    assert moved.epochs[1] == {"head/kernel", "head/bias"}
    assert model.optimizer is optimizer
    assert len(result.history["loss"]) == 4
    assert json.loads((tmp_path / "run/config.json").read_text())["arguments"]["phases"][0]["trainable"] == [
        "head"
    ]
    other = train(network(), digits, tmp_path / "own", optimizer=keras.optimizers.Adam(0.01))
    assert other.history["loss"][-1] < other.history["loss"][0]


def test_what_is_inside_of_a_layer_is_named_by_its_path():
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, name="a"), layers.Dense(3, name="b")], name="body"
    )
    model = keras.Sequential([keras.Input((4,)), inner, layers.Dense(2, name="head")])
    from kexp.train.phases import trained_layers

    def names(trainable):
        (choice,) = trained_layers(model, [kexp.Phase(epochs=1, trainable=trainable)])
        choice.enter()
        return [variable.path.split("/")[-2] for variable in model.trainable_variables[::2]]

    assert names(["body"]) == names(["body/*"]) == ["a", "b"]
    assert names(["body/b", "head"]) == names(0.6) == ["b", "head"]
    assert names(["?"]) == ["a", "b"]
    assert names(1.0) == ["a", "b", "head"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"phases": [kexp.Phase(epochs=1, trainable=["haed"])]},
            r"name layers .* 'haed' \(did you mean 'head'",
        ),
        (
            {"phases": [HEAD], "epochs": 5},
            "epochs must be left out beside phases, or be the sum of theirs, 2",
        ),
        ({"phases": [HEAD], "swa": 0.5}, "phases must be left out beside swa"),
        ({"phases": [HEAD], "initial_epoch": 1}, "phases must be left out beside initial_epoch"),
        ({"phases": ["head"]}, "phases must be a list of phases such as kexp.Phase"),
        ({"phases": [kexp.Phase(epochs=1, trainable=["re_lu"])]}, "trainable of a phase must name layers"),
    ],
)
def test_phases_that_cannot_be_are_refused_in_a_sentence(digits, tmp_path, arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        kexp.fit(network(), digits, run_dir=str(tmp_path / "run"), quiet=True, **arguments)
    assert not (tmp_path / "run").exists()


def test_values_of_a_phase_that_do_not_fit_are_refused():
    for values, sentence in (
        ({"trainable": 0.0}, "trainable of a phase must be"),
        ({"trainable": "head"}, "trainable of a phase must be"),
        ({"depth_decay": 1.5}, "depth_decay of a phase must be"),
        ({"schedule": "cosin"}, "schedule of a phase must be"),
        ({"trainable": []}, "trainable of a phase must be a tuple"),
    ):
        with pytest.raises(InputError, match=sentence):
            kexp.Phase(epochs=1, **values)
