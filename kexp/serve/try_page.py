"""The page to try a model in a browser: draw or upload an image, fill the columns, type a text or numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from kexp.data.adapters import IMAGE_MODES
from kexp.data.dataset import DatasetSpec, class_names
from kexp.data.table_columns import Column
from kexp.report.html import document, heading
from kexp.serve.model_versions import blank_sample

_SCRIPT = Path(__file__).with_name("try_page.js")
_MOST_OFFERED = 200  # categories of a column
_MOST_NUMBERS = 2000  # of a sample that a text field begins with
_PAD = 280  # pixels of the field that is drawn in


def try_page(name: str, spec: DatasetSpec, names: Sequence[str]) -> str:
    """Return the page of a model; all that it shows is escaped, and it asks nobody but its own server.

    Args:
        name: Of the model.
        spec: What it was made for.
        names: Of all models that are served, which it links to.

    Example:
        >>> spec = DatasetSpec("text", (), "string", "classification", 2, ("<b>", "b"))
        >>> page = try_page("letters", spec, ["letters"])
        >>> 'data-address="v1/models/letters:predict"' in page, "<b>" in page
        (True, False)
    """
    others = [one for one in names if one != name]
    links = ", ".join(f'<a href="?model={quote(one)}">{escape(one)}</a>' for one in others)
    described = {
        "address": f"v1/models/{quote(name)}:predict",
        "form": _form_kind(spec),
        "classes": json.dumps(class_names(spec) if spec.class_names else []),
    }
    data = " ".join(f'data-{key}="{escape(value)}"' for key, value in described.items())
    return document(
        f"Try {name}",
        [
            f"<p>Other models: {links}</p>" if links else "",
            f'<section><form id="try" {data}>{_fields(spec)}'
            '<p><button type="submit">Predict</button></p></form></section>',
            f'<section>{heading("Answer")}<div id="answer" role="status"><p>None yet.</p></div></section>',
        ],
        script=_SCRIPT.read_text("utf-8"),
        asks_server=True,
    )


def _form_kind(spec: DatasetSpec) -> str:
    """Return how a sample is given: as an image, as fields, as a text, or as numbers in JSON."""
    if spec.kind == "image":
        return "image" if spec.input_shape[-1] in IMAGE_MODES else "json"
    return {"table": "columns", "text": "text"}.get(spec.kind, "json")


def _fields(spec: DatasetSpec) -> str:
    kind = _form_kind(spec)
    if kind == "image":
        return _image_fields(spec)
    if kind == "columns":
        return f'<div class="fields">{"".join(map(_field, range(len(spec.columns)), spec.columns))}</div>'
    if kind == "text":
        return '<p><label for="text">Text</label></p><p><textarea id="text" rows="6"></textarea></p>'
    return (
        '<p><label for="text">One sample, as JSON</label></p>'
        f'<p><textarea id="text" rows="10">{escape(_example(spec))}</textarea></p>'
    )


def _image_fields(spec: DatasetSpec) -> str:
    height, width, channels = spec.input_shape
    size = f'width="{_PAD}" height="{max(1, round(_PAD * height / width))}"'
    colour = '<label>Colour <input id="colour" type="color" value="#ffffff"></label> ' if channels > 1 else ""
    return (
        '<p><label>An image file <input id="file" type="file" accept="image/*"></label></p>'
        f"<p>Or draw one, which is made {width} × {height} pixels:</p>"
        f'<p><canvas id="pad" class="pad" {size} data-width="{width}" data-height="{height}" role="img" '
        'aria-label="A field to draw in"></canvas></p>'
        f"<p>{colour}"
        '<label><input id="dark" type="checkbox"> dark on white</label> '
        '<button type="button" id="clear">Clear</button></p>'
    )


def _field(number: int, column: Column) -> str:
    name = escape(column.name)
    offered = column.categories[:_MOST_OFFERED]
    choices = "".join(f'<option value="{escape(one)}"></option>' for one in offered)
    options = f'<datalist id="of-{number}">{choices}</datalist>' if offered else ""
    listed = f' list="of-{number}"' if offered else ""
    mode = ' inputmode="decimal"' if column.kind == "number" else ""
    hint = f' placeholder="{escape(column.date_format)}"' if column.date_format else ""
    return (
        f'<label for="column-{number}">{name}</label>'
        f'<input id="column-{number}" data-column="{name}" autocomplete="off"{listed}{mode}{hint}>{options}'
    )


def _example(spec: DatasetSpec) -> str:
    """Return a sample of zeros in JSON, unless it is too long to be changed by hand."""
    blank = blank_sample(spec)
    if isinstance(blank, dict):
        return json.dumps(
            {name: values[0] if values == [""] else values[0].tolist() for name, values in blank.items()}
        )
    return json.dumps(blank[0].tolist()) if blank.size <= _MOST_NUMBERS else ""
