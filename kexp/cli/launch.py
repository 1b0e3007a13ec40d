"""Several workers of one training on this machine: `kexp.launch(["run", "mlp_images"], workers=2)`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import cyclopts

from kexp.cli.recipe_commands import add_training
from kexp.cli.recipe_lookup import READING, sentence
from kexp.core.constraints import Count, check_value
from kexp.core.errors import InputError, WorkerLost
from kexp.core.processes import check_processes, module_paths, nvidia_gpus, usable_cores
from kexp.core.signals import StopRequest
from kexp.engine.tensorflow.cluster_spec import Cluster, local_clusters

_COMMANDS = ("run", "resume")
_TICK_S = 0.05
NOTICE_S = 60.0  # how long the others may take to notice that a worker is gone, and to save
_ENDING_S = 10.0  # after which a worker that was asked to end is killed
_LAST_LINES = 20
_MISTAKE = 2


def launch(arguments: Sequence[str], workers: int, *, cores_per_worker: int | None = None) -> int:
    """Run a line of the command line as several processes of this machine that train one model together.

    The first worker, the chief, writes and prints as the line alone would; the last lines of another one are
    printed if it fails. SIGINT and SIGTERM go on to all of them, which save their state and end; a second one
    ends them at once. None of them outlives this process.

    Args:
        arguments: What follows `kexp`: `run` or `resume`, and their arguments. A run without a run_dir gets a
            new one.
        workers: How many processes, 1 or more. Each has GPUs of its own; all train on CPUs where there are
            fewer GPUs than workers.
        cores_per_worker: Cores that each has to itself, 1 or more, on Linux; None (default) leaves all cores
            to all.

    Returns:
        The exit code of the workers, or of the one that failed first: 128 and the number of the signal that
        ended it.

    Raises:
        InputError: The arguments are not those of a run, or there are not enough cores.

    Example:
        >>> launch(["list"], workers=2)
        Traceback (most recent call last):
        kexp.InputError: what is launched must be `run` or `resume` ...; received list.
    """
    workers = check_processes("workers", workers)
    shares = _shares(workers, check_value("cores_per_worker", cores_per_worker, Count | None))
    line = _Line.read(list(arguments))
    if line is None:
        return 0
    with StopRequest() as stop, _Crew(line.words, shares) as crew:
        crew.wait(stop)
        return crew.verdict(stop, line.again)


@dataclass(frozen=True)
class _Line:
    """What each worker is to do.

    Attributes:
        words: Of the command line.
        again: How the run is gone on with, in words.
    """

    words: list[str]
    again: str

    @classmethod
    def read(cls, words: list[str]) -> _Line | None:
        """Return the line for all workers, after its mistakes were told once; None if it asked for help."""
        if words[:1] not in ([name] for name in _COMMANDS):
            raise InputError(
                "what is launched must be `run` or `resume` with its arguments, such as `kexp launch "
                f"--workers 2 -- run mlp_images`; received {' '.join(words) or 'nothing'}."
            )
        folders: list[tuple[Path, bool]] = []

        def check(recipe: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
            folders.append(_run_folder(recipe, arguments))

        app = cyclopts.App(
            name="kexp", default_parameter=READING, result_action="return_value", help_on_error=False
        )
        add_training(app, check, words)
        try:
            app(words, exit_on_error=False, print_error=False)
        except cyclopts.CycloptsError as error:
            raise InputError(sentence(error)) from None
        if not folders:
            return None
        folder, named = folders[0]
        if named:
            return cls(words, "the same line goes on")
        # Each worker would name a folder of its own, by the time. It stands before what a `--` may cut off.
        option = ["--run-dir", str(folder)]
        return cls([*words[:2], *option, *words[2:]], f"the same line with --run-dir {folder} goes on")


def _run_folder(recipe: Callable[..., Any], arguments: Mapping[str, Any]) -> tuple[Path, bool]:
    """Return the folder of a run, and whether it was asked for, if the run can be shared by workers."""
    from kexp.run.context import RecipeCall
    from kexp.run.folder import RunFolder
    from kexp.run.recipe_call import bind

    options = bind(recipe, **arguments)
    for name, fitting in (("strategy", ("auto", "multiworker")), ("devices", (None,))):
        if options[name] not in fitting:
            raise InputError(
                f"{name} must be {' or '.join(map(repr, fitting))} for several workers, each of which trains "
                f"on its own; received {options[name]!r}, so leave it out."
            )
    call = RecipeCall(recipe.__name__, options)
    folder = RunFolder.choose(options["run_dir"], call.recipe, call.config())
    return folder.path, options["run_dir"] is not None


def _shares(workers: int, cores_per_worker: int | None) -> list[str]:
    """Return the cores of each worker, with commas between them; nothing for all."""
    if cores_per_worker is None:
        return [""] * workers
    if not hasattr(os, "sched_setaffinity"):
        raise InputError(
            f"cores_per_worker must be None on {sys.platform}, which gives no process cores of its own; "
            f"received {cores_per_worker}, so leave it out."
        )
    cores = usable_cores()
    if workers * cores_per_worker > len(cores):
        raise InputError(
            f"cores_per_worker must be at most {len(cores) // workers} for {workers} workers on "
            f"{len(cores)} cores; received {cores_per_worker}, so give fewer, or leave it out to share them."
        )
    starts = range(0, workers * cores_per_worker, cores_per_worker)
    return [",".join(map(str, cores[start : start + cores_per_worker])) for start in starts]


class _Worker:
    """One of the processes.

    Args:
        cluster: All of them, and its place among them.
        words: Of its command line.
        cores: Those it runs on, with commas between them; nothing for all.
    """

    def __init__(self, cluster: Cluster, words: Sequence[str], cores: str) -> None:
        self.index = cluster.index
        self.ended_s = 0.0
        self.errors: IO[bytes] | None = tempfile.TemporaryFile() if cluster.index else None  # noqa: SIM115
        given = {"TF_CONFIG": cluster.to_json(), "PYTHONPATH": module_paths()}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kexp.cli.worker", str(os.getpid()), cores, *words],
            env={**os.environ, **given, **_gpus_of(cluster)},
            stdin=subprocess.PIPE,  # closed by the end of this process, whatever ends it
            stdout=subprocess.DEVNULL if cluster.index else None,
            stderr=self.errors,
            start_new_session=True,  # a Ctrl-C is the launcher's to pass on
        )

    @property
    def code(self) -> int:
        """The exit code that a shell would show."""
        code = self.process.returncode
        return code if code >= 0 else 128 - code

    def ended(self) -> bool:
        """Return whether it has, and note when that was seen first."""
        if self.process.poll() is None:
            return False
        self.ended_s = self.ended_s or time.monotonic()
        return True

    def close(self) -> None:
        """Leave nothing of it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for file in (self.process.stdin, self.errors):
            if file is not None:
                file.close()

    def last_lines(self) -> list[str]:
        """Return the end of what it wrote on standard error, if that was kept from the terminal."""
        if self.errors is None:
            return []
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace").splitlines()[-_LAST_LINES:]

    def __str__(self) -> str:
        code = self.process.returncode
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return f"worker {self.index} {how}"


