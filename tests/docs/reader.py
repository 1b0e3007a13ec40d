"""A reader of a guide: what lies in their folder, and how they run its blocks from top to bottom."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import wave
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
from PIL import Image

from tests.docs.guides import ROOT, Block, all_blocks, blocks, console_lines
from tests.forked_python import forked

# What a guide does for long is done for short.
SHORTER = {
    r"(?<!\w)((?:head_)?epochs=|--(?:head-)?epochs )\d+": r"\g<1>1",
    r"(?<!\w)(trials=|max_trials=|--trials |folds=|--folds |cuts=|--cuts |seeds=|--seeds )\d+": r"\g<1>2",
    r"(?<!\w)(workers=|kexp (?:sweep|cross-validate) .*--workers )\d+": r"\g<1>1",  # each imports TensorFlow
    r"(?<!\w)(repeats=|--kills |top=)\d+": r"\g<1>1",
    r"--samples \d+ \d+ \d+": "--samples 24 8 8",
    r"(kexp run detect_images)(?!.* --samples)": r"\g<1> --samples 24 8 8",
    r"--image-size 320 320": "--image-size 64 64",
    r"(kexp run detect_images)": r"\g<1> --filters 4 8 --width 8",
}
TRAINING = ("run", "sweep", "cross-validate", "backtest", "reproduce")
# Commands that end when the reader says so, and what ends with 1 because it found what it looked for.
LASTING = ("serve", "watch")
FINDING = {"diff": 1}


def shortened(text: str) -> str:
    """Return a block or a line with few epochs, trials and folds."""
    for pattern, replacement in SHORTER.items():
        text = re.sub(pattern, replacement, text)
    return text


class OneEpoch(ast.NodeTransformer):
    """Have calls of recipes, sweeps and folds train for one epoch where they do not say how many."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        called = node.func
        if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
            trains = called.value.id == "recipes" or called.attr in ("sweep", "cross_validate")
            if trains and "epochs" not in [keyword.arg for keyword in node.keywords]:
                node.keywords.append(ast.keyword("epochs", ast.Constant(1)))
        return ast.fix_missing_locations(node)


