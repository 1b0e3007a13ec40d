"""Finished runs of autoencoders and of models that make images, none of them trained."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import kexp
from kexp.data import Dataset
from kexp.result import Result
from kexp.run.example_inputs import save_samples
from kexp.run.run_files import checksums

CLASSES = tuple("0123456789")
SHAPE = (8, 8, 1)


def run_of(model: Any, task: str, folder: Path, like: Path, data: Dataset | None = None) -> Result:
    """Return a run that another one was copied for, with a model in place of its own.

    Args:
        model: What answers or makes samples.
        task: "reconstruction" or "generation".
        folder: A new one.
        like: The folder of a finished run on the digits.
        data: What the run is said to be on, default the digits.
    """
    data = data or kexp.data.load("digits")
    shutil.copytree(like, folder)
    model.save(folder / "model.keras")
    save_samples(folder / "samples.npz", data)
    spec = replace(data.spec, task=task).to_json()
    change(folder / "env.json", {"data": {"name": data.name, "fingerprint": data.fingerprint}})
    change(folder / "result.json", {"spec": spec, "files": checksums(folder)})
    return kexp.load(folder)


def change(path: Path, changes: dict[str, Any]) -> None:
    """Put other values under some keys of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def runs_in(folder: Path, like: Path) -> dict[str, Result]:
    """Return runs of all kinds by name, in folders of their own; see `run_of`."""
    models = {
        "gan": (gan(), "generation"),
        "classes": (gan(classes=True), "generation"),
        "vae": (autoencoder(variational=True), "reconstruction"),
        "autoencoder": (autoencoder(), "reconstruction"),
    }
    return {name: run_of(model, task, folder / name, like) for name, (model, task) in models.items()}


def autoencoder(*, variational: bool = False, code: int = 5) -> Any:
    """Return the answers of an autoencoder of digits."""
    _seed()
    make, hidden = (kexp.models.vae, (16,)) if variational else (kexp.models.autoencoder, ())
    return kexp.models.Reconstructor(make(SHAPE, code=code, hidden=hidden))


def table_autoencoder(data: Dataset) -> Any:
    """Return the answers of an autoencoder of a table."""
    _seed()
    preprocessing = kexp.models.tabular_preprocessing(data.train.inputs, data.spec.columns)
    whole = kexp.models.autoencoder(preprocessing.output_shape[1:], code=4, dtype="float32")
    return kexp.models.Reconstructor(whole, preprocessing, error="squared")


def gan(*, classes: bool = False) -> Any:
    """Return a generative adversarial network of digits whose images differ from one another."""
    _seed()
    count = len(CLASSES) if classes else None
    generator = kexp.models.gan_generator(SHAPE, latent=4, classes=count, filters=(8,))
    discriminator = kexp.models.gan_discriminator(SHAPE, classes=count, filters=(8,))
    for weight in generator.trainable_weights:
        weight.assign(20 * weight)  # weights of the start give nothing but grey
    return kexp.models.GAN(generator, discriminator, class_names=CLASSES if classes else ())


def diffusion(*, classes: bool = False) -> Any:
    """Return a diffusion model of digits."""
    _seed()
    count = len(CLASSES) if classes else None
    network = kexp.models.diffusion_unet(SHAPE, classes=count, filters=(4,))
    names = CLASSES if classes else ()
    return kexp.models.Diffusion(network, steps=20, sample_steps=3, class_names=names)


def _seed() -> None:
    import keras

    keras.utils.set_random_seed(7)
