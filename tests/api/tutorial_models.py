"""Twelve small models in the manner of common tutorials, compiled, with data to fit them on.

Each function makes one anew: the model as it is compiled, what goes to `fit` beside the options of training,
and the data as arrays, from which the same batches can be given to plain Keras. The recipe `tutorial` trains
one by name.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

import kexp
from kexp import TrainOptions, Unpack

SAMPLES, BATCH = 48, 8


class Tutorial(NamedTuple):
    """A model and what it is fitted on.

    Attributes:
        model: Compiled.
        x: Inputs, all at once; a nest of arrays of `SAMPLES` each.
        y: Targets; None where the model makes its own.
        sample_weight: Of each output, or None.
        given: Makes what `fit` takes in place of `x` and `y`, such as a PyDataset; None: they themselves.
        options: Of `fit`, beside those of training.
        exports: Whether there is one forward pass that answers, which can be exported.
    """

    model: keras.Model
    x: Any
    y: Any = None
    sample_weight: Any = None
    given: Callable[[], Any] | None = None
    options: dict[str, Any] = {}  # noqa: RUF012  # never changed
    exports: bool = True


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Return (SAMPLES, ...) standard normal float32."""
    return np.random.default_rng(seed).normal(size=(SAMPLES, *shape)).astype("float32")


def labels(classes: int, seed: int = 1) -> np.ndarray:
    """Return (SAMPLES,) labels."""
    return np.random.default_rng(seed).integers(0, classes, SAMPLES)


def flags(*shape: int, seed: int = 2) -> np.ndarray:
    """Return (SAMPLES, ...) float32 of 0 and 1."""
    return np.random.default_rng(seed).integers(0, 2, (SAMPLES, *shape)).astype("float32")


def images(seed: int = 3) -> np.ndarray:
    """Return (SAMPLES, 6, 6, 1) float32 from 0 to 1."""
    return np.random.default_rng(seed).random((SAMPLES, 6, 6, 1)).astype("float32")


def two_inputs_two_outputs() -> Tutorial:
    """Tickets: words and numbers in, a priority and a department out, with weights of losses and samples."""
    words = keras.Input((5,), dtype="int32", name="words")
    tags = keras.Input((4,), name="tags")
    text = layers.LSTM(4)(layers.Embedding(20, 4)(words))
    both = layers.concatenate([text, tags])
    priority = layers.Dense(1, activation="sigmoid", name="priority")(both)
    department = layers.Dense(3, name="department")(both)
    model = keras.Model({"words": words, "tags": tags}, {"priority": priority, "department": department})
    model.compile(
        optimizer=keras.optimizers.RMSprop(1e-2),
        loss={
            "priority": keras.losses.BinaryCrossentropy(),
            "department": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        },
        loss_weights={"priority": 1.0, "department": 0.2},
        metrics={"department": ["accuracy"]},
    )
    x = {"words": np.random.default_rng(4).integers(0, 20, (SAMPLES, 5)).astype("int32"), "tags": numbers(4)}
    weights = {"priority": 1 + flags(), "department": 0.5 + flags(seed=5)}
    return Tutorial(model, x, {"priority": flags(1), "department": labels(3)}, weights)


