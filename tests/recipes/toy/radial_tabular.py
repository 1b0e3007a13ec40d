"""A radial basis function network for tables.

Source: Broomhead and Lowe 1988, "Multivariable functional interpolation and adaptive networks".
"""

from typing import Annotated

import kexp
from kexp import Between, TrainOptions, Unpack


@kexp.recipe(epochs=20, batch_size=16, learning_rate=2e-2)
def radial_tabular(
    data: str = "iris",
    *,
    centres: Annotated[int, Between(4, 64, log=True)] = 32,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Classify the rows of a table by how near they are to some points.

    Args:
        data: Name of a table.
        centres: How many points.
        **train: Training options.
    """
    dataset = kexp.data.load(data, validation=train["validation"], seed=train["seed"], kinds=("table",))
    preprocessing = kexp.models.tabular_preprocessing(dataset.train.inputs, dataset.spec.columns)
    model = kexp.models.radial(
        preprocessing.output_shape[1:],
        dataset.spec.outputs,
        centres=centres,
        **kexp.models.output_scaling(dataset),
    )
    return kexp.fit(model, dataset, preprocessing=preprocessing, **train)
