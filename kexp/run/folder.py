"""The run folder: where a run is recorded, and whether a path can be one."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from kexp.core.errors import InputError
from kexp.core.files import is_half_written, remove_leftovers, write_json
from kexp.core.options import DEFAULTS, OUTPUT_ONLY
from kexp.core.user_paths import output_folder
from kexp.data.dataset import require_text
from kexp.data.memory_forms import in_words
from kexp.engine.base import Computation
from kexp.run.architecture_change import model_change
from kexp.run.earlier_arguments import earlier_arguments
from kexp.run.environment import recorded_computation
from kexp.run.run_files import (
    ARCHITECTURE,
    CONFIG,
    ENVIRONMENT,
    FORMAT,
    RESULT,
    names_in,
    read_architecture,
    read_config,
    read_environment,
)

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


_CHECKPOINTS = "checkpoints"
_LOCK = "lock"
# Which runs of earlier versions may have had, without a record of them, or had none of.
_BUDGET = ("epochs", "least_steps")
_DECIDED_BY_DATA = ("least_steps", "least_batches", "least_validation")
_RECORDED_SINCE = ("loss", "metrics", *_DECIDED_BY_DATA)


class RunDescription(NamedTuple):
    """What a run is run with, beside its arguments.

    Attributes:
        environment: For env.json; see `kexp.run.environment`.
        architecture: For architecture.json; see `kexp.run.architecture`.
    """

    environment: dict[str, Any]
    architecture: dict[str, Any]


@dataclass(frozen=True)
class RunFolder:
    """A folder with config.json, env.json, metrics.jsonl, result.json, model.keras and checkpoints/."""

    path: Path
    config: dict[str, Any]

    @classmethod
    def choose(cls, run_dir: str | os.PathLike[str] | None, name: str, config: dict[str, Any]) -> RunFolder:
        """Return the folder for a run without writing anything yet.

        Args:
            run_dir: The folder asked for; None takes a new one under runs/, named after the recipe
                and the time.
            name: The recipe's name, for a new folder.
            config: What decides the result. A run that is already in the folder must have the same, but
                for the epochs, of which there may be more now.

        Raises:
            InputError: The path is a file, cannot be written, holds something else, or holds a run
                with another config.
        """
        path = output_folder("run_dir", _new_path(name) if run_dir is None else run_dir)
        for argument, value in config["arguments"].items():
            for entry in value if isinstance(value, tuple | list) else [value]:
                require_text(argument, entry)
        folder = cls(path, json.loads(json.dumps(config)))
        if folder._holds_run():
            folder._check_same_config()
        elif path.is_dir() and not folder._is_begun():
            raise InputError(
                f"run_dir {path} holds files that are not a run of kexp's; give an empty or new folder."
            )
        return folder

    def check_same(self, run: RunDescription) -> None:
        """Refuse to go on with a run on data, or with models, that have changed since.

        Raises:
            InputError: The fingerprint differs from the one in env.json, or a model from architecture.json.
        """
        self.check_same_data(run.environment["data"])
        recorded = read_architecture(self.path) if self._holds_run() else None
        if recorded is not None:
            require_same_models(f"run_dir {self.path} holds a run", recorded, run.architecture, "run_dir")

    def check_same_data(self, data: Mapping[str, str]) -> None:
        """Refuse to go on with a run on data that have changed since.

        Args:
            data: Name and fingerprint.

        Raises:
            InputError: The fingerprint differs from the one in env.json.
        """
        known = self._holds_run() or self._has(ENVIRONMENT)
        if known and read_environment(self.path)["data"] != data:
            raise InputError(
                f"run_dir {self.path} holds a run on other data than {data['name']} has now; give another "
                "run_dir."
            )

    def check_same_place(self, checkpoint_dir: str | None) -> None:
        """Refuse to go on with a run without the checkpoints that it has elsewhere.

        Raises:
            InputError: The folder's own run keeps them in another place than this one.
        """
        known = self._holds_run() or self._has(ENVIRONMENT)
        recorded = read_environment(self.path).get("checkpoint_dir") if known else checkpoint_dir
        if recorded != checkpoint_dir:
            raise InputError(
                f"run_dir {self.path} holds a run with checkpoint_dir {recorded!r}; received "
                f"{checkpoint_dir!r}, so repeat that one or give another run_dir."
            )

    def computation(self) -> Computation | None:
        """Return how the steps of the run in the folder are computed; None: there is none yet."""
        path = str(self.path / ENVIRONMENT)
        return recorded_computation(read_environment(self.path), path) if self._holds_run() else None

    def create(self, run: RunDescription) -> None:
        """Write what a run begins with, or that it goes on for more epochs; the folder is `locked`."""
        if not self._holds_run():
            write_json(self.path / ENVIRONMENT, {"format": FORMAT, **run.environment})
            write_json(self.path / ARCHITECTURE, {"format": FORMAT, **run.architecture})
            write_json(self.path / CONFIG, self.config)
        elif self._has_more_epochs():
            # In this order: with the new config and the old result, the run would pass for finished.
            (self.path / RESULT).unlink(missing_ok=True)
            write_json(self.path / CONFIG, self.config)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and keep other processes from training in it, until this one ends or is killed.

        Raises:
            InputError: Another process trains in it now.
        """
        with self._made():
            if fcntl is None:
                yield
                return
            with open(self.path / _CHECKPOINTS / _LOCK, "w", opener=_open_no_link) as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise InputError(
                        f"run_dir {self.path} is being trained in by another process; wait for it, or give "
                        "another run_dir."
                    ) from None
                for folder in (self.path, self.path / _CHECKPOINTS):
                    remove_leftovers(folder, own=True)
                yield

    @contextmanager
    def _made(self) -> Iterator[None]:
        """Make the folder; what is not taken for a run in the end is taken away again."""
        is_new = not self.path.exists()
        (self.path / _CHECKPOINTS).mkdir(parents=True, exist_ok=True)
        try:
            yield
        except InputError:
            if is_new and not self._holds_run() and self._is_begun():
                shutil.rmtree(self.path, ignore_errors=True)
            raise

    def begun(self) -> bool:
        """Return whether there is a run in the folder already, or what a kill has left of one."""
        return self._holds_run() or self._has(ENVIRONMENT)

    def predates_budgets(self) -> bool:
        """Return whether the folder holds a run from before the data could ask for more epochs."""
        return self._holds_run() and read_config(self.path).get("epochs") is None

    def predated_options(self) -> tuple[str, ...]:
        """Return the options by which the data decide, of which the run in the folder has nothing yet."""
        if not self._holds_run():
            return ()
        recorded = read_config(self.path)["arguments"]
        return tuple(
            name
            for name in _DECIDED_BY_DATA
            if name not in recorded or (name == "least_steps" and self.predates_budgets())
        )

    def finished(self) -> bool:
        """Return whether the run in the folder came to its end, and no more epochs are asked for now."""
        return self._has(RESULT) and not self._has_more_epochs()

    def _has_more_epochs(self) -> bool:
        return _has_more_epochs(read_config(self.path), self.config)

    def _holds_run(self) -> bool:
        return self._has(CONFIG)

    def _is_begun(self) -> bool:
        """Return whether there is nothing in the folder, or what a kill in `create` may leave."""

        def left(folder: Path) -> set[str]:
            names = names_in("run_dir", folder, "a folder that can be read")
            return {name for name in names if not is_half_written(name)}

        own, checkpoints = left(self.path), self.path / _CHECKPOINTS
        return own <= {ENVIRONMENT, ARCHITECTURE, _CHECKPOINTS} and (
            not checkpoints.is_dir() or left(checkpoints) <= {_LOCK}
        )

    def _has(self, name: str) -> bool:
        return os.path.lexists(self.path / name)

    def _check_same_config(self) -> None:
        differences = changes(read_config(self.path), self.config)
        if differences:
            raise InputError(
                f"run_dir {self.path} holds a run with other arguments: {'; '.join(differences)}. "
                "Repeat its arguments or give another run_dir."
            )


