"""What cannot be read is refused in one clear line."""

import json
import os
import subprocess

import pytest

import weir_report


def refused(path, *expected, **options):
    """The error, which is one line and names the file."""
    with pytest.raises(weir_report.ReportError) as error:
        weir_report.load(path, **options)
    said = str(error.value)
    assert "\n" not in said and str(path) in said
    for words in expected:
        assert words in said
    return said


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"\x80\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a report of Weir"),
        (b'{"schema": 1}', "not a report of Weir"),
        (b'{"schema": "weir.report/x"}', "not a report of Weir"),
        (b'{"schema": "weir.report/2"}', "in the format weir.report/2; this version of weir-report reads weir.report/1"),
        (b'{"schema": "weir.report/0"}', "in the format weir.report/0"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path, content, expected):
    path = tmp_path / "report.json"
    path.write_bytes(content)
    refused(path, expected)


def test_a_report_that_is_cut_off_is_refused(tmp_path, shop):
    path = tmp_path / "cut.json"
    path.write_bytes(shop.read_bytes()[:-100])
    refused(path, "cut off")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    refused(tmp_path / "none.json", "No such file or directory")


def test_a_newer_schema_of_a_real_report_is_refused(tmp_path, shop):
    path = tmp_path / "newer.json"
    path.write_text(shop.read_text().replace('"weir.report/1"', '"weir.report/2"', 1))
    refused(path, "weir.report/2")


def damages():
    """Changes of a report that no Weir writes."""

    def stacks(report):
        return next(image["stacks"] for image in report["processes"] if "stacks" in image)

    yield "functions", lambda report: report.pop("functions")
    yield "functions", lambda report: report["functions"]["malloc"].update(calls="many")
    yield "errors", lambda report: report["functions"]["malloc"].pop("errors")
    yield "files", lambda report: report["files"].update(listed=[{}])
    yield "processes", lambda report: report.update(processes=[[]])
    yield "threads", lambda report: report["processes"][0]["threads"][0].update(tid=1.5)
    yield "sites", lambda report: stacks(report)["frames"][0].update(parent=0)
    yield "sites", lambda report: stacks(report)["sites"][0].update(frame=-1)
    yield "stacks", lambda report: stacks(report)["frames"][0].update(module=-1)
    yield "timeline", lambda report: report["processes"][0].update(timeline={"points": [3]})


@pytest.mark.parametrize(("table", "damage"), list(damages()))
def test_a_damaged_report_is_an_error_of_one_line(shop, table, damage):
    report = weir_report.load(shop)
    damage(report.json)
    with pytest.raises(weir_report.ReportError, match=r"^cannot read .*: it is not a valid weir\.report/1 \(.*\)$"):
        getattr(report, table)()


def test_a_process_that_is_not_there_is_refused(shop):
    report = weir_report.load(shop)
    for table in (report.functions, report.threads, report.sites):
        with pytest.raises(weir_report.ReportError, match="no process 1;"):
            table(1)
    with pytest.raises(weir_report.ReportError, match="it is a process id"):
        report.functions("all")


def test_images_that_are_told_together_are_no_process(merged):
    report = weir_report.load(merged)
    processes = report.processes()
    folded = processes[processes["processes"] > 1]
    assert not folded.empty
    for pid in folded["pid"]:
        with pytest.raises(weir_report.ReportError, match=f"no process {pid};"):
            report.functions(int(pid))


@pytest.fixture
def folder(tmp_path):
    """A directory with a report for each process, as LD_PRELOAD alone leaves it."""
    library = subprocess.run(["weir", "library"], stdout=subprocess.PIPE, check=True, text=True).stdout.strip()
    folder = tmp_path / "-a run"
    folder.mkdir()
    command = "ls / > /dev/null; ls /nonexistent; true"
    subprocess.run(["sh", "-c", command], env={**os.environ, "LD_PRELOAD": library, "WEIR_OUT": f"{folder}/"}, stderr=subprocess.DEVNULL)
    return folder


def test_a_directory_is_one_run(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    report = weir_report.load(folder.name)
    reports = [weir_report.load(path) for path in folder.glob("*.json")]
    assert len(reports) == 3
    assert sorted(report.processes()["pid"]) == sorted(one.processes()["pid"].iloc[0] for one in reports)
    calls = report.functions().set_index("function")["calls"]
    for function in ("malloc", "openat", "write"):
        sums = [one.functions().set_index("function")["calls"].get(function, 0) for one in reports]
        assert calls.get(function, 0) == sum(sums)
    assert calls["malloc"] > 0


def test_a_directory_needs_the_command(folder, tmp_path):
    refused(folder, "needs the command no-such-weir", "pass weir=PATH", weir="no-such-weir")
    refused(tmp_path, "has no file that ends with .json")


def test_json_is_all_that_the_report_says(shop):
    assert weir_report.load(shop).json == json.loads(shop.read_text())
