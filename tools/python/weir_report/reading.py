"""From a file or a directory to JSON that is a report."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import tempfile
from typing import Any, Union

SCHEMA = "weir.report/1"
"""The format that this package reads."""

Path = Union[str, "os.PathLike[str]"]


class ReportError(ValueError):
    """There is no such report, or not that in it. The text is one line that says what is wrong and what to do."""


def read(path: Path, weir: str) -> dict[str, Any]:
    """The JSON of a report; of a directory, that of its reports as one run, which the command `weir` makes."""
    if os.path.isdir(path):
        return read_directory(path, weir)
    try:
        content = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise ReportError(f"cannot read {os.fspath(path)}: {error.strerror}") from error
    return parse(content, os.fspath(path))


def read_directory(path: Path, weir: str) -> dict[str, Any]:
    """What `weir merge --one-run` makes of a directory."""
    with tempfile.TemporaryDirectory(prefix="weir-report-") as folder:
        merged = pathlib.Path(folder, "report.json")
        command = [weir, "merge", "--one-run", "--out", str(merged), "--", os.path.abspath(path)]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        except OSError as error:
            reason = f"a directory of reports needs the command {weir}, which cannot be started: {error.strerror}"
            raise ReportError(f"cannot read {os.fspath(path)}: {reason}; install Weir, or pass weir=PATH") from error
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().replace("\n", "; ") or f"status {done.returncode}"
            raise ReportError(f"cannot read {os.fspath(path)}: {weir} merge --one-run failed: {said}")
        return parse(merged.read_bytes(), os.fspath(path))


def parse(content: bytes, name: str) -> dict[str, Any]:
    """The report in a file's content. The name is for errors."""

    def refused(reason: str) -> ReportError:
        return ReportError(f"cannot read {name}: {reason}")

    if not content.strip():
        raise refused("it is empty; was the program still running?")
    try:
        found: dict[str, Any] = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise refused(f"it is not a report of Weir, or it is cut off: not JSON ({error})") from error
    schema = found.get("schema") if isinstance(found, dict) else None
    if not isinstance(schema, str) or not re.fullmatch(r"weir\.report/[0-9]{1,10}", schema):
        raise refused(f'it is JSON, but not a report of Weir (no "schema": "{SCHEMA}")')
    if schema != SCHEMA:
        raise refused(f"it is in the format {schema}; this version of weir-report reads {SCHEMA}; install that of the Weir that wrote it")
    return found
