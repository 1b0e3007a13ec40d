"""A proof takes a recipe that no other process can import, and data in memory."""

import numpy as np
import pandas as pd
import pytest

import kexp
from kexp import TrainOptions, Unpack


def frame():
    rng = np.random.default_rng(0)
    made = pd.DataFrame({"a": rng.random(60), "town": ["NA", "b", None] * 20})
    return made.assign(y=np.where(made["a"] > 0.5, "hi", "lo"))


@pytest.mark.slow
def test_a_recipe_within_a_function_goes_on_exactly_after_kills_on_data_in_memory():
    width = 4

    @kexp.recipe(epochs=2, batch_size=16)
    def nested(data: str = "iris", *, target: str = "y", **train: Unpack[TrainOptions]) -> kexp.Result:
        dataset = kexp.data.load(data, target=target, **kexp.holdout(train))
        preprocessing = kexp.models.tabular_preprocessing(dataset.train.inputs, dataset.spec.columns)
        model = kexp.models.mlp(preprocessing.output_shape[1:], dataset.spec.outputs, hidden=(width,))
        return kexp.fit(model, dataset, preprocessing=preprocessing, **train)

    report = kexp.verify.resume(nested, kills=1, data=frame())
    assert report.difference is None
    assert len(report.kills) == 1
