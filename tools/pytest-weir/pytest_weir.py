"""Limits of what single tests allocate, leave in memory and call, as Weir counts it.

    @pytest.mark.weir(max_allocations=500, max_live_bytes=4096, max_calls={"fsync": 0})
    def test_something(): ...

`pytest --weir` starts pytest anew with Weir's library, and checks the limits of each test that passes. Without the option, the
marks do nothing. The ini options weir_max_allocations, weir_max_allocated_bytes and weir_max_live_bytes are limits of all tests;
a mark has precedence.

Weir's counters lie in a file that other processes can read. A helper process makes a report of that file (`weir recover`)
right before and right after the function of the test. The difference, without what an empty measurement comes to, is what
the test did.
"""

import gc
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

LIMITS = {
    "max_allocations": "calls of malloc, realloc, … of a test, at most",
    "max_allocated_bytes": "bytes that a test asks for, at most",
    "max_live_bytes": "bytes that a test leaves allocated, at most",
}
NO_ALLOCATION = {"free", "cfree", "free_sized", "free_aligned_sized", "malloc_usable_size"}

# Writes a report to the file that each line names, and says so. At the end of its input, pytest has ended.
HELPER = """
while read -r report; do
    if "$1" recover --out "$report" "$2" > "$3/said" 2>&1; then echo y; else echo n; fi
done
rm -r "$3"
"""

# The variable in which start_anew passes to the new pytest what it has changed.
STARTED = "PYTEST_WEIR_STARTED"

broken_key = pytest.StashKey[list]()


def region():
    """The file with the counters of this process; none if it does not run under Weir."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            path = line.rstrip("\n").split(maxsplit=5)[-1]
            if path.endswith(".region"):
                return path
    return None


def pytest_addoption(parser):
    """The options of this plugin."""
    parser.addoption("--weir", action="store_true", help="check the limits of tests under Weir")
    for name, meaning in LIMITS.items():
        parser.addini(f"weir_{name}", f"Weir: {meaning}")


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config):
    """Starts pytest anew under Weir, before it has changed anything of the process."""
    if early_config.known_args_namespace.weir and region() is None:
        start_anew()
    yield


def start_anew():
    """Executes this very command with Weir's library."""
    weir = shutil.which("weir")
    if weir is None:
        raise pytest.UsageError("--weir: there is no command weir; install Weir, or put it into PATH")
    if "WEIR_SESSION" in os.environ:
        raise pytest.UsageError("--weir: weir run keeps the counters where no test reaches them; start pytest without weir run")
    if STARTED in os.environ:
        raise pytest.UsageError(f"--weir: the library does not load; see: weir doctor {sys.executable}")
    library = subprocess.run([weir, "library"], stdout=subprocess.PIPE, text=True)
    if library.returncode != 0:
        raise pytest.UsageError("--weir: weir has no library; its line above says why")
    folder = tempfile.mkdtemp(prefix="pytest-weir-")
    preloaded = [library.stdout.rstrip("\n"), os.environ.get("LD_PRELOAD", "")]
    settings = {
        "LD_PRELOAD": ":".join(filter(None, preloaded)),
        # Otherwise Python takes small objects out of blocks of its own, and Weir sees these only.
        "PYTHONMALLOC": os.environ.get("PYTHONMALLOC", "malloc"),
        # Nobody reads the report of pytest itself. It has to be written: otherwise its region stays for weir recover.
        "WEIR_OUT": os.environ.get("WEIR_OUT", os.devnull),
    }
    started = {"folder": folder, "before": {name: os.environ.get(name) for name in settings}}
    os.execve(sys.executable, sys.orig_argv, {**os.environ, **settings, STARTED: json.dumps(started)})


def take_environment():
    """The folder that start_anew made. The environment is as it was before: tests and what they start find nothing of Weir."""
    started = json.loads(os.environ.pop(STARTED, "null"))
    if started is None:
        return tempfile.mkdtemp(prefix="pytest-weir-")
    for name, value in started["before"].items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    return started["folder"]


def pytest_configure(config):
    """Adds the mark, and what measures."""
    config.addinivalue_line("markers", "weir(max_allocations, max_allocated_bytes, max_live_bytes, max_calls): limits of a test")
    if config.getoption("--weir"):
        config.pluginmanager.register(Meter(config))


