# SPDX-License-Identifier: MIT
"""A collector for OpenTelemetry's protocol (OTLP/HTTP, JSON), which is stricter than the real ones.

The tables below are written from the public definitions alone: the messages of
opentelemetry-proto, the JSON mapping of proto3 with OTLP's deviations, and the semantic
conventions for HTTP clients. It shares nothing with the exporter, and refuses what a receiver
would have to ignore.
"""

import base64
import binascii
import http.server
import json
import re
import threading

# --- the messages: field in JSON to its type; a list is a repeated field ---

INT64 = ("int", -(2**63), 2**63 - 1)
UINT64 = ("int", 0, 2**64 - 1)  # also fixed64
UINT32 = ("int", 0, 2**32 - 1)  # also fixed32
INT32 = ("int", -(2**31), 2**31 - 1)  # also sint32
TRACE_ID, SPAN_ID, PARENT_ID = ("hex", 32, True), ("hex", 16, True), ("hex", 16, False)
KIND = ("enum", range(0, 6))
STATUS = ("enum", range(0, 3))
TEMPORALITY = ("enum", range(0, 3))

MESSAGES = {
    "ExportTraceServiceRequest": {"resourceSpans": ["ResourceSpans"]},
    "ResourceSpans": {
        "resource": "Resource", "scopeSpans": ["ScopeSpans"], "schemaUrl": "string"},
    "ScopeSpans": {
        "scope": "InstrumentationScope", "spans": ["Span"], "schemaUrl": "string"},
    "Resource": {
        "attributes": ["KeyValue"], "droppedAttributesCount": UINT32,
        "entityRefs": ["EntityRef"]},
    "EntityRef": {
        "schemaUrl": "string", "type": "string", "idKeys": ["string"],
        "descriptionKeys": ["string"]},
    "InstrumentationScope": {
        "name": "string", "version": "string", "attributes": ["KeyValue"],
        "droppedAttributesCount": UINT32},
    "KeyValue": {"key": "string", "value": "AnyValue", "keyStrindex": INT32},
    "AnyValue": {
        "stringValue": "string", "boolValue": "bool", "intValue": INT64,
        "doubleValue": "double", "arrayValue": "ArrayValue", "kvlistValue": "KeyValueList",
        "bytesValue": "bytes", "stringValueStrindex": INT32},
    "ArrayValue": {"values": ["AnyValue"]},
    "KeyValueList": {"values": ["KeyValue"]},
    "Span": {
        "traceId": TRACE_ID, "spanId": SPAN_ID, "traceState": "string",
        "parentSpanId": PARENT_ID, "flags": UINT32, "name": "string", "kind": KIND,
        "startTimeUnixNano": UINT64, "endTimeUnixNano": UINT64, "attributes": ["KeyValue"],
        "droppedAttributesCount": UINT32, "events": ["Event"], "droppedEventsCount": UINT32,
        "links": ["Link"], "droppedLinksCount": UINT32, "status": "Status"},
    "Event": {
        "timeUnixNano": UINT64, "name": "string", "attributes": ["KeyValue"],
        "droppedAttributesCount": UINT32},
    "Link": {
        "traceId": TRACE_ID, "spanId": SPAN_ID, "traceState": "string",
        "attributes": ["KeyValue"], "droppedAttributesCount": UINT32, "flags": UINT32},
    "Status": {"message": "string", "code": STATUS},
    "ExportMetricsServiceRequest": {"resourceMetrics": ["ResourceMetrics"]},
    "ResourceMetrics": {
        "resource": "Resource", "scopeMetrics": ["ScopeMetrics"], "schemaUrl": "string"},
    "ScopeMetrics": {
        "scope": "InstrumentationScope", "metrics": ["Metric"], "schemaUrl": "string"},
    "Metric": {
        "name": "string", "description": "string", "unit": "string", "gauge": "Gauge",
        "sum": "Sum", "histogram": "Histogram", "metadata": ["KeyValue"]},
    "Gauge": {"dataPoints": ["NumberDataPoint"]},
    "Sum": {
        "dataPoints": ["NumberDataPoint"], "aggregationTemporality": TEMPORALITY,
        "isMonotonic": "bool"},
    "Histogram": {
        "dataPoints": ["HistogramDataPoint"], "aggregationTemporality": TEMPORALITY},
    "NumberDataPoint": {
        "attributes": ["KeyValue"], "startTimeUnixNano": UINT64, "timeUnixNano": UINT64,
        "asDouble": "double", "asInt": INT64, "exemplars": ["Exemplar"], "flags": UINT32},
    "HistogramDataPoint": {
        "attributes": ["KeyValue"], "startTimeUnixNano": UINT64, "timeUnixNano": UINT64,
        "count": UINT64, "sum": "double", "bucketCounts": [UINT64],
        "explicitBounds": ["double"], "exemplars": ["Exemplar"], "flags": UINT32,
        "min": "double", "max": "double"},
    "Exemplar": {
        "filteredAttributes": ["KeyValue"], "timeUnixNano": UINT64, "asDouble": "double",
        "asInt": INT64, "spanId": SPAN_ID, "traceId": TRACE_ID},
}

