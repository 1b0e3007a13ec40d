"""The Dockerfile of an export: an image that serves it, whose health is looked at."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from kexp import __version__
from kexp.core.errors import InputError, shown
from kexp.core.files import replacing
from kexp.core.user_paths import user_path

_PORT = 8501
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def check_dockerfile(directory: str | os.PathLike[str]) -> Path:
    """Return where the Dockerfile of a folder goes, before anything is exported.

    Args:
        directory: Of the export.

    Raises:
        InputError: Its name cannot be that of a served model.

    Example:
        >>> check_dockerfile("served/digits").name
        'digits.Dockerfile'
    """
    folder = user_path("directory", directory).absolute()
    if not _NAME.fullmatch(folder.name):
        raise InputError(
            f"directory must be named by letters, digits, _, . and -, received {shown(folder.name)}; give "
            "another for an image."
        )
    return folder.with_name(f"{folder.name}.Dockerfile")


def write_dockerfile(directory: str | os.PathLike[str]) -> Path:
    """Write FOLDER.Dockerfile beside the folder of an export and return its path; an earlier one is replaced.

    Args:
        directory: Of the export.

    Raises:
        InputError: Its name cannot be that of a served model.
    """
    target = check_dockerfile(directory)
    with replacing(target) as temporary:
        temporary.write_text(_content(target.stem), encoding="utf-8")
    return target


def _content(name: str) -> str:
    asks = f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{_PORT}/health', timeout=5)"
    command = ["kexp", "serve", f"/models/{name}", "--host", "0.0.0.0", "--port", str(_PORT)]
    return "\n".join(
        [
            f"# docker build -f {name}.Dockerfile -t {name} .",
            f"# docker run -p 127.0.0.1:{_PORT}:{_PORT} -e KEXP_SERVE_TOKEN=... {name}",
            "FROM python:3.12-slim",
            f'RUN pip install --no-cache-dir "kexp[cpu,serve]=={__version__}"',
            f"COPY {name} /models/{name}",
            "USER 65534:65534",
            f"EXPOSE {_PORT}",
            f"HEALTHCHECK --start-period=60s CMD {json.dumps(['python', '-c', asks])}",
            f"CMD {json.dumps(command)}",
            "",
        ]
    )
