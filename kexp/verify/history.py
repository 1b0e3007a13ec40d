"""What a process may have done before a run begins in it, as a notebook has."""

from __future__ import annotations

import tempfile
from pathlib import Path


def train_a_gan() -> None:
    """Train another model for a moment: names, random streams and devices have then been in use."""
    import keras

    import kexp

    keras.utils.set_random_seed(12345)
    generator = kexp.models.gan_generator((8, 8, 1), latent=4, classes=10, filters=(8,))
    discriminator = kexp.models.gan_discriminator((8, 8, 1), classes=10, filters=(8, 8))
    model = kexp.models.GAN(generator, discriminator, class_names=tuple("0123456789"))
    data = kexp.data.load("digits")
    with tempfile.TemporaryDirectory() as folder:
        run_dir = str(Path(folder) / "run")
        objective = kexp.objectives.adversarial()
        kexp.fit(model, data, objective=objective, epochs=1, overfit_batches=1, quiet=True, run_dir=run_dir)
    # Names cross from two digits to three, where their order as text changes.
    for _ in range(95):
        keras.layers.Dense(1), keras.layers.Conv2D(1, 1), keras.layers.Dropout(0.1)
