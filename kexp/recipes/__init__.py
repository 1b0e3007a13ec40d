"""The recipes: `kexp.recipes.NAME` is the function NAME of the file recipes/NAME.py."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
# In a checkout the recipes stand at the top; a wheel carries them in this folder.
if (_ROOT / "pyproject.toml").is_file() and (_ROOT / "recipes").is_dir():
    __path__.append(str(_ROOT / "recipes"))

for _module in pkgutil.iter_modules(__path__):
    # The function takes the place of its module, so that `recipes.mlp_images(...)` is a call.
    globals()[_module.name] = getattr(importlib.import_module(f"{__name__}.{_module.name}"), _module.name)

__all__ = sorted(name for name, value in globals().items() if getattr(value, "is_recipe", False))
