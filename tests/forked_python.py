"""Processes forked from one that has imported TensorFlow: what tests start many of.

A new interpreter spends seconds on that import alone. A forked one has the same modules, and otherwise the
command line, folder, environment, paths and streams that `subprocess` would have given it. It is a child of
whoever asked for it, ends by itself, and can be signalled, waited for and found by its command line as any.

    forked.run([sys.executable, "-m", "kexp.cli", "list"])
"""

from __future__ import annotations

import array
import atexit
import ctypes
import gc
import importlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN = ("kexp", "keras", "tf_keras")
LIBRARIES = (
    *("tensorflow", "keras", "pandas", "scipy.stats", "sklearn.datasets", "sklearn.metrics", "keras_tuner"),
    *("matplotlib.backends.backend_agg", "matplotlib.pyplot", "cyclopts", "rich.progress", "PIL.Image"),
)
KEXP = (
    *("kexp.api.fit", "kexp.cli.app", "kexp.cli.launch", "kexp.cli.sweep_command", "kexp.cli.worker"),
    *("kexp.engine.tensorflow.engine", "kexp.evaluation.classifier", "kexp.export", "kexp.models"),
    *("kexp.recipes", "kexp.run.training_run", "kexp.sweep.executors.local_worker", "kexp.verify"),
)
# Those modules of kexp that start processes which import TensorFlow.
STARTING = ("kexp.sweep.executors.local", "kexp.cli.launch", "kexp.verify.worker_processes")
_STARTERS = ("launch", "sweep", "verify")  # in the command line of a process that may start others
_PR_SET_CHILD_SUBREAPER = 36
_TITLE = "-" * 8000  # room for the command line of what is forked
_ENVIRONMENT = dict(os.environ)  # before a test changes it


class ForkServer:
    """A process that has imported modules, and forks.

    Args:
        modules: What it imports.
        without: What must not be imported with them.
        connection: To one that runs already; default None: it is started when it is needed.
    """

    def __init__(
        self, modules: Sequence[str], without: Sequence[str] = (), connection: socket.socket | None = None
    ) -> None:
        self._modules, self._without = list(modules), list(without)
        self._process: subprocess.Popen[bytes] | None = None
        self._connection = connection
        self._lock = threading.Lock()

    def fork(self, request: dict[str, Any], streams: Sequence[int]) -> int:
        """Return the number of a new child of this process, with these as its standard streams."""
        with self._lock:
            connection = self._connection or self._begin()
            reaper = ctypes.CDLL(None).prctl
            reaper(_PR_SET_CHILD_SUBREAPER, 1)  # the child's own parent is gone at once
            try:
                _send(connection, request, streams)
                return int(_receive(connection)[0])
            finally:
                reaper(_PR_SET_CHILD_SUBREAPER, 0)

    def close(self) -> None:
        """End the process; those that were forked from it go on."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.wait()

    def _begin(self) -> socket.socket:
        self._connection, theirs = socket.socketpair()
        with theirs:
            asked = json.dumps({"modules": self._modules, "without": self._without})
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno()), asked, _TITLE],
                pass_fds=[theirs.fileno()],
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # TensorFlow's notices
            )
        return self._connection


def subprocess_of(server: ForkServer) -> ModuleType:
    """Return a copy of the module `subprocess` that has a server fork what runs `python -c` or `-m`."""
    spec = importlib.util.find_spec("subprocess")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    class Popen(module.Popen):  # type: ignore[name-defined,misc]
        def _execute_child(self, args: Any, *settings: Any) -> None:
            # The arguments of this method are the same in Python 3.10 to 3.13, but for those at the end.
            executable, preexec, _, kept, cwd, env = settings[:6]
            shell, *pipes = settings[8:15]
            words = [os.fspath(word) for word in args] if isinstance(args, list | tuple) else []
            special = executable or preexec or kept or shell
            if special or words[:1] != [sys.executable] or words[1:2] not in (["-c"], ["-m"]):
                super()._execute_child(args, *settings)
                return
            p2cread, _, _, c2pwrite, _, errwrite = pipes
            request = {
                "words": words,
                "folder": os.path.abspath(cwd or os.getcwd()),
                "environment": dict(os.environ if env is None else env),
                "session": bool(settings[20]),
                "cores": sorted(os.sched_getaffinity(0)),
            }
            self.pid = server.fork(request, _opened(p2cread, c2pwrite, errwrite))
            self._child_created = True
            self._close_pipe_fds(*pipes)

    module.Popen = Popen  # type: ignore[attr-defined]
    return module


def start_processes_by(module: ModuleType) -> None:
    """Have kexp start the processes of sweeps, launches and proofs by a module such as `subprocess`."""
    for name in STARTING:
        importlib.import_module(name).subprocess = module  # type: ignore[attr-defined]


def _opened(*given: int) -> list[int]:
    """Return descriptors for the three streams: what is not given is inherited."""
    streams = []
    for own, descriptor in enumerate(given):
        try:
            streams.append(os.dup(own if descriptor == -1 else descriptor))
        except OSError:
            streams.append(os.open(os.devnull, os.O_RDWR))
    return streams


def _send(connection: socket.socket, content: Any, descriptors: Sequence[int] = ()) -> None:
    text = json.dumps(content).encode()
    connection.sendall(len(text).to_bytes(8, "little"))
    if descriptors:
        socket.send_fds(connection, [text[:1]], list(descriptors))
        connection.sendall(text[1:])
        for descriptor in descriptors:
            os.close(descriptor)
    else:
        connection.sendall(text)


def _receive(connection: socket.socket) -> tuple[Any, list[int]]:
    """Return what was sent, and descriptors if there came some.

    Raises:
        EOFError: The other end is closed.
    """
    size = int.from_bytes(_exactly(connection, 8), "little")
    descriptors = array.array("i")
    first, ancillary, _, _ = connection.recvmsg(1, socket.CMSG_SPACE(3 * descriptors.itemsize))
    for _, _, data in ancillary:
        descriptors.frombytes(data)
    return json.loads(first + _exactly(connection, size - 1)), list(descriptors)


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return parts


def serve(connection: socket.socket) -> NoReturn:
    """Fork for every request, and answer with the number of the process, until nobody is there."""
    while True:
        try:
            request, streams = _receive(connection)
        except (EOFError, OSError):
            os._exit(0)
        told, telling = os.pipe()
        go_on, going_on = os.pipe()
        between = os.fork()
        if between == 0:
            child = os.fork()
            if child:
                os.write(telling, str(child).encode())
                os._exit(0)
            connection.close()
            os.close(going_on)
            os.read(go_on, 1)  # until the one between is gone, and the parent is who asked
            for descriptor in (told, telling, go_on):
                os.close(descriptor)
            _become(request, streams)
        os.waitpid(between, 0)
        child = int(os.read(told, 20))
        os.close(going_on)
        for descriptor in (told, telling, go_on, *streams):
            os.close(descriptor)
        _send(connection, child)


def _become(request: dict[str, Any], streams: Sequence[int]) -> NoReturn:
    """Be what `python WORDS` would be."""
    if request["session"]:
        os.setsid()
    os.sched_setaffinity(0, request["cores"])
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    words = request["words"]
    _entitle(words)
    _reopen_streams()
    own = request["environment"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = ["" if words[1] == "-c" else os.getcwd(), *filter(None, own), *_BASE_PATHS]
    importlib.invalidate_caches()
    starts = "kexp" in sys.modules and any(name in word for name in _STARTERS for word in words)
    nested = _fork_workers() if starts else None
    code = _exit_code(words)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 120
    if nested is not None:
        nested.close()
    os._exit(code)


def _exit_code(words: Sequence[str]) -> int:
    _, kind, what, *arguments = words
    main = ModuleType("__main__")
    sys.modules["__main__"] = main
    try:
        if kind == "-c":
            sys.argv = ["-c", *arguments]
            code = compile(what, "<string>", "exec")
        else:
            spec = importlib.util.find_spec(what)
            if spec is not None and spec.submodule_search_locations is not None:
                spec = importlib.util.find_spec(f"{what}.__main__")
            assert spec is not None
            sys.argv = [str(spec.origin), *arguments]
            main.__file__, main.__spec__, main.__package__ = spec.origin, spec, spec.parent
            code = spec.loader.get_code(spec.name)  # type: ignore[union-attr]
        exec(code, main.__dict__)
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return (ended.code or 0) & 255
        print(ended.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        traceback.print_exc()
        sys.stderr.flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _fork_workers() -> ForkServer:
    """Fork a server for the workers of this process, while nothing but modules is in it."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in range(3):  # who reads these sees their end when this process has ended
            os.dup2(nowhere, number)
        _entitle(["fork server"])
        serve(theirs)
    theirs.close()
    server = ForkServer((), connection=ours)
    start_processes_by(subprocess_of(server))
    return server


