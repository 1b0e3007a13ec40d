"""The pieces of a plain Keras script, as texts that are put together."""

from __future__ import annotations

IMPORTS = """\
import hashlib
import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
"""

DIGITS = '''\
def load_data():
    """Return images and labels to train on, and those to validate on: the digits of scikit-learn."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)[..., np.newaxis]
    labels = digits.target.astype(np.int32)
    rest, _ = hold_out(labels, 0.2, seed=0, keep=2)  # the others are for the test
    return divide(images[rest], labels[rest])


def divide(inputs, labels):
    """Return what is trained on, and what the best epoch is chosen by."""
    if not VALIDATION:
        return inputs, labels, inputs[:0], labels[:0]
    train, validation = hold_out(labels, VALIDATION, seed=SEED, keep=1)
    return inputs[train], labels[train], inputs[validation], labels[validation]


def hold_out(labels, share, seed, keep):
    """Return the rows that stay and those that are held out, the same share of every class."""
    rng = np.random.default_rng(seed)
    kept, held = [], []
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        count = min(max(round(share * len(rows)), 1), max(len(rows) - keep, 1))
        held.append(rows[:count])
        kept.append(rows[count:])
    return np.sort(np.concatenate(kept)), np.sort(np.concatenate(held))
'''

ARRAYS = '''\
def load_data():
    """Return inputs and labels to train on, and those to validate on, as the run's model was given them."""
    with np.load(Path(__file__).with_name({file!r})) as arrays:
        return arrays["x"], arrays["y"], arrays["x_validation"], arrays["y_validation"]
'''

COSINE = '''\
class Cosine(keras.optimizers.schedules.LearningRateSchedule):
    """Half a period of a cosine, from the learning rate to nothing over all steps, after a linear rise."""

    def __call__(self, step):
        step = ops.cast(step, "float32")
        done = ops.clip((step - WARMUP_STEPS) / max(1, STEPS - WARMUP_STEPS), 0.0, 1.0)
        rate = LEARNING_RATE * (0.5 * (1.0 + ops.cos(np.pi * done)))
        if not WARMUP_STEPS:
            return rate
        return ops.where(step < WARMUP_STEPS, LEARNING_RATE * (step + 1.0) / WARMUP_STEPS, rate)

    def get_config(self):
        return {}
'''

_ADAM = '''\
class {name}(keras.optimizers.{name}):
    """{name} by TensorFlow's own kernel, which rounds otherwise than Keras's operations."""

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        betas = [tf.constant(beta, tf.float32) for beta in (self.beta_1, self.beta_2)]
        step = tf.cast(self.iterations + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(betas[0], step),
            beta2_power=tf.pow(betas[1], step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=betas[0],
            beta2=betas[1],
            epsilon=self.epsilon,
            grad=gradient,
        )
'''

_MOMENTUM = '''\
class SGD(keras.optimizers.SGD):
    """SGD with momentum by TensorFlow's own kernel, which rounds otherwise than Keras's operations."""

    def update_step(self, gradient, variable, learning_rate):
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=self.momentums[self._get_variable_index(variable)].value.handle,
            lr=tf.cast(learning_rate, tf.float32),
            grad=gradient,
            momentum=tf.constant(self.momentum, tf.float32),
            use_nesterov=self.nesterov,
        )
'''

# By the option `optimizer`: the class that updates weights, and the call that makes one.
OPTIMIZERS = {
    "adam": (_ADAM.format(name="Adam"), "Adam({rate}, beta_1={momentum}{decay})"),
    "adamw": (_ADAM.format(name="AdamW"), "AdamW({rate}, beta_1={momentum}{decay})"),
    "momentum": (_MOMENTUM, "SGD({rate}, momentum={momentum}{decay})"),
    "nesterov": (_MOMENTUM, "SGD({rate}, momentum={momentum}, nesterov=True{decay})"),
}

DECAY = """\
    # Biases, scales, offsets and embeddings do not decay.
    spared = [one for one in model.trainable_weights if len(one.shape) < 2 or "embedding" in one.path]
    optimizer.exclude_from_weight_decay(spared)
"""

