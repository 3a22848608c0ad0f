"""Reads metrics with OpenTelemetry's own protobuf messages, and compares them with what they are of.

The arguments are the file of metrics, and a file of JSON: a report, or a list of a report's process images. Histograms are compared with what
HdrHistogram's own package for Python decodes.
"""

import datetime
import json
import sys

from google.protobuf import json_format
from hdrh.codec import HdrLengthException
from hdrh.histogram import HdrHistogram
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

with open(sys.argv[1], encoding="utf-8") as file:
    text = file.read()
with open(sys.argv[2], encoding="utf-8") as file:
    recorded = json.load(file)

# The collector reads a document from each line.
assert text.count("\n") == 1 and text.endswith("\n")
# An unknown field is an error.
request = json_format.Parse(text, ExportMetricsServiceRequest())


def canonical(value):
    """Without what JSON may leave out: it has its default."""
    if isinstance(value, list):
        return [canonical(one) for one in value]
    if not isinstance(value, dict):
        return value
    fields = {key: canonical(one) for key, one in value.items() if one != []}
    return {key: one for key, one in fields.items() if (key, one) != ("count", "0")}


# Integers of 64 bits are text, enumerations are numbers, names are as protobuf writes them.
assert canonical(json.loads(text)) == json_format.MessageToDict(request, use_integers_for_enums=True)


