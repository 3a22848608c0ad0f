"""Tests with limits, for the recipe of pytest."""

import os

import pytest


def words(text):
    """The words of a text, in lower case."""
    return [word.lower() for word in text.split()]


@pytest.mark.weir(max_allocations=5000)
def test_words_are_in_lower_case():
    assert words("Weir measures " * 1000)[:2] == ["weir", "measures"]


@pytest.mark.weir(max_calls={"fsync": 0}, max_live_bytes=16_384)
def test_a_file_is_written_without_a_sync(tmp_path):
    with open(tmp_path / "words", "w") as file:
        file.writelines(words("Weir measures " * 1000))
    assert os.path.getsize(tmp_path / "words") == 12_000


def test_nothing():
    assert words("") == []
