"""Two encoders, of images and of texts, meet in one space: images are found by words, and words by images.

Source: Radford et al. 2021, "Learning transferable visual models from natural language supervision" (CLIP).

Command: kexp run image_text --seed S
Time: not measured yet
Score: not measured yet
"""

from typing import Annotated, Any, Literal

import kexp
from kexp import Between, Reference, TrainOptions, Unpack

REFERENCES = (Reference({}, "test_image_to_text_recall_at_1", 0.5, 0.0, "goal of this project"),)


@kexp.recipe(
    references=REFERENCES,
    epochs=100,
    batch_size=128,
    optimizer="adamw",
    learning_rate=2e-3,
    schedule="one_cycle",
)
def image_text(
    data: str = "emoji",
    *,
    image: str | None = None,
    target: str | None = None,
    images: kexp.data.ImageArguments,
    table: kexp.data.TableArguments,
    target_split: Literal["character", "space", "subword"] = "space",
    filters: Annotated[tuple[int, ...], Between(8, 512, log=True)] = (32, 64, 128),
    units: Annotated[int, Between(16, 256, log=True)] = 64,
    depth: Annotated[int, Between(0, 4)] = 1,
    embedding: Annotated[int, Between(16, 512, log=True)] = 128,
    dropout: Annotated[float, Between(0.0, 0.5)] = 0.1,
    shift: Annotated[float, Between(0.0, 0.5)] = 0.1,
    flip: bool = True,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Find images by texts and texts by images.

    Args:
        data: Name or path of a data set of images with a text each.
        image: The column with the path of an image; needed for a table.
        target: The column with the text; needed for a table.
        images: As of kexp.data.ImageArguments, their size and where they are held.
        table: As of kexp.data.TableArguments, how a table is read and its rows are divided.
        target_split: What a token of a text is; "space" stands between them.
        filters: Of each stage of the image encoder, with half the height and width of the one before.
        units: Numbers of a token's vector in the text encoder.
        depth: Blocks of the text encoder's Transformer.
        embedding: Numbers of the vector that an image or a text becomes.
        dropout: Share dropped of the image encoder's features, and in the blocks.
        shift: Farthest move of training images, as a fraction of the size.
        flip: Whether half of them are mirrored left to right.
        **train: Training options.
    """
    given: dict[str, Any] = {"image": image, "target": target, **kexp.holdout(train), **images, **table}
    dataset = kexp.data.load(data, task="retrieval", kinds=("image",), **given)
    shape, dtype, texts = dataset.spec.input_shape, dataset.spec.dtype, dataset.train.targets
    reads = kexp.models.tokenizer(texts, split=target_split)
    network: dict[str, Any] = {"normalization": "batch", "head": "average", "dropout": dropout}
    pictures = kexp.models.cnn(shape, embedding, filters=filters, dtype=dtype, **network)
    size: dict[str, Any] = {"vocabulary": kexp.models.tokens_of(reads).size, "width": units, "depth": depth}
    words = kexp.models.transformer_encoder((None,), embedding, dropout=dropout, **size)
    model = kexp.models.DualEncoder(pictures, words)
    search = kexp.models.ImageTextSearch(model, reads, texts)
    return kexp.fit(
        model,
        dataset,
        objective=kexp.objectives.contrastive(),
        target_preprocessing=reads,
        augmentation=kexp.models.image_augmentation(dtype, shift=shift, flip=flip),
        inference_model=search,
        final_metrics=kexp.metrics.recalls(search),
        **train,
    )
