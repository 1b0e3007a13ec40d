"""A one-dimensional convolutional network classifies series, or predicts numbers for them.

Source: the fully convolutional network and the residual network of Wang, Yan and Oates 2017, "Time series
classification from scratch with deep neural networks: a strong baseline"; LITE of Ismail-Fawaz et al. 2023.

Command: kexp run cnn_series --seed S
Time: 42 to 66 s on two CPU cores that others computed on too
Score: japanese_vowels test accuracy 99.55 ± 0.16 %, mean and deviation of 3 seeds (0 to 2), measured with
    --validation 0, which is what is trained by default now: a tenth of 270 series of 9 classes is too few to
    choose an epoch by. github.com/hfawaz/dl-4-tsc has 99.3 %
Small sets (tools/series_benchmark.py): test accuracy by default, mean and deviation of 3 seeds (0 to 2), in
    brackets the nearest neighbour on the same rows and the network of github.com/hfawaz/dl-4-tsc (of
    BasicMotions that of github.com/MSD-IRIMAS/LITE), in %: ArrowHead 85.3 ± 1.2 (80.0, 84.3), BasicMotions
    100 ± 0 (72.5, 100), GunPoint 99.1 ± 0.6 (91.3, 100), ItalyPowerDemand 96.2 ± 0.4 (95.5, 96.1); 90 to
    256 s a run beside a dozen other processes on two cores
Steps: 2,000 at least, a bound of time; that source has 2,000 epochs of batches of a tenth of the series. Of
    halves of training series, one division, one seed, 1,000 steps of batches of 4 and 8 have 77.8 and 77.8 %
    of ArrowHead right, 90.0 and 96.0 % of GunPoint; batches of 16 have 96.0 % of GunPoint (600 steps) and, of
    the first half of ArrowHead alone, 83.3 %, as 4 and 8 have of it, in more time. Test figures of ArrowHead
    by batches of 16 were known (72.0; 72.6 with three series held out). LITE was not compared
"""

from typing import Annotated, Any, Literal

import kexp
from kexp import Between, Reference, TrainOptions, Unpack

REFERENCES = (
    Reference({"validation": 0.0}, "test_accuracy", 0.993, 0.008, "FCN in github.com/hfawaz/dl-4-tsc"),
)


@kexp.recipe(
    references=REFERENCES,
    epochs=60,
    least_steps=2000,
    least_batches=5,
    least_validation=30,
    batch_size=16,
    optimizer="adam",
    learning_rate=1e-3,
    schedule="cosine",
)
def cnn_series(
    data: str = "japanese_vowels",
    *,
    size: Literal["fcn", "resnet", "lite", "litetime"] = "fcn",
    filters: Annotated[tuple[int, ...], Between(16, 256, log=True)] = (128, 256, 128),
    kernel_sizes: Annotated[tuple[int, ...], Between(2, 16)] = (8, 5, 3),
    activation: kexp.Activation = "relu",
    normalization: kexp.Normalization = "batch",
    dropout: Annotated[float, Between(0.0, 0.5)] = 0.0,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Classify series with a fully convolutional network, a residual one or an ensemble of light ones.

    Args:
        data: Name or path of a data set of series.
        size: One convolution after another, residual blocks of three, LITE, or five of it.
        filters: Filters of each convolution of fcn, or of the convolutions of each block of resnet.
        kernel_sizes: Steps that each convolution of fcn sees, or each of a block's of resnet.
        activation: After each convolution.
        normalization: After each convolution, before the activation.
        dropout: Share of the last layer's inputs dropped.
        **train: Training options.
    """
    dataset = kexp.data.load(data, **kexp.holdout(train), kinds=("series",))
    # Of any length, so that a batch is as long as its longest.
    shape, outputs = (None, dataset.spec.input_shape[1]), dataset.spec.outputs
    common: dict[str, Any] = {"activation": activation, "normalization": normalization, "dropout": dropout}
    common |= kexp.models.output_scaling(dataset)
    objective = None
    if size in ("lite", "litetime"):
        common |= {"members": 5 if size == "litetime" else 1, "mean_of": kexp.models.member_mean(dataset)}
        model = kexp.models.lite(shape, outputs, **common)
        objective = kexp.objectives.ensemble(dataset.spec, label_smoothing=train.get("label_smoothing", 0.0))
    else:
        builder = kexp.models.fcn if size == "fcn" else kexp.models.series_resnet
        model = builder(shape, outputs, filters=filters, kernel_sizes=kernel_sizes, **common)
    preprocessing = kexp.models.series_preprocessing(dataset.train.inputs)
    return kexp.fit(model, dataset, preprocessing=preprocessing, objective=objective, **train)
