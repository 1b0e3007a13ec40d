"""Tables for spreadsheets, which take a text that begins like a formula for one, and run it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kexp.core.command_values import parse_number

if TYPE_CHECKING:
    import pandas as pd

_FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_text(frame: pd.DataFrame, *, header: bool = True) -> str:
    """Return a table as CSV in which no text is a formula; numbers, and texts that are one, stay as they are.

    A text that begins with = + - @, a tab or the end of a line has a ' before it, as OWASP advises, among the
    names of columns too (https://owasp.org/www-community/attacks/CSV_Injection).

    Args:
        frame: The table, whose index is left out.
        header: Whether the names of the columns are the first line, default True.

    Example:
        >>> import pandas as pd
        >>> print(csv_text(pd.DataFrame({"label": ["=1+1", "-1"], "@x": [-0.5, 1.0]})))
        label,'@x
        '=1+1,-0.5
        -1,1.0
        <BLANKLINE>
    """
    import pandas as pd

    columns = [
        column if column.dtype.kind in "biuf" else column.map(_harmless) for _, column in frame.items()
    ]
    return pd.concat(columns, axis=1).rename(columns=_harmless).to_csv(index=False, header=header)


def _harmless(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA_BEGINS) and parse_number(value) is None:
        return f"'{value}"
    return value
