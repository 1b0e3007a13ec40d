"""A recurrent network classifies series, or predicts numbers for them; the cell is an argument.

Source: Hochreiter and Schmidhuber 1997, "Long short-term memory"; Cho et al. 2014 for the GRU; Schuster and
Paliwal 1997 for both directions.

Command: kexp run lstm_series --validation 0 --seed S
Time: 20 s on two CPU cores
Score: japanese_vowels test accuracy 98.20 ± 0.68 %, mean and deviation of 3 seeds (0 to 2); with a tenth kept
    for validation, as by default, 97.77 ± 0.16 %
"""

from typing import Annotated, Literal

import kexp
from kexp import Between, Reference, TrainOptions, Unpack

REFERENCES = (
    Reference({"validation": 0.0}, "test_accuracy", 0.976, 0.001, "MLP in github.com/hfawaz/dl-4-tsc"),
)


@kexp.recipe(
    references=REFERENCES,
    epochs=60,
    least_steps=960,
    least_validation=30,
    batch_size=16,
    optimizer="adam",
    learning_rate=2e-3,
    schedule="cosine",
    clip_norm=1.0,
)
def lstm_series(
    data: str = "japanese_vowels",
    *,
    cell: Literal["lstm", "gru", "simple"] = "lstm",
    units: Annotated[tuple[int, ...], Between(16, 256, log=True)] = (64,),
    bidirectional: bool = True,
    head: Literal["last", "average", "max"] = "average",
    dropout: Annotated[float, Between(0.0, 0.5)] = 0.2,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Classify series with a stack of recurrent layers.

    Args:
        data: Name or path of a data set of series.
        cell: Of the layers.
        units: Of each layer, in each direction.
        bidirectional: Whether each layer reads in both directions.
        head: What the last layer sees: the last step, the average or the largest value of all steps.
        dropout: Share of each layer's outputs dropped.
        **train: Training options.
    """
    dataset = kexp.data.load(data, **kexp.holdout(train), kinds=("series",))
    channels = dataset.spec.input_shape[1]
    model = kexp.models.rnn(
        (None, channels),  # of any length, so that a batch is as long as its longest
        dataset.spec.outputs,
        cell=cell,
        units=units,
        bidirectional=bidirectional,
        head=head,
        dropout=dropout,
        **kexp.models.output_scaling(dataset),
    )
    return kexp.fit(
        model, dataset, preprocessing=kexp.models.series_preprocessing(dataset.train.inputs), **train
    )
