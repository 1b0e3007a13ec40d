"""A diffusion model draws images, of any class or of one that is asked for.

Source: Ho, Jain and Abbeel 2020, "Denoising diffusion probabilistic models"; Song, Meng and Ermon 2021,
"Denoising diffusion implicit models"; Ho and Salimans 2022, "Classifier-free diffusion guidance".
"""

from typing import Annotated, Literal

import kexp
from kexp import AtLeast, Between, TrainOptions, Unpack


@kexp.recipe(
    epochs=10, batch_size=64, learning_rate=1e-3, schedule="cosine", warmup=0.05, ema=0.999, clip_norm=1.0
)
def diffusion_images(
    data: str = "digits",
    *,
    image_size: Annotated[tuple[int, int], AtLeast(1)] | None = None,
    conditional: bool | None = None,
    filters: Annotated[tuple[int, ...], AtLeast(4)] = (32, 64, 96),
    patch: Annotated[int, AtLeast(1)] = 1,
    attention: Annotated[int, AtLeast(0)] = 1,
    heads: Annotated[int, AtLeast(1)] = 4,
    dropout: Annotated[float, Between(0.0, 0.5)] = 0.0,
    steps: Annotated[int, AtLeast(2)] = 250,
    noise: Literal["linear", "cosine"] = "cosine",
    predicts: Literal["epsilon", "x0", "v"] = "v",
    unlabelled: Annotated[float, Between(0.0, 1.0)] = 0.1,
    sampler: Literal["ddpm", "ddim"] = "ddim",
    sample_steps: Annotated[int, AtLeast(1)] = 50,
    guidance: Annotated[float, AtLeast(0.0)] = 0.0,
    classifier: str | None = None,
    quality_samples: Annotated[int, AtLeast(100)] = 1000,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Train a diffusion model on images.

    Args:
        data: Name or path of an image data set.
        image_size: (height, width) in pixels that images are resized to; None takes them as they are.
        conditional: Whether images of a class can be asked for; None: if the data have classes.
        filters: Filters of each level; each after the first has half the height and width.
        patch: Pixels in each direction that are one place of the first level.
        attention: How many of the lowest levels attend among all their places.
        heads: Heads of the attention.
        dropout: Share dropped within each block.
        steps: Of the noise schedule.
        noise: How the noise grows from step to step.
        predicts: What the network answers: the noise, the image, or the velocity between both.
        unlabelled: Share of the images whose class is left out in training, for the guidance.
        sampler: How samples are drawn, with noise at each step or without.
        sample_steps: Steps that a sample takes.
        guidance: How far samples are moved towards their class.
        classifier: Run folder of a classifier whose features the samples are measured by; None trains one.
        quality_samples: Samples that are measured after each epoch and at the end.
        **train: Training options.
    """
    dataset = kexp.data.load(
        data, validation=train["validation"], seed=train["seed"], image_size=image_size, kinds=("image",)
    )
    if conditional is None:
        conditional = dataset.spec.task == "classification"
    names = kexp.data.class_names(dataset.spec) if conditional else ()
    network = kexp.models.diffusion_unet(
        dataset.spec.input_shape,
        classes=len(names) or None,
        filters=filters,
        patch=patch,
        attention=attention,
        heads=heads,
        dropout=dropout,
    )
    model = kexp.models.Diffusion(
        network,
        steps=steps,
        noise=noise,
        target=predicts,
        sampler=sampler,
        sample_steps=min(sample_steps, steps),
        guidance=guidance,
        class_names=names,
    )
    features = kexp.classifier_features(dataset, classifier, train["run_dir"], seed=train["seed"])
    objective = kexp.objectives.denoising(
        unlabelled=unlabelled, quality=kexp.Quality(features, samples=quality_samples)
    )
    grids = kexp.callbacks.SampleGrids(train["run_dir"])
    return kexp.fit(model, dataset, objective=objective, callbacks=(grids,), **train)
