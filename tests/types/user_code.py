"""What a user writes: the examples of README.md and a recipe of one's own. Type checkers report nothing."""

from typing import Annotated

import keras
import numpy as np
import pandas as pd

import kexp
from kexp import AtLeast, Between, Reference, TrainOptions, Unpack, recipes
from kexp.sweep.space import space_of
from kexp.sweep.sweep_result import Sweep

result = recipes.mlp_images(data="digits", epochs=40)
accuracy: float = result.metrics["test_accuracy"]
labels = result.predict(np.zeros((1, 8, 8, 1), "uint8")).labels
result.export("served/digits")
again: kexp.Result = kexp.resume(result.run_dir)

data = kexp.data.load("my_folder_of_images/")
model = kexp.models.cnn(data.spec.input_shape, data.spec.outputs, filters=(32, 64), dtype=data.spec.dtype)
same: keras.Model = model
trained: kexp.Result = kexp.fit(model, data, epochs=20, optimizer="adamw", schedule="one_cycle")
preprocessing = kexp.models.series_preprocessing(data.train.inputs)
kexp.fit(
    keras.Sequential([keras.layers.Dense(3)]), data, preprocessing=preprocessing, class_weight="balanced"
)

frame = pd.DataFrame({"age": [31.0, 42.0], "ill": ["no", "yes"]})
recipes.mlp_tabular(data=frame, target="ill", callbacks=[keras.callbacks.TerminateOnNaN()])
recipes.mlp_images((np.zeros((9, 8, 8), "uint8"), [0, 1, 2] * 3))
recipes.mlp_images(data=data, callbacks=(keras.callbacks.CSVLogger("log.csv"),))
kexp.resume("runs/a", data=frame, callbacks=[keras.callbacks.TerminateOnNaN()])
kexp.sweep(recipes.mlp_tabular, data=frame, target="ill")

sweep: Sweep = kexp.sweep(recipes.cnn_images, data="fashion_mnist_small", trials=30, workers=2)
sweep.to_frame()
table: kexp.Sweep = kexp.sweep(
    recipes.mlp_images, space={"learning_rate": Between(1e-4, 1e-2, log=True)}, trials=4
)
space = space_of(recipes.mlp_images, {})
code: int = kexp.launch(["run", "mlp_images"], workers=2)
problems: tuple[str, ...] = kexp.doctor().problems
schedule = kexp.schedules.Schedule(kexp.schedules.polynomial(power=3), peak=0.1, steps=100)


@kexp.recipe(references=(Reference({"data": "iris"}, "test_accuracy", 0.95, 0.02, "a book"),), epochs=5)
def one_layer(
    data: kexp.data.DataLike = "iris",
    *,
    units: Annotated[int, AtLeast(1)] = 8,
    activation: kexp.Activation = "relu",
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Classify the rows of a table with one hidden layer."""
    dataset = kexp.data.load(data, **kexp.holdout(train))
    preprocessing = kexp.models.tabular_preprocessing(dataset.train.inputs, dataset.spec.columns)
    model = kexp.models.mlp(
        preprocessing.output_shape[1:], dataset.spec.outputs, hidden=(units,), activation=activation
    )
    return kexp.fit(model, dataset, preprocessing=preprocessing, **train)


one_layer(frame, units=4)
mine: kexp.Result = one_layer("wine", units=16, epochs=3, batch_size="auto", quiet=True)
published = one_layer.references[0]
name: str = one_layer.__name__
kexp.sweep(one_layer, trials=4, seed=1)
