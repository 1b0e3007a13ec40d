"""A small convolutional network classifies images as a teacher does.

Source: Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a Neural Network". The teacher is the
finished run or the export of any model for the same images; without one the labels alone are learned from.

Command: kexp run distill_images --data fashion_mnist_small --teacher runs/TEACHER --filters 6 12 --seed S
Time: 70 s on two CPU cores that had other work
Score: test accuracy 83.5 ± 0.6 % with a teacher of 86.9 % and 56,874 parameters, 83.6 ± 0.5 % without one:
    this teacher is of no use here; 6,610 parameters, mean and deviation of 5 seeds (0 to 4)
"""

from typing import Annotated

import kexp
from kexp import Between, TrainOptions, Unpack


@kexp.recipe(epochs=15, least_validation=30, learning_rate=2e-3, schedule="cosine")
def distill_images(
    data: str = "digits",
    *,
    images: kexp.data.ImageArguments,
    teacher: str | None = None,
    temperature: Annotated[float, Between(1.0, 20.0, log=True)] = 4.0,
    teacher_weight: Annotated[float, Between(0.0, 1.0)] = 0.7,
    filters: Annotated[tuple[int, ...], Between(4, 64, log=True)] = (8, 16),
    activation: kexp.Activation = "relu",
    dropout: Annotated[float, Between(0.0, 0.5)] = 0.0,
    shift: Annotated[float, Between(0.0, 0.3)] = 0.0,
    flip: bool = False,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Classify images with a small convnet that a larger network teaches.

    Args:
        data: Name or path of an image data set.
        images: As of kexp.data.ImageArguments, their size and where they are held.
        teacher: Folder of a finished run or of an export, for the same images and classes; None: the labels
            alone.
        temperature: What the logits of teacher and student are divided by.
        teacher_weight: Share of the teacher in the loss.
        filters: Filters of each stage.
        activation: After each convolution.
        dropout: Share of the last layer's inputs dropped.
        shift: Farthest random move, as a fraction of the size.
        flip: Whether half of the training images are mirrored left to right.
        **train: Training options.
    """
    dataset = kexp.data.load(data, **kexp.holdout(train), **images, kinds=("image",))
    shape, outputs, dtype = dataset.spec.input_shape, dataset.spec.outputs, dataset.spec.dtype
    model = kexp.models.cnn(
        shape, outputs, filters=filters, activation=activation, dropout=dropout, dtype=dtype
    )
    objective = None
    if teacher is not None:
        taught = kexp.load_teacher(teacher, dataset.spec)
        objective = kexp.objectives.distillation(
            dataset.spec, taught, temperature=temperature, weight=teacher_weight
        )
    augmentation = kexp.models.image_augmentation(dtype, shift=shift, flip=flip)
    return kexp.fit(model, dataset, objective=objective, augmentation=augmentation, **train)
