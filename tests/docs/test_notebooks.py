"""The notebooks: kept with the outputs of the code that they have, and run from top to bottom."""

import re
import sys
from pathlib import Path

import pytest

from tests.docs.guides import ROOT, named, text_of
from tests.docs.reader import Reader

nbformat = pytest.importorskip("nbformat", reason="comes with kexp[dev]")

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
MOST_BYTES = 100_000
notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=named)


def code_cells(path: Path) -> list:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_every_notebook_is_listed():
    linked = re.findall(r"\]\(notebooks/(\w+)\.ipynb\)", text_of(ROOT / "docs" / "notebooks.md"))
    assert sorted(linked) == [path.stem for path in NOTEBOOKS]
    assert len(NOTEBOOKS) >= 6


@notebooks
def test_a_notebook_has_the_outputs_of_its_own_code(path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    from notebooks import code_digest

    notebook, cells = nbformat.read(path, as_version=4), code_cells(path)
    assert notebook.metadata["code_sha256"] == code_digest(notebook), f"python tools/notebooks.py {path.stem}"
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert outputs
    assert not [
        output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"
    ]
    assert path.stat().st_size <= MOST_BYTES


@notebooks
def test_every_link_of_a_notebook_leads_to_a_file(path):
    notebook = nbformat.read(path, as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        assert (path.parent / link).resolve().exists(), link


@pytest.mark.slow
@notebooks
def test_a_notebook_runs_from_top_to_bottom(path, tmp_path, monkeypatch, run_kexp):
    """In this process: a kernel for each would import TensorFlow six times."""
    page = tmp_path / f"{path.stem}.md"
    page.write_text("\n\n".join(f"```python\n{cell.source}\n```" for cell in code_cells(path)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with Reader(page, run_kexp, (), ()) as reader:
        monkeypatch.setitem(sys.modules, "__main__", reader.session)
        reader.read()