class GAN(keras.Model):
    """Two players in a `train_step`, as in keras.io/guides/custom_train_step_in_tensorflow."""

    def __init__(self, discriminator, generator, latent):
        super().__init__()
        self.discriminator, self.generator, self.latent = discriminator, generator, latent
        self.d_loss_tracker = keras.metrics.Mean(name="d_loss")
        self.g_loss_tracker = keras.metrics.Mean(name="g_loss")
        self.seed_generator = keras.random.SeedGenerator(1337)

    @property
    def metrics(self):
        return [self.d_loss_tracker, self.g_loss_tracker]

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    def train_step(self, real_images):
        if isinstance(real_images, tuple):
            real_images = real_images[0]
        batch = ops.shape(real_images)[0]
        noise = keras.random.normal((batch, self.latent), seed=self.seed_generator)
        both = ops.concatenate([self.generator(noise), real_images], axis=0)
        truth = ops.concatenate([ops.ones((batch, 1)), ops.zeros((batch, 1))], axis=0)
        truth += 0.05 * keras.random.uniform(ops.shape(truth), seed=self.seed_generator)
        with tf.GradientTape() as tape:
            d_loss = self.loss_fn(truth, self.discriminator(both))
        weights = self.discriminator.trainable_weights
        self.d_optimizer.apply(tape.gradient(d_loss, weights), weights)
        noise = keras.random.normal((batch, self.latent), seed=self.seed_generator)
        with tf.GradientTape() as tape:
            g_loss = self.loss_fn(ops.zeros((batch, 1)), self.discriminator(self.generator(noise)))
        weights = self.generator.trainable_weights
        self.g_optimizer.apply(tape.gradient(g_loss, weights), weights)
        self.d_loss_tracker.update_state(d_loss)
        self.g_loss_tracker.update_state(g_loss)
        return {"d_loss": self.d_loss_tracker.result(), "g_loss": self.g_loss_tracker.result()}


def gan() -> Tutorial:
    """A GAN with a `train_step` of its own and no `call`."""
    discriminator = keras.Sequential(
        [keras.Input((6, 6, 1)), layers.Flatten(), layers.Dense(8), layers.LeakyReLU(0.2), layers.Dense(1)]
    )
    generator = keras.Sequential(
        [keras.Input((4,)), layers.Dense(36, activation="sigmoid"), layers.Reshape((6, 6, 1))]
    )
    model = GAN(discriminator, generator, 4)
    model.compile(
        d_optimizer=keras.optimizers.Adam(1e-3),
        g_optimizer=keras.optimizers.Adam(1e-3),
        loss_fn=keras.losses.BinaryCrossentropy(from_logits=True),
    )
    return Tutorial(model, images(), exports=False)


class Sampling(layers.Layer):
    """Draws a code from its mean and logarithmic variance, and adds the divergence as a loss."""

    def __init__(self, **options):
        super().__init__(**options)
        self.seed_generator = keras.random.SeedGenerator(7)

    def call(self, inputs):
        mean, log_variance = inputs
        self.add_loss(-0.05 * ops.mean(1 + log_variance - ops.square(mean) - ops.exp(log_variance)))
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * noise


class VariationalAutoEncoder(keras.Model):
    """Encoder and decoder, whose losses are one that is compiled and one that a layer adds."""

    def __init__(self):
        super().__init__()
        self.flatten = layers.Flatten()
        self.hidden = layers.Dense(8, activation="relu")
        self.mean, self.log_variance = layers.Dense(2), layers.Dense(2)
        self.sampling = Sampling()
        self.decoder = keras.Sequential([layers.Dense(36, activation="sigmoid"), layers.Reshape((6, 6, 1))])

    def call(self, inputs):
        hidden = self.hidden(self.flatten(inputs))
        return self.decoder(self.sampling([self.mean(hidden), self.log_variance(hidden)]))


def vae() -> Tutorial:
    """A variational autoencoder with `add_loss`; what it answers is drawn, so that it is not exported."""
    model = VariationalAutoEncoder()
    model.compile(keras.optimizers.Adam(1e-2), loss=keras.losses.MeanSquaredError())
    return Tutorial(model, images(), images(), exports=False)


class Distance(layers.Layer):
    """Euclidean distance of two embeddings."""

    def call(self, left, right):
        squares = ops.sum(ops.square(left - right), axis=1, keepdims=True)
        return ops.sqrt(ops.maximum(squares, keras.config.epsilon()))


def contrastive(margin=1.0):
    """Return the contrastive loss of Hadsell, Chopra and LeCun (2006)."""

    def contrastive_loss(y_true, y_pred):
        return ops.mean(
            (1 - y_true) * ops.square(y_pred) + y_true * ops.square(ops.maximum(margin - y_pred, 0)), axis=-1
        )

    return contrastive_loss