def plain(value):
    """The value of an attribute."""
    kind = value.WhichOneof("value")
    return [plain(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, kind)


def named(attributes):
    names = {attribute.key: plain(attribute.value) for attribute in attributes}
    assert len(names) == len(attributes)
    return names


def check_resource(found, subject, images, runs):
    first = images[0]
    name = first["executable"].rsplit("/", 1)[-1]
    expected = {
        "service.name": name,
        "process.executable.name": name,
        "process.executable.path": first["executable"],
        "process.command": subject["command"][0],
        "process.command_args": subject["command"],
    }
    if runs == 1:
        expected["process.pid"] = first["pid"]
        expected["process.parent_pid"] = first["parent_pid"]
        if "title" in first:
            expected["process.title"] = first["title"]
        created = found.pop("process.creation.time")
        # Python's moments have microseconds.
        seconds = datetime.datetime.fromisoformat(created[:-1][:26] + "+00:00").timestamp()
        assert abs(seconds - first["started_unix_ns"] / 1e9) < 1e-5, created
        assert int(created[:-1].split(".")[1]) == first["started_unix_ns"] % 10**9, created
        if "status" in subject["end"]:
            expected["process.exit.code"] = subject["end"]["status"]
    assert found == expected, (found, expected)


def check_histogram(point, latency):
    try:
        decoded = HdrHistogram.decode(latency["histogram"])
    except HdrLengthException:
        # The tests' sample has no true histograms.
        assert (point.count, point.sum) == (latency["timed"], latency["total_ns"] / 1e9)
        assert not point.bucket_counts and not point.explicit_bounds
        return
    classes = {}
    for step in decoded.get_recorded_iterator():
        value = step.value_iterated_to
        ends = decoded.get_lowest_equivalent_value(value), decoded.get_highest_equivalent_value(value)
        classes[ends] = step.count_added_in_this_iter_step
    bounds = [round(bound * 1e9) for bound in point.explicit_bounds]
    assert [bound / 1e9 for bound in bounds] == list(point.explicit_bounds)
    assert bounds == sorted(set(bounds))
    assert len(point.bucket_counts) == (len(bounds) + 1 if bounds else 0)
    # A bucket has what is above the bound before it.
    buckets = zip([-1] + bounds, bounds, point.bucket_counts)
    assert {(below + 1, to): calls for below, to, calls in buckets if calls} == classes
    assert not bounds or point.bucket_counts[-1] == 0
    assert point.count == sum(point.bucket_counts) == latency["timed"] - latency["dropped"]
    assert point.HasField("sum") == (latency["dropped"] == 0)
    assert not point.HasField("sum") or point.sum == latency["total_ns"] / 1e9
    if point.count:
        assert (point.min, point.max) == (latency["min_ns"] / 1e9, latency["max_ns"] / 1e9)


def check(resource, subject, images):
    runs = subject.get("runs", 1)
    check_resource(named(resource.resource.attributes), subject, images, runs)
    (scope,) = resource.scope_metrics
    assert scope.scope.name == "weir" and scope.scope.version == version
    start = subject["started_unix_ns"]
    end = start + subject["duration_ns"]
    if runs > 1:
        end = max(image["started_unix_ns"] + image["duration_ns"] for image in images)
    points, units = {}, {}
    for metric in scope.metrics:
        assert metric.description.endswith("."), metric
        units[metric.name] = metric.unit
        kind = metric.WhichOneof("data")
        data = getattr(metric, kind)
        if kind == "sum":
            assert data.is_monotonic, metric.name
        if kind != "gauge":
            assert data.aggregation_temporality == 2, metric.name
        assert data.data_points, metric.name
        for point in data.data_points:
            assert point.time_unix_nano == end, metric.name
            assert point.start_time_unix_nano == (0 if kind == "gauge" else start), metric.name
            key = kind, metric.name, tuple(sorted(named(point.attributes).items()))
            assert key not in points, key
            points[key] = point

    def take(data, name, unit, **labels):
        assert units[name] == unit, name
        return points.pop((data, name, tuple(sorted(labels.items()))))

    def integer(data, name, unit, value, **labels):
        point = take(data, name, unit, **labels)
        assert point.WhichOneof("value") == "as_int" and point.as_int == value, (name, labels, point, value)

    def time(data, name, ns, **labels):
        point = take(data, name, "s", **labels)
        assert point.WhichOneof("value") == "as_double" and point.as_double == ns / 1e9, (name, labels, point, ns)

    time("gauge", "weir.duration_seconds", subject["duration_ns"])
    processes = sum(image.get("folded", {}).get("processes", 1) for image in images)
    integer("gauge", "weir.processes", "{process}", processes)
    integer("sum", "weir.uncounted_calls", "{call}", subject["missed"]["uncounted_calls"])
    if "not_known" not in subject["heap"]:
        for number, unit in (("live_bytes", "By"), ("live_blocks", "{block}"), ("peak_bytes", "By")):
            integer("gauge", "weir.heap." + number, unit, subject["heap"][number])
    for name, of in subject["functions"].items():
        if not of["calls"]:
            continue
        for number, unit in (("calls", "{call}"), ("requested_bytes", "By"), ("moved_bytes", "By")):
            integer("sum", "weir.function." + number, unit, of[number], function=name)
        errors = of.get("errors_by_errno", {})
        for errno, calls in errors.items():
            integer("sum", "weir.function.errors", "{call}", calls, function=name, errno=errno)
        if of["errors"] > sum(errors.values()):
            others = of["errors"] - sum(errors.values())
            integer("sum", "weir.function.errors", "{call}", others, function=name)
        latency = of.get("latency")
        if latency:
            integer("sum", "weir.function.timed_calls", "{call}", latency["timed"], function=name)
            time("sum", "weir.function.timed_seconds", latency["total_ns"], function=name)
            check_histogram(take("histogram", "weir.function.seconds", "s", function=name), latency)
    for name, of in subject["activities"].items():
        integer("sum", "weir.activity.calls", "{call}", of["calls"], activity=name)
        time("sum", "weir.activity.seconds", of["total_ns"], activity=name)
    for kind, of in subject["files"].get("kinds", {}).items():
        for number in ("reads", "writes", "other_calls"):
            integer("sum", "weir.kind." + number, "{call}", of[number], kind=kind)
        for number in ("read_bytes", "written_bytes"):
            integer("sum", "weir.kind." + number, "By", of[number], kind=kind)
        for number in ("read", "write", "other"):
            time("sum", f"weir.kind.{number}_seconds", of[number + "_ns"], kind=kind)
    assert not points, points


version = recorded["weir_version"]
if "of_process" in recorded:
    images = [image for image in recorded["processes"] if image["pid"] == recorded["of_process"]]
    subjects = [(image, [image]) for image in images]
else:
    subjects = [(recorded, recorded["processes"])]
assert len(request.resource_metrics) == len(subjects)
for resource, (subject, images) in zip(request.resource_metrics, subjects):
    check(resource, subject, images)
