"""The comparison of a network with classical methods: both on the same rows, with the interval between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from kexp.core.json_files import require_keys
from kexp.data.array_specs import Size
from kexp.metrics.direction import better
from kexp.metrics.intervals import Interval

_PARTS = {"test_": "", "val_": "On validation data, which the epoch was chosen on, "}


def is_classical(metric: str) -> bool:
    """Return whether a metric of a run is that of a classical method, by its name.

    Example:
        >>> is_classical("test_classical_gradient_boosting_accuracy"), is_classical("test_accuracy")
        (True, False)
    """
    return metric.startswith(tuple(f"{prefix}classical_" for prefix in _PARTS))


@dataclass(frozen=True)
class MethodResult:
    """What a classical method comes to.

    Attributes:
        name: In the names of metrics, such as "logistic_regression_on_pixels".
        words: In a sentence.
        figure: The metric on the rows that the network was compared on.
        chosen_by: The metric on the data that the method was chosen on.
        rows: How many training rows it was fitted to.
        all_rows: How many there are.
        measured_rows: How many rows it was measured on.
        all_measured_rows: How many there are.
        network: The network's metric on these rows.
        difference: The method's metric less the network's.
        interval: Of the difference, at 95 %.
    """

    name: str
    words: str
    figure: float
    chosen_by: float
    rows: int
    all_rows: int
    measured_rows: int
    all_measured_rows: int
    network: float
    difference: float
    interval: Interval


@dataclass(frozen=True)
class ClassicalComparison:
    """A network beside classical methods.

    The interval is of a paired bootstrap over the measured rows, which are taken as independent of one
    another: where they come in groups, or one after the other in time, the true one is wider.

    Attributes:
        metric: What is compared, with "test_" or "val_" before it.
        is_share: Whether it is a share, of which differences are told in points of a hundred.
        methods: All that were tried, by the names of their files.
        chosen: Name of the one that is better on the data that choices are made on; empty without methods.
        reason: Why nothing is compared; empty where something is.
        failures: Why a method could not be fitted or measured, by its name.
        seconds: How long each method took to be fitted and measured, by name; no part of what must be equal.
        outputs: Of several outputs, or of several targets of a forecast, the comparison of each by its name;
            the rest is empty then.
        figure: Of one of several outputs its own name of the metric; else empty.

    Example:
        >>> result = MethodResult(
        ...     "linear_model", "Logistic regression", 0.95, 0.94, 90, 90, 100, 100, 0.9, 0.05, (0.021, 0.083)
        ... )
        >>> print(ClassicalComparison("test_accuracy", True, (result,), "linear_model").sentence)
        Logistic regression is better than the network by 5.0 points of accuracy (2.1 to 8.3).
    """

    metric: str = ""
    is_share: bool = False
    methods: tuple[MethodResult, ...] = ()
    chosen: str = ""
    reason: str = ""
    failures: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)
    outputs: Mapping[str, ClassicalComparison] = field(default_factory=dict)
    figure: str = ""

    @property
    def best(self) -> MethodResult | None:
        """The method that was chosen; None where nothing is compared."""
        return next((method for method in self.methods if method.name == self.chosen), None)

    @property
    def prefix(self) -> str:
        """Of the metric: "test_" or "val_"."""
        return next((prefix for prefix in _PARTS if self.metric.startswith(prefix)), "")

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of all methods by name, such as "test_classical_nearest_neighbor_accuracy"."""
        if self.outputs:
            return {name: value for one in self.outputs.values() for name, value in one.metrics.items()}
        prefix = self.prefix
        stem = self.metric.removeprefix(prefix)
        return {f"{prefix}classical_{method.name}_{stem}": method.figure for method in self.methods}

    @property
    def sentence(self) -> str:
        """What the comparison comes to, of several outputs each; empty where nothing is compared."""
        if self.outputs:
            return " ".join(f"{name}: {sentence}" for name, sentence in self.sentences.items())
        best = self.best
        if best is None:
            return ""
        start = _PARTS.get(self.prefix, "")
        lower = bool(start) and not best.words[:2].isupper()
        words = start + (best.words[0].lower() + best.words[1:] if lower else best.words)
        sampled = []
        if best.rows < best.all_rows:
            sampled.append(f"on {best.rows:,} of {best.all_rows:,} rows")
        if best.measured_rows < best.all_measured_rows:
            sampled.append(f"measured on {best.measured_rows:,} of {best.all_measured_rows:,}")
        between = f", {', '.join(sampled)}," if sampled else ""
        return f"{words}{between} {self._verdict(best)}{self._time(best)}."

    @property
    def sentences(self) -> dict[str, str]:
        """What the comparison comes to, by output; of one output alone by ""."""
        each = self.outputs or {"": self}
        return {name: one.sentence for name, one in each.items() if one.sentence}

    def _verdict(self, best: MethodResult) -> str:
        stem = self.figure or self.metric.removeprefix(self.prefix)
        unit = f"points of {stem.replace('_', ' ')}" if self.is_share else f"in {stem.replace('_', ' ')}"
        low, high = best.interval
        if low <= 0 <= high:
            ends = f"a difference of {self._number(low)} to {self._number(high)} {unit}"
            return f"cannot be told apart from the network ({ends if low < high else 'no difference'})"
        gains = (best.difference > 0) == (better(stem) == "max")
        ends = " to ".join(self._number(end) for end in sorted(map(abs, best.interval)))
        verdict = f"is {'better' if gains else 'worse'} than the network by"
        return f"{verdict} {self._number(abs(best.difference))} {unit} ({ends})"

    def _number(self, value: float) -> str:
        text = f"{100 * value:.1f}" if self.is_share else f"{value:.3g}"
        return text.replace("-", "\N{MINUS SIGN}")

    def _time(self, best: MethodResult) -> str:
        seconds = self.seconds.get(best.name)
        if seconds is None:
            return ""
        text = "less than 0.1" if seconds < 0.1 else f"{seconds:.{1 if seconds < 1.95 else 0}f}"
        return f" and takes {text} s"

    def to_json(self) -> dict[str, Any]:
        """Return plain values that JSON can hold, without the seconds."""
        if self.outputs:
            return {"outputs": {name: one.to_json() for name, one in self.outputs.items()}}
        content = asdict(self)
        del content["seconds"], content["outputs"]
        told = ("reason", "failures") if self.reason else tuple(content)
        return {name: content[name] for name in told if content[name] or name not in _NOT_EMPTY}

    def seconds_json(self) -> dict[str, Any]:
        """Return the seconds by method, of several outputs by output and method."""
        if self.outputs:
            return {name: dict(one.seconds) for name, one in self.outputs.items() if one.seconds}
        return dict(self.seconds)

    @classmethod
    def from_json(
        cls, content: Mapping[str, Any], seconds: Mapping[str, Any], place: str, advice: str
    ) -> ClassicalComparison:
        """Return the comparison that `to_json` made JSON of.

        Args:
            content: What was written.
            seconds: As of `seconds_json`, which are kept apart from it.
            place: Where it was, for a message.
            advice: What to do about damage.

        Raises:
            InputError: A field is missing, or holds something else.
        """
        require_keys(content, place, _KEYS, advice=advice)
        if content.get("outputs"):
            each = {
                name: cls.from_json(one, seconds.get(name) or {}, f"{place}.outputs[{name!r}]", advice)
                for name, one in content["outputs"].items()
            }
            return cls(outputs=each)
        reason, failures = content.get("reason") or "", content.get("failures") or {}
        if reason:
            return cls(reason=reason, failures=failures)
        methods = []
        for number, one in enumerate(content.get("methods") or ()):
            require_keys(one, f"{place}.methods[{number}]", _METHOD_KEYS, advice=advice)
            values = {entry.name: one[entry.name] for entry in fields(MethodResult)}
            methods.append(MethodResult(**{**values, "interval": tuple(one["interval"])}))
        metric, chosen, figure = (content.get(key) or "" for key in ("metric", "chosen", "figure"))
        known = (metric, bool(content.get("is_share")), tuple(methods), chosen)
        return cls(*known, failures=failures, seconds=dict(seconds), figure=figure)


_NOT_EMPTY = ("reason", "failures", "figure")
_KEYS = {
    "metric": str | None,
    "is_share": bool | None,
    "methods": list[dict[str, Any]] | None,
    "chosen": str | None,
    "figure": str | None,
    "reason": str | None,
    "failures": dict[str, str] | None,
    "outputs": dict[str, dict[str, Any]] | None,
}
_METHOD_KEYS = {
    **dict.fromkeys(("name", "words"), str),
    **dict.fromkeys(("figure", "chosen_by", "network", "difference"), float),
    **dict.fromkeys(("rows", "all_rows", "measured_rows", "all_measured_rows"), Size),
    "interval": tuple[float, float],
}
