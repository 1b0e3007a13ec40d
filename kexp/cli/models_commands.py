"""Commands about pretrained networks: which there are, and the download of their weights."""

from __future__ import annotations

import cyclopts

from kexp.cli.command_options import command_of
from kexp.core.pretrained_catalog import HUB_PREFIX, facts_of_pretrained, pretrained_lines, require_hub_name
from kexp.core.tensorflow_start import start_tensorflow


def models_app() -> cyclopts.App:
    """Return `kexp models` with its commands."""
    app = cyclopts.App(name="models", help="Pretrained networks: which there are, and their weights.")
    app.command(command_of(list_), name="list")
    app.command(command_of(prepare), name="prepare")
    return app


def list_() -> None:
    """List the pretrained networks, the size of their images, and whether their weights are at hand."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("network", "", box=None, pad_edge=False, header_style="bold")
    for row in pretrained_lines():
        table.add_row(*map(Text, row))
    console = Console(highlight=False)
    console.print(table)
    console.print()
    console.print("Presets of KerasHub are too: hub:PRESET, and .keras files and run folders by their path")


def prepare(name: str, *, top: bool = False) -> None:
    """Download the weights of a pretrained network, for use by its name.

    Args:
        name: Name of the network, such as mobilenet_v2, or hub: and a preset of KerasHub.
        top: With the head for the classes that they were trained on.
    """
    # A wrong name is said to be one before Keras is imported.
    _ = require_hub_name(name) if name.startswith(HUB_PREFIX) else facts_of_pretrained(name)
    start_tensorflow()
    from kexp.models import prepare_pretrained

    print(f"{name} is in {prepare_pretrained(name, top=top)}")
