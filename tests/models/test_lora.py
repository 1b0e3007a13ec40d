"""LoRA: what it trains, what is left of it in a run, and what cannot have it."""

import keras
import numpy as np
import pytest
from keras import layers

import kexp
from kexp.core.errors import InputError


@pytest.fixture(scope="module")
def digits():
    return kexp.data.load("digits")


def network():
    keras.utils.set_random_seed(4)
    inputs = keras.Input((8, 8, 1), dtype="uint8")
    x = layers.Rescaling(1 / 16)(inputs)
    x = layers.Conv2D(8, 3, activation="relu", name="conv")(x)
    x = layers.Reshape((36, 8))(x)
    x = layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    x = layers.Dense(16, activation="relu", name="hidden")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(10, name="head")(x), name="net")


def test_a_run_trains_the_low_rank_alone_and_records_a_model_without_it(digits, tmp_path):
    model = network()
    plain = {weight.path: np.copy(weight) for weight in model.weights}
    kexp.models.enable_lora(model, rank=2, layers=["conv", "hidden", "query"])
    trained = []

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            moved = [path for path, old in plain.items() if not np.array_equal(old, weights[path])]
            trained.append((sorted(moved), sum(v.size for v in map(np.asarray, model.trainable_weights))))

    weights = {weight.path: weight for weight in model.weights if weight.path in plain}
    phase = kexp.Phase(epochs=3, trainable=["conv", "hidden", "query", "head"], learning_rate=5e-3)
    result = kexp.fit(
        model, digits, phases=[phase], callbacks=[Look()], quiet=True, run_dir=str(tmp_path / "run")
    )
    biases = ["attention/query/bias", "conv/bias", "head/bias", "hidden/bias"]
    assert trained[-1][0] == sorted([*biases, "head/kernel"])
    assert trained[-1][1] < 0.2 * sum(array.size for array in plain.values())
    assert result.metrics["test_accuracy"] > 0.35  # by chance 0.1
    # What was trained is in the kernels, and nothing else is left.
    loaded = kexp.load(tmp_path / "run").model
    assert [weight.shape for weight in loaded.weights] == [array.shape for array in plain.values()]
    assert not np.array_equal(loaded.get_layer("conv").get_weights()[0], plain["conv/kernel"])
    assert [weight.name for weight in model.get_layer("conv").trainable_weights] == ["kernel", "bias"]
    images = digits.test.inputs[:8]
    np.testing.assert_array_equal(loaded(images), result.model(images))
    accuracy = (result.predict(digits.test.inputs).probabilities.argmax(1) == digits.test.targets).mean()
    assert accuracy == pytest.approx(result.metrics["test_accuracy"])
    exported = kexp.load_exported(result.export(tmp_path / "served"))
    np.testing.assert_allclose(
        exported.predict(images).probabilities, result.predict(images).probabilities, atol=1e-6
    )


def test_a_run_with_lora_that_is_cut_ends_as_the_one_left_alone(digits, tmp_path):
    from tests.train.iris_runs import Cut, CutAfter, assert_same

    def train(folder, callbacks=()):
        model = network()
        kexp.models.enable_lora(model, rank=2, layers=["conv", "hidden"])
        options = {"batch_size": 400, "checkpoint_every": "2 steps", "optimizer": "adamw"}
        phases = [kexp.Phase(epochs=2, trainable=["conv", "hidden", "head"])]
        folder = str(tmp_path / folder)
        return kexp.fit(
            model, digits, phases=phases, callbacks=callbacks, run_dir=folder, quiet=True, **options
        )

    alone = train("alone")
    with pytest.raises(Cut):
        train("cut", [CutAfter(6)])
    assert_same(alone.model.get_weights(), train("cut").model.get_weights())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"rank": 0}, "rank must be a whole number, 1 or more; received 0"),
        ({"rank": 2, "layers": ["hiden"]}, r"LoRA can be added to; received 'hiden' \(did you mean 'hidden'"),
        ({"rank": 2, "layers": ["re_shape"]}, "received 're_shape'"),
    ],
)
def test_what_cannot_have_it_is_refused_in_a_sentence(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        kexp.models.enable_lora(network(), **arguments)


def test_it_can_be_had_once():
    model = network()
    assert kexp.models.enable_lora(model, rank=2, layers=["conv"]) == ["conv"]
    with pytest.raises(InputError, match="conv of net has"):
        kexp.models.enable_lora(model, rank=2)
