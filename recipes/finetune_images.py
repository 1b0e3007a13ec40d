"""A pretrained network is fine-tuned on images: its new head first, then its top at smaller rates.

Source: Yosinski et al. 2014, "How transferable are features in deep neural networks?"; Howard and Ruder 2018,
"Universal Language Model Fine-tuning for Text Classification", for the phases and the rates by depth.

Command: kexp cross-validate finetune_images --data photos/ --folds 5 --repeats 2 --epochs 24
    --head-epochs 16
Time: 245 s a fold on two CPU cores that had other work; 30 s for the head alone
Score: 140 photos of five classes (tools/photos.py), test accuracy 88.9 ± 2.0 %, mean and deviation of ten
    folds; the head alone on frozen features (--precompute --epochs 30) 88.6 ± 3.3 %; a convnet from scratch
    51.8 ± 11.8 %; logistic regression on pixels 46.8 ± 7.8 %

Command: kexp run finetune_images --data few.npz --image-size 96 96 --epochs 24 --head-epochs 16 --seed S
Time: 210 s on two CPU cores that had other work
Score: 200 images of fashion_mnist_small (tools/transfer_proof.py), test accuracy 74.4 ± 1.5 %; the head alone
    on frozen features 73.4 ± 0.9 %; a convnet from scratch, 26 s, 71.0 ± 2.9 %; mean and deviation of 5 seeds
    (0 to 4)
"""

from dataclasses import replace
from typing import Annotated, Any

import kexp
from kexp import AtLeast, Between, TrainOptions, Unpack

_NOTE = "the head is trained on features that were computed once, so that no image is changed at random."
_BUDGET: dict[str, Any] = {"epochs": 12, "batch_size": 16, "least_validation": 30}


@kexp.recipe(**_BUDGET, optimizer="adamw", learning_rate=3e-3, schedule="cosine", warmup=0.1)
def finetune_images(
    data: str = "digits",
    *,
    images: kexp.data.ImageArguments,
    backbone: str = "efficientnet_lite0",
    image_size: Annotated[tuple[int, int], AtLeast(32)] | None = None,
    head_epochs: Annotated[int, Between(0, 30)] = 8,
    unfreeze: Annotated[float, Between(0.0, 1.0)] = 0.3,
    rate: Annotated[float, Between(0.01, 1.0, log=True)] = 0.1,
    depth_decay: Annotated[float, Between(0.8, 1.0)] = 0.95,
    precompute: bool = False,
    lora_rank: Annotated[int, Between(0, 32)] = 0,
    lora_layers: tuple[str, ...] | None = None,
    tta: bool = False,
    dropout: Annotated[float, Between(0.0, 0.5)] = 0.2,
    flip: bool = True,
    randaugment: Annotated[int, Between(0, 4)] = 0,
    mixup: Annotated[float, Between(0.0, 1.0)] = 0.0,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Classify images with a pretrained network.

    Args:
        data: Name or path of an image data set.
        images: As of kexp.data.ImageArguments, how they are resized and where they are held.
        backbone: As of kexp.models.pretrained: a name, a .keras file or the folder of a run.
        image_size: (height, width) in pixels; None: what the network was trained at.
        head_epochs: Epochs, of all, of the head alone.
        unfreeze: Share of the layers, from the last one down, that is trained then; 0 for the head alone.
        rate: What the learning rate is multiplied by then.
        depth_decay: What it is multiplied by from layer to layer towards the input.
        precompute: Whether the head is trained alone, on features that are computed once.
        lora_rank: Rank of the matrices that are trained in the place of the layers' own; 0 for none.
        lora_layers: Names of the layers that get such; None: all that can have them.
        tta: Whether predictions are means over an image and its mirror image.
        dropout: Share of the head's inputs dropped.
        flip: Whether half of the training images are mirrored left to right.
        randaugment: Random operations on each training image.
        mixup: Strength of blending pairs of training images and their labels, 0 for none.
        **train: Training options.
    """
    size = image_size or kexp.models.pretrained_image_size(backbone)
    images = {**images, "image_size": size}
    dataset = kexp.data.load(data, **kexp.holdout(train), **images, kinds=("image",))
    spec = dataset.spec
    network = kexp.models.pretrained(backbone, spec.input_shape, image_size=size, dtype=spec.dtype)
    if precompute:
        dataset = replace(dataset, notes=(*dataset.notes, _NOTE))
        alone = kexp.models.mlp(network.output_shape[1:], spec.outputs, hidden=())
        return kexp.fit(alone, dataset, preprocessing=network, **train)
    model = kexp.models.with_head(network, spec.outputs, dropout=dropout)
    head = kexp.models.head_layers(model, network)
    lora = kexp.models.enable_lora(network, lora_rank, lora_layers) if lora_rank else []
    top: Any = [*head, *lora] if lora else unfreeze
    phases = kexp.finetune_phases(
        train, head_epochs=head_epochs, head=head, unfreeze=top, rate=rate, depth_decay=depth_decay
    )
    mix = kexp.models.image_augmentation(spec.dtype, flip=flip, randaugment=randaugment, mixup=mixup)
    return kexp.fit(model, dataset, augmentation=mix, phases=phases, **_answers(model, tta), **train)


def _answers(model: Any, tta: bool) -> dict[str, Any]:
    """Return what answers in the place of the model, and how it is measured."""
    if not tta:
        return {}
    averaged = kexp.models.averaged_over_mirror_images(model)
    return {"inference_model": averaged, "final_metrics": {"averaged_accuracy": kexp.metrics.label_accuracy}}
