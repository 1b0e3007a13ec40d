"""A multi-layer perceptron predicts a column of a table: a class or a number."""

from typing import Annotated, Literal

import kexp
from kexp import Between, TrainOptions, Unpack


@kexp.recipe(
    epochs=60, batch_size=32, optimizer="adamw", learning_rate=2e-3, schedule="cosine", validation=0.15
)
def mlp_tabular(
    data: str = "breast_cancer",
    *,
    target: str | None = None,
    task: Literal["classification", "regression"] | None = None,
    hidden: Annotated[tuple[int, ...], Between(8, 512, log=True)] = (64, 32),
    activation: kexp.Activation = "relu",
    normalization: kexp.Normalization = "none",
    dropout: Annotated[float, Between(0.0, 0.5)] = 0.2,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Classify the rows of a table or predict a number for each.

    Args:
        data: Name of a table, or path of a CSV or Parquet file.
        target: The column to predict; needed for a file.
        task: What the target is; None finds out from its values.
        hidden: Units of each hidden layer.
        activation: After each hidden layer.
        normalization: Before each activation.
        dropout: Share of units dropped after each hidden layer.
        **train: Training options.
    """
    dataset = kexp.data.load(
        data,
        target=target,
        task=task,
        validation=train["validation"],
        seed=train["seed"],
        kinds=("table", "array"),
    )
    preprocessing = kexp.models.tabular_preprocessing(dataset.train.inputs, dataset.spec.columns)
    targets, regression = dataset.train.targets, dataset.spec.task == "regression"
    model = kexp.models.mlp(
        preprocessing.output_shape[1:],
        dataset.spec.outputs,
        hidden=hidden,
        activation=activation,
        normalization=normalization,
        dropout=dropout,
        output_scale=targets.std(axis=0).tolist() if regression else 1.0,
        output_offset=targets.mean(axis=0).tolist() if regression else 0.0,
    )
    return kexp.fit(model, dataset, preprocessing=preprocessing, **train)
