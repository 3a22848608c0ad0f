"""HdrHistograms as classes, and percentiles.

The report has histograms in HdrHistogram's V2 compressed form (its `AbstractHistogram.encodeIntoCompressedByteBuffer`): cookie, length, and a zlib
stream of cookie, length of the counts, normalising offset, digits, lowest and highest value, ratio, counts. A count is a
zigzag LEB128 number of at most nine bytes; a negative one stands for so many empty classes.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Iterator
from typing import Union

import pandas as pd

DIGITS = 2
"""Significant digits of every histogram of Weir: 128 classes for each power of two."""
CLASSES_BITS = 7
CLASSES = 1 << CLASSES_BITS

OUTER = struct.Struct(">II")
INNER = struct.Struct(">IIIIQQd")
MOST_BYTES = 64 * CLASSES * 9
COMPRESSED, UNCOMPRESSED = 0x1C849314, 0x1C849313


def classes(text: str) -> Iterator[tuple[int, int, int]]:
    """From how many nanoseconds to less than how many, how many calls. Classes without calls are left out."""
    # So it is where a count was beyond what the form holds.
    if not text:
        return
    try:
        compressed = base64.b64decode(text, validate=True)
        cookie, _ = OUTER.unpack_from(compressed)
        inner = zlib.decompressobj().decompress(compressed[OUTER.size :], MOST_BYTES)
        inner_cookie, length, _, digits, lowest, _, _ = INNER.unpack_from(inner)
    except (ValueError, struct.error, zlib.error) as error:
        raise ValueError(f"the histogram is damaged: {error}") from error
    counts = inner[INNER.size :]
    if (cookie, inner_cookie, digits, lowest, length) != (COMPRESSED, UNCOMPRESSED, DIGITS, 1, len(counts)):
        raise ValueError("the histogram is in a form that Weir does not write")
    place = 0
    for count in signed(counts):
        if count > 0:
            yield (*between(place), count)
        place += max(1, -count)


def between(place: int) -> tuple[int, int]:
    """The smallest value of a class, and the first one that is larger than those of it."""
    # The first two powers of CLASSES values have classes of one value each; each further one has classes twice as wide.
    octave = max(0, (place >> CLASSES_BITS) - 1)
    first = (place - (octave << CLASSES_BITS)) << octave
    return first, first + (1 << octave)


def signed(content: bytes) -> Iterator[int]:
    """Zigzag LEB128 numbers of at most nine bytes, of which the ninth has eight bits."""
    value = shift = 0
    for byte in content:
        is_last = shift == 56 or byte < 0x80
        value |= (byte if shift == 56 else byte & 0x7F) << shift
        shift += 7
        if is_last:
            yield (value >> 1) ^ -(value & 1)
            value = shift = 0


def percentile(latency: pd.DataFrame, quantile: float) -> Union[int, float]:
    """A percentile of the calls in rows of `Report.latency()`, in nanoseconds.

    The rows may be of several functions, processes or reports: histograms add up. It is the largest value of the class of
    the call of rank ceil(quantile * calls), so at most 1 % too high. NaN if there are no calls.
    """
    if not 0 <= quantile <= 1:
        raise ValueError(f"quantile is {quantile}; it is between 0 and 1")
    ends = latency.groupby("to_ns")["calls"].sum().sort_index().cumsum()
    if ends.empty:
        return math.nan
    rank = max(1, math.ceil(quantile * int(ends.iloc[-1])))
    return int(ends.index[int((ends < rank).sum())]) - 1
