"""A generative adversarial network draws images, of any class or of one that is asked for.

Source: Goodfellow et al. 2014, "Generative adversarial nets"; Radford, Metz and Chintala 2016, "Unsupervised
representation learning with deep convolutional generative adversarial networks".
"""

from typing import Annotated, Literal

import kexp
from kexp import AtLeast, Between, TrainOptions, Unpack


@kexp.recipe(epochs=20, batch_size=64, learning_rate=2e-4, momentum=0.5, ema=0.995)
def gan_images(
    data: str = "digits",
    *,
    image_size: Annotated[tuple[int, int], AtLeast(1)] | None = None,
    conditional: bool | None = None,
    loss: Literal["non_saturating", "hinge", "wasserstein"] = "hinge",
    latent: Annotated[int, Between(8, 256, log=True)] = 64,
    generator_filters: Annotated[tuple[int, ...], Between(16, 512, log=True)] | None = None,
    discriminator_filters: Annotated[tuple[int, ...], Between(16, 512, log=True)] | None = None,
    spectral: bool = True,
    critic_steps: Annotated[int, AtLeast(1)] = 1,
    discriminator_rate: Annotated[float, Between(0.25, 4.0, log=True)] = 2.0,
    classifier: str | None = None,
    quality_samples: Annotated[int, AtLeast(100)] = 1000,
    **train: Unpack[TrainOptions],
) -> kexp.Result:
    """Train a generative adversarial network on images.

    Args:
        data: Name or path of an image data set.
        image_size: (height, width) in pixels that images are resized to; None takes them as they are.
        conditional: Whether images of a class can be asked for; None: if the data have classes.
        loss: What the players play for.
        latent: Numbers of the noise that images are made from.
        generator_filters: Of its pixels before each doubling; None goes by the size of the images.
        discriminator_filters: Of its stages; None goes by the size of the images.
        spectral: Whether the discriminator's weights are divided by their largest singular value.
        critic_steps: Turns of the discriminator for each one of the generator.
        discriminator_rate: What the learning rate is multiplied by for the discriminator.
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
    classes = len(names) or None
    shape = dataset.spec.input_shape
    gan = kexp.models.GAN(
        kexp.models.gan_generator(shape, latent=latent, classes=classes, filters=generator_filters),
        kexp.models.gan_discriminator(
            shape,
            classes=classes,
            filters=discriminator_filters,
            normalization="layer" if loss == "wasserstein" else "none",
            spectral=spectral and loss != "wasserstein",
        ),
        class_names=names,
    )
    features = kexp.classifier_features(dataset, classifier, train["run_dir"], seed=train["seed"])
    objective = kexp.objectives.adversarial(
        loss,
        critic_steps=critic_steps,
        discriminator_rate=discriminator_rate,
        quality=kexp.Quality(features, samples=quality_samples),
    )
    grids = kexp.callbacks.SampleGrids(train["run_dir"])
    return kexp.fit(gan, dataset, objective=objective, callbacks=(grids,), **train)
