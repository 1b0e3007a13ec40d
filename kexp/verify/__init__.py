"""Proofs to run on a recipe or an export of one's own: `kexp.verify.resume(recipe, kills=20)`."""

from kexp.verify.distributed import Compared, DistributedReport, distributed
from kexp.verify.export import Checked, ExportReport, export
from kexp.verify.resume import Kill, ResumeReport, resume

__all__ = [
    "Checked",
    "Compared",
    "DistributedReport",
    "ExportReport",
    "Kill",
    "ResumeReport",
    "distributed",
    "export",
    "resume",
]