# Of these fields at most one is set.
ONE_OF = {
    "AnyValue": set(MESSAGES["AnyValue"]),
    "Metric": {"gauge", "sum", "histogram"},
    "NumberDataPoint": {"asDouble", "asInt"},
    "Exemplar": {"asDouble", "asInt"},
}


class Refused(Exception):
    """Data that breaks a rule. The text begins with the place."""


def refuse(place, words, *values):
    raise Refused("%s: %s" % (place, words % values))


# --- JSON to messages ---


def unique(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused("the key of an object is there twice: %s" % [key for key, _ in pairs])
    return found


def no_constant(word):
    raise Refused("%s is no JSON" % word)


def read_int(kind, value, place):
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        refuse(place, "an integer expected, got %r", value)
    if isinstance(value, str) and not re.fullmatch(r"-?(0|[1-9]\d*)", value):
        refuse(place, "the digits of an integer expected, got %r", value)
    if not kind[1] <= int(value) <= kind[2]:
        refuse(place, "%s is out of range", value)
    return int(value)


def read_hex(kind, value, place):
    if not isinstance(value, str) or not re.fullmatch(r"[0-9A-Fa-f]*", value):
        refuse(place, "hexadecimal digits expected, got %r", value)
    if value == "" and not kind[2]:
        return ""
    if len(value) != kind[1] or not value.strip("0"):
        refuse(place, "%d digits expected, not all 0, got %r", kind[1], value)
    return value.lower()


def read_enum(kind, value, place):
    if isinstance(value, bool) or not isinstance(value, int) or value not in kind[1]:
        refuse(place, "the integer of an enum expected, got %r", value)
    return value


def read_double(value, place):
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        refuse(place, "a number expected, got %r", value)
    return float(value)


def read_plain(kind, value, place):
    if kind == "string" and isinstance(value, str):
        return value
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "bytes" and isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error:
            pass
    return refuse(place, "a value of type %s expected, got %r", kind, value)


COMPOSED = {"int": read_int, "hex": read_hex, "enum": read_enum}


def read(kind, value, place):
    """Returns a value of JSON as one of a type."""
    if isinstance(kind, list):
        if not isinstance(value, list):
            refuse(place, "an array expected, got %r", value)
        return [read(kind[0], item, "%s[%d]" % (place, i)) for i, item in enumerate(value)]
    if isinstance(kind, tuple):
        return COMPOSED[kind[0]](kind, value, place)
    if kind == "double":
        return read_double(value, place)
    if kind not in MESSAGES:
        return read_plain(kind, value, place)
    if not isinstance(value, dict):
        refuse(place, "an object expected, got %r", value)
    fields = MESSAGES[kind]
    if ONE_OF.get(kind, set()).intersection(value) and \
            len(ONE_OF[kind].intersection(value)) > 1:
        refuse(place, "several of the fields of a oneof are set: %s", sorted(value))
    for name in value:
        if name not in fields:
            refuse(place, "%s has no field %r", kind, name)
    return {name: read(fields[name], item, "%s.%s" % (place, name))
            for name, item in value.items()}


def decode(kind, text):
    """Returns the message of a kind that a JSON text holds, or raises Refused."""
    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=no_constant)
    except ValueError as error:
        raise Refused("no JSON: %s" % error) from error
    return read(kind, value, kind)


# --- what the messages must say ---

