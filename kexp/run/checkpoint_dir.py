"""Where the state of a run is kept, and whether what is there is the state of this run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kexp.core.errors import InputError
from kexp.core.storage import is_remote, storage
from kexp.core.user_paths import output_folder
from kexp.engine.base import Computation
from kexp.run.environment import recorded_computation
from kexp.run.folder import RunDescription, RunFolder, changes, require_same_models
from kexp.run.run_files import (
    ARCHITECTURE,
    ARCHITECTURE_KEYS,
    CONFIG_KEYS,
    DATA_KEYS,
    FORMAT,
    require_data,
    require_layers,
)

_WHOSE = "run.json"
_ADVICE = "give another checkpoint_dir"


@dataclass(frozen=True)
class CheckpointDir:
    """The folder of the checkpoints: the run folder's own, or one that was asked for.

    Attributes:
        path: The folder; a string if it has a scheme.
        asked: As it is recorded, so that another process finds it; None for the run folder's own.
    """

    path: Path | str
    asked: str | None

    @classmethod
    def choose(cls, checkpoint_dir: str | None, run_dir: Path) -> CheckpointDir:
        """Return the folder for the state of a run without writing anything yet.

        Raises:
            InputError: The path cannot be used or reached, or holds something else than checkpoints.
        """
        if checkpoint_dir is None:
            return cls(run_dir / "checkpoints", None)
        if is_remote(checkpoint_dir):
            folder = cls(checkpoint_dir, checkpoint_dir)
        else:
            path = output_folder("checkpoint_dir", checkpoint_dir).absolute()
            folder = cls(path, str(path))
        folder._check_holds_nothing_else()
        return folder

    def check_same_run(self, run: RunFolder, description: RunDescription) -> None:
        """Refuse to go on from the checkpoints of another run, or without those that this one has.

        Args:
            run: The run folder.
            description: What is recorded in it beside its config.

        Raises:
            InputError: The run in the folder keeps its checkpoints elsewhere, or those here are of a run
                with another config, but for the epochs, of which there may be more now, on other data, or of
                other models.
        """
        run.check_same_place(self.asked)
        recorded = self._recorded()
        if recorded is None:
            return
        differences = changes(recorded, run.config)
        if differences:
            raise InputError(
                f"checkpoint_dir {self.path} holds checkpoints of a run with other arguments: "
                f"{'; '.join(differences)}. Repeat its arguments or give another checkpoint_dir."
            )
        data = description.environment["data"]
        if recorded["data"] != data:
            raise InputError(
                f"checkpoint_dir {self.path} holds checkpoints of a run on other data than {data['name']} "
                "has now; give another checkpoint_dir."
            )
        models = self._read(ARCHITECTURE)
        if models is not None:
            place = f"checkpoint_dir {self.path} holds checkpoints of a run"
            require_same_models(place, models, description.architecture, "checkpoint_dir")

    def create(self, run: RunFolder, description: RunDescription) -> None:
        """Make the folder and record whose state it holds; the run folder makes its own.

        Raises:
            InputError: It cannot be written to.
        """
        if self.asked is None:
            return
        described = {name: description.environment[name] for name in ("data", "computation")}
        whose, files = {**run.config, **described}, storage(self.path)
        try:
            if self._recorded() != whose:
                files.create()
                files.write_json(_WHOSE, whose)
            if not files.names(ARCHITECTURE):
                files.write_json(ARCHITECTURE, {"format": FORMAT, **description.architecture})
        except (ConnectionError, FileNotFoundError) as error:
            raise self._out_of_reach("written to", error) from error

    def computation(self) -> Computation | None:
        """Return how the steps of the run whose state is here are computed; None: there is none."""
        recorded = self._recorded()
        return None if recorded is None else recorded_computation(recorded, f"{self.path}/{_WHOSE}")

    def _recorded(self) -> dict[str, Any] | None:
        return self._read(_WHOSE)

    def _read(self, name: str) -> dict[str, Any] | None:
        if self.asked is None or not storage(self.path).names(name):
            return None
        try:
            return _whose(self.path) if name == _WHOSE else _architecture(self.path)
        except OSError as error:
            raise self._out_of_reach("read", error) from error

    def _check_holds_nothing_else(self) -> None:
        try:
            names = storage(self.path).names("*")
        except (ConnectionError, FileNotFoundError) as error:
            raise self._out_of_reach("reached", error) from error
        # A kill in the middle of the very first write leaves no more than a torn file.
        if _WHOSE not in names and any(not name.startswith(".run.") for name in names):
            raise InputError(
                f"checkpoint_dir {self.path} holds files that are not checkpoints of a run of kexp's; "
                "give an empty or new folder."
            )

    def _out_of_reach(self, done: str, error: OSError) -> InputError:
        return InputError(
            f"checkpoint_dir must be a folder that can be {done}; {self.path} cannot be "
            f"({' '.join(str(error).split())}), so give another path."
        )


def _whose(folder: Path | str) -> dict[str, Any]:
    files = storage(folder)
    content = files.read_json(_WHOSE, {**CONFIG_KEYS, **DATA_KEYS}, advice=_ADVICE, newest_format=FORMAT)
    require_data(content, f"file {files.path(_WHOSE)}", _ADVICE)
    return content


def _architecture(folder: Path | str) -> dict[str, Any]:
    files = storage(folder)
    content = files.read_json(ARCHITECTURE, ARCHITECTURE_KEYS, advice=_ADVICE, newest_format=FORMAT)
    require_layers(content, f"file {files.path(ARCHITECTURE)}", _ADVICE)
    return content
