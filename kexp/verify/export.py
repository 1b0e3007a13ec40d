"""Whether an export still is what was written, and computes here what it was proved to compute."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kexp.core.errors import InputError
from kexp.core.files import sha256_of
from kexp.core.name_lists import listed
from kexp.core.user_paths import user_path
from kexp.export.exported_model import load_exported, newest_version
from kexp.export.exporter import Exporter, exporters
from kexp.export.manifest import ADVICE, CARD, LOCATION, Manifest, check_description
from kexp.export.parity import ExportError, ParityCase, RuntimeMissing, check_parity
from kexp.export.preprocessing_files import OWN_SCRIPT, SCRIPT, SETTINGS, has_own_script, is_preprocessed
from kexp.export.recorded_examples import read_examples

_HEAD = ("format", "signature", "batches", "largest difference", "allowed")


@dataclass(frozen=True)
class Checked:
    """A signature of a format, which computed what was recorded.

    Attributes:
        format: Its name.
        signature: Its name.
        batch_sizes: Samples per call; (): the example is one call.
        difference: The largest from the recorded outputs, relative to max(1, |number|).
        allowed: The largest that there may be.
    """

    format: str
    signature: str
    batch_sizes: tuple[int, ...]
    difference: float
    allowed: float

    def cells(self) -> tuple[str, ...]:
        """Return the row of a table."""
        batches = ", ".join(map(str, self.batch_sizes)) or "as recorded"
        return self.format, self.signature, batches, f"{self.difference:.2g}", f"{self.allowed:.2g}"


@dataclass(frozen=True)
class ExportReport:
    """What came of the check of an export.

    Attributes:
        directory: The folder of the version.
        files: How many files are, to the byte, those that were written.
        checked: The signatures that computed what was recorded.
        unchecked: What could not be checked, a sentence each.
        difference: The first difference in one sentence, or None.
    """

    directory: Path
    files: int
    checked: tuple[Checked, ...]
    unchecked: tuple[str, ...]
    difference: str | None

    def __str__(self) -> str:
        rows = [_HEAD, *(one.cells() for one in self.checked)] if self.checked else []
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        lines += [f"not checked: {one}" for one in self.unchecked]
        plural = "s" * (self.files != 1)
        held = "computes what was recorded" if self.checked else "is what was written as far as that is known"
        outcome = f"{self.directory} {held}; {self.files} file{plural} with the recorded checksum."
        return "\n".join([*lines, outcome if self.difference is None else self.difference])


def export(directory: str | os.PathLike[str]) -> ExportReport:
    """Repeat the check of an export: checksums, and what each format computes of the recorded examples.

    Every format is called in a fresh process by the runtime that serves it, without kexp or Keras, in batches
    of 1, 3 and 64 samples, twice each. Neither the run nor its recipe is needed.

    Args:
        directory: The export, of whose versions the highest is checked, or the folder of one version.

    Raises:
        InputError: There is no export of kexp's.

    Example:
        >>> export("no/such/folder")
        Traceback (most recent call last):
        ...
        kexp.InputError: directory must be the folder of an exported model, but no/such/folder ...
    """
    folder = _version(user_path("directory", directory))
    manifest = Manifest.read(folder)
    unchecked: list[str] = []
    checked: list[Checked] = []
    try:
        _check_files(folder, manifest, unchecked)
        for exporter, cases in _examples(folder, manifest, unchecked):
            checked += _run(folder, exporter, cases, unchecked)
    except (ExportError, InputError) as error:
        return ExportReport(folder, 0, tuple(checked), tuple(unchecked), _sentence(str(error)))
    return ExportReport(folder, len(manifest.files), tuple(checked), tuple(unchecked), None)


def _version(directory: Path) -> Path:
    """Return the folder of a version, which counts by its description: a file of a format may be missing."""
    found = newest_version(directory, lambda folder: (folder / LOCATION).is_file())
    return load_exported(directory).directory if found is None else found


def _check_files(folder: Path, manifest: Manifest, unchecked: list[str]) -> None:
    """Compare checksums, and note what has none.

    Raises:
        InputError: A file is not what was written.
    """
    if not check_description(folder):
        unchecked.append(f"{LOCATION.as_posix()} itself, of which an earlier kexp recorded no checksum.")
    manifest.check_files(folder)
    if not manifest.files:
        unchecked.append("the files, of which an earlier kexp recorded no checksums.")
    if manifest.card and not _is(folder / CARD, manifest.card):
        unchecked.append(f"{CARD}, which was changed or removed since the export.")
    if (folder / SETTINGS).is_file() and not has_own_script(folder):
        unchecked.append(f"{SCRIPT}, which is not this kexp's; strings were turned into numbers without it.")
    known = {*manifest.files, LOCATION.as_posix(), CARD}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    foreign = sorted(found - known) if manifest.files else []
    if foreign:
        unchecked.append(f"{listed(foreign, 3)}, which the export did not write.")


def _is(path: Path, checksum: str) -> bool:
    return path.is_file() and sha256_of(path) == checksum


def _examples(
    folder: Path, manifest: Manifest, unchecked: list[str]
) -> list[tuple[Exporter, Sequence[ParityCase]]]:
    """Return the recorded examples of each format that this kexp knows."""
    if manifest.examples is None:
        unchecked.append("what it computes, since it was exported without examples; export the run again.")
        return []
    known = exporters()
    cases = read_examples(folder, manifest.examples, ADVICE)
    unchecked += [f"the format {name}, which this kexp does not know." for name in cases if name not in known]
    return [(known[name], its_own) for name, its_own in cases.items() if name in known]


def _run(
    folder: Path, exporter: Exporter, cases: Sequence[ParityCase], unchecked: list[str]
) -> list[Checked]:
    """Return what a format computed, or note that it cannot be run here.

    Raises:
        ExportError: It computed something else.
    """
    try:
        # By kexp's own code: the script in the folder may be anyone's.
        own = OWN_SCRIPT if is_preprocessed(folder, exporter) else None
        found = check_parity(folder, exporter.load, cases, own)
    except RuntimeMissing as error:
        unchecked.append(
            f"{exporter.format}, which needs the package {error.package}; install it and repeat."
        )
        return []
    except ExportError as error:
        raise ExportError(f"{exporter.format}: {error}") from None
    return [
        Checked(
            exporter.format, case.signature, tuple(case.batch_sizes), found[case.signature], case.tolerance
        )
        for case in cases
    ]


def _sentence(text: str) -> str:
    """Return an error in one line: of a traceback that it ends with, what was raised."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    said = lines[0] if len(lines) == 1 else f"{lines[0].rstrip(':')}: {lines[-1]}"
    return f"{said.rstrip('.')}."
