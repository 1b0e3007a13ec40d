"""The profile of a step: where its time goes, what arithmetic it does, and what follows from both."""

from __future__ import annotations

from dataclasses import dataclass

_MUCH = 0.3  # of a step
_LITTLE, _NEAR = 0.1, 0.4  # of the peak
_MEANING = {
    "input": "gathering or reading the batch, and its augmentation",
    "forward": "the model and its loss",
    "backward": "gradients, their sum over replicas and their norm",
    "update": "clipping, and what the optimizer does",
    "metrics": "running loss and metrics",
    "train_step": "the model's own train_step",
    "host": "between steps: calls, callbacks, order, Python",
}


@dataclass(frozen=True)
class StepProfile:
    """Where the time of a training step goes; `print` it to read it.

    Attributes:
        title: What was profiled.
        batch_size: Samples per forward pass.
        accumulate: Forward passes of a step.
        parts_s: Seconds of a step by part: "input", "forward", "backward", "update", "metrics" and "host"; a
            model with a step of its own has "train_step" in the place of those between input and host.
        step_s: Seconds of a step in the training loop, measured apart from its parts.
        steps_per_call: Steps that the loop took at once, in the mean.
        first_step_s: Seconds of the first step, which is traced and compiled.
        parameters: Numbers in all weights of the model.
        trainable_parameters: Those that are trained.
        peak_resident_bytes: The most memory that the process had in use, data and libraries included.
        device_peak_bytes: The most that was in use on a GPU; None without one.
        optimizer: The class of the optimizer that is applied last.
        fused_update: Whether that updates a weight by one kernel.
        flops: Floating-point operations of the forward and backward pass of a step, those of matrix products
            and convolutions; None where they could not be counted.
        not_counted: What of them could not be counted, or not whole.
        peak_flops_per_s: What a large product of float32 matrices gets on one device here.
        notes: What else is to be known of the figures.
    """

    title: str
    batch_size: int
    accumulate: int
    parts_s: dict[str, float]
    step_s: float
    steps_per_call: float
    first_step_s: float
    parameters: int
    trainable_parameters: int
    peak_resident_bytes: int
    device_peak_bytes: int | None
    optimizer: str
    fused_update: bool
    flops: int | None
    not_counted: tuple[str, ...]
    peak_flops_per_s: float
    notes: tuple[str, ...] = ()

    @property
    def shares(self) -> dict[str, float]:
        """What each part is of the sum of them, from 0 to 1."""
        total = sum(self.parts_s.values())
        return {name: seconds / total for name, seconds in self.parts_s.items()}

    @property
    def flops_per_s(self) -> float | None:
        """Floating-point operations a second, over the whole step."""
        return None if self.flops is None else self.flops / self.step_s

    @property
    def utilization(self) -> float | None:
        """What that is of the peak, from 0 to about 1."""
        return None if self.flops_per_s is None else self.flops_per_s / self.peak_flops_per_s

    @property
    def advice(self) -> str:
        """What follows from the figures, in a few sentences."""
        return " ".join([*self._of_parts(), *self._of_arithmetic()])

    def _of_parts(self) -> list[str]:
        shares = self.shares
        found = []
        if shares["host"] >= _MUCH:
            found.append(
                f"Python takes {shares['host']:.0%} of a step, {self.steps_per_call:.0f} steps to a call: "
                "a larger batch_size makes fewer and longer steps; the end of an epoch ends a call, and so "
                "does each batch that a callback hears of, so have it hear of epochs."
            )
        if shares["input"] >= _MUCH:
            found.append(
                f"The samples take {shares['input']:.0%} of a step to come: augment less, or have a "
                "tf.data.Dataset cache, map in parallel and prefetch."
            )
        if shares.get("update", 0.0) >= _MUCH:
            found.append(
                f"The update takes {shares['update']:.0%} of a step, and as long for a larger batch: a "
                f"larger batch_size, or accumulate, makes fewer of them{self._of_optimizer()}."
            )
        if shares.get("metrics", 0.0) >= _MUCH:
            found.append(
                f"Metrics take {shares['metrics']:.0%} of a step: leave out those that nobody reads."
            )
        if not found:
            computing = sum(shares.get(name, 0.0) for name in ("forward", "backward", "train_step"))
            found.append(f"The model itself takes {computing:.0%} of a step; the rest is small.")
        return found

    def _of_optimizer(self) -> str:
        if self.fused_update:
            return ""
        return (
            "; sgd, momentum, adam and adamw update a weight by one kernel, where "
            f"{self.optimizer} is composed of many operations"
        )

    def _of_arithmetic(self) -> list[str]:
        share = self.utilization
        if share is None:
            return []
        done = f"It does {share:.2g} of the arithmetic that a large matrix product does here"
        if share < _LITTLE:
            return [
                f"{done}: its matrices are small, or its operations many, so that a larger batch_size or "
                "wider layers cost little, and several trainings share a device well (kexp sweep --workers)."
            ]
        if share >= _NEAR:
            return [
                f"{done}: a faster device, a lower precision where the device computes faster in it "
                "(precision), or a smaller model are what is left."
            ]
        return [f"{done}."]

    def __str__(self) -> str:
        samples = f"{self.batch_size} samples"
        if self.accumulate > 1:
            samples = f"{self.accumulate} x {samples}"
        lines = [f"{self.title}, a step of {samples}", ""]
        lines += [
            f"  {name:<12}{1e3 * seconds:>10.3f} ms {self.shares[name]:>5.0%}  {_MEANING[name]}"
            for name, seconds in self.parts_s.items()
        ]
        total = sum(self.parts_s.values())
        lines += [
            f"  {'sum':<12}{1e3 * total:>10.3f} ms        a step of the loop: {1e3 * self.step_s:.3f} ms, "
            f"{self.batch_size * self.accumulate / self.step_s:,.0f} samples/s",
            f"  {'first step':<12}{1e3 * self.first_step_s:>10.0f} ms        traced and compiled",
            "",
            *(f"  {name:<12}{text}" for name, text in self._facts()),
            *(f"  {'note':<12}{note}" for note in self.notes),
            "",
            self.advice,
        ]
        return "\n".join(lines)

    def _facts(self) -> list[tuple[str, str]]:
        memory = f"{self.peak_resident_bytes / 1e6:,.0f} MB resident at most, with data and libraries"
        if self.device_peak_bytes is not None:
            memory += f"; {self.device_peak_bytes / 1e6:,.0f} MB on the GPU at most"
        facts = [
            ("parameters", f"{self.parameters:,}, of which {self.trainable_parameters:,} are trained"),
            ("memory", memory),
        ]
        if self.flops is not None and self.flops_per_s is not None:
            facts.append(
                (
                    "arithmetic",
                    f"{self.flops / 1e6:,.4g} MFLOP forward and backward in products and convolutions, "
                    f"{self.flops_per_s / 1e9:,.3g} GFLOP/s of {self.peak_flops_per_s / 1e9:,.3g} "
                    f"({self.utilization:.1%})",
                )
            )
        facts += [("not counted", name) for name in self.not_counted]
        return facts