def _reopen_streams() -> None:
    """Give the standard streams the buffering that they have in a new process."""
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # type: ignore[misc]  # noqa: SIM115
    for name, number, errors in (("stdout", 1, "strict"), ("stderr", 2, "backslashreplace")):
        stream = open(number, "w", encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
        stream.reconfigure(line_buffering=number == 2 or os.isatty(number))
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _entitle(words: Sequence[str]) -> None:
    """Have the system show this command line for this process."""
    with open("/proc/self/stat", encoding="utf-8") as file:
        numbers = file.read().rpartition(")")[2].split()
    start, end = (int(number) for number in numbers[45:47])
    title = b"\0".join(word.encode() for word in words)[: end - start - 1]
    ctypes.memmove(start, title.ljust(end - start, b"\0"), end - start)


def compare_nothing() -> None:
    """Have no network compared with classical methods unless a test asks: thousands would take longer."""
    importlib.import_module("kexp.core.options").DEFAULTS["compare"] = False


def _import(modules: Sequence[str], without: Sequence[str]) -> None:
    if any(name.partition(".")[0] == "kexp" for name in modules):
        compare_nothing()
    for name in without:  # TensorFlow would import Keras
        sys.modules[name] = None  # type: ignore[assignment]
    for name in modules:
        importlib.import_module(name)
    for name in without:
        del sys.modules[name]
    gc.collect()
    gc.freeze()  # what is never looked at again is never copied


_BASE_PATHS: list[str] = []
_servers = ForkServer((*LIBRARIES, *KEXP)), ForkServer(("tensorflow",), FORBIDDEN)
forked, forked_without_keras = map(subprocess_of, _servers)  # each in the place of `subprocess`


def close_servers() -> None:
    """End what forks for the tests of this process."""
    for server in _servers:
        server.close()


if __name__ == "__main__":
    sys.modules["tests.forked_python"] = sys.modules["__main__"]
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    _BASE_PATHS[:] = [path for path in sys.path[1:] if path not in given]
    sys.path[0] = str(ROOT)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "1"  # read once, at the import
    _import(**json.loads(sys.argv[2]))
    serve(socket.socket(fileno=int(sys.argv[1])))