class Meter:
    """Measures each test."""

    def __init__(self, config):
        self.folder = pathlib.Path(take_environment())
        self.helper = subprocess.Popen(
            ["sh", "-c", HELPER, "sh", shutil.which("weir") or "weir", region(), self.folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.files = [self.folder / "before.json", self.folder / "after.json"]
        self.requests = [f"{path}\n".encode() for path in self.files]
        self.empty = {}
        given = ((name, config.getini(f"weir_{name}")) for name in LIMITS)
        self.defaults = {name: number(f"weir_{name}", value) for name, value in given if value}
        # The first measurement makes what later ones find made.
        for _ in range(2):
            self.begin()
            self.empty = self.end()

    def begin(self):
        """Begins a measurement."""
        gc.collect()
        self.ask(self.requests[0])

    def end(self):
        """Ends it: what was done since, in calls and bytes."""
        gc.collect()
        self.ask(self.requests[1])
        before, after = (counts(json.loads(path.read_text())) for path in self.files)
        # Most functions are in a report only once they have been called.
        return {name: value - before.get(name, 0) - self.empty.get(name, 0) for name, value in after.items()}

    def ask(self, request):
        """Has the helper make a report. Few calls: they are among what is measured."""
        os.write(self.helper.stdin.fileno(), request)
        if os.read(self.helper.stdout.fileno(), 2) != b"y\n":
            raise RuntimeError((self.folder / "said").read_text())

    def limits(self, item):
        """The limits of a test."""
        mark = item.get_closest_marker("weir")
        return {**self.defaults, **(mark.kwargs if mark else {})}

    def pytest_collection_modifyitems(self, items):
        """Refuses limits that there are not: they would be kept by any test."""
        for item in items:
            mark = item.get_closest_marker("weir")
            limits = self.limits(item)
            unknown = sorted(set(limits) - set(LIMITS) - {"max_calls"}) + [*(mark.args if mark else ())]
            if unknown:
                raise pytest.UsageError(f"{item.nodeid}: no limit {unknown[0]}; there are {', '.join(LIMITS)}, max_calls")
            calls = limits.get("max_calls", {})
            if not isinstance(calls, dict):
                raise pytest.UsageError(f'{item.nodeid}: max_calls is {calls!r}; it must be as {{"fsync": 0}}')
            values = {name: value for name, value in {**limits, **calls}.items() if name != "max_calls"}
            for name, value in values.items():
                if not isinstance(value, int):
                    raise pytest.UsageError(f"{item.nodeid}: {name} is {value!r}, no whole number")

    # The innermost of all wrappers: only the function of the test is measured, without its fixtures.
    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_pyfunc_call(self, pyfuncitem):
        """Measures the function of the test, and finds the limits that it breaks."""
        limits = self.limits(pyfuncitem)
        if limits:
            self.begin()
        yield
        if limits:
            pyfuncitem.stash[broken_key] = list(broken(limits, self.end()))

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item, call):
        """A test that passed and broke a limit fails."""
        report = (yield).get_result()
        lines = item.stash.get(broken_key, [])
        if call.when == "call" and report.passed and lines:
            report.outcome = "failed"
            report.longrepr = "\n".join(lines)


def number(name, value):
    """The value of an ini option."""
    try:
        return int(value)
    except ValueError:
        raise pytest.UsageError(f"{name}: {value} is no whole number") from None


def counts(report):
    """The counters of a report that limits are about."""
    functions = report["functions"]
    leads = (group for process in report["processes"] for group in process["provenance"])
    found = {("calls", name): 0 for group in leads for name in group["functions"]}
    found |= {("calls", name): function["calls"] for name, function in functions.items()}
    allocating = [
        function for name, function in functions.items() if function["family"] == "alloc" and name not in NO_ALLOCATION
    ]
    found["max_allocations"] = sum(function["calls"] for function in allocating)
    found["max_allocated_bytes"] = sum(function["requested_bytes"] for function in allocating)
    found["max_live_bytes"] = report["heap"]["live_bytes"]
    return found


def broken(limits, did):
    """A line for each limit that is broken."""
    for name in LIMITS:
        if name in limits and did[name] > limits[name]:
            yield f"weir: {name.removeprefix('max_')} is {did[name]}, at most {limits[name]}"
    for function, most in limits.get("max_calls", {}).items():
        calls = did.get(("calls", function))
        if calls is None:
            yield f"weir: there is no function {function} that Weir interposes"
        elif calls > most:
            yield f"weir: {function} is called {calls} times, at most {most}"
