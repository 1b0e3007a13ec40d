"""Proofs that a user can run on a recipe of their own: `kexp.verify.resume(recipe, kills=20)`."""

from kexp.verify.distributed import Compared, DistributedReport, distributed
from kexp.verify.resume import Kill, ResumeReport, resume

__all__ = ["Compared", "DistributedReport", "Kill", "ResumeReport", "distributed", "resume"]
