"""The export pipeline, the same for every format: check, write beside the place, prove in a fresh process."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kexp.core.errors import InputError
from kexp.core.graph_names import stable_graph_names
from kexp.core.keras_private import all_layers
from kexp.core.user_paths import user_path
from kexp.data.adapters import adapt_inputs
from kexp.data.dataset import DatasetSpec, Inputs
from kexp.export.export_checks import check_expected, check_model
from kexp.export.exporter import DEFAULT_FORMAT, Exporter, Smaller, exporters_of
from kexp.export.input_names import DEFAULT, named_inputs, signature_keys
from kexp.export.manifest import CARD, Manifest
from kexp.export.model_card import CardFormat, model_card
from kexp.export.parity import ParityCase, check_parity
from kexp.export.preprocessing_files import is_preprocessed, shipped_script
from kexp.export.quantization import AGREEMENT, Quantization, measured
from kexp.export.recorded_examples import (
    ExampleRows,
    describe_examples,
    example_case,
    numbers_within,
    write_examples,
)
from kexp.export.serving_signatures import ServedSignature, inference_signatures, sampling_signatures
from kexp.export.staging import check_place, staged
from kexp.tasks import task_named
from kexp.tasks.predictions import Predictions

if TYPE_CHECKING:
    import keras


@stable_graph_names()
def export_model(
    model: keras.Model,
    spec: DatasetSpec,
    directory: str | os.PathLike[str],
    *,
    samples: Inputs | None = None,
    expected: Predictions | None = None,
    provenance: Mapping[str, Any],
    from_probabilities: bool = False,
    overwrite: bool = False,
    formats: str | Sequence[str] = (DEFAULT_FORMAT,),
    quantization: Quantization | None = None,
    license: str | None = None,
    examples: ExampleRows | None = None,
) -> Path:
    """Write a model into `directory/1/`, or the next version, and prove that it computes what was measured.

    The signature `serving_default` takes raw inputs, any number at a time: "inputs" (n, *input_shape),
    which for text are strings (n,), or for a table a vector (n,) per column. It gives "label" (n,) and
    "probabilities" (n, classes); "values" (n, outputs) for regression; "mask" (n, height, width) int32 and
    "probabilities" (n, height, width, classes) for masks; "text" (n,) or "log_probability" (n,) for texts;
    "reconstruction", "code" and "anomaly_score" (n,) for reconstruction. Of models of grey or coloured uint8
    images `serving_bytes` answers the same for "image_bytes" (n,), files as strings, decoded and resized as
    those of training. Of a model that makes samples it is the signature "sample", which takes "n" and "seed".
    Further signatures are those of the model's method `signatures`, if it has one (`kexp.models.Signature`).
    `1/assets.extra/kexp.json` holds the spec, the key of every column, the provenance and checksums, and
    `1/README.md` is a model card of them. The folder appears when a fresh process has loaded it and agreed.

    Args:
        model: A built model from raw inputs to (n, spec.outputs) logits or values, (n, height, width,
            spec.outputs) logits, or a dict with "text" or "log_probability", or what a
            `kexp.models.Reconstructor` gives. For a table it takes a dict from column name to vectors (n,) of
            float32 or string. For generation a `kexp.models.GAN` or `kexp.models.Diffusion`.
        spec: The data it was made for.
        directory: A new path or an empty folder; its parents are made. In that of an earlier export for the
            same spec the next version, `directory/2/` and so on, is put beside it.
        samples: Raw samples to compare with, 64 or more where the data has so many; the first 64 count.
            For generation None.
        expected: The model's predictions for them, computed on the CPU: on a GPU matrix products are
            less exact than the check demands. For generation None: its examples are the signatures' own.
        provenance: Metrics, config, versions: whatever JSON can say.
        from_probabilities: The model gives probabilities instead of logits. Default False.
        overwrite: Remove the earlier versions once there is the new one. Default False.
        formats: Names of formats, see `kexp.export.exporter`; all lie in the same folder. Default SavedModel.
        quantization: Of the weights in those formats, each of which must take it; default: none. What it
            costs is measured instead of compared, and recorded in the provenance as "quantization".
        license: Of the model, for the card and kexp.json. Default None: said to be not given.
        examples: The samples that are recorded with what the model predicts for them, in
            `1/assets.extra/examples.npz`; default None: no example is recorded.

    Returns:
        The absolute path of `directory`.

    Raises:
        InputError: An argument cannot be used; nothing has been written.
        ExportError: An artifact computes something else; nothing of it is left.

    Example:
        >>> import keras, numpy as np, tempfile
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> spec = DatasetSpec("array", (4,), "float32", "classification", 2)
        >>> samples = np.ones((1, 4), "float32")
        >>> expected = Predictions.from_outputs(model.predict_on_batch(samples), spec)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = export_model(model, spec, folder, samples=samples, expected=expected, provenance={})
        ...     sorted(file.name for file in (path / "1").iterdir())
        ['README.md', 'assets', 'assets.extra', 'fingerprint.pb', 'saved_model.pb', 'variables']
    """
    exporters = exporters_of(formats, quantization.type if quantization else None)
    place = Path(os.path.abspath(user_path("directory", directory)))
    check_place(place, overwrite, spec)
    manifest = Manifest(spec, _input_keys(spec), dict(provenance), license=license)
    manifest.to_json()
    signatures = _signatures(model, spec, manifest.keys, samples, expected, from_probabilities)
    _check_carried(exporters, model, spec, signatures)
    with staged(place, overwrite, spec) as folder:
        version = folder / "1"
        version.mkdir()
        _write(version, model, signatures, exporters, manifest, quantization, examples)
    return place


def _check_carried(
    exporters: Sequence[Exporter],
    model: keras.Model,
    spec: DatasetSpec,
    signatures: Sequence[ServedSignature],
) -> None:
    with without_cudnn(model):
        for exporter in exporters:
            refusal = exporter.refusal(model, spec, signatures)
            if refusal is not None:
                raise InputError(refusal)


def _write(
    version: Path,
    model: keras.Model,
    signatures: Sequence[ServedSignature],
    exporters: Sequence[Exporter],
    manifest: Manifest,
    quantization: Quantization | None,
    examples: ExampleRows | None,
) -> None:
    """Write a version in all formats, and compare or measure what a fresh process computes from each."""
    smaller = _smaller(quantization, manifest.keys)
    with without_cudnn(model):
        cases = [exporter.write(model, signatures, version, smaller) for exporter in exporters]
    served = dict.fromkeys(case.signature for its_cases in cases for case in its_cases)
    manifest = replace(manifest, signatures=tuple(served))
    if quantization is not None:
        manifest = _with_cost(manifest, version, exporters, quantization)
    if examples is not None:
        manifest = _with_examples(manifest, version, exporters, cases, examples)
    held = [
        CardFormat(one.format, one.load, its, is_preprocessed(version, one))
        for one, its in zip(exporters, cases, strict=True)
    ]
    card = model_card(manifest, held)
    (version / CARD).write_text(card, encoding="utf-8", errors="backslashreplace", newline="\n")
    manifest.write(version)
    for exporter, its_cases in zip(exporters, cases, strict=True) if quantization is None else ():
        check_parity(version, exporter.load, its_cases, shipped_script(version, exporter))


def _smaller(quantization: Quantization | None, keys: dict[str, str]) -> Smaller | None:
    if quantization is None:
        return None
    return Smaller(quantization.type, lambda: quantization.representatives(keys))


def _with_cost(
    manifest: Manifest, version: Path, exporters: Sequence[Exporter], quantization: Quantization
) -> Manifest:
    """Measure what the quantization of each format costs, and return the manifest with it."""
    costs = {}
    for one in exporters:
        script = shipped_script(version, one)
        cost = measured(version, one.load, DEFAULT, quantization, manifest.keys, manifest.spec, script)
        costs[one.format] = {**cost, "bytes": (version / one.artifact).stat().st_size}
    return replace(manifest, provenance={**manifest.provenance, "quantization": costs})


def _with_examples(
    manifest: Manifest,
    version: Path,
    exporters: Sequence[Exporter],
    cases: Sequence[Sequence[ParityCase]],
    examples: ExampleRows,
) -> Manifest:
    """Write the examples, and return the manifest with what they are.

    What quantized weights compute of them has no other measure than how far it was off here.
    """
    by_format = {one.format: its_own for one, its_own in zip(exporters, cases, strict=True)}
    found = {
        form: [example_case(case, examples.rows) for case in its_own] for form, its_own in by_format.items()
    }
    write_examples(version, found)
    for one in exporters if "quantization" in manifest.provenance else ():
        unbounded = [numbers_within(case, math.inf) for case in found[one.format]]
        off = check_parity(version, one.load, unbounded, shipped_script(version, one))
        found[one.format] = [
            replace(case, tolerance=off[case.signature] + AGREEMENT) for case in found[one.format]
        ]
    return replace(manifest, examples=describe_examples(examples.split, found))


def _signatures(
    model: keras.Model,
    spec: DatasetSpec,
    keys: Mapping[str, str],
    samples: Inputs | None,
    expected: Predictions | None,
    from_probabilities: bool,
) -> list[ServedSignature]:
    if not task_named(spec.task).predicts_inputs:
        if samples is not None or expected is not None:
            raise InputError("samples and expected must be left out for generation, which takes no inputs.")
        check_model(model, None, spec)
        with without_cudnn(model):
            return sampling_signatures(model)
    if samples is None or expected is None:
        raise InputError(
            f"samples and expected must be given for {spec.task}, received None; pass raw samples and what "
            "the model predicts for them."
        )
    samples = adapt_inputs(samples, spec)
    check_expected(expected, samples, spec)
    check_model(model, samples, spec)
    with without_cudnn(model):
        return inference_signatures(model, spec, keys, samples, expected, from_probabilities)


def _input_keys(spec: DatasetSpec) -> dict[str, str]:
    if not task_named(spec.task).predicts_inputs:
        return {}
    return signature_keys(named_inputs(spec))


@contextmanager
def without_cudnn(model: keras.Model) -> Iterator[None]:
    """Trace recurrent layers as plain operations: cuDNN's would bind the export to a GPU."""
    layers = [layer for layer in all_layers(model) if hasattr(layer, "use_cudnn")]
    settings = [layer.use_cudnn for layer in layers]
    for layer in layers:
        layer.use_cudnn = False
    try:
        yield
    finally:
        for layer, setting in zip(layers, settings, strict=True):
            layer.use_cudnn = setting
