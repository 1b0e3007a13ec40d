"""A Transformer classifies images, by patches or by what convolutions make of them.

Source: Dosovitskiy et al. 2021, "An image is worth 16x16 words"; Hassani et al. 2021, "Escaping the big data
paradigm with compact Transformers".

Command: kexp run vit_images --data mnist --epochs 3 --batch-size 128 --seed S
Time: 90 s on two CPU cores
Score: test accuracy 98.80 ± 0.23 % with 72,746 parameters, mean and deviation of 3 seeds (0 to 2)
"""

from typing import Annotated, Any, Literal

import kexp
from kexp import AtLeast, Between, Reference, TrainOptions, Unpack

REFERENCES = (
    Reference(
        {"data": "mnist", "epochs": 3, "batch_size": 128},
        "test_accuracy",
        0.985,
        0.0,
        "goal of this project",
    ),
)


@kexp.recipe(
    references=REFERENCES, least_validation=30, optimizer="adamw", learning_rate=3e-3, schedule="one_cycle"
)
def vit_images(
    data: str = "digits",
    *,
    images: kexp.data.ImageArguments,
    tokens: Literal["patches", "convolutions"] = "convolutions",
    patch: Literal[2, 4, 7, 8, 16] = 4,
    filters: Annotated[int, Between(8, 128, log=True)] = 32,
    width: Literal[32, 64, 128] = 64,
    depth: Annotated[int, Between(1, 8)] = 2,
    heads: Literal[2, 4, 8] = 2,
    expansion: Annotated[int, AtLeast(1)] = 1,
    dropout: Annotated[float, Between(0.0, 0.5)] = 0.0,
    stochastic_depth: Annotated[float, Between(0.0, 0.5)] = 0.0,
    shift: Annotated[float, Between(0.0, 0.3)] = 0.0,
    block: kexp.TransformerArguments,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Classify images with a vision Transformer.

    Args:
        data: Name or path of an image data set.
        images: As of kexp.data.ImageArguments, their size and where they are held.
        tokens: What the steps are: square patches, or the places of a small convolutional network.
        patch: Side of a patch in pixels, which divides height and width.
        filters: Of the first convolution, where there are two.
        width: Numbers of a step's vector.
        depth: Blocks.
        heads: Heads of each attention.
        expansion: Width of a block's hidden layer, in widths.
        dropout: Share dropped of what each branch adds.
        stochastic_depth: Share of samples that skip the last block; fewer skip earlier ones.
        shift: Farthest random move of training images, as a fraction of the size.
        block: As of kexp.TransformerArguments, how blocks are built.
        **train: Training options.
    """
    dataset = kexp.data.load(data, **kexp.holdout(train), **images, kinds=("image",))
    shape, outputs, dtype = dataset.spec.input_shape, dataset.spec.outputs, dataset.spec.dtype
    common: dict[str, Any] = {
        "width": width,
        "depth": depth,
        "heads": heads,
        "expansion": expansion,
        "dtype": dtype,
    }
    common |= {"dropout": dropout, "stochastic_depth": stochastic_depth, **block}
    if tokens == "patches":
        model = kexp.models.vit(shape, outputs, patch=patch, **common)
    else:
        model = kexp.models.cct(shape, outputs, filters=filters, **common)
    augmentation = kexp.models.image_augmentation(dtype, shift=shift)
    return kexp.fit(model, dataset, augmentation=augmentation, **train)
