"""The model card of an export: README.md, of what is known of the model and nothing else."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from kexp.core.markdown import Code, code, escaped, front_matter, markdown_table
from kexp.data.dataset import DatasetSpec, class_names
from kexp.export.card_metadata import card_metadata
from kexp.export.input_names import DEFAULT
from kexp.export.manifest import LOCATION, Manifest
from kexp.export.parity import ParityCase, Runner
from kexp.export.preprocessing_files import SCRIPT, SETTINGS
from kexp.export.recorded_examples import LOCATION as EXAMPLES
from kexp.tasks import task_named

_MOST = 200  # columns or labels in a list
NOT_GIVEN = "not given"


class CardFormat(NamedTuple):
    """A format of an export, as a model card tells of it.

    Attributes:
        name: Of the format.
        load: From a version's folder to what runs its signatures.
        cases: Of its signatures, for the names, types and shapes of their inputs and outputs.
        preprocessed: Whether `preprocess.py` in the folder turns strings into what its file takes.
    """

    name: str
    load: Callable[[str], Runner]
    cases: Sequence[ParityCase]
    preprocessed: bool = False


def model_card(manifest: Manifest, formats: Sequence[CardFormat]) -> str:
    """Return the Markdown of a model card, with the metadata of the Hugging Face Hub at its head.

    Args:
        manifest: Of the export, with what its provenance and its examples are.
        formats: Those in the folder.
    """
    plain = json.loads(manifest.to_json())["provenance"]
    facts = {name: value for name, value in plain.items() if isinstance(value, dict)}
    env, spec = facts.get("env", {}), manifest.spec
    data = env.get("data") or {}
    data_name, recipe = str(data.get("name") or ""), str(facts.get("config", {}).get("recipe") or "")
    title = f"{recipe or 'model'} on {data_name}" if data_name else recipe or f"{spec.task} of {spec.kind}"
    sections = {
        "": [_introduction(manifest, facts, formats)],
        "Inputs and outputs": list(_signatures(formats)),
        "Columns": list(_columns(spec, manifest.keys)),
        "Labels": list(_labels(spec)),
        "Data": list(_data(data, env)),
        "Metrics": list(_figures(facts)),
        "Training": list(_training(facts)),
        "How to call it": list(_usage(manifest, formats)),
        "Check": list(_check(manifest)),
        "Limits": list(_limits(manifest, facts, formats)),
    }
    blocks = [front_matter(card_metadata(manifest, title, data_name)), f"# {escaped(title)}"]
    for name, texts in sections.items():
        blocks += [f"## {name}"] * bool(name and texts) + texts
    return "\n\n".join(blocks) + "\n"


def _introduction(manifest: Manifest, facts: Mapping[str, Any], formats: Sequence[CardFormat]) -> str:
    spec, parameters = manifest.spec, facts.get("training", {}).get("parameters")
    size = "" if parameters is None else f" with {parameters:,} parameters"
    return (
        f"A Keras model{size} for {escaped(spec.task)}, of data of the kind {escaped(spec.kind)}, as "
        f"{', '.join(one.name for one in formats)}. Licence: {escaped(manifest.license or NOT_GIVEN)}."
    )


def _signatures(formats: Sequence[CardFormat]) -> Iterator[str]:
    yield "Inputs are raw: what prepares them is inside the model. n is the number of samples."
    outside = [one.name for one in formats if one.preprocessed]
    if outside:
        yield (
            f"{' and '.join(outside)} take numbers (int32) in the place of strings: `{SCRIPT}`, which needs "
            f"NumPy alone, makes them of the raw inputs by `{SETTINGS}`."
        )
    cases = {case.signature: case for one in formats for case in one.cases}
    for signature, case in cases.items():
        sides = (("input", case.examples), ("output", case.expected))
        rows = [
            [side, Code(name), _dtype(array.dtype.kind, array.dtype.name), _shape(array.shape, case)]
            for side, arrays in sides
            for name, array in arrays.items()
        ]
        yield f"Signature {code(signature)}:"
        yield markdown_table(["", "name", "type", "shape"], rows)


def _dtype(kind: str, name: str) -> str:
    return "string" if kind in "OSU" else name


def _shape(shape: tuple[int, ...], case: ParityCase) -> str:
    sizes = [str(size) for size in shape]
    if case.batch_sizes:
        sizes[:1] = ["n"]
    example = " in the example" if sizes and not case.batch_sizes else ""
    return f"({', '.join(sizes)}{',' * (len(sizes) == 1)}){example}"


def _columns(spec: DatasetSpec, keys: Mapping[str, str]) -> Iterator[str]:
    named = [(column.name, column.kind, column.has_missing) for column in spec.columns]
    if spec.kind != "table":
        return
    missing = {True: "yes", False: "no", None: "not known"}
    rows = [[name, Code(keys[name]), kind, missing[gaps]] for name, kind, gaps in named[:_MOST]]
    yield markdown_table(["column", "input", "kind", "missing in training"], rows)
    yield from _more(len(named))


def _labels(spec: DatasetSpec) -> Iterator[str]:
    for head in spec.heads:
        labels = ", ".join(map(escaped, head.class_names[:_MOST])) or "no names"
        yield f"Output {code(head.name)} ({head.task}, {head.outputs}): {labels}."
    if spec.target_names or (spec.columns and spec.target):
        yield f"Target: {', '.join(map(escaped, spec.target_names or (spec.target,)))}."
    if (task_named(spec.task).has_classes or spec.class_names) and not spec.heads:
        names = class_names(spec)
        limits = spec.thresholds or ()
        columns = ["index", "label", *(["threshold"] if limits else [])]
        rows = [[index, name, *limits[index : index + 1]] for index, name in enumerate(names[:_MOST])]
        yield markdown_table(columns, rows)
        yield from _more(len(names))


def _more(count: int) -> Iterator[str]:
    if count > _MOST:
        yield f"And {count - _MOST} more in `{LOCATION.as_posix()}`."


def _data(data: Mapping[str, Any], env: Mapping[str, Any]) -> Iterator[str]:
    if data:
        rows = [[name, value] for name, value in data.items()]
        yield markdown_table(["", ""], rows)
    yield from (f"- {escaped(note)}" for note in env.get("notes") or ())


def _figures(facts: Mapping[str, Any]) -> Iterator[str]:
    metrics, intervals = facts.get("metrics", {}), facts.get("intervals", {})
    if not metrics:
        return
    yield (
        "As the run recorded them: `test_` of the test part, `val_` of the validation part, by which weights "
        "and settings were chosen, others of training. 95 % intervals where there is one."
    )
    rows = []
    for name, value in metrics.items():
        ends = intervals.get(name)
        rows.append([name, _number(value), f"{_number(ends[0])} to {_number(ends[1])}" if ends else ""])
    yield markdown_table(["metric", "value", "95 % interval"], rows)
    yield from _calibration(facts.get("calibration", {}))


def _calibration(facts: Mapping[str, Any]) -> Iterator[str]:
    if not facts:
        return
    parts = {name: facts[name] for name in ("validation", "test") if facts.get(name)}
    errors = "; ".join(
        f"{part['error_before']:.4f} before and {part['error_after']:.4f} after on the {name} part"
        for name, part in parts.items()
    )
    yield (
        f"Probabilities are of logits divided by the temperature {_number(facts['temperature'])}, fitted on "
        "the validation part; the metrics above are of the network's own. Expected calibration error "
        f"(Guo et al. 2017) in {facts['bins']} bins: {errors}."
    )


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _training(facts: Mapping[str, Any]) -> Iterator[str]:
    config, env, training = (facts.get(name, {}) for name in ("config", "env", "training"))
    git, hardware = env.get("git") or {}, env.get("hardware") or {}
    changed = ", with uncommitted changes" if git.get("diff") else ""
    said = {
        "recipe": config.get("recipe"),
        "epochs": training.get("epochs"),
        "epoch of the weights": training.get("best_epoch"),
        "seconds": training.get("seconds"),
        "processor": hardware.get("processor"),
        "devices": ", ".join(map(str, hardware.get("devices") or ())),
        "commit": f"{git['commit']}{changed}" if git.get("commit") else None,
        **{f"version of {name}": value for name, value in (env.get("versions") or {}).items()},
        **{f"{name} of the export": value for name, value in facts.get("exported", {}).items()},
    }
    rows = [[name, value] for name, value in said.items() if value not in (None, "")]
    if rows:
        yield markdown_table(["", ""], rows)
    arguments: object = config.get("arguments")
    if isinstance(arguments, dict) and arguments:
        yield "Arguments:"
        given = [[name, json.dumps(value, ensure_ascii=False)] for name, value in arguments.items()]
        yield markdown_table(["argument", "value"], given)


def _usage(manifest: Manifest, formats: Sequence[CardFormat]) -> Iterator[str]:
    verb = "predict(inputs)" if task_named(manifest.spec.task).predicts_inputs else "sample(4)"
    yield f'With kexp, in this folder: `kexp.load_exported(".").{verb}`. Without it:'
    for one in formats:
        case = next(case for case in one.cases if case.signature == DEFAULT)
        yield f"{one.name}:"
        yield f"```python\n{_script(one, case, manifest.examples is not None)}\n```"


def _script(form: CardFormat, case: ParityCase, recorded: bool) -> str:
    """Return a script that calls the predictions, by the very function that the export was proved with."""
    if recorded:
        inputs = (
            f'with np.load("{EXAMPLES.as_posix()}") as examples:\n'
            f'    inputs = {{key: examples[f"{DEFAULT}/inputs/{{key}}"] for key in {list(case.examples)!r}}}'
        )
    else:
        inputs = "\n".join(["inputs = {", *(f"    {line}" for line in _made_up(case)), "}"])
    imports = "import numpy as np"
    if form.preprocessed:
        imports = f"import runpy\n\n{imports}"
        inputs += f'\ninputs = runpy.run_path("{SCRIPT}")["load_preprocessing"](".")(inputs)'
    return (
        f"from __future__ import annotations\n\n{imports}\n\n\n"
        f"{inspect.getsource(form.load).rstrip()}\n\n\n{inputs}\n"
        f'outputs = {form.load.__name__}(".")("{DEFAULT}", inputs)'
    )


def _made_up(case: ParityCase) -> Iterator[str]:
    for key, array in case.examples.items():
        shape = (1, *array.shape[1:]) if case.batch_sizes else array.shape
        is_text = array.dtype.kind in "OSU"
        values = f'np.full({shape}, "")' if is_text else f'np.ones({shape}, "{array.dtype.name}")'
        yield f'"{key}": {values},'


def _check(manifest: Manifest) -> Iterator[str]:
    if manifest.examples is None:
        yield "`kexp verify export .` in this folder compares the checksums. No examples are recorded."
        return
    split = manifest.examples["split"]
    origin = f"inputs of the {escaped(split)} part" if split else "inputs that are no data, as seeds are,"
    yield (
        f"`{EXAMPLES.as_posix()}` holds {origin} with the outputs of the network. "
        "`kexp verify export .` in this folder compares checksums, and what each format computes of them."
    )


def _limits(manifest: Manifest, facts: Mapping[str, Any], formats: Sequence[CardFormat]) -> Iterator[str]:
    said = []
    metrics, quantized = facts.get("metrics", {}), facts.get("quantization", {})
    if facts.get("intervals"):
        said.append(
            "The intervals say what chance in the choice of the measured samples may do, as if samples were "
            "independent; where they come in groups or in time, the true ones are wider."
        )
    if not any(name.startswith("test_") for name in metrics):
        said.append(
            "There was no test part: no metric is of data that neither training nor a choice has seen."
        )
    if metrics:
        said.append("Nothing was measured on other data than that named above.")
    signatures = {case.signature for one in formats for case in one.cases}
    for one in formats:
        held = {case.signature for case in one.cases}
        if held != signatures:
            said.append(f"{one.name} holds {', '.join(map(code, sorted(held)))} alone.")
    for form, cost in quantized.items():
        said.append(
            f"{form} holds its weights in {cost['type']}: {cost['metric']} was {_number(cost['before'])} "
            f"before and {_number(cost['after'])} after, on {cost['samples']} samples of the validation part."
        )
    if not quantized:
        said.append(
            "Each format was compared with the network on the CPU of one machine; elsewhere numbers may "
            "differ by rounding."
        )
    if manifest.license is None:
        said.append("No licence was given.")
    yield "\n".join(f"- {line}" for line in said)
