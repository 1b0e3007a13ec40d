"""What every builder's test asks of its model."""

import keras
import numpy as np


def assert_one_step_changes_every_weight(model, inputs):
    """Take one step of plain Keras training and find every trainable weight changed."""
    model.compile(
        optimizer=keras.optimizers.SGD(0.1),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    before = [np.copy(weight) for weight in model.get_weights()]
    trainable = [weight.path for weight in model.trainable_weights]
    paths = [weight.path for weight in model.weights]
    targets = np.arange(len(inputs)) % model.output_shape[-1]
    model.fit(inputs, targets, batch_size=len(inputs), epochs=1, verbose=0)
    unchanged = [
        path
        for path, old, new in zip(paths, before, model.get_weights(), strict=True)
        if path in trainable and np.array_equal(old, new)
    ]
    assert unchanged == []


def assert_saving_keeps_the_answers(model, inputs, folder):
    """Save the model, load it in plain Keras, and get the same answers to the bit."""
    model.save(folder / "model.keras")
    loaded = keras.models.load_model(folder / "model.keras")
    np.testing.assert_array_equal(loaded(inputs, training=False), model(inputs, training=False))
