"""A multi-layer perceptron classifies images."""

from typing import Annotated

import kexp
from kexp import AtLeast, Between, TrainOptions, Unpack


@kexp.recipe(epochs=5, batch_size=64, optimizer="adam", learning_rate=1e-3)
def mlp_images(
    data: str = "digits",
    *,
    image_size: Annotated[tuple[int, int], AtLeast(1)] | None = None,
    hidden: Annotated[tuple[int, ...], Between(16, 1024, log=True)] = (256, 128),
    activation: kexp.Activation = "relu",
    normalization: kexp.Normalization = "none",
    dropout: Annotated[float, Between(0.0, 0.5)] = 0.2,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Classify images with a multi-layer perceptron.

    Args:
        data: Name or path of an image data set.
        image_size: (height, width) in pixels that images are resized to; None takes them as they are.
        hidden: Units of each hidden layer.
        activation: After each hidden layer.
        normalization: Before each activation.
        dropout: Share of units dropped after each hidden layer.
        **train: Training options.
    """
    dataset = kexp.data.load(
        data,
        validation=train["validation"],
        seed=train["seed"],
        image_size=image_size,
        kinds=("image", "array"),
    )
    model = kexp.models.mlp(
        dataset.spec.input_shape,
        dataset.spec.outputs,
        hidden=hidden,
        activation=activation,
        normalization=normalization,
        dropout=dropout,
        dtype=dataset.spec.dtype,
    )
    return kexp.fit(model, dataset, **train)