def siamese() -> Tutorial:
    """Two images through the same layers, and their distance."""
    embedding = keras.Sequential(
        [keras.Input((6, 6, 1)), layers.Conv2D(2, 3, activation="tanh"), layers.Flatten(), layers.Dense(3)]
    )
    left, right = keras.Input((6, 6, 1), name="left"), keras.Input((6, 6, 1), name="right")
    model = keras.Model([left, right], Distance()(embedding(left), embedding(right)))
    model.compile(loss=contrastive(margin=1.0), optimizer="RMSprop")
    return Tutorial(model, [images(3), images(4)], flags(1))


class Distiller(keras.Model):
    """A student and its teacher, as in keras.io/examples/vision/knowledge_distillation."""

    def __init__(self, student, teacher):
        super().__init__()
        self.student, self.teacher = student, teacher

    def compile(self, optimizer, metrics, student_loss_fn, distillation_loss_fn, alpha, temperature):
        super().compile(optimizer=optimizer, metrics=metrics)
        self.student_loss_fn, self.distillation_loss_fn = student_loss_fn, distillation_loss_fn
        self.alpha, self.temperature = alpha, temperature

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, allow_empty=False):
        taught = self.teacher(x, training=False)
        student_loss = self.student_loss_fn(y, y_pred)
        distillation_loss = self.distillation_loss_fn(
            ops.softmax(taught / self.temperature, axis=1), ops.softmax(y_pred / self.temperature, axis=1)
        ) * (self.temperature**2)
        return self.alpha * student_loss + (1 - self.alpha) * distillation_loss

    def call(self, x):
        return self.student(x)


def distiller() -> Tutorial:
    """A teacher that is fixed and a student that is trained."""

    def network(units):
        return keras.Sequential([keras.Input((6,)), layers.Dense(units, activation="relu"), layers.Dense(3)])

    teacher = network(16)
    teacher.trainable = False
    model = Distiller(student=network(4), teacher=teacher)
    model.compile(
        optimizer=keras.optimizers.Adam(1e-2),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
        student_loss_fn=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        distillation_loss_fn=keras.losses.KLDivergence(),
        alpha=0.3,
        temperature=3.0,
    )
    return Tutorial(model, numbers(6), labels(3))


def multi_label() -> Tutorial:
    """Several labels at once: a sigmoid for each, and a 0/1 matrix."""
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu"),
            layers.Dropout(0.2, seed=3),
            layers.Dense(4, activation="sigmoid"),
        ]
    )
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["binary_accuracy"])
    return Tutorial(model, numbers(6), flags(4))


def one_sigmoid() -> Tutorial:
    """Fraud: one probability, its AUC, and weights of the two classes."""
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(1e-2),
        loss="binary_crossentropy",
        metrics=[keras.metrics.AUC(name="auc"), keras.metrics.Precision(name="precision")],
    )
    return Tutorial(model, numbers(6), flags(1), options={"class_weight": {0: 0.5, 1: 2.0}})