class _Crew:
    """The workers, inside a `with` block that none of them outlives.

    Args:
        words: Of the command line of each.
        shares: The cores of each.
    """

    def __init__(self, words: Sequence[str], shares: Sequence[str]) -> None:
        self._words = words
        self._shares = shares
        self._workers: list[_Worker] = []
        self._left = ExitStack()

    def __enter__(self) -> _Crew:
        with ExitStack() as started:
            for cluster, cores in zip(local_clusters(len(self._shares)), self._shares, strict=True):
                worker = _Worker(cluster, self._words, cores)
                started.callback(worker.close)
                self._workers.append(worker)
            self._left = started.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.close()

    def wait(self, stop: StopRequest) -> None:
        """Wait for all to end, pass a signal on, and end those that do not notice that one has failed."""
        told = False
        while running := [worker for worker in self._workers if not worker.ended()]:
            if stop.signal_number and not told:
                told = True
                for worker in running:
                    worker.process.send_signal(stop.signal_number)
            first = self._failed()
            if first is not None and time.monotonic() - first.ended_s > NOTICE_S:
                _end(running)
            time.sleep(_TICK_S)

    def verdict(self, stop: StopRequest, again: str) -> int:
        """Return the exit code of all, and say which worker failed if that is to be said."""
        failed = self._failed()
        if failed is None:
            return 0
        code = failed.process.returncode
        alike = code > 0 and all(worker.process.returncode == code for worker in self._workers)
        stopped = stop.signal_number is not None and failed.code == 128 + stop.signal_number
        # A stop, and a mistake or divergence that all have met, the chief has told of.
        if not (alike or stopped or (failed.index == 0 and code == _MISTAKE)):
            for text in failed.last_lines():
                print(f"worker {failed.index}: {text}", file=sys.stderr)
            print(f"kexp: {failed}; {again} from the last checkpoint.", file=sys.stderr)
        return failed.code

    def _failed(self) -> _Worker | None:
        """Return the worker that failed first; those that miss another one failed for want of that."""
        failed = [worker for worker in self._workers if worker.ended() and worker.code]
        reasons = ((worker.code == WorkerLost.exit_code, worker.ended_s, worker.index) for worker in failed)
        return min(zip(reasons, failed, strict=True), default=(None, None), key=lambda pair: pair[0])[1]


def _end(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.process.terminate()
    deadline_s = time.monotonic() + _ENDING_S
    for worker in workers:
        try:
            worker.process.wait(max(0.0, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()


def _gpus_of(cluster: Cluster) -> dict[str, str]:
    """Return the environment that gives a worker GPUs of its own, which no two of them can sum over."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = [str(number) for number in range(nvidia_gpus())] if visible is None else visible.split(",")
    if not any(gpus):
        return {}
    workers = len(cluster.workers)
    own = gpus[cluster.index :: workers] if len(gpus) >= workers else ["-1"]
    return {"CUDA_VISIBLE_DEVICES": ",".join(own)}