TYPES = {"stringValue": str, "intValue": int, "boolValue": bool, "doubleValue": float}
METHODS = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
CLIENT, INTERNAL, ERROR = 3, 1, 2

# Attributes of the conventions with the type that they have.
ATTRIBUTES = {
    "http.request.method": str, "http.request.method_original": str, "server.address": str,
    "server.port": int, "url.full": str, "error.type": str, "http.response.status_code": int,
    "http.request.resend_count": int, "network.protocol.version": str,
    "network.peer.address": str, "network.peer.port": int, "network.transport": str,
    "code.file.path": str, "code.line.number": int, "service.name": str, "process.pid": int,
    "telemetry.sdk.name": str, "telemetry.sdk.language": str, "telemetry.sdk.version": str,
    "otel.metric.overflow": bool,
}


def attributes(owner, place):
    """Returns the attributes of something as a dict."""
    found = {}
    for item in owner.get("attributes", []):
        key, value = item.get("key"), item.get("value", {})
        if not key or key in found:
            refuse(place, "an attribute without a name of its own: %r", key)
        if len(value) != 1:
            refuse(place, "attribute %s has no value", key)
        (found[key],) = value.values()
        if key in ATTRIBUTES and type(found[key]) is not ATTRIBUTES[key]:
            refuse(place, "attribute %s is of the wrong type: %r", key, found[key])
        if key not in ATTRIBUTES and not key.startswith("septet.") and place != "resource":
            refuse(place, "no convention has the attribute %s", key)
    return found


def need(found, place, *names):
    for name in names:
        if name not in found:
            refuse(place, "attribute %s is missing", name)


def check_resource(message):
    found = attributes(message.get("resource", {}), "resource")
    need(found, "resource", "service.name", "telemetry.sdk.name", "telemetry.sdk.language",
         "telemetry.sdk.version")
    return found


def check_client(span, found, place):
    need(found, place, "http.request.method", "server.address", "server.port", "url.full")
    method = found["http.request.method"]
    if method not in METHODS:
        if method != "_OTHER":
            refuse(place, "the method %r is not known", method)
        need(found, place, "http.request.method_original")
    if span["name"] != (method if method in METHODS else "HTTP"):
        refuse(place, "the name is not the method: %r", span["name"])
    if not re.match(r"https?://[^/?#@]+", found["url.full"]):
        refuse(place, "the URL is not absolute, or has a password: %r", found["url.full"])
    if found.get("network.protocol.version", "2") not in ("1.0", "1.1", "2", "3"):
        refuse(place, "no version of HTTP")
    status = found.get("http.response.status_code")
    if status is not None and status >= 400 and "error.type" not in found \
            and "septet.cancelled" not in found:
        refuse(place, "the status %d is no error", status)
    if found.get("http.request.resend_count", 1) < 1:
        refuse(place, "a first attempt has no count of resends")


def check_span(span, place):
    for name in ("traceId", "spanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano"):
        if not span.get(name):
            refuse(place, "%s is missing", name)
    if span["endTimeUnixNano"] < span["startTimeUnixNano"]:
        refuse(place, "it ends before it begins")
    if span["kind"] not in (CLIENT, INTERNAL):
        refuse(place, "the kind %d is unexpected", span["kind"])
    found = attributes(span, place)
    if span["kind"] == CLIENT:
        check_client(span, found, place)
    code = span.get("status", {}).get("code", 0)
    if (code == ERROR) != ("error.type" in found):
        refuse(place, "the status and error.type do not agree")
    last = 0
    for i, event in enumerate(span.get("events", [])):
        where = "%s event %d" % (place, i)
        attributes(event, where)
        if not event.get("name") or event.get("timeUnixNano", 0) < last:
            refuse(where, "it has no name, or is out of order")
        last = event["timeUnixNano"]
        if not span["startTimeUnixNano"] <= last <= span["endTimeUnixNano"]:
            refuse(where, "it is not within the span")
    return {**span, "attributes": found}


def check_traces(text):
    """Returns the spans of an ExportTraceServiceRequest, with their attributes as dicts, and the
    attributes of the resource."""
    spans, resource = [], {}
    for group in decode("ExportTraceServiceRequest", text).get("resourceSpans", []):
        resource = check_resource(group)
        for scope in group.get("scopeSpans", []):
            if not scope.get("scope", {}).get("name"):
                refuse("scope", "it has no name")
            for i, span in enumerate(scope.get("spans", [])):
                spans.append(check_span(span, "span %d" % i))
    return spans, resource


