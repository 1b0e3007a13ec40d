"""Exports: SavedModels that provably compute what was measured, and predictions from them."""

from kexp.export.exported import Exported, load_exported, predict_file
from kexp.export.parity import ExportError
from kexp.export.saved_model import export_saved_model

__all__ = ["ExportError", "Exported", "export_saved_model", "load_exported", "predict_file"]
