"""What a script and a notebook have in common that sweep a recipe of their own: its cells, in order."""

CELLS = (
    """
import dataclasses
import enum
from typing import Annotated

import numpy as np
import pandas as pd
import kexp
from kexp import Between, TrainOptions, Unpack, recipes

rng = np.random.default_rng(0)
frame = pd.DataFrame({"a": rng.random(60), "town": ["NA", "b", None] * 20})
frame["n"] = pd.array([1, None, 3] * 20, dtype="Int64")
frame["y"] = np.where(frame["a"] > 0.5, "hi", "lo")
""",
    """
class Scale(enum.Enum):
    ONE = 1.0
    TWO = 2.0


@dataclasses.dataclass(frozen=True)
class Settings:
    scale: Scale = Scale.ONE


SETTINGS = Settings(Scale.TWO)
Units = Annotated[int, Between(4, 8)]


def scaled(number):
    return number * SETTINGS.scale.value
""",
    '''
@kexp.recipe(epochs=1)
def mine(
    data: str = "iris", *, target: str | None = None, units: Units = 4, **train: Unpack[TrainOptions]
) -> kexp.Result:
    """Classify rows."""
    dataset = kexp.data.load(data, target=target, **kexp.holdout(train))
    assert scaled(2) == 4
    preprocessing = kexp.models.tabular_preprocessing(dataset.train.inputs, dataset.spec.columns)
    model = kexp.models.mlp(preprocessing.output_shape[1:], dataset.spec.outputs, hidden=(units,))
    return kexp.fit(model, dataset, preprocessing=preprocessing, **train)
''',
)
SWEEP = """
sweep = kexp.sweep(mine, data=frame, target="y", trials=1, dir="sweep", quiet=True)
print(sweep.best.metrics["val_loss"])
"""