class NonChiefRunFolder(RunFolder):
    """The run folder for a worker that is not the chief, who alone looks at it and writes."""

    def check_same(self, run: RunDescription) -> None:
        """Leave it to the chief."""

    def create(self, run: RunDescription) -> None:
        """Write nothing."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock nothing."""
        yield


def is_trained_in(run_dir: Path) -> bool:
    """Return whether a process of this machine trains in a run folder now.

    Example:
        >>> is_trained_in(Path("no/such/run"))
        False
    """
    path = run_dir / _CHECKPOINTS / _LOCK
    if fcntl is None or not path.is_file():
        return False
    try:
        # Where the system tells, nobody is kept from taking it by a look at it.
        held = Path("/proc/locks").read_text(encoding="ascii")
        return any(line.split()[5].endswith(f":{path.stat().st_ino}") for line in held.splitlines())
    except (OSError, ValueError, IndexError):
        return _is_locked(path)


def _is_locked(path: Path) -> bool:
    try:
        with open(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def require_same_models(
    place: str, recorded: dict[str, Any], architecture: dict[str, Any], argument: str
) -> None:
    """Refuse models that are others than those that an architecture was recorded of.

    Args:
        place: What holds what of them, for the message, as "run_dir runs/a holds a run".
        recorded: Their architecture then.
        architecture: Their architecture now.
        argument: The argument that the place was given by.

    Raises:
        InputError: They are.
    """
    change = model_change(recorded, architecture)
    if change is not None:
        raise InputError(
            f"{place} of another {change[0]}: {change[1]}; give another {argument}, or the code of then."
        )


def changes(recorded: dict[str, Any], config: dict[str, Any]) -> list[str]:
    """Return in words how a config differs from a recorded one, but for more epochs now."""
    # A run from before there was an option was made with what is now its default.
    earlier = earlier_arguments(recorded["recipe"], config["arguments"])
    before, now = {**DEFAULTS, **earlier, **recorded["arguments"]}, {**DEFAULTS, **config["arguments"]}
    unknown = {name for name in _RECORDED_SINCE if name not in recorded["arguments"]}
    found = [
        f"{name} was {in_words(before.get(name))} and is now {in_words(now.get(name))}"
        for name in sorted({*before, *now} - {*OUTPUT_ONLY} - unknown)
        if before.get(name) != now.get(name) and not (name in _BUDGET and _same_budget(recorded, config))
    ]
    if recorded["recipe"] != config["recipe"]:
        found.insert(0, f"recipe was {recorded['recipe']} and is now {config['recipe']}")
    return found


def _has_more_epochs(recorded: dict[str, Any], config: dict[str, Any]) -> bool:
    before, now = _epochs(recorded, config)
    return isinstance(before, int) and bool(now > before)


def _same_budget(recorded: dict[str, Any], config: dict[str, Any]) -> bool:
    """Return whether no fewer epochs are asked for than before, and least steps as before or none."""
    before, now = _epochs(recorded, config)
    least = config["arguments"].get("least_steps")
    return isinstance(before, int) and now >= before and least in (None, _least_steps(recorded))


def _epochs(recorded: dict[str, Any], config: dict[str, Any]) -> tuple[Any, Any]:
    """Return the epochs then and now: as asked for, but as they came to then if a number is given now."""
    asked, now = recorded["arguments"].get("epochs"), config["arguments"].get("epochs", 0)
    given = config["arguments"].get("least_steps") is None and _least_steps(recorded) is not None
    return (recorded.get("epochs") or asked) if given else asked, now


def _least_steps(config: dict[str, Any]) -> Any:
    return config["arguments"].get("least_steps")


def _open_no_link(path: str, flags: int) -> int:
    """Open a file that is to be written, unless it is a link: its target may be anybody's, and is emptied."""
    try:
        return os.open(path, flags | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise InputError(
            f"run_dir: {path} is a link, and must be a file of the run's own; remove it."
        ) from None


def _new_path(name: str) -> Path:
    stem = Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    path, count = stem, 1
    while path.exists():
        count += 1
        path = stem.with_name(f"{stem.name}-{count}")
    return path
