"""Stubs of what is found by scanning, for type checkers and editors, and the names that options choose from.

    python tools/stubs.py            # writes them
    python tools/stubs.py --check    # says which are not up to date, and exits with 1

The stubs of kexp.models and kexp.metrics import every public name; that of kexp.recipes repeats every
signature, because recipes lie elsewhere in a checkout than in a wheel. The names are those of the tables in
kexp.train, which import Keras, so that the command line cannot ask them. The help of the command line is a
text, because importing what lays it out takes ten times as long.
"""

import ast
import inspect
import os
import re
import subprocess
import sys
import sysconfig
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

ROOT = Path(__file__).resolve().parent.parent
WRITTEN = "tools/stubs.py writes this file."
# What an argument takes from Python, beside what its annotation makes of it on the command line.
SPECIAL = {"data": "DataLike", "callbacks": "Sequence[keras.callbacks.Callback]"}


def main() -> None:
    """Write the files, or with --check compare them with what they should be."""
    sys.path.insert(0, str(ROOT))
    stale = [path for path, text in contents().items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if "--check" in sys.argv:
            print(f"{path.relative_to(ROOT)} is not up to date; run python tools/stubs.py")
        else:
            path.write_text(contents()[path])
    sys.exit(bool(stale) and "--check" in sys.argv)


def contents() -> dict[Path, str]:
    """Return the text of every generated file."""
    sources = {
        path: formatted(text, path)
        for path, text in {
            ROOT / "kexp/core/choices.py": choices(),
            ROOT / "kexp/metrics/__init__.pyi": package("metrics", "The metrics"),
            ROOT / "kexp/models/__init__.pyi": package("models", "The builders"),
            ROOT / "kexp/recipes/__init__.pyi": recipes(),
        }.items()
    }
    return {**sources, ROOT / "kexp/cli/help.txt": command_help()}


def choices() -> str:
    """Return the names of the tables of optimizers and schedules."""
    optimizers = assigned("kexp/train/optimizers.py", "OPTIMIZERS")
    schedules = [
        node.name
        for node in parsed("kexp/train/schedules.py").body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(mark) == "curve" for mark in node.decorator_list)
        and len(node.args.args) == len(node.args.defaults) + 1  # all but the fraction of the run
    ]
    return f'''"""Names that training options choose from, of the tables in `kexp.train`; {WRITTEN}"""
from typing import Literal

OptimizerName = Literal[{", ".join(map(repr, optimizers))},]
ScheduleName = Literal[{", ".join(map(repr, schedules))},]
'''


def command_help() -> str:
    """Return what `kexp --help` says where there is a width of 80 columns."""
    return subprocess.run(
        [sys.executable, "-c", "from kexp.cli.app import main; main(['--help'])"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "COLUMNS": "80"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout


def package(name: str, title: str) -> str:
    """Return imports of every public name of the files of a package."""
    lines = []
    for path in sorted((ROOT / "kexp" / name).rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        names = [] if path.name == "__init__.py" else assigned(path, "__all__")
        lines += [f"from {module} import {public} as {public}" for public in sorted(names)]
    return "\n".join([f'"""{title}; {WRITTEN}"""', *lines, "__all__: list[str]"])


def recipes() -> str:
    """Return the signature of every recipe."""
    from kexp import recipes

    found = [signature(getattr(recipes, name)) for name in recipes.__all__]
    return "\n".join(
        [
            f'"""The recipes; {WRITTEN}"""',
            "from collections.abc import Mapping, Sequence",
            "from typing import Literal",
            "import keras",
            "from kexp.data import DataLike",
            "from kexp import Result, TrainOptions, Unpack, recipe",
            "__all__: list[str]",
            *found,
        ]
    )


def signature(recipe: Any) -> str:
    """Return a recipe as a stub: its own arguments, and the training options as one."""
    from kexp.core.options import OPTIONS

    parameters = inspect.signature(recipe).parameters
    own = [parameter for name, parameter in parameters.items() if name not in OPTIONS]
    texts = {one.name: SPECIAL.get(one.name) or text(one.annotation) for one in own}
    lines = [f"{one.name}: {texts[one.name]} = {one.default!r}," for one in own]
    first_keyword = next((at for at, one in enumerate(own) if one.kind is one.KEYWORD_ONLY), len(own))
    if first_keyword < len(own):
        lines.insert(first_keyword, "*,")
    head = f"def {recipe.__name__}({' '.join(lines)} **train: Unpack[TrainOptions]) -> Result:"
    return f'@recipe()\n{head}\n    """{documented(recipe)}"""'


def documented(recipe: Any) -> str:
    """Return a recipe's docstring, with names of arguments in the place of one that stands for several."""
    from kexp.core.argument_groups import keys_of
    from kexp.core.call_signatures import GROUPS

    plain = inspect.unwrap(recipe)
    doc = str(plain.__doc__)
    for name, group in getattr(plain, GROUPS).items():
        first, *_, last = keys_of(group, list(inspect.signature(plain).parameters))
        doc = re.sub(rf"^( +){name}: ", rf"\1{first} to {last}: ", doc, flags=re.MULTILINE)
    return doc


def text(kind: Any) -> str:
    """Return a type as source, without the ranges on it.

    Example:
        >>> text(Annotated[tuple[int, ...], "a range"] | None)
        'tuple[int, ...] | None'
    """
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return text(parts[0])
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, parts))}]"
    if origin in (Union, types.UnionType):
        return " | ".join(map(text, parts))
    if origin is Mapping:
        return f"Mapping[{', '.join(map(text, parts))}]"
    if origin is tuple:
        return f"tuple[{', '.join('...' if part is Ellipsis else text(part) for part in parts)}]"
    return "None" if kind in (None, type(None)) else kind.__name__


def assigned(path: str | Path, name: str) -> list[str]:
    """Return the strings in a list, or the keys of a table, that a file gives a name."""
    for node in parsed(path).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == name:
            items = node.value.keys if isinstance(node.value, ast.Dict) else node.value.elts
            return [item.value for item in items]
    return []


def parsed(path: str | Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def formatted(source: str, path: Path) -> str:
    ruff = Path(sysconfig.get_path("scripts")) / "ruff"
    for command in (["check", "--select", "I", "--fix", "--quiet"], ["format"]):
        done = subprocess.run(
            [ruff, *command, "--stdin-filename", path, "-"],
            input=source,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        source = done.stdout
    return source


if __name__ == "__main__":
    main()
