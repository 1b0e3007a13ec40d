"""A recurrent network classifies texts, character by character or word by word.

Source: Hochreiter and Schmidhuber 1997, "Long short-term memory"; Schuster and Paliwal 1997 for both
directions. Names and genders: the data set's own, without the names that stand under both.

Command: kexp run lstm_text --seed S
Time: 14 s on two CPU cores
Score: first_names test accuracy 83.36 ± 0.86 %, mean and deviation of 3 seeds (0 to 2)
"""

from typing import Annotated, Literal

import kexp
from kexp import AtLeast, Between, Reference, TrainOptions, Unpack

REFERENCES = (Reference({}, "test_accuracy", 0.82, 0.0, "goal of this project"),)


@kexp.recipe(
    references=REFERENCES,
    epochs=12,
    least_steps=1090,
    least_validation=30,
    batch_size=64,
    optimizer="adam",
    learning_rate=2e-3,
    schedule="cosine",
    clip_norm=1.0,
)
def lstm_text(
    data: str = "first_names",
    *,
    text: str | None = None,
    target: str | None = None,
    table: kexp.data.TableArguments,
    split: Literal["character", "word"] = "character",
    vocabulary: Annotated[int, AtLeast(3)] = 20_000,
    cell: Literal["lstm", "gru", "simple"] = "lstm",
    embedding: Annotated[int, Between(16, 128, log=True)] = 32,
    units: Annotated[tuple[int, ...], Between(16, 256, log=True)] = (64,),
    bidirectional: bool = True,
    head: Literal["last", "average", "max"] = "last",
    dropout: Annotated[float, Between(0.0, 0.5)] = 0.2,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Classify texts with a stack of recurrent layers.

    Args:
        data: Name or path of a data set of texts.
        text: The column with the text; needed for a table.
        target: The column to predict; needed for a table.
        table: As of kexp.data.TableArguments, how a table is read and its rows are divided.
        split: What a token is; words make sense from sentences on.
        vocabulary: Most tokens to tell apart; the rarest of the training texts are left out.
        cell: Of the layers.
        embedding: Numbers of a token's vector.
        units: Of each layer, in each direction.
        bidirectional: Whether each layer reads in both directions.
        head: What the last layer sees: the last step, the average or the largest value of all steps.
        dropout: Share of each layer's outputs dropped.
        **train: Training options.
    """
    dataset = kexp.data.load(data, text=text, target=target, kinds=("text",), **kexp.holdout(train), **table)
    preprocessing = kexp.models.text_preprocessing(dataset.train.inputs, split=split, vocabulary=vocabulary)
    model = kexp.models.rnn(
        (None,),  # texts of any length, so that a batch is as long as its longest
        dataset.spec.outputs,
        cell=cell,
        units=units,
        bidirectional=bidirectional,
        head=head,
        dropout=dropout,
        vocabulary=kexp.models.vocabulary_size(preprocessing),
        embedding=embedding,
        **kexp.models.output_scaling(dataset),
    )
    return kexp.fit(model, dataset, preprocessing=preprocessing, **train)
