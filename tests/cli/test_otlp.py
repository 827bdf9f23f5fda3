# SPDX-License-Identifier: MIT
"""OpenTelemetry: what is sent, as a collector decodes it that was written from the public
definitions alone (support/otlp.py).

SEPTET_ORIGIN is the address of the origin server."""

import json
import os
import re
import time
import unittest

import harness
import otlp
import recorded

# Records a script, and writes it as OTLP, a body on each line.
HEAD = recorded.head("""private "septet.trace.otlp"(recorded, io.write)
  private "septet.trace.otlp"(recorded, io.write, { signal = "metrics" })""")


def span(**changes):
    """Returns the JSON of a body with a span that has these changes; None takes a field away."""
    fields = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331",
              "name": "x", "kind": 1, "startTimeUnixNano": "1", "endTimeUnixNano": "2",
              "attributes": [], "status": {}, **changes}
    resource = [{"key": key, "value": {"stringValue": "x"}} for key in (
        "service.name", "telemetry.sdk.name", "telemetry.sdk.language", "telemetry.sdk.version")]
    return json.dumps({"resourceSpans": [{
        "resource": {"attributes": resource},
        "scopeSpans": [{"scope": {"name": "x"}, "spans": [
            {key: value for key, value in fields.items() if value is not None}]}]}]})


class Stub(unittest.TestCase):
    """The collector refuses what it should."""

    def test_it_takes_what_is_right(self):
        (found,), _ = otlp.check_traces(span())
        self.assertEqual((found["spanId"], found["endTimeUnixNano"]), ("b7ad6b7169203331", 2))

    def test_it_refuses_what_is_wrong(self):
        client = [{"key": key, "value": value} for key, value in (
            ("http.request.method", {"stringValue": "GET"}),
            ("server.address", {"stringValue": "h"}), ("server.port", {"intValue": "80"}),
            ("url.full", {"stringValue": "http://h/"}))]
        otlp.check_traces(span(kind=3, name="GET", attributes=client))
        for changes in (
                {"traceId": "0" * 32}, {"traceId": "0af7"}, {"spanId": "CvdlGRbNQ90="},
                {"spanId": None}, {"kind": "SPAN_KIND_CLIENT"}, {"kind": 6}, {"kind": 0},
                {"start_time_unix_nano": "1"}, {"startTimeUnixNano": 1.5},
                {"startTimeUnixNano": "0x1"}, {"startTimeUnixNano": "3"}, {"name": ""},
                {"status": {"code": "2"}}, {"status": {"code": 2}}, {"extra": 1},
                {"kind": 3, "name": "GET"},
                {"kind": 3, "name": "GET /", "attributes": client},
                {"kind": 3, "name": "GET", "attributes": client[:3]},
                {"kind": 3, "name": "GET", "attributes": client + client[:1]},
                {"kind": 3, "name": "GET", "attributes": client[:2] + client[3:] + [
                    {"key": "server.port", "value": {"stringValue": "80"}}]},
                {"attributes": [{"key": "a", "value": {"stringValue": "1", "intValue": "1"}}]},
                {"events": [{"timeUnixNano": "9", "name": "late"}]},
        ):
            with self.assertRaises(otlp.Refused, msg=changes):
                otlp.check_traces(span(**changes))
        for text in ("", "{", '{"resourceSpans":{}}', '{"resource_spans":[]}', "NaN",
                     '{"resourceSpans":[],"resourceSpans":[]}'):
            with self.assertRaises(otlp.Refused, msg=text):
                otlp.check_traces(text)


class Golden(unittest.TestCase):
    def test_the_golden_file_of_a_fixed_trace(self):
        with open(os.path.join(harness.ROOT, "tests", "golden", "otlp.golden")) as file:
            spans, resource = otlp.check_traces(file.read())
        self.assertEqual(otlp.check_tree(spans), set())
        self.assertEqual(resource["service.name"], "crawl")
        self.assertIn("septet.open", [name for span in spans for name in span["attributes"]])


