"""The reports of Weir as pandas tables.

    import weir_report
    report = weir_report.load("weir.server.4711.json")
    report.functions().nlargest(5, "calls")

reading     from a file or a directory to JSON that is a report
report      what a report has, a method for each table
tables      functions, errors, latencies, files, processes, threads
histogram   HdrHistograms as classes, and percentiles
stacks      call sites, and the stacks that lead to them
timeline    counters and latencies over time
columns     the columns of tables, and their types
plots       pictures; these need matplotlib

Columns have the names that they have in `weir export`. Times are nanoseconds (`_ns`), sizes bytes (`_bytes`). What is not
known is missing (`pandas.NA`), never 0. Numbers are 64-bit signed integers; one that is larger is 2**63 - 1.
"""

from .histogram import percentile
from .reading import SCHEMA, ReportError
from .report import Report, load

__all__ = ["SCHEMA", "Report", "ReportError", "load", "percentile"]
__version__ = "0.1.0"
