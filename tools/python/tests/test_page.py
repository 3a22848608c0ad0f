"""docs/python.md: its commands and its code do what it says, and its tables have the columns that it lists."""

import ast
import doctest
import inspect
import os
import re
import shutil
import subprocess

import matplotlib

matplotlib.use("Agg")

import pytest

import weir_report
from conftest import ROOT

PAGE = (ROOT / "docs/python.md").read_text()


def blocks(language):
    """What the page has in this language."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert found
    return found


def test_the_code_prints_what_the_page_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "examples/shop/shop.c", tmp_path)
    for line in "".join(blocks("console")).splitlines():
        assert line.startswith("$ ")
        subprocess.run(["sh", "-c", line[2:]], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # A time differs from run to run.
    code = re.sub(r"(?m)^'\d+ ns'$", "'... ns'", "\n".join(blocks("pycon")))
    test = doctest.DocTestParser().get_doctest(code, {}, "docs/python.md", "docs/python.md", 0)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    told = []
    result = doctest.DocTestRunner(optionflags=flags).run(test, out=told.append)
    assert (result.failed, result.attempted > 10) == (0, True), "".join(told)
    assert sorted(name for name in os.listdir() if name.endswith(".png")) == ["heap.png", "read.png", "sites.png"]


def test_the_page_has_every_table_with_its_columns(shop):
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", PAGE, re.MULTILINE)
    # What stands in parentheses is an explanation.
    listed = {name: re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", columns)) for name, columns in rows}
    report = weir_report.load(shop)
    methods = [name for name, _ in inspect.getmembers(report, inspect.ismethod) if not name.startswith("_")]
    assert listed == {name: list(getattr(report, name)().columns) for name in listed}
    assert sorted(listed) == sorted(methods)


@pytest.mark.parametrize("path", sorted((ROOT / "tools/python/weir_report").glob("*.py")), ids=lambda path: path.name)
def test_the_code_is_python_3_9(path):
    ast.parse(path.read_text(), path, feature_version=(3, 9))
