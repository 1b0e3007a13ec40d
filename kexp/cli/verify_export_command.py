"""The command `verify export`: whether an export still is and computes what it was proved to."""

from __future__ import annotations

import sys


def verify_export(directory: str) -> None:
    """Repeat the check of an export on this machine; exit with 1 when something differs.

    Checksums, and each format on the recorded examples in a fresh process. No run folder is needed.

    Args:
        directory: Folder of an export, of whose versions the highest is checked, or of one version.
    """
    from kexp.verify.export import export

    report = export(directory)
    print(report)
    if report.difference is not None:
        sys.exit(1)