class Exporter(harness.Case):
    HEAD = HEAD

    def export(self, source):
        """Runs a script and returns its spans by their names, and its data points."""
        result = self.lua(source + "\nexport()", env={"SEPTET_ORIGIN": harness.ORIGIN})
        self.check(result, out=None)
        *traces, metrics = result.out.splitlines()
        spans = [found for text in traces for found in otlp.check_traces(text)[0]]
        self.assertEqual(otlp.check_tree(spans), set())
        by_name = {}
        for found in spans:
            by_name.setdefault(found["name"], []).append(found)
        return by_name, otlp.check_metrics(metrics)["http.client.request.duration"]

    def test_requests_of_all_kinds(self):
        spans, points = self.export("""
local s = http.session { timeout = { first_byte = 5 } }
s:get(origin .. "/bytes/5?sig=sEcret")
s:get(origin .. "/redirect/2")
s:get(origin .. "/status/404")
s:post(origin .. "/echo", { body = "hello" })
pcall(s.get, s, "http://127.0.0.1:1/refused")
pcall(s.get, s, "http://user:sEcret@127.0.0.1:1/refused")
pcall(s.get, s, origin .. "/delay/5", { timeout = { first_byte = 0.05 } })
local failed = task.spawn(error, "boom")
pcall(failed.await, failed)
task.move_on_after(0.05, s.get, s, origin .. "/delay/5")
""")
        self.assertEqual(len(spans["GET"]), 9)
        self.assertEqual(len(spans["POST"]), 1)
        self.assertNotIn("sEcret", repr(spans))
        kinds = [found["attributes"].get("error.type") for found in spans["GET"]]
        self.assertEqual(kinds, [None, None, None, None, "404", "connect", "url", "timeout",
                                 None])
        resends = [found["attributes"].get("http.request.resend_count") for found in spans["GET"]]
        self.assertEqual(resends[:5], [None, None, 1, 2, None])
        peer = {found["attributes"].get("network.peer.address") for found in spans["GET"][:5]}
        self.assertEqual(peer, {"127.0.0.1"})
        self.assertEqual(sum(point["count"] for point in points), 10)
        self.assertEqual({found["status"].get("code", 0) for found in spans["POST"]}, {0})

    def test_nothing_at_all(self):
        spans, points = self.export("")
        self.assertEqual((len(spans), points), (1, []))


# Gives the end of a run a minute to send what is left. A machine may stand still for the two
# seconds that it has otherwise.
PATIENT = """
local function upvalue(fn, name)
  for i = 1, 255 do
    local found, value = debug.getupvalue(fn, i)
    if found == name then return i, value end
  end
end
local _, meta = upvalue(debug.getregistry()["septet.require"] "septet.trace.otlp_client".start,
  "client_meta")
local flush = meta.__index.flush
debug.setupvalue(flush, upvalue(flush, "FLUSH"), 60)
"""

# Sends the spans of a script to a collector while it runs. It has two lines.
LIVE = """
local task, http, trace = require "septet.task", require "septet.http", require "septet.trace"
local sync, origin = require "septet.sync", os.getenv "SEPTET_ORIGIN" do %s end
""" % PATIENT.replace("\n", " ")


class LiveCase(harness.Case):
    """Each run sends to a collector of its own, which has refused nothing."""

    HEAD = LIVE

    def run_with(self, source, *options, answers=(), status=0, out="done\n", err="", **env):
        """Runs a script beside a collector, and returns the collector."""
        with otlp.Collector(answers) as collector:
            result = self.lua(source, *options, env={
                "SEPTET_ORIGIN": harness.ORIGIN, "COLLECTOR": collector.url,
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **env})
        self.check(result, status, out=out, err=err)
        self.out = result.out
        self.assertEqual(collector.faults, [])
        self.assertNotIn(b"/v1/traces", b"".join(collector.bodies()), "it traced itself")
        self.assertEqual(otlp.check_tree(collector.spans()), set())
        return collector

    def names(self, collector):
        return sorted(span["name"] for span in collector.spans())


