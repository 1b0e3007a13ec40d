"""The manifest of an export: data, input keys, signatures and provenance, in assets.extra/kexp.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kexp.core.errors import InputError, located
from kexp.core.files import sha256_of
from kexp.core.foreign_files import require_checksum
from kexp.core.json_files import read_json_file, require_keys
from kexp.data.dataset import DatasetSpec
from kexp.data.strings import is_unicode
from kexp.export.input_names import named_inputs
from kexp.tasks import task_named

FORMAT = "kexp export"
VERSION = 1
LOCATION = Path("assets.extra", "kexp.json")  # TensorFlow Serving keeps assets.extra with the model
_KEYS = {
    "spec": dict[str, Any],
    "keys": dict[str, str],
    "provenance": dict[str, Any],
    "signatures": list[str] | None,
    "files": dict[str, str] | None,
}
_ADVICE = "the export is damaged, export the model again"


@dataclass(frozen=True)
class Manifest:
    """The description of an export: the data it was made for, its inputs and where it is from.

    Attributes:
        spec: The data it was made for, with the class names.
        keys: Signature key of every column of a table; of "inputs" for everything else.
        provenance: Whatever the caller recorded: metrics, config, versions.
        signatures: Names of the functions that are served; empty in exports from before it was written down.
        files: SHA-256 of each other file by its path in the version's folder; empty in earlier exports.
    """

    spec: DatasetSpec
    keys: dict[str, str]
    provenance: dict[str, Any]
    signatures: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the content of kexp.json.

        Raises:
            InputError: The provenance holds something that JSON cannot say.
        """
        content = {
            "format": FORMAT,
            "version": VERSION,
            "spec": self.spec.to_json(),
            "keys": self.keys,
            "signatures": list(self.signatures),
            "files": dict(self.files),
            "provenance": self.provenance,
        }
        try:
            text = json.dumps(content, indent=2, ensure_ascii=False, default=_plain)
            # A name in the provenance may have no UTF-8, as a file's may not; JSON can say it all the same.
            if not is_unicode(text):
                text = json.dumps(content, indent=2, default=_plain)
            return f"{text}\n"
        except (TypeError, ValueError) as error:
            raise InputError(
                f"provenance must hold only what JSON can say, received something else ({error}); "
                "turn it into strings, numbers, lists and dicts."
            ) from error

    def write(self, version_folder: Path) -> None:
        """Write kexp.json into a version's folder, with checksums of all files that are there."""
        path = version_folder / LOCATION
        path.parent.mkdir(exist_ok=True)
        files = {
            file.relative_to(version_folder).as_posix(): sha256_of(file)
            for file in sorted(version_folder.rglob("*"))
            if file.is_file()
        }
        path.write_text(replace(self, files=files).to_json(), encoding="utf-8")

    @classmethod
    def read(cls, version_folder: Path) -> Manifest:
        """Read kexp.json from a version's folder.

        Raises:
            InputError: There is none, or it is damaged, or of a version this kexp does not know.
        """
        path = version_folder / LOCATION
        if not path.exists():
            raise InputError(
                f"{version_folder} holds a SavedModel without {LOCATION.as_posix()}, so kexp did not "
                "write it; give a folder that kexp exported, or load this one with tf.saved_model.load."
            )
        content = read_json_file(path, {}, advice=_ADVICE)
        _check_version(content, path)
        require_keys(content, f"file {path}", _KEYS, advice=_ADVICE)
        spec = DatasetSpec.from_json(content["spec"], f"file {path}: spec", advice=_ADVICE)
        with located(f"file {path}: spec"):
            predicts = task_named(spec.task).predicts_inputs
        if predicts and (not content["keys"] or set(content["keys"]) != set(named_inputs(spec))):
            raise _damaged(path, "its keys are not those of the inputs of the data")
        return cls(
            spec,
            content["keys"],
            content["provenance"],
            tuple(content.get("signatures") or ()),
            content.get("files") or {},
        )

    def check_files(self, version_folder: Path) -> None:
        """Refuse a version whose files are not those that were written and proved.

        Raises:
            InputError: One is missing, cannot be read or is not the same any more.
        """
        for name, checksum in self.files.items():
            path = version_folder / name
            if not path.resolve().is_relative_to(version_folder.resolve()):
                raise _damaged(version_folder / LOCATION, f"{name!r} is not a file of the export")
            require_checksum(path, checksum, "the export", _ADVICE)


def _check_version(content: Any, path: Path) -> None:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise _damaged(path, "it is not the description of a kexp export")
    if content.get("version") != VERSION:
        raise InputError(
            f"{path} must be of version {VERSION}, received {content.get('version')!r}; "
            "update kexp, or export the model again."
        )


def _damaged(path: Path, reason: object) -> InputError:
    return InputError(f"{path} cannot be read ({reason}); {_ADVICE}.")


def _plain(value: Any) -> Any:
    """Turn NumPy's scalars and arrays, and paths, into what JSON knows."""
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__}")
