"""Sections on what a network learned, as `kexp.evaluation.explain.network_findings.Findings` have it."""
