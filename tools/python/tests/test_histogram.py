"""Histograms: the form, its limits, and percentiles."""

import base64
import math
import random
import struct
import zlib

import pandas as pd
import pytest

import weir_report
from weir_report import histogram


def leb128(number):
    """A count as the form has it."""
    value, out = number << 1 if number >= 0 else (-number << 1) - 1, bytearray()
    while value >= 0x80 and len(out) < 8:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def encoded(counts, cookie=0x1C849313, digits=2, length=None):
    """The text of a histogram with these counts."""
    content = b"".join(map(leb128, counts))
    inner = struct.pack(">IIIIQQd", cookie, len(content) if length is None else length, 0, digits, 1, 1 << 60, 1.0) + content
    stream = zlib.compress(inner)
    return base64.b64encode(struct.pack(">II", 0x1C849314, len(stream)) + stream).decode()


def test_each_value_is_in_its_class():
    place = 0
    for value in range(100_000):
        while histogram.between(place)[1] <= value:
            place += 1
            assert histogram.between(place)[0] == histogram.between(place - 1)[1]
        first, end = histogram.between(place)
        assert first <= value < end and (end - first) * 128 <= max(value, 128)


def test_counts_and_gaps_of_any_size_are_read():
    random.seed(1)
    counts = [1, -300, 127, 128, -1, 2**40, 2**56, 2**62, 3]
    expected, place = [], 0
    for count in counts:
        if count > 0:
            expected.append((*histogram.between(place), count))
        place += max(1, -count)
    assert list(histogram.classes(encoded(counts))) == expected


@pytest.mark.parametrize(
    "text",
    [
        "no base64",
        "AAAA",
        base64.b64encode(b"\x1c\x84\x93\x14\0\0\0\0not zlib").decode(),
        encoded([1], digits=3),
        encoded([1], cookie=0x1C849303),
        encoded([1], length=5),
    ],
)
def test_what_weir_does_not_write_is_refused(text):
    with pytest.raises(ValueError, match="the histogram is"):
        list(histogram.classes(text))


def test_a_small_file_does_not_become_large():
    with pytest.raises(ValueError):
        list(histogram.classes(encoded([1] * 10_000_000)))


def test_percentiles_have_the_rank_of_a_sorted_list():
    random.seed(2)
    for size in (1, 2, 7, 99, 1000):
        values = sorted(random.randrange(1, 128) for _ in range(size))
        rows = pd.DataFrame({"to_ns": [value + 1 for value in values], "calls": [1] * size})
        for quantile in (0.0, 0.01, 0.5, 0.9, 0.99, 0.999, 1.0):
            expected = values[max(1, math.ceil(quantile * size)) - 1]
            assert weir_report.percentile(rows, quantile) == expected


def test_no_calls_have_no_percentile_and_no_quantile_is_above_1():
    rows = pd.DataFrame({"to_ns": [], "calls": []})
    assert math.isnan(weir_report.percentile(rows, 0.5))
    with pytest.raises(ValueError, match="between 0 and 1"):
        weir_report.percentile(rows, 99)
