"""What every builder's test asks of its model."""

import keras
import numpy as np
import tensorflow as tf

POLICIES = ("mixed_float16", "mixed_bfloat16")


def assert_one_step_changes_every_weight(model, inputs):
    """Take one step of plain Keras training and find every trainable weight changed."""
    model.compile(
        optimizer=keras.optimizers.SGD(0.1),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,  # "auto" would compile every model under XLA, for one step
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


def built_under(policy, build):
    """Return what is built while the dtype policy holds."""
    keras.config.set_dtype_policy(policy)
    try:
        return build()
    finally:
        keras.config.set_dtype_policy("float32")


def assert_mixed_precision_is_close(build, inputs, policy, computes):
    """Build it under the policy too: float32 outputs and variables, and nearly the same answers."""
    exact, mixed = build(), built_under(policy, build)
    assert {layer.compute_dtype for layer in mixed.layers if layer.name.startswith(computes)} >= {policy[6:]}
    assert {variable.dtype for variable in mixed.weights} == {"float32"}
    mixed.set_weights(exact.get_weights())
    for training in (False, True):
        answers = mixed(inputs, training=training)
        assert answers.dtype == "float32"
        expected = np.asarray(exact(inputs, training=training))
        np.testing.assert_allclose(answers, expected, atol=0.05 * np.abs(expected).max())


def assert_the_gradient_compiles_under_xla(model, inputs, atol=1e-4):
    """Compile forward pass and gradient whole, with static shapes, and get what is got without."""

    def gradients(inputs):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(inputs, training=True)))
        return tape.gradient(loss, model.trainable_weights)

    plain = gradients(tf.constant(inputs))
    compiled = tf.function(gradients, jit_compile=True)(tf.constant(inputs))
    for one, other in zip(plain, compiled, strict=True):
        np.testing.assert_allclose(tf.convert_to_tensor(one), tf.convert_to_tensor(other), atol=atol)
