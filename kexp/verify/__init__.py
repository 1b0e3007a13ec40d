"""Proofs that a user can run on a recipe of their own: `kexp.verify.resume(recipe, kills=20)`."""

from kexp.verify.resume import ResumeReport, resume

__all__ = ["ResumeReport", "resume"]
