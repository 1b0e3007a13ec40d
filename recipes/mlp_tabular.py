"""A multi-layer perceptron predicts a column of a table: a class, several labels or a number.

Source: Gorishniy et al. 2021, "Revisiting deep learning models for tabular data", for the plain MLP as a
baseline; scikit-learn's tables.

Command: kexp run mlp_tabular --data breast_cancer --seed S
Time: 2 s of training on two CPU cores
Score: test accuracy 98.6 ± 0.9 %, mean and deviation of 50 seeds (0 to 49)

Command: kexp run mlp_tabular --data diabetes --seed S
Time: 3 s of training on two CPU cores
Score: test RMSE 54.9 ± 0.5, 5 seeds (0 to 4); scikit-learn's RidgeCV has 53.2 on the same split, so that on
    these 354 samples the perceptron is not the better model
"""

from typing import Annotated, Any, Literal

import kexp
from kexp import Between, TrainOptions, Unpack


@kexp.recipe(
    epochs=60,
    least_steps=780,
    least_validation=30,
    batch_size=32,
    optimizer="adamw",
    learning_rate=2e-3,
    schedule="cosine",
    validation=0.15,
)
def mlp_tabular(
    data: str = "breast_cancer",
    *,
    target: str | None = None,
    task: Literal["classification", "multilabel", "regression"] | None = None,
    table: kexp.data.TableArguments,
    in_memory: bool | None = None,
    hidden: Annotated[tuple[int, ...], Between(8, 512, log=True)] = (64, 32),
    activation: kexp.Activation = "relu",
    normalization: kexp.Normalization = "none",
    dropout: Annotated[float, Between(0.0, 0.5)] = 0.2,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Classify the rows of a table, label them or predict a number for each.

    Args:
        data: Name of a table, path of a CSV or Parquet file, or of a folder with train.csv and test.csv.
        target: The column to predict; needed for a file.
        task: What the target is; None finds out from its values.
        table: As of kexp.data.TableArguments, how a table is read and its rows are divided.
        in_memory: Whether the rows are held in memory, not read from disk; None: if they fit.
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
        in_memory=in_memory,
        kinds=("table", "array"),
        **kexp.holdout(train),
        **table,
    )
    preprocessing = kexp.models.tabular_preprocessing(dataset.train.inputs, dataset.spec.columns)
    network: dict[str, Any] = {"hidden": hidden, "activation": activation, "dropout": dropout}
    shape, outputs = preprocessing.output_shape[1:], dataset.spec.outputs
    network |= {"normalization": normalization, **kexp.models.output_scaling(dataset)}
    model = kexp.models.mlp(shape, outputs, **network)
    return kexp.fit(model, dataset, preprocessing=preprocessing, **train)
