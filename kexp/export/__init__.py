"""Exports: models that provably compute what was measured, and predictions from them."""

from kexp.export.export_pipeline import export_model
from kexp.export.exported_model import Exported, load_exported, predict_file
from kexp.export.parity import ExportError

__all__ = ["ExportError", "Exported", "export_model", "load_exported", "predict_file"]
