"""The versions of a served model: the newest whole one of a folder, and a newer one once it is there."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kexp.core.errors import InputError, shown
from kexp.core.user_paths import user_path
from kexp.data.dataset import DatasetSpec
from kexp.export.exported_model import Exported, load_exported
from kexp.serve.batching import Batcher
from kexp.tasks import task_named
from kexp.tasks.predictions import Predictions

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_MOST_EARLIER = 2  # versions kept in memory beside the newest, of those that were asked for by number
_UNKNOWN_SIZE = 32  # tried of an axis that may have any
Stamp = frozenset[tuple[str, int, int, int]]


@dataclass(frozen=True, eq=False)
class ModelVersion:
    """A version that is loaded and has answered once.

    Attributes:
        number: Name of its folder.
        exported: The model.
        batcher: What predicts with it.
        outputs: Type and shape of one sample of each output, by name.
        stamp: The files it was loaded from.
    """

    number: int
    exported: Exported
    batcher: Batcher
    outputs: dict[str, tuple[str, tuple[int, ...]]]
    stamp: Stamp = field(repr=False)


class ModelVersions:
    """The versions of one model below a folder, of which the highest that is whole is served.

    A version that is being written, or is damaged, is passed over until its files have changed; what is
    loaded stays until another one has answered.

    Args:
        model: Folder of an exported model, or of one version of it, also NAME=FOLDER; default: its name.
        batcher: Makes what predicts with a loaded model of a name.
        say: Told what is loaded, and what cannot be, in a sentence.

    Raises:
        InputError: There is no export of kexp's, or it has no name that an address can have.
    """

    def __init__(
        self, model: str, batcher: Callable[[str, Exported], Batcher], say: Callable[[str], object]
    ) -> None:
        name, equals, folder = model.partition("=")
        self._directory = user_path("model", folder if equals else model).absolute()
        self._is_one_version = self._directory.name.isdecimal() and not _numbers(self._directory)
        own_name = (self._directory.parent if self._is_one_version else self._directory).name
        self.name = name if equals else own_name
        if not _NAME.fullmatch(self.name):
            raise InputError(
                f"model must have a name of letters, digits, _, . and -, received {shown(self.name)}; give "
                "one before it, as in digits=FOLDER."
            )
        self._batcher, self._say = batcher, say
        self._lock = threading.Lock()
        self._newest: ModelVersion | None = None
        self._earlier: dict[int, ModelVersion] = {}
        self._failed: dict[int, tuple[Stamp, str]] = {}

    def check(self) -> None:
        """Check that there is a version which says that it predicts; nothing is loaded yet.

        Raises:
            InputError: There is none.
        """
        reasons = []
        for number in self._found():
            try:
                task_named(load_exported(self._folder(number)).spec.task).check_predicts()
                return
            except InputError as error:
                reasons.append(error)
        raise reasons[0]

    @property
    def newest(self) -> ModelVersion:
        """The version that is served.

        Raises:
            LookupError: None is yet.
        """
        if self._newest is None:
            raise LookupError(f"no version of {self.name} is served")
        return self._newest

    @property
    def is_available(self) -> bool:
        """Whether a version is served."""
        return self._newest is not None

    def refresh(self) -> None:
        """Serve the highest version that is whole now; what is served stays where there is none.

        Raises:
            InputError: No version was served, and none can be.
        """
        with self._lock:
            for number in self._found():
                loaded = self._loaded(number)
                if loaded is not None:
                    self._earlier.pop(number, None)
                    if loaded is not self._newest:
                        self._newest = loaded
                        self._say(f"{self.name} is version {number}")
                    return
        if self._newest is None:
            raise InputError(
                "; ".join(reason for _, reason in self._failed.values())
                or f"{self._directory} holds no version of a model; export one."
            )

    def version(self, number: int) -> ModelVersion:
        """Return a version by its number, loaded if need be; some of them stay in memory.

        Raises:
            LookupError: There is none, or it cannot be loaded.
        """
        if self._newest is not None and self._newest.number == number:
            return self._newest
        with self._lock:
            loaded = self._loaded(number) if number in self._found() else None
            if loaded is None:
                raise LookupError(f"there is no version {number} of {self.name} that can be served")
            self._earlier.pop(number, None)
            self._earlier[number] = loaded  # the last one that was asked for stands last
            while len(self._earlier) > _MOST_EARLIER:
                del self._earlier[next(iter(self._earlier))]
            return loaded

    def _found(self) -> list[int]:
        """Return the numbers of the folders, the highest first."""
        if self._is_one_version:
            return [int(self._directory.name)]
        return _numbers(self._directory) or [1]  # which then has no folder of its own

    def _folder(self, number: int) -> Path:
        if self._is_one_version or not _numbers(self._directory):
            return self._directory
        return next(path for path in _version_folders(self._directory) if int(path.name) == number)

    def _loaded(self, number: int) -> ModelVersion | None:
        """Return a version as its files are now, or None while they are no whole one."""
        try:
            folder = self._folder(number)
            stamp = _stamp(folder)
        except (OSError, StopIteration):  # removed meanwhile
            return None
        for known in (self._newest, self._earlier.get(number)):
            if known is not None and (known.number, known.stamp) == (number, stamp):
                return known
        if self._failed.get(number, (None, ""))[0] == stamp:
            return None
        try:
            return self._load(number, folder, stamp)
        except (InputError, OSError) as error:
            self._failed[number] = (stamp, str(error))
            self._say(f"version {number} of {self.name} is left out until its files change: {error}")
            return None

    def _load(self, number: int, folder: Path, stamp: Stamp) -> ModelVersion:
        exported = load_exported(folder)
        # The first call loads the model and makes its graph, so that no request waits for it.
        answer = answers(exported, blank_sample(exported.spec)).named()
        outputs = {name: (str(array.dtype), array.shape[1:]) for name, array in answer.items()}
        self._failed.pop(number, None)
        return ModelVersion(number, exported, self._batcher(self.name, exported), outputs, stamp)


def _numbers(directory: Path) -> list[int]:
    return sorted((int(path.name) for path in _version_folders(directory)), reverse=True)


def _version_folders(directory: Path) -> list[Path]:
    if not directory.is_dir():
        return []
    return [path for path in directory.iterdir() if path.name.isdecimal() and path.is_dir()]


def _stamp(folder: Path) -> Stamp:
    """Return what tells whether the files of a version have changed."""
    files = [
        (path.relative_to(folder).as_posix(), path.stat()) for path in folder.rglob("*") if path.is_file()
    ]
    return frozenset((name, one.st_size, one.st_mtime_ns, one.st_ino) for name, one in files)


def answers(exported: Exported, inputs: Any) -> Predictions:
    """Return predictions without warnings of what is new in the inputs, of which requests are told."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return exported.predict(inputs)


def blank_sample(spec: DatasetSpec) -> Any:
    """Return one sample that a model takes: zeros, empty texts, columns without a value.

    Example:
        >>> blank_sample(DatasetSpec("image", (2, 2, 1), "uint8", "classification", 10)).shape
        (1, 2, 2, 1)
    """
    if spec.kind == "table":
        return {column.name: [None] for column in spec.columns}
    if spec.kind == "text":
        return [""]
    if spec.kind == "arrays":
        return {
            one.name: [""] if one.dtype == "string" and not one.shape else _zeros(one.shape, one.dtype)
            for one in spec.inputs
        }
    return _zeros(spec.input_shape, spec.dtype)


def _zeros(shape: tuple[int | None, ...], dtype: str) -> np.ndarray:
    return np.zeros((1, *(_UNKNOWN_SIZE if size is None else size for size in shape)), dtype)
