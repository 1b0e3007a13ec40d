"""A recurrent network classifies texts, character by character or word by word, beside their n-grams.

Source: Hochreiter and Schmidhuber 1997, "Long short-term memory"; Schuster and Paliwal 1997 for both
directions; Cheng et al. 2016, "Wide & deep learning for recommender systems", for the linear scores of
n-grams beside it. Names and genders: the data set's own, without the names that stand under both.

Command: kexp run lstm_text --seed S
Time: a minute on two CPU cores that other work shared
Score: first_names test accuracy 90.34 ± 0.03 % (90.32, 90.38, 90.32), validation 90.4 ± 1.1 %, mean and
    deviation of 3 seeds (0 to 2); logistic regression on character n-grams has 89.0 % of the same test names.
    Without n-grams the network has 83.4 ± 0.9 %. Chosen on a fifth of the training names held out, 3 seeds:
    network and n-grams 89.6 %, n-grams alone 89.4 to 89.7 %, the network alone, with dropout 0.3, 83.2 %, the
    mean of the probabilities of both, trained apart, 88.0 %; dropout of n-grams and label smoothing do not
    help. The 640 names of a default validation part differ by chance: the same regression has 90.5, 88.4 and
    87.5 % of them by seed, so that a high figure of seed 0 is no promise for the test names
"""

from typing import Annotated, Any, Literal

import kexp
from kexp import AtLeast, Between, Reference, TrainOptions, Unpack

REFERENCES = (Reference({}, "test_accuracy", 0.9, 0.0, "goal of this project"),)


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
    ngrams: Annotated[int, Between(0, 6)] = 5,
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
        ngrams: Tokens of the longest n-grams whose linear scores are added to the logits; 0 for none.
        **train: Training options.
    """
    dataset = kexp.data.load(data, text=text, target=target, kinds=("text",), **kexp.holdout(train), **table)
    preprocessing = kexp.models.text_preprocessing(dataset.train.inputs, split=split, vocabulary=vocabulary)
    network: dict[str, Any] = {"cell": cell, "units": units, "bidirectional": bidirectional, "head": head}
    model = kexp.models.rnn(
        (None,),  # texts of any length, so that a batch is as long as its longest
        dataset.spec.outputs,
        **network,
        dropout=dropout,
        ngrams=ngrams,
        vocabulary=kexp.models.vocabulary_size(preprocessing),
        embedding=embedding,
        **kexp.models.output_scaling(dataset),
    )
    return kexp.fit(model, dataset, preprocessing=preprocessing, **train)
