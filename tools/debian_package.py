"""The files of a Debian package, unpacked for a while, for tools that measure on data it has."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def unpacked(name: str, package: Path | None = None) -> Iterator[Path]:
    """Give the folder that holds the files of a package, from its root on; it is removed afterwards.

    Args:
        name: Of the package.
        package: Its file; None: `apt-get download` fetches it.
    """
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        if package is None:
            subprocess.run(["apt-get", "download", "-qq", name], cwd=place, check=True)
            (package,) = place.glob(f"{name}_*.deb")
        subprocess.run(["dpkg-deb", "-x", str(package), str(place / "files")], check=True)
        yield place / "files"