CLIP = """\
        norm = tf.linalg.global_norm(gradients)
        gradients, _ = tf.clip_by_global_norm(gradients, CLIP_NORM, use_norm=norm)
"""

CLASSIFIER = '''\
def loss_of(labels, logits):
    """Return the cross-entropy of each sample."""
    return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def measure(model, inputs, labels):
    """Return accuracy and loss on some data; of the same accuracy the lower loss is the better one."""
    logits = answers(model, inputs)
    accuracy = float((logits.argmax(axis=1) == labels).mean())
    return accuracy, -float(np.mean(loss_of(labels, logits)))
'''

REGRESSOR = '''\
def loss_of(targets, values):
    """Return the mean squared error of each sample."""
    return keras.losses.mean_squared_error(targets, values)


def measure(model, inputs, targets):
    """Return the loss on some data, less than nothing so that more of it is better."""
    return (-float(np.mean(loss_of(targets, answers(model, inputs)))),)
'''

SEGMENTER = '''\
def loss_of(masks, logits):
    """Return the cross-entropy of each sample, the mean of its pixels'."""
    losses = keras.losses.sparse_categorical_crossentropy(masks, logits, from_logits=True)
    return ops.mean(losses, axis=(1, 2))


def measure(model, inputs, masks):
    """Return the mean intersection over union on some data; of the same one the lower loss is better."""
    logits = answers(model, inputs)
    iou = keras.metrics.MeanIoU(logits.shape[-1], sparse_y_pred=False)
    iou.update_state(masks, logits)
    return float(iou.result()), -float(np.mean(loss_of(masks, logits)))
'''

# By what the best epoch is chosen by.
MEASURES = {"val_accuracy": CLASSIFIER, "val_mean_iou": SEGMENTER, "val_loss": REGRESSOR}

TRAIN = '''\
def train(x, y, x_validation, y_validation):
    """Return the trained model, with the weights of its best epoch on the validation data."""
    keras.utils.set_random_seed(SEED)
    model = build_model()
    optimizer = {optimizer}
{decay}    optimizer.build(model.trainable_weights)
    inputs, targets = tf.constant(x), tf.constant(y)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)], autograph=False)
    def step(rows):
        batch, wanted = tf.gather(inputs, rows), tf.gather(targets, rows)
        with tf.GradientTape() as tape:
            losses = loss_of(wanted, model(batch, training=True))
            loss = tf.reduce_sum(losses) / tf.cast(tf.shape(rows)[0], tf.float32)
        gradients = tape.gradient(loss, model.trainable_weights)
{clip}        optimizer.apply(gradients, model.trainable_weights)
        return loss

    best, weights = None, None
    for epoch in range(EPOCHS):
        order = np.random.default_rng([SEED, epoch]).permutation(len(x)).astype(np.int32)
        for first in range(0, len(order), BATCH_SIZE):
            loss = step(tf.constant(order[first : first + BATCH_SIZE]))
        print(f"epoch {{epoch + 1}}/{{EPOCHS}}  loss {{loss:.4f}}", end="")
        if len(x_validation):
            score = measure(model, x_validation, y_validation)
            print(f"  {monitor} {{abs(score[0]):.4f}}", end="")
            if best is None or score > best:
                best, weights = score, model.get_weights()
        print()
    if weights is not None:
        model.set_weights(weights)
    return model


def answers(model, inputs):
    """Return what a model gives, as one array."""
    batches = [slice(first, first + BATCH_SIZE) for first in range(0, len(inputs), BATCH_SIZE)]
    return np.concatenate([model(tf.constant(inputs[rows]), training=False) for rows in batches])


def digest(arrays):
    """Return a checksum of numbers, which is another one if a single bit of them is."""
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


if __name__ == "__main__":
    data = load_data()
    if digest(data) != DATA_SHA256:
        sys.exit("These are not the data of the run.")
    model = train(*data)
    output = Path(__file__).with_suffix(".weights.h5")
    model.save_weights(output)
    same = digest(model.get_weights()) == WEIGHTS_SHA256
    print(f"{{output}} has the weights.")
    print("They are those of the run, bit by bit." if same else "They are not those of the run, bit by bit.")
'''
