"""The folder for what kexp has found out or prepared and can find out again."""

from __future__ import annotations

import os
from pathlib import Path

from kexp.core.user_paths import user_path


def cache_dir() -> Path:
    """Return the folder, which may not be there yet: KEXP_CACHE_DIR, or kexp in the user's own cache.

    Raises:
        InputError: KEXP_CACHE_DIR is no path.

    Example:
        >>> import os
        >>> os.environ["KEXP_CACHE_DIR"] = "/tmp/found"
        >>> cache_dir().as_posix()
        '/tmp/found'
        >>> del os.environ["KEXP_CACHE_DIR"]
    """
    given = os.environ.get("KEXP_CACHE_DIR")
    if given:
        return user_path("KEXP_CACHE_DIR", given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kexp"
