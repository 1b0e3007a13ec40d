"""A recurrent encoder and decoder predicts texts from texts: words with their sound, sums with their result.

Source: Sutskever, Vinyals and Le 2014, "Sequence to sequence learning with neural networks"; Luong, Pham and
Manning 2015 for attention. Phonemes of words: Yao and Zweig 2015, "Sequence-to-sequence neural net models for
grapheme-to-phoneme conversion". Addition: https://keras.io/examples/nlp/addition_rnn

Command: kexp run seq2seq --seed S
Time: 42 s on two CPU cores
Score: pronunciations test phoneme error rate 12.08 ± 0.36 %, word error rate 45.0 ± 0.7 %, mean and deviation
    of 3 seeds (0 to 2); settings were chosen on validation data

Command: kexp run seq2seq --data addition --target-split character --epochs 15 --seed S
Time: 100 s on two CPU cores
Score: 99.58 ± 0.10 % of the test sums right in every digit, mean and deviation of 3 seeds (0 to 2)
"""

from typing import Annotated, Any, Literal

import kexp
from kexp import AtLeast, Between, Reference, TrainOptions, Unpack

ADDITION = {"data": "addition", "target_split": "character", "epochs": 15}
REFERENCES = (
    Reference({}, "test_phoneme_error_rate", 0.15, 0.0, "goal of this project"),
    Reference(ADDITION, "test_text_error_rate", 0.01, 0.0, "https://keras.io/examples/nlp/addition_rnn"),
)


@kexp.recipe(
    references=REFERENCES, epochs=10, batch_size=128, learning_rate=4e-3, schedule="one_cycle", clip_norm=1.0
)
def seq2seq(
    data: str = "pronunciations",
    *,
    text: str | None = None,
    target: str | None = None,
    table: kexp.data.TableArguments,
    source_split: Literal["character", "space"] = "character",
    target_split: Literal["character", "space"] = "space",
    reverse: bool = False,
    cell: Literal["lstm", "gru"] = "lstm",
    embedding: Annotated[int, Between(16, 128, log=True)] = 64,
    units: Literal[32, 64, 128, 256] = 128,
    attention: bool = True,
    bidirectional: bool = True,
    dropout: Annotated[float, Between(0.0, 0.5)] = 0.0,
    beam: Annotated[int, AtLeast(1)] = 3,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Predict texts from texts, token by token.

    Args:
        data: Name or path of a data set of texts with texts as targets.
        text: The column with the text; needed for a table.
        target: The column with the text to predict; needed for a table.
        table: As of kexp.data.TableArguments, how a table is read and its rows are divided.
        source_split: What a token of the text is; "space" stands between them.
        target_split: What a token of the output is.
        reverse: Whether the text is read from its end.
        cell: Of encoder and decoder.
        embedding: Numbers of a token's vector.
        units: Of the decoder; in both directions each has half of them.
        attention: Whether the decoder looks at each token of the text.
        bidirectional: Whether the encoder reads in both directions.
        dropout: Share dropped of the embeddings and of what the last layer sees.
        beam: Candidates for an output, the most probable of which is given.
        **train: Training options.
    """
    dataset = kexp.data.load(
        data, text=text, target=target, task="text", kinds=("text",), **kexp.holdout(train), **table
    )
    reads = kexp.models.tokenizer(dataset.train.inputs, split=source_split, reverse=reverse)
    writes = kexp.models.tokenizer(dataset.train.targets, split=target_split, ends=True)
    vocabularies = [kexp.models.tokens_of(tokens).size for tokens in (reads, writes)]
    network: dict[str, Any] = {"cell": cell, "units": units, "embedding": embedding, "dropout": dropout}
    model = kexp.models.seq2seq(*vocabularies, attention=attention, bidirectional=bidirectional, **network)
    answers = kexp.models.transcriber(model, reads, writes, beam=beam)
    names = {"token": "phoneme", "text": "word"} if data == "pronunciations" else {}
    return kexp.fit(
        model,
        dataset,
        preprocessing=reads,
        target_preprocessing=writes,
        inference_model=answers,
        final_metrics=kexp.metrics.error_rates(target_split, **names),
        **train,
    )
