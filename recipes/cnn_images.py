"""A convolutional network classifies images.

Source: a plain convnet with batch normalisation (Ioffe and Szegedy 2015) and average pooling, or ResNet-20,
-32 or -56 (He et al. 2015). keras.io/examples/vision/mnist_convnet has 99.22 % on MNIST with 34,826
parameters in 15 epochs.

Command: kexp run cnn_images --data mnist --validation 0 --seed S
Time: 6 minutes of training on two CPU cores
Score: test accuracy 99.27 ± 0.05 % with 24,282 parameters, mean and deviation of 3 seeds (0 to 2: 99.31,
    99.28, 99.21)

Command: kexp run cnn_images --data fashion_mnist_small --size resnet20 --shift 0.125 --flip --epochs 20
    --validation 0 --seed S
Time: 7 s an epoch on two CPU cores
Score: test accuracy 87.70 ± 0.36 %; the plain convnet in 20 epochs 86.20 ± 0.30 %, with this augmentation,
    which is that of He et al., 82.6 ± 1.2 %; mean and deviation of 3 seeds each (0 to 2)
"""

from typing import Annotated, Any, Literal

import kexp
from kexp import Between, Reference, TrainOptions, Unpack

REFERENCES = (
    Reference(
        {"data": "mnist", "validation": 0.0},
        "test_accuracy",
        0.9922,
        0.001,
        "keras.io/examples/vision/mnist_convnet",
    ),
    Reference(
        {
            "data": "fashion_mnist_small",
            "size": "resnet20",
            "shift": 0.125,
            "flip": True,
            "epochs": 20,
            "validation": 0.0,
        },
        "test_accuracy",
        0.862,
        0.0,
        "the plain convnet here, in 20 epochs",
    ),
)


_BUDGET: dict[str, Any] = {"epochs": 15, "least_steps": 300, "least_validation": 30}


@kexp.recipe(references=REFERENCES, **_BUDGET, learning_rate=2e-3, schedule="cosine")
def cnn_images(
    data: str = "digits",
    *,
    images: kexp.data.ImageArguments,
    size: Literal["plain", "resnet20", "resnet32", "resnet56"] = "plain",
    filters: Annotated[tuple[int, ...], Between(8, 256, log=True)] = (16, 32, 64),
    activation: kexp.Activation = "relu",
    normalization: kexp.Normalization = "batch",
    padding: Literal["same", "valid"] = "same",
    head: Literal["flatten", "average"] = "average",
    dropout: Annotated[float, Between(0.0, 0.5)] = 0.1,
    stochastic_depth: Annotated[float, Between(0.0, 0.5)] = 0.0,
    shift: Annotated[float, Between(0.0, 0.3)] = 0.0,
    flip: bool = False,
    randaugment: Annotated[int, Between(0, 4)] = 0,
    erasing: Annotated[float, Between(0.0, 1.0)] = 0.0,
    mixup: Annotated[float, Between(0.0, 1.0)] = 0.0,
    cutmix: Annotated[float, Between(0.0, 1.0)] = 0.0,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Classify images with a plain convnet or a residual network.

    Args:
        data: Name or path of an image data set.
        images: As of kexp.data.ImageArguments, their size and where they are held.
        size: A plain convnet, or a residual network of so many layers.
        filters: Filters of each stage of the plain convnet.
        activation: After each convolution.
        normalization: After each convolution, before the activation.
        padding: Of the plain convnet's convolutions.
        head: What the plain convnet's last layer sees: all positions, or their average.
        dropout: Share of the last layer's inputs dropped.
        stochastic_depth: Share of samples that skip a residual network's last block; fewer skip earlier ones.
        shift: Farthest random move, as a fraction of the size.
        flip: Whether half of the training images are mirrored left to right.
        randaugment: Random operations on each training image.
        erasing: Share of training images with a patch replaced by noise.
        mixup: Strength of blending pairs of training images and their labels, 0 for none.
        cutmix: Strength of pasting from one training image and its label into another, 0 for none.
        **train: Training options.
    """
    dataset = kexp.data.load(data, **kexp.holdout(train), **images, kinds=("image",))
    shape, outputs, dtype = dataset.spec.input_shape, dataset.spec.outputs, dataset.spec.dtype
    common: dict[str, Any] = {"activation": activation, "normalization": normalization, "dropout": dropout}
    common["dtype"] = dtype
    if size == "plain":
        model = kexp.models.cnn(shape, outputs, filters=filters, padding=padding, head=head, **common)
    else:
        common |= {"depth": int(size.removeprefix("resnet")), "stochastic_depth": stochastic_depth}
        model = kexp.models.resnet(shape, outputs, **common)
    augmentation = kexp.models.image_augmentation(
        dtype, shift=shift, flip=flip, randaugment=randaugment, erasing=erasing, mixup=mixup, cutmix=cutmix
    )
    return kexp.fit(model, dataset, augmentation=augmentation, **train)
