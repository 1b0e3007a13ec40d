"""The manifest of an export: data, input keys, signatures and provenance, in assets.extra/kexp.json."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kexp.core.errors import InputError
from kexp.data.dataset import DatasetSpec

FORMAT = "kexp export"
VERSION = 1
LOCATION = Path("assets.extra", "kexp.json")  # TensorFlow Serving keeps assets.extra with the model


@dataclass(frozen=True)
class Manifest:
    """The description of an export: the data it was made for, its inputs and where it is from.

    Attributes:
        spec: The data it was made for, with the class names.
        keys: Signature key of every column of a table; of "inputs" for everything else.
        provenance: Whatever the caller recorded: metrics, config, versions.
        signatures: Names of the functions that are served; empty in exports from before it was written down.
    """

    spec: DatasetSpec
    keys: dict[str, str]
    provenance: dict[str, Any]
    signatures: tuple[str, ...] = ()

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
            "provenance": self.provenance,
        }
        try:
            return json.dumps(content, indent=2, ensure_ascii=False, default=_plain) + "\n"
        except (TypeError, ValueError) as error:
            raise InputError(
                f"provenance must hold only what JSON can say, received something else ({error}); "
                "turn it into strings, numbers, lists and dicts."
            ) from error

    def write(self, version_folder: Path) -> None:
        """Write kexp.json into a SavedModel's folder."""
        path = version_folder / LOCATION
        path.parent.mkdir(exist_ok=True)
        path.write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def read(cls, version_folder: Path) -> Manifest:
        """Read kexp.json from a SavedModel's folder.

        Raises:
            InputError: There is none, or it is damaged, or of a version this kexp does not know.
        """
        path = version_folder / LOCATION
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(
                f"{version_folder} holds a SavedModel without {LOCATION.as_posix()}, so kexp did not "
                "write it; give a folder that kexp exported, or load this one with tf.saved_model.load."
            ) from None
        except (OSError, ValueError) as error:
            raise _damaged(path, error) from error
        _check_version(content, path)
        try:
            return cls(
                DatasetSpec.from_json(content["spec"]),
                dict(content["keys"]),
                dict(content["provenance"]),
                tuple(content.get("signatures", ())),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(path, error) from error


def _check_version(content: Any, path: Path) -> None:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise _damaged(path, "it is not the description of a kexp export")
    if content.get("version") != VERSION:
        raise InputError(
            f"{path} must be of version {VERSION}, received {content.get('version')!r}; "
            "update kexp, or export the model again."
        )


def _damaged(path: Path, reason: object) -> InputError:
    return InputError(f"{path} cannot be read ({reason}); the export is damaged, export the model again.")


def _plain(value: Any) -> Any:
    """Turn NumPy's scalars and arrays, and paths, into what JSON knows."""
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__}")
