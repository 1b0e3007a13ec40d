"""The change of a model since its run began, in words: what it is now beside architecture.json."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from kexp.core.errors import shown

_LIBRARIES = ("keras", "kexp", "tensorflow")
_NEARLY = 1e-5  # relative difference of numbers that another machine may have summed up from the same data
_ABSENT = "nothing"


def model_change(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return which model is another one than recorded, and in words what is; None where all are the same.

    Args:
        recorded: What `kexp.run.architecture.describe_models` returned once.
        now: What it returns now.

    Example:
        >>> dense = {"class": "keras.layers:Dense", "name": None, "depth": 1, "calls": [], "outputs": None,
        ...          "code": {}, "weights": [[4, 8], [8]], "config": {"units": 8, "activation": "relu"}}
        >>> model = {**dense, "class": "keras:Sequential", "depth": 0, "weights": [], "config": {}}
        >>> changed = {**dense, "config": {"units": 8, "activation": "tanh"}}
        >>> before = {"keras": "3.15.1", "models": {"model": [model, dense, dense]}}
        >>> model_change(before, {"keras": "3.15.1", "models": {"model": [model, dense, changed]}})
        ('model', "layer 2 (Dense) has activation 'tanh', was 'relu'")
        >>> model_change(before, {"keras": "3.15.1", "models": {"model": [model, dense]}})
        ('model', 'layer 2 (Dense) is no longer there')
    """
    same_keras = recorded["keras"] == now["keras"]
    for name in {**now["models"], **recorded["models"]}:
        before, after = recorded["models"].get(name), now["models"].get(name)
        if before is None or after is None:
            return name, f"there {'was none' if before is None else 'is none any more'}"
        change = _other_layers(before, after) or _changed_layer(before, after, same_keras)
        if change is not None:
            return name, change
    return None


def _other_layers(before: Sequence[Any], after: Sequence[Any]) -> str | None:
    """Return in words what layer was added, removed or put elsewhere."""
    then, now = [_kind(entry) for entry in before], [_kind(entry) for entry in after]
    if then == now:
        return None
    if sorted(then) == sorted(now):
        first = next(number for number, kind in enumerate(now) if kind != then[number])
        return f"{_place(after, first)} is where {_place(before, first)} was"
    changes = difflib.SequenceMatcher(None, then, now, autojunk=False).get_opcodes()
    what, start, end, new_start, new_end = next(change for change in changes if change[0] != "equal")
    if what == "replace" and end - start == new_end - new_start:
        return f"{_place(after, new_start)} is where {_place(before, start)} was"
    if what == "delete":
        return f"{_place(before, start)} is no longer there"
    return f"{_place(after, new_start)} was not there"


def _changed_layer(before: Sequence[Any], after: Sequence[Any], same_keras: bool) -> str | None:
    """Return in words what differs in one of the same layers: what says most first."""

    def config(then: Any, now: Any) -> str | None:
        return _difference(then["config"], now["config"], (), same_keras)

    def weights(then: Any, now: Any) -> str | None:
        if then["weights"] == now["weights"]:
            return None
        return f"weights of {_shapes(now['weights'])}, was {_shapes(then['weights'])}"

    def graph(then: Any, now: Any) -> str | None:
        if not _alike(then["calls"], now["calls"]):
            return "other inputs or arguments in the model's graph"
        return None if then["outputs"] == now["outputs"] else "other outputs"

    def code(then: Any, now: Any) -> str | None:
        names = {*then["code"], *now["code"]}
        changed = sorted(name for name in names if then["code"].get(name) != now["code"].get(name))
        return f"other code in {', '.join(changed)}" if changed else None

    pairs = list(enumerate(zip(before, after, strict=True)))
    # A class knows those that it makes its layers of, so that their code is also its own.
    inmost = sorted(pairs, key=lambda pair: -pair[1][1]["depth"])
    for compare in (config, weights, graph, code):
        for number, (then, now) in inmost if compare is code else pairs:
            change = compare(then, now)
            if change is not None:
                return f"{_place(after, number)} has {change}"
    return None


def _kind(entry: Mapping[str, Any]) -> tuple[int, str, str]:
    """Return what an entry is. A script's own classes are in a module of another name when it is imported."""
    package = entry["class"].partition(":")[0].partition(".")[0]
    return entry["depth"], package if package in _LIBRARIES else "", _class_name(entry)


def _class_name(entry: Mapping[str, Any]) -> str:
    return str(entry["class"]).rpartition(":")[2].rpartition(".")[2]


def _place(entries: Sequence[Any], number: int) -> str:
    entry = entries[number]
    kind, given = _class_name(entry), "" if entry["name"] is None else f" {entry['name']!r}"
    if entry["depth"] == 0:
        return f"the {kind} itself"
    if kind == "InputLayer":
        return f"the input{given}"
    layers = [one for one in entries[: number + 1] if one["depth"] and _class_name(one) != "InputLayer"]
    return f"layer {len(layers)}{given} ({kind})"


def _difference(then: Any, now: Any, path: tuple[str, ...], same_keras: bool) -> str | None:
    """Return in words the first difference of two configs, as "units 16, was 8"."""
    if not (isinstance(then, Mapping) and isinstance(now, Mapping)) or _other_class(then, now):
        return None if _alike(then, now) else f"{'.'.join(path)} {_shown(now)}, was {_shown(then)}"
    for name in {**now, **then}:
        if name not in then or name not in now:
            if same_keras:  # another version may write down more, or less, of the same
                values = [_shown(one[name]) if name in one else _ABSENT for one in (now, then)]
                return f"{'.'.join((*path, name))} {values[0]}, was {values[1]}"
            continue
        change = _difference(then[name], now[name], (*path, name), same_keras)
        if change is not None:
            return change
    return None


def _other_class(then: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    return then.get("class_name") != now.get("class_name")


def _alike(then: Any, now: Any) -> bool:
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        return then.keys() == now.keys() and all(_alike(then[key], now[key]) for key in then)
    if isinstance(then, list) and isinstance(now, list):
        return len(then) == len(now) and all(map(_alike, then, now))
    if isinstance(then, float) and isinstance(now, float):
        return math.isclose(then, now, rel_tol=_NEARLY, abs_tol=0.0)
    return bool(then == now) and isinstance(then, bool) == isinstance(now, bool)


def _shown(value: Any) -> str:
    """Return a value of a config in the words of Python code."""
    if isinstance(value, Mapping) and "class_name" in value:
        arguments = ", ".join(f"{key}={shown(one)}" for key, one in value.items() if key != "class_name")
        return f"{value['class_name']}({arguments})"
    return shown(value)


def _shapes(shapes: Sequence[Sequence[int]]) -> str:
    return " and ".join(str(tuple(shape)) for shape in shapes) or "no shape"
