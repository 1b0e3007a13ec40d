"""How good codes of autoencoders are: as features of a classifier, for retrieval, as a likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import keras
import numpy as np
from keras import ops

from kexp.data import Dataset, Split
from kexp.data.dataset import single_array
from kexp.data.splits import head
from kexp.models.autoencoder.autoencoder_networks import decoder, encoder
from kexp.models.autoencoder.autoencoder_pipeline import Reconstructor
from kexp.models.autoencoder.latents import bernoulli_loss
from kexp.run.fit_plan import FinalMetric
from kexp.run.inference import raw_outputs
from kexp.tasks import task_named

_PROBED = 10_000  # training samples whose codes are looked at
_NEIGHBOURS = 10
_BOUNDED = 1000  # samples of a part whose likelihood is estimated
_AT_ONCE = 50


def code_scores(model: Reconstructor, data: Dataset) -> dict[str, FinalMetric]:
    """Return metrics of the code for `kexp.fit`, measured when training has ended; none without classes.

    "linear_probe_accuracy" is that of a logistic regression from codes to classes, trained on the training
    part (Alain and Bengio 2017, "Understanding intermediate layers using linear classifier probes").
    "retrieval_precision_at_10" is the share of those 10 training samples whose codes are nearest to that of a
    sample that are of its class. Both see at most 10,000 training samples.

    Args:
        model: The inference model; it is called after training.
        data: What it is trained on.

    Example:
        >>> import kexp
        >>> model = Reconstructor(kexp.models.autoencoder((8, 8, 1), code=5))
        >>> sorted(code_scores(model, kexp.data.load("digits")))
        ['linear_probe_accuracy', 'retrieval_precision_at_10']
    """
    if not task_named(data.spec.task).has_labels:
        return {}

    @cache
    def training() -> tuple[np.ndarray, np.ndarray]:
        part = head(data.train, _PROBED)
        return _flat(raw_outputs(model, part.inputs, 256)["code"]), part.targets

    def probe(split: Split, answers: Mapping[str, np.ndarray]) -> float:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        return float(classifier.fit(*training()).score(_flat(answers["code"]), split.targets))

    def retrieval(split: Split, answers: Mapping[str, np.ndarray]) -> float:
        from sklearn.neighbors import NearestNeighbors

        codes, labels = training()
        found = NearestNeighbors(n_neighbors=min(_NEIGHBOURS, len(codes))).fit(codes)
        nearest = found.kneighbors(_flat(answers["code"]), return_distance=False)  # (samples, neighbours)
        return float((labels[nearest] == split.targets[:, None]).mean())

    return {"linear_probe_accuracy": probe, f"retrieval_precision_at_{_NEIGHBOURS}": retrieval}


def likelihood_scores(model: keras.Model, draws: int = 50) -> dict[str, FinalMetric]:
    """Return the importance weighted bound of a variational autoencoder for `kexp.fit`.

    Burda, Grosse and Salakhutdinov 2016, "Importance weighted autoencoders": a bound on the negative log
    likelihood, in nats a sample, that is the tighter the more codes are drawn. Of the first 1,000 samples of
    a part, with the numbers of draws and samples in its name.

    Args:
        model: From `kexp.models.vae`, of what it was trained on without preprocessing.
        draws: Codes of a sample, default 50, 1 or more.
    """

    def bound(split: Split, answers: Mapping[str, np.ndarray]) -> dict[str, float]:
        inputs = single_array(head(split, _BOUNDED).inputs)
        parts = [
            _importance_weighted(model, inputs[first : first + _AT_ONCE], draws, first)
            for first in range(0, len(inputs), _AT_ONCE)
        ]
        return {f"_k{draws}_n{len(inputs)}": float(np.concatenate(parts).mean())}

    return {"negative_importance_weighted_bound": bound}


def _importance_weighted(model: keras.Model, inputs: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Return the (samples,) bounds on the negative log likelihood, in nats."""
    mean, log_variance = encoder(model)(inputs, training=False)  # (samples, code)
    samples, code = mean.shape
    noise = np.random.default_rng(seed).normal(size=(draws, samples, code)).astype("float32")
    codes = mean + ops.exp(0.5 * log_variance) * noise  # (draws, samples, code)
    logits = decoder(model)(ops.reshape(codes, (draws * samples, code)), training=False)
    repeated = np.tile(inputs, (draws, *(1 for _ in inputs.shape[1:])))
    of_data = -ops.reshape(bernoulli_loss(repeated, logits), (draws, samples))
    of_codes = 0.5 * ops.sum(ops.square(noise) + log_variance - ops.square(codes), axis=-1)
    weights: Any = of_data + of_codes
    return np.log(draws) - np.asarray(ops.logsumexp(weights, axis=0))


def _flat(codes: np.ndarray) -> np.ndarray:
    return codes.reshape(len(codes), -1)
