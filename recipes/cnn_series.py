"""A one-dimensional convolutional network classifies series, or predicts numbers for them.

Source: the fully convolutional network and the residual network of Wang, Yan and Oates 2017, "Time series
classification from scratch with deep neural networks: a strong baseline".

Command: kexp run cnn_series --validation 0 --seed S
Time: 42 to 66 s on two CPU cores that others computed on too
Score: japanese_vowels test accuracy 99.55 ± 0.16 %, mean and deviation of 3 seeds (0 to 2); with a tenth kept
    for validation, as by default, 98.92 ± 0.54 %. github.com/hfawaz/dl-4-tsc has 99.3 %
Steps: 2,000 at least, a bound of time, where that source has 2,000 epochs. Of the training
    series of ItalyPowerDemand, BasicMotions, GunPoint and ArrowHead, by halves, one seed, 180 steps have
    95.5, 100, 94.0 and 61.1 % right, 600 steps 98.5, 100, 100 and 63.9 %
Small sets, one seed, in brackets the nearest neighbour on the same rows: by 960 steps ItalyPowerDemand has
    95.9 (95.4), BasicMotions 100 (70.0), GunPoint 99.3 (88.0) and ArrowHead 72.0; by default ArrowHead has
    72.6 (77.1), of whose 36 series three are held out for validation
"""

from typing import Annotated, Literal

import kexp
from kexp import Between, Reference, TrainOptions, Unpack

REFERENCES = (
    Reference({"validation": 0.0}, "test_accuracy", 0.993, 0.008, "FCN in github.com/hfawaz/dl-4-tsc"),
)


@kexp.recipe(
    references=REFERENCES,
    epochs=60,
    least_steps=2000,
    batch_size=16,
    optimizer="adam",
    learning_rate=1e-3,
    schedule="cosine",
)
def cnn_series(
    data: str = "japanese_vowels",
    *,
    size: Literal["fcn", "resnet"] = "fcn",
    filters: Annotated[tuple[int, ...], Between(16, 256, log=True)] = (128, 256, 128),
    kernel_sizes: Annotated[tuple[int, ...], Between(2, 16)] = (8, 5, 3),
    activation: kexp.Activation = "relu",
    normalization: kexp.Normalization = "batch",
    dropout: Annotated[float, Between(0.0, 0.5)] = 0.0,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Classify series with a fully convolutional or a residual network.

    Args:
        data: Name or path of a data set of series.
        size: One convolution after another, or residual blocks of three.
        filters: Filters of each convolution, or of the convolutions of each block.
        kernel_sizes: Steps that each convolution sees, or each of a block's.
        activation: After each convolution.
        normalization: After each convolution, before the activation.
        dropout: Share of the last layer's inputs dropped.
        **train: Training options.
    """
    dataset = kexp.data.load(data, **kexp.holdout(train), kinds=("series",))
    channels = dataset.spec.input_shape[1]
    builder = kexp.models.fcn if size == "fcn" else kexp.models.series_resnet
    model = builder(
        (None, channels),  # of any length, so that a batch is as long as its longest
        dataset.spec.outputs,
        filters=filters,
        kernel_sizes=kernel_sizes,
        activation=activation,
        normalization=normalization,
        dropout=dropout,
        **kexp.models.output_scaling(dataset),
    )
    return kexp.fit(
        model, dataset, preprocessing=kexp.models.series_preprocessing(dataset.train.inputs), **train
    )