class CustomLoss(keras.Model):
    """A model whose `compute_loss` adds a metric of its own, as keras.io's guide to `fit` has it."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.loss_tracker = keras.metrics.Mean(name="mine")

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = ops.mean(ops.square(y_pred - y)) + ops.sum(self.losses)
        self.loss_tracker.update_state(loss)
        return loss


def compute_loss() -> Tutorial:
    """A functional model of a class with its own `compute_loss`."""
    inputs = keras.Input((6,))
    hidden = layers.Dense(8, activation="tanh", activity_regularizer=keras.regularizers.L2(1e-2))(inputs)
    model = CustomLoss(inputs, layers.Dense(1)(hidden))
    model.compile(optimizer=keras.optimizers.SGD(1e-2, momentum=0.9))
    return Tutorial(model, numbers(6), numbers(1, seed=6))


class Batches(keras.utils.PyDataset):
    """Batches by number, as of files that do not fit into memory."""

    def __init__(self, x, y, **options):
        super().__init__(**options)
        self.x, self.y = x, y

    def __len__(self):
        return -(-len(self.x) // BATCH)

    def __getitem__(self, index):
        rows = slice(index * BATCH, (index + 1) * BATCH)
        return self.x[rows], self.y[rows]


def _classifier(units=3):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="relu"), layers.Dense(units)])
    return model, keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def py_dataset() -> Tutorial:
    """Batches of a PyDataset, and a learning rate with a schedule."""
    model, loss = _classifier()
    rate = keras.optimizers.schedules.CosineDecay(1e-2, decay_steps=12)
    model.compile(keras.optimizers.AdamW(rate), loss=loss, metrics=["accuracy"])
    x, y = numbers(6), labels(3)
    return Tutorial(model, x, y, given=lambda: Batches(x, y))


def generator() -> Tutorial:
    """Batches of a generator without an end."""
    model, loss = _classifier()
    model.compile("nadam", loss=loss, metrics=["accuracy"])
    x, y = numbers(6), labels(3)

    def batches() -> Iterator[Any]:
        while True:
            for first in range(0, SAMPLES, BATCH):
                yield x[first : first + BATCH], y[first : first + BATCH]

    return Tutorial(model, x, y, given=batches, options={"steps_per_epoch": SAMPLES // BATCH})


def dict_targets() -> Tutorial:
    """One input and a dict of outputs, each with its target by name: a class, and a box."""
    inputs = keras.Input((6, 6, 1))
    features = layers.Dense(8, activation="relu")(layers.Flatten()(inputs))
    outputs = {"kind": layers.Dense(3, activation="softmax")(features), "box": layers.Dense(4)(features)}
    model = keras.Model(inputs, outputs)
    model.compile(
        "adam",
        loss={"kind": "sparse_categorical_crossentropy", "box": "mse"},
        metrics={"kind": "accuracy", "box": "mae"},
    )
    return Tutorial(model, images(), {"kind": labels(3), "box": numbers(4)})


class FocalLoss(keras.losses.Loss):
    """The focal loss of Lin et al. (2017), not registered with Keras."""

    def __init__(self, gamma=2.0, alpha=0.25):
        super().__init__(name="focal_loss")
        self.gamma, self.alpha = gamma, alpha

    def call(self, y_true, y_pred):
        chosen = ops.take_along_axis(ops.softmax(y_pred), ops.cast(y_true, "int32")[:, None], axis=-1)[:, 0]
        return -self.alpha * ops.power(1 - chosen, self.gamma) * ops.log(chosen + 1e-7)


def focal_loss() -> Tutorial:
    """A loss that Keras cannot find by name."""
    model, _ = _classifier()
    model.compile(keras.optimizers.Lion(1e-3), loss=FocalLoss(gamma=1.5), metrics=["accuracy"])
    return Tutorial(model, numbers(6), labels(3))


TUTORIALS = {
    made.__name__: made
    for made in (
        two_inputs_two_outputs,
        gan,
        vae,
        siamese,
        distiller,
        multi_label,
        one_sigmoid,
        compute_loss,
        py_dataset,
        generator,
        dict_targets,
        focal_loss,
    )
}


def fit_arguments(tutorial: Tutorial) -> dict[str, Any]:
    """Return what goes to `fit` beside the model and the options of training."""
    data = {"x": tutorial.x, "y": tutorial.y, "sample_weight": tutorial.sample_weight}
    given = data if tutorial.given is None else {"x": tutorial.given()}
    return {**given, **tutorial.options}


@kexp.recipe(epochs=2, batch_size=BATCH)
def tutorial(name: str = "multi_label", **train: Unpack[TrainOptions]) -> kexp.Result:
    """One of the models by name."""
    made = TUTORIALS[name]()
    arguments = fit_arguments(made)
    # What a model asks for of the training stands for the default.
    return kexp.fit(made.model, arguments.pop("x"), arguments.pop("y", None), **{**train, **arguments})
