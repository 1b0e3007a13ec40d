"""Pretrained vectors of words' pieces are fine-tuned on texts: a new head first, then all at smaller rates.

Source: Shen et al. 2018, "Baseline Needs More Love: On Simple Word-Embedding-Based Models and Associated
Pooling Mechanisms"; Howard and Ruder 2018, "Universal Language Model Fine-tuning for Text Classification",
for the phases. The vectors are those of WordLlama (github.com/dleemiller/WordLlama).

Command: kexp run finetune_text --data fortunes.csv --text text --target topic --seed S
Time: 26 s on two CPU cores
Score: 5,127 texts of ten topics (tools/fortunes.py), test accuracy 62.2 ± 0.6 %, with random vectors
    38.8 ± 1.2 %; TF-IDF and logistic regression 64.9 % by words and 67.1 % by letters, in 3 and 17 s

Command: kexp run finetune_text --seed S
Time: 66 s on two CPU cores that had other work
Score: first_names test accuracy 81.5 ± 0.5 %, with random vectors 75.4 ± 0.9 %; TF-IDF and logistic
    regression 56.5 % by words and 90.6 % by letters; mean and deviation of 3 seeds each (0 to 2)
"""

from typing import Annotated, Literal

import kexp
from kexp import AtLeast, Between, TrainOptions, Unpack


@kexp.recipe(least_validation=30, optimizer="adamw", learning_rate=2e-3, schedule="cosine", warmup=0.1)
def finetune_text(
    data: str = "first_names",
    *,
    text: str | None = None,
    target: str | None = None,
    table: kexp.data.TableArguments,
    vectors: Literal["wordllama", "random"] = "wordllama",
    steps: Annotated[int, AtLeast(1)] | None = None,
    head_epochs: Annotated[int, Between(0, 30)] = 4,
    rate: Annotated[float, Between(0.01, 1.0, log=True)] = 0.5,
    lora_rank: Annotated[int, Between(0, 32)] = 0,
    depth: Annotated[int, Between(0, 2)] = 0,
    hidden: Annotated[int, Between(0, 512)] = 128,
    dropout: Annotated[float, Between(0.0, 0.7)] = 0.5,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Classify texts, or predict a number from them, by pretrained vectors of their tokens.

    Args:
        data: Name or path of a data set of texts.
        text: The column with the text; needed for a table.
        target: The column to predict; needed for a table.
        table: As of kexp.data.TableArguments, how a table is read and its rows are divided.
        vectors: What the vectors begin as; random ones of the same size and spread are for comparison.
        steps: Tokens kept of a text; None: as many as 95 % of the training texts have at most.
        head_epochs: Epochs, of all, of the head alone.
        rate: What the learning rate is multiplied by then, when the vectors are trained too.
        lora_rank: Rank of the matrices that are trained in the place of the vectors; 0 for none.
        depth: Transformer blocks between vectors and head.
        hidden: Units of the hidden layer of the head; 0 for none.
        dropout: Share dropped of what each dense layer of the head sees.
        **train: Training options.
    """
    dataset = kexp.data.load(data, text=text, target=target, kinds=("text",), **kexp.holdout(train), **table)
    tokens = kexp.models.pretrained_tokens("wordllama")
    preprocessing = kexp.models.text_preprocessing(
        dataset.train.inputs, split="subword", pieces=tokens.pieces, steps=steps
    )
    start = tokens.table if vectors == "wordllama" else tokens.random_table(kexp.holdout(train)["seed"])
    encoder = kexp.models.text_encoder(start, depth=depth)
    model = kexp.models.with_head(
        encoder,
        dataset.spec.outputs,
        hidden=(hidden,) if hidden else (),
        dropout=dropout,
        **kexp.models.output_scaling(dataset),
    )
    head = kexp.models.head_layers(model, encoder)
    if lora_rank:
        kexp.models.enable_lora(encoder, lora_rank, ["embedding"])
    phases = kexp.finetune_phases(train, head_epochs=head_epochs, head=head, unfreeze=1.0, rate=rate)
    return kexp.fit(model, dataset, preprocessing=preprocessing, phases=phases, **train)
