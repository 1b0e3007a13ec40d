"""The run folder: where a run is recorded, and whether a path can be one."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kexp.atomic import read_json, write_json
from kexp.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


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
        path = _new_path(name) if run_dir is None else Path(run_dir).expanduser()
        _check_usable(path)
        folder = cls(path, json.loads(json.dumps(config)))
        if folder._holds_run():
            folder._check_same_config()
        elif path.is_dir() and any(path.iterdir()):
            raise InputError(
                f"run_dir {path} holds files that are not a run of kexp's; give an empty or new folder."
            )
        return folder

    def check_same_data(self, environment: dict[str, Any]) -> None:
        """Refuse to go on with a run on data that has changed since.

        Raises:
            InputError: The fingerprint differs from the one in env.json.
        """
        path = self.path / "env.json"
        if path.is_file() and read_json(path)["data"] != environment["data"]:
            raise InputError(
                f"run_dir {self.path} holds an unfinished run on other data than "
                f"{environment['data']['name']} has now; give another run_dir."
            )

    def create(self, environment: dict[str, Any]) -> None:
        """Make the folder and write config.json and env.json, unless an unfinished run is in it."""
        (self.path / "checkpoints").mkdir(parents=True, exist_ok=True)
        if not self._holds_run():
            write_json(self.path / "env.json", environment)
            write_json(self.path / "config.json", self.config)
        elif self._lengthened():
            # In this order: with the old config and no result, the same call again would end the old run.
            write_json(self.path / "config.json", self.config)
            (self.path / "result.json").unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training in the folder; the system lets go when this one is killed.

        Raises:
            InputError: Another process trains in it now.
        """
        if fcntl is None:
            yield
            return
        with open(self.path / "checkpoints" / "lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"run_dir {self.path} is being trained in by another process; wait for it, or give "
                    "another run_dir."
                ) from None
            yield

    def finished(self) -> bool:
        """Return whether the run in the folder came to its end, and no more epochs are asked for now."""
        return (self.path / "result.json").is_file() and not self._lengthened()

    def _lengthened(self) -> bool:
        before = read_json(self.path / "config.json").get("arguments", {}).get("epochs")
        return bool(before) and bool(self.config["arguments"].get("epochs", 0) > before)

    def append_metrics(self, epoch: int, figures: dict[str, float]) -> None:
        """Add the figures of an epoch, counted from 1, to metrics.jsonl."""
        with open(self.path / "metrics.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps({"epoch": epoch, **figures}) + "\n")

    def rewrite_metrics(self, history: list[dict[str, float]]) -> None:
        """Make metrics.jsonl hold exactly these epochs, as a continued run needs it."""
        (self.path / "metrics.jsonl").unlink(missing_ok=True)
        for number, figures in enumerate(history):
            self.append_metrics(number + 1, figures)

    def _holds_run(self) -> bool:
        return (self.path / "config.json").is_file()

    def _check_same_config(self) -> None:
        recorded = read_json(self.path / "config.json")
        before, now = recorded.get("arguments", {}), self.config["arguments"]
        changes = [
            f"{name} was {before.get(name)!r} and is now {now.get(name)!r}"
            for name in sorted({*before, *now})
            if before.get(name) != now.get(name) and not (name == "epochs" and self._lengthened())
        ]
        if recorded.get("recipe") != self.config["recipe"]:
            changes.insert(0, f"recipe was {recorded.get('recipe')} and is now {self.config['recipe']}")
        if changes:
            raise InputError(
                f"run_dir {self.path} holds a run with other arguments: {'; '.join(changes)}. "
                "Repeat its arguments or give another run_dir."
            )


class Elsewhere(RunFolder):
    """The run folder for a worker that is not the chief, who alone looks at it and writes."""

    def check_same_data(self, environment: dict[str, Any]) -> None:
        """Leave it to the chief."""

    def create(self, environment: dict[str, Any]) -> None:
        """Make nothing."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock nothing."""
        yield

    def append_metrics(self, epoch: int, figures: dict[str, float]) -> None:
        """Write nothing."""

    def rewrite_metrics(self, history: list[dict[str, float]]) -> None:
        """Write nothing."""


def _new_path(name: str) -> Path:
    stem = Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    path, count = stem, 1
    while path.exists():
        count += 1
        path = stem.with_name(f"{stem.name}-{count}")
    return path


def _check_usable(path: Path) -> None:
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not existing.is_dir():
        raise InputError(f"run_dir must be a folder; {existing} is a file, so give another path.")
    if not _can_write(existing):
        raise InputError(
            f"run_dir must be a folder that can be written to; {existing} is read-only, so give another path."
        )


def _can_write(folder: Path) -> bool:
    # os.access says yes to root and to read-only mounts alike on some systems, so a mount is asked too.
    read_only_mount = bool(os.statvfs(folder).f_flag & os.ST_RDONLY) if hasattr(os, "statvfs") else False
    return os.access(folder, os.W_OK | os.X_OK) and not read_only_mount
