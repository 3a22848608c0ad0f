"""The columns of tables, and their types."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Optional

import pandas as pd

NUMBER = "Int64"
"""A whole number, or missing."""
TEXT = "string"
"""Text, or missing."""
FLAG = "boolean"
"""Whether something is so."""

Columns = dict[str, str]
"""The names of columns, in their order, and what they hold."""

LARGEST = 2**63 - 1


def numbers(*names: str) -> Columns:
    """Columns of numbers."""
    return dict.fromkeys(names, NUMBER)


def text(*names: str) -> Columns:
    """Columns of text."""
    return dict.fromkeys(names, TEXT)


def flags(*names: str) -> Columns:
    """Columns of what is so or is not."""
    return dict.fromkeys(names, FLAG)


OF_IMAGE = numbers("pid", "image")
"""Which process image a row is of: the process, and which of its images, from 1. Missing where it is of all."""


def table(columns: Columns, rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """A table. None stands for what is not known."""
    listed = list(rows)
    # Column by column: rows with numbers and None would become floats, which do not hold every number.
    values = {name: column([row[place] for row in listed], kind) for place, (name, kind) in enumerate(columns.items())}
    made: pd.DataFrame = pd.DataFrame(values, columns=list(columns))
    return made


def column(values: list[Any], kind: Any) -> Any:
    """The values of a column."""
    if kind == NUMBER:
        values = [within(value) for value in values]
    return pd.array(values, dtype=kind)


def within(number: Optional[int]) -> Optional[int]:
    """A number that the column holds."""
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int):
        raise TypeError(f"{number!r} is no whole number")
    return min(number, LARGEST)
