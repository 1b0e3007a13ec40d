"""HDF5 files of weights: what would have a reader look into other files is refused before it is read."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

from kexp.core.errors import InputError
from kexp.core.foreign_files import guarded, reading
from kexp.core.memory_budget import Meter

_WHAT = "an HDF5 file of weights"


def require_own_hdf5(path: Path, advice: str) -> None:
    """Refuse an HDF5 file with links, datasets or parts of datasets that are elsewhere, or too large a one.

    Args:
        path: The file.
        advice: What to do about it.

    Raises:
        InputError: It has external or symbolic links, external or virtual datasets, is damaged, or does not
            fit into memory.

    Example:
        >>> import h5py, tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.weights.h5"
        >>> with h5py.File(path, "w") as file:
        ...     file["layers"] = h5py.ExternalLink("/etc/passwd", "/")
        >>> require_own_hdf5(path, "save the weights again")
        Traceback (most recent call last):
        ...
        kexp.InputError: file .../a.weights.h5: '/layers' in it is an external link, and nothing outside of
        the file is read; save the weights again.
    """
    with reading(path, _WHAT, advice), open(path, "rb") as file:
        require_own_content(file, f"file {path}", advice)


def require_own_content(file: IO[bytes], place: str, advice: str) -> None:
    """Refuse as `require_own_hdf5` an open file.

    Args:
        file: Open for reading, with `seek`.
        place: What it is, for messages.
        advice: What to do about it.

    Raises:
        InputError: As `require_own_hdf5`.
    """
    import h5py

    with guarded(place, _WHAT, advice), h5py.File(file, "r") as opened:
        _Walk(place, advice).into(opened)


class _Walk:
    """A walk over all that is in a file, once each."""

    def __init__(self, place: str, advice: str) -> None:
        self._place, self._advice = place, advice
        self._meter = Meter(place)
        self._seen: set[Any] = set()

    def into(self, root: Any) -> None:
        """Look at all that a group holds, at any depth."""
        import h5py

        left = [root]
        while left:
            group = left.pop()
            for name in group:
                link = group.get(name, getlink=True)
                inside = f"{group.name.rstrip('/')}/{name}"
                if isinstance(link, h5py.ExternalLink):
                    self._refuse(inside, "an external link")
                if not isinstance(link, h5py.HardLink):
                    self._refuse(inside, "a symbolic link")
                item = group[name]
                mark = h5py.h5o.get_info(item.id).addr
                if mark in self._seen:
                    continue
                self._seen.add(mark)
                if isinstance(item, h5py.Group):
                    left.append(item)
                elif isinstance(item, h5py.Dataset):
                    self._dataset(item)

    def _dataset(self, dataset: Any) -> None:
        if dataset.external:
            self._refuse(dataset.name, "a dataset in another file")
        if dataset.is_virtual:
            self._refuse(dataset.name, "a dataset made of others")
        self._meter.add(int(dataset.nbytes))

    def _refuse(self, name: str, what: str) -> None:
        raise InputError(
            f"{self._place}: {name[:60]!r} in it is {what}, and nothing outside of the file is read; "
            f"{self._advice}."
        )