class Live(LiveCase):
    """What is sent, and when."""

    def test_what_a_run_did_is_sent_at_its_end(self):
        found = self.run_with("""
trace.otlp()
task.current().name = "top"
trace.span("work", function()
  trace.mark("here", 3)
  http.get(origin .. "/bytes/5")
  task.gather(task.map(function(n) task.sleep(n / 1000) end, { 1, 2 }))
end)
print "done"
""")
        spans = {span["name"]: span for span in found.spans()}
        self.assertEqual(self.names(found)[:1] + self.names(found)[-2:], ["GET", "top", "work"])
        self.assertEqual(len(found.spans()), 5)
        self.assertEqual(spans["work"]["parentSpanId"], spans["top"]["spanId"])
        self.assertEqual(spans["GET"]["parentSpanId"], spans["work"]["spanId"])
        self.assertEqual([event["name"] for event in spans["work"]["events"]], ["here"])
        self.assertEqual(sum(point["count"] for point in found.points()), 1)
        agent = found.requests[0][1]["User-Agent"]
        self.assertRegex(agent, r"^OTel-OTLP-Exporter-Lua/")

    def test_live_and_from_a_recording_are_the_same(self):
        with otlp.Collector() as collector:
            result = self.lua("""
trace.otlp { seed = 7, service_name = "s" }
local private = debug.getregistry()["septet.require"]
local recorded = private "septet.trace.model".new { version = "0.1.0", pid = 1 }
trace.subscribe(function(event) recorded:add(event) end, { level = 1 })
local function all()
  task.current().name = "all"
  trace.span("outer", function()
    trace.mark "m"
    trace.span("inner", function() http.get(origin .. "/redirect/1") end)
    pcall(trace.span, "bad", error, "x")
    task.spawn(function() task.sleep(0.001) end):await()
  end)
end
task.spawn(function() task.spawn(all):await() end):await()
task.sleep(0.01)
recorded:finish()
private "septet.trace.otlp"(recorded, io.write, { seed = 7, service_name = "s" })
""", env={"SEPTET_ORIGIN": harness.ORIGIN, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
        self.check(result, out=None)
        live = {span["spanId"]: span for span in collector.spans() if span["name"] != "main"}
        recorded, _ = otlp.check_traces(result.out)
        recorded = {span["spanId"]: span for span in recorded if span["name"] != "?"}
        self.assertEqual(len(live), 8)
        (first,) = [span for span in live.values() if span["parentSpanId"] not in live]
        del first["parentSpanId"]  # main began before the recording did
        for found in (*live.values(), *recorded.values()):
            # A recording puts in order what was read from a clock that tasks share.
            for name in ("startTimeUnixNano", "endTimeUnixNano"):
                del found[name]
            found["attributes"].pop("septet.task.ready_us", None)
        self.assertEqual(live, recorded)

    def test_what_is_due_is_sent_while_the_run_goes_on(self):
        found = self.run_with("""
local c = trace.otlp { interval = 0.01 }
trace.span("first", function() end)
while c:stats().sent == 0 do task.sleep(0.005) end
trace.span("second", function() end)
print "done"
""")
        self.assertGreaterEqual(len(found.bodies()), 2)
        self.assertIn(b'"first"', found.bodies()[0])

    def test_batches_have_at_most_512_spans(self):
        found = self.run_with("""
local c = trace.otlp()
for i = 1, 1300 do
  trace.span("s", function() end)
  if i % 100 == 0 then task.sleep(0) end
  if i % 500 == 0 then c:flush(10) end
end
print "done"
""")
        sizes = [len(otlp.check_traces(body.decode())[0]) for body in found.bodies()]
        self.assertEqual(sum(sizes), 1301)
        self.assertLessEqual(max(sizes), 512)

    def test_more_than_the_queue_holds_is_lost_and_counted(self):
        with otlp.Collector() as collector:
            result = self.lua("""
local c = trace.otlp()
for _ = 1, 3000 do trace.span("s", function() end) end
task.sleep(0.01)
local s = c:stats()
print(s.lost, s.sent + s.queued + s.lost)
""", env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
        self.check(result, out="952\t3000\n",
                   err=re.compile("warning: OpenTelemetry: spans are lost: more come than"))
        self.assertEqual(len(collector.spans()), 2049)

    def test_the_environment(self):
        trace = "0af7651916cd43dd8448eb211c80319c"
        with otlp.Collector() as collector:
            self.check(self.lua("trace.otlp()", env={
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": collector.url + "/here",
                "OTEL_EXPORTER_OTLP_HEADERS": "x-key=a%20b", "OTEL_SERVICE_NAME": "shop",
                "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
                "OTEL_METRICS_EXPORTER": "none",
                "TRACEPARENT": "00-%s-b7ad6b7169203331-01" % trace}))
        (path, headers, body), = collector.requests
        (span,), resource = otlp.check_traces(body.decode())
        self.assertEqual((path, headers["x-key"]), ("/here", "a b"))
        self.assertEqual((span["traceId"], span["parentSpanId"]), (trace, "b7ad6b7169203331"))
        self.assertEqual((resource["service.name"], resource["deployment.environment.name"]),
                         ("shop", "test"))

    def test_only_the_hosts_that_are_named_learn_of_the_trace(self):
        found = self.run_with("""
trace.otlp { propagate = { "127.0.0.1", ".below.test" }, seed = 1 }
local seen = 0
trace.hooks { request_start = function() seen = seen + 1 end }
local function echo(host)
  local s <close> = http.session { resolve = {
    [host .. ":" .. origin:match "%d+$"] = "127.0.0.1" } }
  local body = s:get((origin:gsub("127.0.0.1", host)) .. "/echo").body
  return body:match "[Tt]raceparent[^0]*(00%-%S+)"
end
print(echo "127.0.0.1":sub(1, 55), echo "a.below.test" ~= nil, echo "below.test", echo "x.test")
task.sleep(0.01)
print(seen)
""", out=None)
        first, seen = self.out.splitlines()
        header, *others = first.split("\t")
        self.assertEqual(others, ["true", "nil", "nil"])
        (main,) = [span for span in found.spans() if span["name"] == "main"]
        self.assertEqual(header, "00-%s-%s-01" % (main["traceId"], main["spanId"]))
        self.assertEqual(seen, "4", "hooks of the host are not called for what is sent")

    def test_nothing_is_sent_if_it_is_disabled(self):
        for env in ({"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}):
            self.assertEqual(self.run_with("trace.otlp() print 'done'", **env).requests, [])
        unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
        found = self.run_with("trace.otlp() print 'done'", TRACEPARENT=unsampled,
                              err=re.compile("nothing is sent: TRACEPARENT"))
        self.assertEqual(found.requests, [])

    def test_bad_variables_are_named_without_their_values(self):
        self.run_with("trace.otlp() print 'done'", OTEL_EXPORTER_OTLP_HEADERS="sEcret",
                      err="septet: warning: OpenTelemetry: OTEL_EXPORTER_OTLP_HEADERS is no list of"
                      " pairs\n")

    def test_console(self):
        result = self.lua("""
trace.otlp { url = "console" }
task.current().name = "a\\27[31mb"
""", env={})
        self.check(result, err=None)
        self.assertNotIn("\x1b", result.err)
        self.assertEqual(json.loads(result.err)["name"], "a\x1b[31mb")


class Faults(LiveCase):
    """What a collector does wrong never disturbs the script; there is one warning."""

    SCRIPT = """
trace.otlp()
http.get(origin .. "/bytes/5")
print "done"
"""

    def one_warning(self, words):
        return re.compile(r"\Aseptet: warning: OpenTelemetry: [^\n]*%s[^\n]*\n\Z" % words)

    def fault(self, words, answers):
        return self.run_with(self.SCRIPT, answers=answers, err=self.one_warning(words))

    def test_it_is_not_there(self):
        self.run_with(self.SCRIPT, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1",
                      err=self.one_warning("spans are lost: POST .*connect"))

    def test_it_hangs(self):
        self.HEAD = LIVE.replace(PATIENT.replace("\n", " "), "")
        started = time.monotonic()
        self.fault("spans are lost", ["hang"] * 9)
        self.assertLess(time.monotonic() - started, harness.HANG)

    def test_it_answers_garbage(self):
        self.fault("spans are lost", ["garbage"] * 9)

    def test_it_refuses(self):
        found = self.fault("status 400", [(400, {}, "{}")] * 9)
        self.assertEqual(len(found.bodies()), 1, "never again after a 400")

    def test_it_is_busy(self):
        found = self.run_with(self.SCRIPT, answers=[(503, {"Retry-After": "0"}, "{}")])
        self.assertEqual(len(found.bodies()), 2)
        self.assertEqual(*found.bodies())

    def test_it_takes_a_part(self):
        answer = {"partialSuccess": {"rejectedSpans": "2", "errorMessage": "no\x1b[31m"}}
        found = self.fault(r"refused 2 spans: no\\x1b\[31m", [(200, {}, json.dumps(answer))] * 9)
        self.assertEqual(len(found.bodies()), 1)

    def test_its_answer_is_no_json(self):
        for text in ("\0\1", "[", '{"partialSuccess":7}',
                     '{"partialSuccess":{"rejectedSpans":[]}}'):
            self.run_with(self.SCRIPT, answers=[(200, {}, text)] * 9)

    def test_it_takes_no_metrics(self):
        self.run_with(self.SCRIPT, answers=[otlp.ACCEPTED, (404, {}, "")])


class Ends(LiveCase):
    """However a run ends, its spans are sent, and nothing else is changed."""

    def test_an_error(self):
        found = self.run_with("trace.otlp() error('boom', 0)", status=1, out="",
                              err=re.compile(r"\Aseptet: boom\n"))
        self.assertEqual(found.spans()[0]["attributes"]["error.type"], "error")

    def test_the_option(self):
        for source in ("", "error('boom', 0)", "os.exit(0)", "os.exit(0, true)"):
            with otlp.Collector() as collector:
                self.lua("trace.span('s', function() end) " + source, "--otlp=" + collector.url)
            self.assertEqual((self.names(collector), collector.faults), (["main", "s"], []), source)

    def test_the_option_that_names_hosts(self):
        with otlp.Collector() as collector:
            result = self.lua("print(http.get(origin .. '/echo').body)", "--otlp=" + collector.url,
                              "--propagate=a.test,127.0.0.1",
                              env={"SEPTET_ORIGIN": harness.ORIGIN})
        (main,) = [span for span in collector.spans() if span["name"] == "main"]
        self.assertIn("00-%s-%s-01" % (main["traceId"], main["spanId"]), result.out)

    def test_the_option_without_a_collector(self):
        result = self.lua("trace.span('s', function() end)", "--otlp=console")
        self.check(result, err=None)
        self.assertEqual([json.loads(line)["name"] for line in result.err.splitlines()],
                         ["s", "main"])

    def test_os_exit(self):
        found = self.run_with("""
trace.otlp()
task.spawn(task.sleep, 100)
task.sleep(0.001)
os.exit(3, true)
""", status=3, out="")
        self.assertEqual(len(found.spans()), 2)

    def test_a_deadlock_is_found_at_once(self):
        found = self.run_with("""
trace.otlp { interval = 60 }
trace.span("s", function() end)
sync.channel():recv()
""", status=4, out="", err=re.compile("deadlock: the only task waits"))
        self.assertEqual(self.names(found), ["main", "s"])

    def test_a_virtual_clock(self):
        found = self.run_with("""
trace.otlp()
local t = task.now()
for _ = 1, 100 do task.sleep(10) end
print(task.now() - t)
""", "--virtual-time", out="1000.0\n")
        self.assertEqual(len(found.bodies()), 1)

    def test_several_main_tasks(self):
        found = self.run_with("print 'done'", "-e", LIVE + "trace.otlp()", "-e", "local x")
        self.assertEqual(len(found.spans()), 3)

    def test_background_tasks(self):
        found = self.run_with("""
trace.otlp()
task.background(function() task.sleep(math.huge) end)
task.sleep(0.001)
print 'done'
""")
        self.assertEqual({s["name"]: s["attributes"].get("septet.cancelled")
                          for s in found.spans()}, {"main": None, "s.lua:6": True})


if __name__ == "__main__":
    unittest.main()