def lay_out(folder: Path) -> None:
    """Write the files that a reader has: tables, photos, a recipe, and data by name."""
    random = np.random.default_rng(0)
    rows = np.arange(60)
    towns = np.array(["Graz", "Linz", "Ulm"])[rows % 3]
    table = {"age": random.integers(18, 90, 60), "town": towns, "weight": random.normal(70, 9, 60).round(1)}
    days = pd.date_range("2024-01-01", periods=60)
    kinds = np.array(["no", "yes"])[(table["weight"] > 70).astype(int)]
    visits = pd.DataFrame({"patient": rows // 3, "day": days, **table, "ill": kinds})
    visits.to_csv(folder / "visits.csv", index=False)
    pd.DataFrame({**table, "churn": kinds}).to_csv(folder / "customers.csv", index=False)
    pd.DataFrame({**table, "y": kinds}).to_csv(folder / "mine.csv", index=False)
    reviews = {"review": [f"{('bad', 'good')[row % 2]} film {row}" for row in rows], "opinion": kinds}
    pd.DataFrame(reviews).to_csv(folder / "reviews.csv", index=False)
    people = pd.DataFrame({"age": table["age"], "town": towns, "kind": np.array(["a", "b"])[rows % 2]})
    people.to_csv(folder / "people.csv", index=False)
    pixels = random.integers(0, 256, (40, 40, 40, 3), dtype="uint8")
    for number, image in enumerate(pixels):
        for place, size in (("photos", 32 + number % 9), ("my_folder_of_images", 32)):
            path = folder / place / ("cat", "dog")[number % 2] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[:size]).save(path)
    drawn = [f"my_folder_of_images/{('cat', 'dog')[number % 2]}/{number}.png" for number in range(40)]
    titles = {"path": drawn, "title": [f"{Path(path).parent.name} {len(path)}" for path in drawn]}
    pd.DataFrame({**titles, "artist": np.arange(40) // 4}).to_csv(folder / "pictures.csv", index=False)
    Image.fromarray(pixels[0, :8, :8, 0]).save(folder / "image.png")
    for number, image in enumerate(pixels[:16]):
        part = ("train", "train", "train", "val")[number % 4]
        for place in ("images", "labels"):
            (folder / "street" / place / part).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / "street" / "images" / part / f"{number}.png")
        box = f"{number % 2} 0.5 0.5 0.4 0.3\n"
        (folder / "street" / "labels" / part / f"{number}.txt").write_text(box)
    (folder / "street" / "classes.txt").write_text("car\nsign\n")
    hours = pd.date_range("2024-01-01", periods=420, freq="h")
    daily = 10 + 5 * np.sin(np.arange(420) * 2 * np.pi / 24)
    weather = pd.concat(
        [
            pd.DataFrame(
                {"time_hour": hours, "origin": origin, "temp": (daily + offset).round(2)}
                | {"dewp": (daily / 2).round(2), "pressure": 1000 + random.integers(0, 9, 420)}
            )
            for origin, offset in (("EWR", 0), ("JFK", 3))
        ]
    )
    weather.drop(index=99).to_csv(folder / "weather.csv", index=False)
    weather.groupby("origin").tail(200).to_csv(folder / "latest.csv", index=False)
    words = np.array(["yes", "no"])[np.arange(40) % 2]
    for number, word in enumerate(words):
        path = folder / "commands" / word / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        wave_at = np.sin(np.arange(4000) * (0.1 + 0.1 * (number % 2) + 0.001 * number))
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes((wave_at * 9000).astype("<i2").tobytes())
    files = [f"commands/{word}/{number}.wav" for number, word in enumerate(words)]
    spoken = {"file": files, "word": words, "phonemes": [" ".join(word) for word in words]}
    pd.DataFrame({**spoken, "speaker": np.arange(40) // 4}).to_csv(folder / "clips.csv", index=False)
    recipe = next(text for text in blocks(ROOT / "docs/own_recipes.md", "python") if "my_recipe" in text)
    (folder / "my_file.py").write_text(recipe)
    digits = random.integers(0, 256, (200, 28, 28), dtype="uint8")
    (folder / "data").mkdir()
    labels = random.permutation(np.arange(200) % 10)
    arrays = {"x_train": digits[50:], "y_train": labels[50:], "x_test": digits[:50], "y_test": labels[:50]}
    np.savez(folder / "data" / "mnist.npz", **arrays)


class Reader:
    """Who runs the blocks of one page, in one folder and one Python session.

    Args:
        page: What is read.
        run_kexp: The fixture.
        elsewhere: Beginnings of the lines that are left out.
        done: Lines that have been run, in the folder of the reader.
        changes: To the code of a block, by default OneEpoch.
    """

    def __init__(
        self,
        page: Path,
        run_kexp: Callable[..., object],
        elsewhere: Iterable[str],
        done: Sequence[str],
        changes: ast.NodeTransformer | None = None,
    ) -> None:
        self._page, self._run_kexp, self._changes = page, run_kexp, changes or OneEpoch()
        self._elsewhere, self._done = tuple(elsewhere), done
        self._lasting: list[subprocess.Popen[str]] = []
        self._addresses: list[str] = []
        self.session = ModuleType("__main__")
        self._script = Path.cwd() / f"{page.stem}_guide.py"
        self.session.__file__ = str(self._script)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._lasting:
            process.terminate()
            process.communicate(timeout=60)

    def read(self) -> None:
        """Run the page's blocks, each line of the script being that of the page."""
        lines: list[str] = []
        for block in all_blocks(self._page):
            if block.language == "python":
                lines += [""] * (block.line - 1 - len(lines)) + shortened(block.text).splitlines()
        self._script.write_text("\n".join(lines) + "\n")
        for block in all_blocks(self._page):
            if block.language == "python":
                self._run_python(block)
            elif block.language == "console":
                for line in console_lines(block.text):
                    self.run_line(line)

    def _run_python(self, block: Block) -> None:
        text = shortened(block.text)
        if "def my_recipe(" in text:
            Path("my_file.py").write_text(text)
        tree = self._changes.visit(ast.parse("\n" * (block.line - 1) + text))
        exec(compile(tree, str(self._script), "exec"), self.session.__dict__)

    def run_line(self, line: str) -> None:
        """Run a line of a terminal; it must end as the guide has it."""
        line = line.strip()
        if line in self._done or line.startswith(self._elsewhere):
            return
        first, *words = shlex.split(line)
        if first == "kexp":
            self._run_command(shortened(line))
        elif first == "python":
            module = words[0].removesuffix(".py")
            done = forked.run([sys.executable, "-m", module], capture_output=True, text=True, timeout=240)
            assert done.returncode == 0, f"{line}\n{done.stderr}"
        else:
            line = line.replace("localhost:8501", self._addresses[-1])
            done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, f"{line}\n{done.stderr}"
            assert '"error"' not in done.stdout, f"{line}\n{done.stdout}"

    def _run_command(self, line: str) -> None:
        _, *words = shlex.split(line)
        command = words[0]
        trains = command in TRAINING or command == "launch"
        if trains and "--epochs" not in words and "--help" not in words:
            words += ["--epochs", "1"]
        if command in LASTING:
            self._start(words)
            return
        done = self._run_kexp(*words)
        code = FINDING.get(command, 0)
        assert done.returncode == code, f"{line}\n{done.stdout}\n{done.stderr}"  # type: ignore[attr-defined]

    def _start(self, words: list[str]) -> None:
        words += ["--port", "0"]
        process = forked.Popen(
            [sys.executable, "-m", "kexp.cli", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self._lasting.append(process)
        printed = ""
        for line in process.stdout:
            printed += line
            if found := re.search(r"http://([\w.:]+)/", line):
                self._addresses.append(found[1])
                return
        raise AssertionError(f"kexp {' '.join(words)}\n{printed}")


def copy_of(folder: Path, place: Path) -> None:
    """Copy what is in a folder to another one, beside what is there."""
    shutil.copytree(folder, place, dirs_exist_ok=True)