def check_tree(spans):
    """Checks what holds for all spans of a run: unique ids, and parents that are there or remote.
    Returns the parents that are not among the spans."""
    ids = [span["spanId"] for span in spans]
    if len(set(ids)) != len(ids):
        refuse("spans", "two have the same id")
    if len({span["traceId"] for span in spans}) > 1:
        refuse("spans", "they are of several traces")
    return {span["parentSpanId"] for span in spans if span.get("parentSpanId")} - set(ids)


def check_point(point, place):
    found = attributes(point, place)
    if "otel.metric.overflow" not in found:
        need(found, place, "http.request.method", "server.address", "server.port")
    if point.get("timeUnixNano", 0) < point.get("startTimeUnixNano", 0):
        refuse(place, "it ends before it begins")
    bounds, counts = point.get("explicitBounds", []), point.get("bucketCounts", [])
    if len(counts) != len(bounds) + 1 or sum(counts) != point.get("count", 0):
        refuse(place, "the counts of the buckets do not add up")
    if sorted(set(bounds)) != bounds:
        refuse(place, "the bounds do not ascend")
    if point["count"] and not point["min"] <= point["sum"] / point["count"] <= point["max"] + 1e-9:
        refuse(place, "the mean is not between the least and the most")
    return {**point, "attributes": found}


def check_metrics(text):
    """Returns the data points of an ExportMetricsServiceRequest's histograms by name."""
    points = {}
    for group in decode("ExportMetricsServiceRequest", text).get("resourceMetrics", []):
        check_resource(group)
        for scope in group.get("scopeMetrics", []):
            for metric in scope.get("metrics", []):
                name, histogram = metric.get("name"), metric.get("histogram")
                if name != "http.client.request.duration" or metric.get("unit") != "s":
                    refuse("metric", "no convention has the metric %r", name)
                if not histogram or histogram.get("aggregationTemporality") not in (1, 2):
                    refuse(name, "no histogram with a temporality")
                points[name] = [check_point(point, name)
                                for point in histogram.get("dataPoints", [])]
    return points


# --- the server ---


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        collector = self.server.collector
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = collector.take(self.path, dict(self.headers.items()), body)
        if answer == "hang":
            collector.ended.wait()
            self.close_connection = True
            return
        if answer == "garbage":
            self.wfile.write(b"\0\1\2 this is no HTTP\r\n\r\n")
            self.close_connection = True
            return
        status, headers, text = answer
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args):
        pass


ACCEPTED = (200, {}, "{}")


class Collector:
    """Receives on a free port of the loopback, as a context manager. `answers` are used up one by
    one: each is "hang", "garbage", or a status with headers and a body."""

    def __init__(self, answers=()):
        self.answers = list(answers)
        self.requests = []  # (path, headers, body)
        self.faults = []  # what was refused
        self.lock = threading.Lock()
        self.ended = threading.Event()

    def __enter__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.collector = self
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.ended.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def take(self, path, headers, body):
        with self.lock:
            self.requests.append((path, headers, body))
            try:
                if headers.get("Content-Type") != "application/json":
                    refuse(path, "the type is %r", headers.get("Content-Type"))
                if path.endswith("/metrics"):
                    check_metrics(body.decode())
                else:
                    check_traces(body.decode())
            except (Refused, UnicodeDecodeError) as fault:
                self.faults.append(str(fault))
                return 400, {}, "{}"
            return self.answers.pop(0) if self.answers else ACCEPTED

    def bodies(self, path="/v1/traces"):
        return [body for where, _, body in self.requests if where == path]

    def spans(self, path="/v1/traces"):
        """Returns the spans that were received, each once, in the order of their starts."""
        found = {}
        for body in self.bodies(path):
            for span in check_traces(body.decode())[0]:
                found[span["spanId"]] = span
        return sorted(found.values(), key=lambda span: span["startTimeUnixNano"])

    def points(self, path="/v1/metrics"):
        """Returns the data points that were received last."""
        bodies = self.bodies(path)
        return check_metrics(bodies[-1].decode())["http.client.request.duration"] if bodies else []
