"""Imports point one way, and the fast commands stay fast because nothing heavy is imported for them."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
# A file below a package may stand lower than the package: its protocols.
LAYERS = [
    {"core"},
    {"data"},
    {"metrics", "models"},
    {"tasks", "classical"},
    {"engine/base", "trackers/base"},
    {"train"},
    {"engine"},
    {"run"},
    {"export", "report", "preflight", "evaluation", "trackers"},
    {"result", "api"},
    {"verify"},
    {"sweep"},
    {"comparison"},
    {"serve"},
    {"cli"},
]
HEIGHT = {name: height for height, layer in enumerate(LAYERS) for name in layer}
SOURCES = sorted((ROOT / "kexp").rglob("*.py"))


def height(parts: tuple[str, ...]) -> int | None:
    """Return the layer of a module by its path below kexp."""
    return HEIGHT.get("/".join(parts[:2]), HEIGHT.get(parts[0]))


def imported_modules(source: Path) -> set[str]:
    """Return the modules of kexp that a file imports, at its top, within functions and for types alone."""
    found = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {module for module in found if module.startswith("kexp.")}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_stands_below_it(source):
    own = height(source.relative_to(ROOT / "kexp").with_suffix("").parts)
    if own is not None:
        heights = {module: height(tuple(module.split(".")[1:])) for module in imported_modules(source)}
        assert not {module for module, other in heights.items() if other is not None and other > own}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_names_a_recipe(source):
    names = {path.stem for path in (ROOT / "recipes").glob("*.py")}
    tree = ast.parse(source.read_text(encoding="utf-8"))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    used |= {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert not names & used


@pytest.mark.parametrize(
    "statement",
    [
        "import kexp.cli.app",
        "import kexp.recipes",
        "import kexp.sweep",
        "import kexp.data",
        "import kexp.export",
        "import kexp.api.recipe",
        "import kexp.result",
        "from kexp.train.checkpoint.checkpoint import newest_step; newest_step('absent')",
        "import kexp.cli.launch",
        "import kexp.cli.doctor",
        "import kexp.cli.watch_command",
        "import kexp; kexp.runs, kexp.compare, kexp.diff",
        "import kexp.cli.serve_command, kexp.serve.service",
        "import kexp.trackers; kexp.trackers.active_trackers('tensorboard')",
    ],
)
def test_what_the_fast_commands_import_does_not_bring_in_tensorflow(statement):
    heavy = "{'tensorflow', 'keras', 'pandas', 'sklearn', 'matplotlib', 'PIL'} & set(sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {statement}; print(sorted({heavy}))"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_every_package_that_is_imported_is_declared():
    from kexp.export.exporter import exporters

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    other_names = {"sklearn": "scikit-learn", "PIL": "pillow"}
    extras = {"ray", "mlflow", "wandb", "prometheus_client", "soundfile", "starlette", "uvicorn"}
    extras |= {package for exporter in exporters().values() for package in exporter.packages}
    own = {"kexp", "tensorflow", "IPython", *extras, *sys.stdlib_module_names}
    for source in [*SOURCES, *(ROOT / "recipes").glob("*.py")]:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in {module.partition(".")[0] for module in modules} - own:
                assert {name, name.replace("_", "-"), other_names.get(name)} & declared, (source, name)


def test_a_public_name_is_found_and_a_misspelt_one_is_an_attribute_error():
    import kexp

    assert all(getattr(kexp, name) is not None for name in kexp.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'fitt'"):
        _ = kexp.fitt


def test_a_public_name_that_does_without_keras_does_not_import_it():
    code = (
        "import sys, kexp\n"
        "need = kexp._NEED_TENSORFLOW\n"
        "light = [name for name, home in kexp._HOMES.items() if not f'{home}.{name}'.startswith(need)]\n"
        "assert {'recipe', 'load', 'sweep', 'data'} <= {*light}\n"
        "[getattr(kexp, name) for name in light]\n"
        "print({'keras', 'tensorflow'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "set()"


# Keras's own Muon has to be changed from inside, and KerasTuner's oracles told not to write.
REACHES_INSIDE = {
    ("train/optimizers.py", "_get_variable_index"),
    ("train/optimizers.py", "_trainable_variables"),
    ("sweep/search/oracles.py", "_save_trial"),
}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_two_files_alone_reach_into_keras_and_tensorflow(source):
    place = source.relative_to(ROOT / "kexp").as_posix()
    if place in ("core/keras_private.py", "core/trainer_private.py"):
        return
    tree = ast.parse(source.read_text(encoding="utf-8"))
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not [name for name in modules if name.startswith(("keras.src", "tensorflow.python"))]
    assert not {(place, name) for name in private_names_of_others(tree)} - REACHES_INSIDE


def private_names_of_others(tree: ast.Module) -> set[str]:
    """Return the names with an underscore that a file asks objects for and does not define itself."""
    own, asked = {"_exit", "_replace"}, set()  # which are public
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            own.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
        elif isinstance(node, ast.Attribute):
            is_self = isinstance(node.value, ast.Name) and node.value.id == "self"
            (own if is_self and isinstance(node.ctx, ast.Store) else asked).add(node.attr)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) > 1:
            named = node.args[1]
            if node.func.id in ("getattr", "hasattr", "setattr") and isinstance(named, ast.Constant):
                asked.add(str(named.value))
    return {name for name in asked - own if re.match("_[a-z]", name)}
