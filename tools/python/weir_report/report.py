"""What a report has, a method for each table."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Optional, Union

import pandas as pd

from . import stacks, tables, timeline
from .columns import Columns, table
from .reading import Path, ReportError, read

Json = dict[str, Any]
Process = Union[int, str, None]
Rows = Callable[[Json], Iterator[list[Any]]]

EACH = "each"


def load(path: Path, *, weir: str = "weir") -> Report:
    """Reads a report. A directory is one run, with a report for each process: the command `weir` puts these together, found in PATH
    unless `weir` says where it is.

    Raises ReportError if it cannot be read, or is in a format of another version.
    """
    return Report(read(path, weir), os.fspath(path))


class Report:
    """A report. `json` is all that it says, as docs/weir.report-1.schema.json describes it; `name` is the file's, for errors."""

    def __init__(self, json: Json, name: str = "report"):
        self.json = json
        self.name = name

    def __repr__(self) -> str:
        return f"<weir_report.Report {self.name}>"

    def functions(self, process: Process = None) -> pd.DataFrame:
        """The functions that were called: counts, bytes, latencies.

        `process` chooses what the rows are of, here and in `errors`, `latency` and `files`: None the whole recording, a process id
        the images of that process, "each" every image.
        """
        return self._of_all(tables.FUNCTIONS, tables.functions, process)

    def errors(self, process: Process = None) -> pd.DataFrame:
        """Failed calls by function and errno."""
        return self._of_all(tables.ERRORS, tables.errors, process)

    def latency(self, process: Process = None) -> pd.DataFrame:
        """Latency histograms: calls that took `from_ns` or longer, and less than `to_ns`. See `weir_report.percentile`."""
        return self._of_all(tables.LATENCY, tables.latency, process)

    def files(self, process: Process = None) -> pd.DataFrame:
        """Files and sockets: calls, bytes, times, order of access."""
        return self._of_all(tables.FILES, tables.files, process)

    def processes(self, process: Optional[int] = None) -> pd.DataFrame:
        """Process images; all of them, or those of a process id, here and in all tables that follow."""
        return self._of_process(tables.PROCESSES, tables.processes, process)

    def threads(self, process: Optional[int] = None) -> pd.DataFrame:
        """Threads: calls, time, live bytes."""
        return self._of_process(tables.THREADS, tables.threads, process)

    def sites(self, process: Optional[int] = None) -> pd.DataFrame:
        """Call sites: a function, and the stack from which it was called."""
        return self._of_images(stacks.SITES, stacks.sites, process)

    def stacks(self, process: Optional[int] = None) -> pd.DataFrame:
        """The stacks of call sites, a row for each function on them."""
        return self._of_images(stacks.STACKS, stacks.stacks, process)

    def timeline(self, process: Optional[int] = None) -> pd.DataFrame:
        """Counters over time."""
        return self._of_images(timeline.TIMELINE, timeline.timeline, process)

    def latency_over_time(self, process: Optional[int] = None) -> pd.DataFrame:
        """How many calls took how long, and when."""
        return self._of_images(timeline.LATENCY_OVER_TIME, timeline.latency_over_time, process)

    def _of_all(self, columns: Columns, rows: Rows, process: Process) -> pd.DataFrame:
        """A table of the recording, or of images."""
        if process is None:
            return self._table(columns, lambda: ([None, None, *row] for row in rows(self.json)))
        if isinstance(process, str) and process != EACH:
            raise ReportError(f'process is {process!r}; it is a process id, "{EACH}" or None')
        return self._of_images(columns, rows, None if isinstance(process, str) else process)

    def _of_images(self, columns: Columns, rows: Rows, process: Optional[int]) -> pd.DataFrame:
        """A table of images that says which one a row is of."""

        def all_rows() -> Iterator[list[Any]]:
            for place, image in self._images(process):
                yield from ([image["pid"], place, *row] for row in rows(image))

        return self._table(columns, all_rows)

    def _of_process(self, columns: Columns, rows: Rows, process: Optional[int]) -> pd.DataFrame:
        """A table of images that does not."""
        return self._table(columns, lambda: (row for _, image in self._images(process) for row in rows(image)))

    def _images(self, process: Optional[int]) -> Iterator[tuple[int, Json]]:
        """Process images, each with its place among those of its process."""
        places: dict[int, int] = {}
        for image in self.json["processes"]:
            # Images that the report tells together are no process.
            if process is None or (image["pid"] == process and "folded" not in image):
                place = places[image["pid"]] = places.get(image["pid"], 0) + 1
                yield place, image
        if process is not None and not places:
            raise ReportError(f"{self.name} has no process {process}; processes() lists those that it has")

    def _table(self, columns: Columns, rows: Callable[[], Iterator[list[Any]]]) -> pd.DataFrame:
        """A table of rows, which a file of unknown origin may not have."""
        try:
            return table(columns, rows())
        except ReportError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ReportError(f"cannot read {self.name}: it is not a valid {self.json['schema']} ({reason})") from error
