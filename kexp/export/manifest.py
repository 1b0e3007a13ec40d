"""The manifest of an export: data, inputs, licence, provenance and checksums, in assets.extra/kexp.json."""

from __future__ import annotations

import hashlib
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
CARD = "README.md"  # where the Hugging Face Hub looks for it
_KEYS = {
    "spec": dict[str, Any],
    "keys": dict[str, str],
    "provenance": dict[str, Any],
    "signatures": list[str] | None,
    "files": dict[str, str] | None,
    "license": str | None,
    "examples": dict[str, Any] | None,
    "card": str | None,
    "checksum": str | None,
}
ADVICE = "the export is damaged, export the model again"


@dataclass(frozen=True)
class Manifest:
    """The description of an export: the data it was made for, its inputs and where it is from.

    Attributes:
        spec: The data it was made for, with the class names.
        keys: Signature key of every column of a table; of "inputs" for everything else.
        provenance: Whatever the caller recorded: metrics, config, versions.
        signatures: Names of the functions that are served; empty in exports from before it was written down.
        files: SHA-256 of each other file by its path in the version's folder; empty in earlier exports. The
            model card is not among them, which its owner may go on writing.
        license: As the caller gave it; None: not given.
        examples: Of `kexp.export.recorded_examples`; None: none were recorded.
        card: SHA-256 of the model card as it was written; "" in earlier exports.
    """

    spec: DatasetSpec
    keys: dict[str, str]
    provenance: dict[str, Any]
    signatures: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    license: str | None = None
    examples: Mapping[str, Any] | None = None
    card: str = ""

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
            "license": self.license,
            "examples": self.examples,
            "card": self.card,
            "provenance": self.provenance,
        }
        try:
            content["checksum"] = _checksum(content)
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
        """Write kexp.json into a version's folder, with the checksums of all files there and its own."""
        path = version_folder / LOCATION
        path.parent.mkdir(exist_ok=True)
        files = {
            file.relative_to(version_folder).as_posix(): sha256_of(file)
            for file in sorted(version_folder.rglob("*"))
            if file.is_file()
        }
        card = files.pop(CARD, "")
        path.write_text(replace(self, files=files, card=card).to_json(), encoding="utf-8")

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
        content = read_json_file(path, {}, advice=ADVICE)
        _check_version(content, path)
        require_keys(content, f"file {path}", _KEYS, advice=ADVICE)
        spec = DatasetSpec.from_json(content["spec"], f"file {path}: spec", advice=ADVICE)
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
            content.get("license"),
            content.get("examples"),
            content.get("card") or "",
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
            require_checksum(path, checksum, "the export", ADVICE)


def check_description(version_folder: Path) -> bool:
    """Refuse a version whose kexp.json is not, value by value, what the export wrote.

    Returns:
        Whether it has a checksum of its own to be compared with, which earlier exports have not.

    Raises:
        InputError: It is another.
    """
    path = version_folder / LOCATION
    content = read_json_file(path, _KEYS, advice=ADVICE)
    recorded = content.pop("checksum")
    if recorded is not None and recorded != _checksum(content):
        raise InputError(f"file {path}: is not what the export wrote, its checksum differs; {ADVICE}.")
    return recorded is not None


def _checksum(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a description, whatever the order of its keys and the spaces between them."""
    plain = json.loads(json.dumps(content, default=_plain))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _check_version(content: Any, path: Path) -> None:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise _damaged(path, "it is not the description of a kexp export")
    if content.get("version") != VERSION:
        raise InputError(
            f"{path} must be of version {VERSION}, received {content.get('version')!r}; "
            "update kexp, or export the model again."
        )


def _damaged(path: Path, reason: object) -> InputError:
    return InputError(f"{path} cannot be read ({reason}); {ADVICE}.")


def _plain(value: Any) -> Any:
    """Turn NumPy's scalars and arrays, and paths, into what JSON knows."""
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__}")
