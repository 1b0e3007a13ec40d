"""Sections on what a network learned; their subject is a `kexp.evaluation.explain.network_findings.Findings`."""
