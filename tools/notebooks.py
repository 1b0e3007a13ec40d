"""Run the notebooks of docs/ and keep what came out: python tools/notebooks.py [NAME …]

Each is run by a kernel of its own, in a temporary folder, from its first cell to its last, and written back
with its outputs and the digest of the code that they are of. Needs the `dev` extra.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
from pathlib import Path

import nbclient
import nbformat

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "docs" / "notebooks"


def code_digest(notebook: nbformat.NotebookNode) -> str:
    """Return the SHA-256 of the code of a notebook."""
    code = "\0".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return hashlib.sha256(code.encode()).hexdigest()


def keep_what_is_shown(notebook: nbformat.NotebookNode) -> None:
    """Drop what went to stderr, and the text of outputs that are shown as HTML or a picture."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
        for output in cell.outputs:
            if {"text/html", "image/png"} & set(output.get("data", {})):
                del output.data["text/plain"]


def main() -> None:
    """Run what is asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    names = parser.parse_args().names or sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
    os.environ["PYTHONPATH"] = str(ROOT)
    for name in names:
        path = NOTEBOOKS / f"{name}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            resources = {"metadata": {"path": folder}}
            client = nbclient.NotebookClient(
                notebook, timeout=600, resources=resources, record_timing=False, coalesce_streams=True
            )
            client.execute()
        keep_what_is_shown(notebook)
        notebook.metadata["code_sha256"] = code_digest(notebook)
        notebook.metadata.language_info = {"name": "python"}
        nbformat.write(notebook, path)
        print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
