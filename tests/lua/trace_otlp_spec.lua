-- SPDX-License-Identifier: MIT
-- septet.trace.otlp: a trace in OpenTelemetry's JSON. tests/cli/test_otlp.py has it decoded by a
-- collector that knows the public definitions alone.
local json = require "septet.json"
local private = debug.getregistry()["septet.require"] -- of private modules
local model, otlp = private "septet.trace.model", private "septet.trace.otlp"
local environment = private "septet.trace.otlp_environment"
local metrics = private "septet.trace.otlp_metrics"

local META = { version = "0.1.0", pid = 4242, script = "dir/crawl.lua" }

-- Returns the finished model of these events.
local function model_of(events)
  local m = model.new(META)
  m:add { kind = "clock", time = 0, unix_ns = 1766426787000000000 }
  for _, event in ipairs(events) do
    event.kind, event.time, event.task = event.kind or event[1], event.time or event[2],
      event.task or event[3]
    m:add(event)
  end
  return m:finish()
end

-- main (1) runs a span "crawl", in which it spawns page (2), which makes a request in "fetch".
local function run()
  return model_of {
    { "spawn", 1, 1, parent = 0, defined = "crawl.lua:1" },
    { "name", 1, 1, name = "main" },
    { "span_begin", 1.25, 1, ref = 1, name = "crawl", at = "crawl.lua:15" },
    { "spawn", 1.5, 2, parent = 1, defined = "dir/crawl.lua:14" },
    { "name", 1.5, 2, name = "page" },
    { "span_begin", 1.75, 2, ref = 2, name = "fetch" },
    { "mark", 1.8, 2, name = "began", value = 2.5 },
    { "xfer", 2, 2, ref = 7, request = 3, resend = 1, method = "GET", status = 503,
      url = "https://u:p@[::1]:8443/1?sig=abc", protocol = 20, bytes = 5, total = 1,
      peer = "[::1]:8443", dns = 0.25, tcp = 0.25, wait = 0.5 },
    { "span_end", 3.5, 2, ref = 2, failed = true },
    { "mark", 3.6, 2, name = "over" },
    { "run", 3.5, 2, duration = 0.125, left = "end" },
    { "end", 4, 2, outcome = "error", error = "HttpError", code = "timeout" },
    { "span_end", 4.5, 1, ref = 1 },
    { "end", 5, 1, outcome = "ok" },
  }
end

-- Returns the decoded bodies.
local function bodies(m, options)
  local list, pieces = {}, {}
  otlp(m, function(text) pieces[#pieces + 1] = text end, options)
  for text in table.concat(pieces):gmatch "[^\n]+" do list[#list + 1] = json.decode(text) end
  return list
end

local function attributes(owner)
  local found = {}
  for _, item in ipairs(owner.attributes) do
    local _, value = next(item.value)
    found[item.key] = value
  end
  return found
end

-- Returns the spans by their names, and the resource's attributes.
local function spans(m, options)
  local found, resource = {}, nil
  for _, body in ipairs(bodies(m, options)) do
    resource = attributes(body.resourceSpans[1].resource)
    for _, span in ipairs(body.resourceSpans[1].scopeSpans[1].spans) do
      found[span.name] = span
      found[#found + 1] = span
    end
  end
  return found, resource
end

describe("otlp", function()
  it("each span names the one that it is part of", function()
    local s = spans(run())
    equal(#s, 5)
    equal(s.main.parentSpanId, nil)
    equal(s.crawl.parentSpanId, s.main.spanId)
    equal(s.page.parentSpanId, s.crawl.spanId)
    equal(s.fetch.parentSpanId, s.page.spanId)
    equal(s.GET.parentSpanId, s.fetch.spanId)
  end)

  it("ids are whole, different, and the same for the same trace", function()
    local s, again, other = spans(run()), spans(run()), spans(run(), { seed = 1 })
    local seen = {}
    for i, span in ipairs(s) do
      equal({ #span.traceId, #span.spanId, span.traceId, span.spanId },
        { 32, 16, again[i].traceId, again[i].spanId })
      equal(span.traceId == other[i].traceId or span.spanId == other[i].spanId, false)
      equal(seen[span.spanId], nil)
      seen[span.spanId] = true
    end
  end)

  it("an id is never zero", function()
    local context = { seed = 0 }
    for seed = -2000, 2000 do
      context.seed = seed
      local id = otlp.id(context, "task", seed)
      equal(#id == 16 and id:find "[^0]" ~= nil, true)
    end
  end)

  it("an attempt of a request has what the conventions ask for", function()
    local span = spans(run()).GET
    equal({ span.kind, span.startTimeUnixNano, span.endTimeUnixNano },
      { 3, "1766426789000000000", "1766426790000000000" })
    local a = attributes(span)
    equal({ a["http.request.method"], a["url.full"], a["server.address"], a["server.port"] },
      { "GET", "https://REDACTED:REDACTED@[::1]:8443/1?sig=REDACTED", "::1", "8443" })
    equal({ a["http.response.status_code"], a["error.type"], a["http.request.resend_count"] },
      { "503", "503", "1" })
    equal({ a["network.protocol.version"], a["network.peer.address"], a["network.peer.port"] },
      { "2", "::1", "8443" })
    equal({ span.status.code, span.status.message, a["septet.http.wait_us"] }, { 2, nil, "500000" })
    local words = {}
    for i, event in ipairs(span.events) do words[i] = event.name .. " " .. event.timeUnixNano end
    equal(words, { "dns.end 1766426789250000000", "tcp.end 1766426789500000000",
      "first_byte 1766426790000000000" })
  end)

  it("a task has its place, its outcome, and its marks", function()
    local s = spans(run())
    local a = attributes(s.page)
    equal({ s.page.kind, a["code.file.path"], a["code.line.number"], a["septet.task.id"] },
      { 1, "dir/crawl.lua", "14", "2" })
    equal({ s.page.status.code, s.page.status.message, a["error.type"], a["septet.error.code"] },
      { 2, "HttpError: timeout", "HttpError", "timeout" })
    equal({ #s.page.events, s.page.events[1].name, s.main.status.code }, { 1, "over", nil })
    equal({ s.fetch.events[1].name, attributes(s.fetch.events[1])["septet.value"] },
      { "began", 2.5 })
    equal({ s.fetch.status.code, s.crawl.status.code, attributes(s.crawl)["code.line.number"] },
      { 2, nil, "15" })
  end)

  it("what was cancelled did not fail", function()
    local s = spans(model_of {
      { "spawn", 1, 1, parent = 0 },
      { "xfer", 1, 1, ref = 1, method = "GET", url = "http://h/", status = 0, code = "cancelled",
        phase = "wait", total = 1, wait = 1 },
      { "xfer", 2, 1, ref = 2, method = "PUT", url = "http://h/", status = 0, code = "timeout",
        phase = "connect", total = 1, tcp = 1 },
      { "end", 3, 1, outcome = "cancelled" },
    })
    for _, name in ipairs { "GET", "?" } do
      equal({ s[name].status.code, attributes(s[name])["error.type"],
        attributes(s[name])["septet.cancelled"] }, { nil, nil, true })
    end
    local failed = s.PUT
    equal({ failed.status.code, failed.status.message, attributes(failed)["error.type"],
      failed.events }, { 2, "timeout in connect", "timeout", nil })
  end)

  it("a method that is not known is another", function()
    local s = spans(model_of {
      { "xfer", 1, 0, ref = 1, method = "BREW", url = "http://h/", status = 200, total = 1 } })
    local a = attributes(s.HTTP)
    equal({ a["http.request.method"], a["http.request.method_original"] }, { "_OTHER", "BREW" })
    equal({ a["server.address"], a["server.port"] }, { "h", "80" })
  end)

  it("what has not ended is open", function()
    local s = spans(model_of { { "spawn", 1, 1, parent = 0 },
      { "name", 1, 1, name = "open" }, { "spawn", 3, 2, parent = 1 } })
    equal({ attributes(s.open)["septet.open"], s.open.endTimeUnixNano },
      { true, "1766426790000000000" })
  end)

  it("the resource says which program it was", function()
    local _, r = spans(run())
    equal({ r["service.name"], r["telemetry.sdk.name"], r["telemetry.sdk.language"],
      r["telemetry.sdk.version"], r["process.pid"] }, { "crawl", "septet", "lua", "0.1.0", "4242" })
    _, r = spans(run(), { resource = { ["service.name"] = "a", ["process.pid"] = "7", b = "c",
      ["telemetry.sdk.name"] = "no" } })
    equal({ r["service.name"], r["process.pid"], r.b, r["telemetry.sdk.name"] },
      { "a", "7", "c", "septet" })
    _, r = spans(run(), { service_name = "s", resource = { ["service.name"] = "a" } })
    equal(r["service.name"], "s")
  end)

  it("the run is part of a span from outside", function()
    local s = spans(run(), {
      traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" })
    equal({ s.main.traceId, s.main.parentSpanId, s.GET.parentSpanId },
      { "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", s.fetch.spanId })
    s = spans(run(), { traceparent = "00-0af7651916cd43dd8448eb211c80319c-0-01" })
    equal(s.main.parentSpanId, nil)
  end)

  it("no body has more than 512 spans", function()
    local events = {}
    for i = 1, 1100 do events[i] = { "spawn", i, i, parent = 0 } end
    local list = bodies(model_of(events))
    equal(#list, 3)
    for i, count in ipairs { 512, 512, 76 } do
      equal(#list[i].resourceSpans[1].scopeSpans[1].spans, count)
    end
  end)

  it("no body has more bytes than it may", function()
    local long = ("x"):rep(8 * 1024 * 1024)
    local context = { resource = "{}" }
    equal(otlp.fit(context, { long, long, long, long }, 1), 2)
    equal(otlp.fit(context, { long .. long .. long, long }, 1), 1)
    equal(otlp.fit(context, { long }, 2), 0)
  end)

  it("a trace without events is a body without spans", function()
    equal(#spans(model_of {}), 0)
  end)

  it("durations are counted by buckets", function()
    local m = model_of {
      { "xfer", 1, 0, ref = 1, method = "GET", url = "http://h/a", status = 200, total = 0.005 },
      { "xfer", 2, 0, ref = 2, method = "GET", url = "http://h/b", status = 200, total = 0.006 },
      { "xfer", 3, 0, ref = 3, method = "GET", url = "http://h/c", status = 200, total = 100 },
      { "xfer", 4, 0, ref = 4, method = "GET", url = "http://h/c", status = 0, code = "dns",
        total = 1 },
    }
    local points = bodies(m, { signal = "metrics" })[1].resourceMetrics[1].scopeMetrics[1]
      .metrics[1].histogram.dataPoints
    equal(#points, 2)
    equal({ points[1].count, points[1].sum, points[1].min, points[1].max },
      { "3", 100.011, 0.005, 100.0 })
    equal(points[1].bucketCounts, { "1", "1", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0",
      "0", "1" })
    equal(attributes(points[2])["error.type"], "dns")
  end)

  it("there are not more series of durations than a limit", function()
    local durations = metrics.new()
    for i = 1, 2100 do
      durations:add { method = "GET", url = ("http://h%d/"):format(i), status = 200, start = 0,
        finish = 1 }
    end
    equal(#durations.keys, 2001)
    equal(durations.series[durations.keys[2001]].count, 100)
  end)
end)

describe("environment", function()
  -- Returns the options that these variables give.
  local function read(values, base)
    return environment.read(function(name) return values[name] end, base)
  end

  it("without variables there are defaults", function()
    local o = read {}
    equal({ o.traces.url, o.metrics.url, o.traces.timeout, o.interval, o.disabled, #o.warnings },
      { "http://localhost:4318/v1/traces", "http://localhost:4318/v1/metrics", 10.0, 5, false, 0 })
  end)

  it("URLs are those of the signal, or below that of all", function()
    local o = read { OTEL_EXPORTER_OTLP_ENDPOINT = "http://c:4318/mycollector/",
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT = "https://m.example.com" }
    equal({ o.traces.url, o.metrics.url },
      { "http://c:4318/mycollector/v1/traces", "https://m.example.com/" })
    o = read({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = "http://x/" }, "http://base:1")
    equal(o.traces.url, "http://base:1/v1/traces")
  end)

  it("pairs are decoded, and one bad pair spoils the list", function()
    local o = read { OTEL_RESOURCE_ATTRIBUTES = "a=b%2Cc, d = e%3D ,service.name=x",
      OTEL_EXPORTER_OTLP_HEADERS = "api-key=s%20t", OTEL_EXPORTER_OTLP_METRICS_HEADERS = "x=y" }
    equal(o.resource, { a = "b,c", d = "e=", ["service.name"] = "x" })
    equal({ o.traces.headers, o.metrics.headers }, { { ["api-key"] = "s t" }, { x = "y" } })
    for _, bad in ipairs { "a", "a=%zz", "=b", "a=b,c", "%=1" } do
      o = read { OTEL_RESOURCE_ATTRIBUTES = bad }
      equal({ o.resource, #o.warnings }, { nil, 1 })
    end
    equal(read { OTEL_EXPORTER_OTLP_HEADERS = "sEcret" }.warnings,
      { "OTEL_EXPORTER_OTLP_HEADERS is no list of pairs" })
  end)

  it("numbers and words have to be ones", function()
    local o = read { OTEL_EXPORTER_OTLP_TIMEOUT = "2500", OTEL_BSP_SCHEDULE_DELAY = "100",
      OTEL_SDK_DISABLED = "TRUE", OTEL_METRICS_EXPORTER = "None" }
    equal({ o.traces.timeout, o.interval, o.disabled, o.metrics.off, o.traces.off },
      { 2.5, 0.1, true, true, false })
    o = read { OTEL_EXPORTER_OTLP_TIMEOUT = "1s", OTEL_SDK_DISABLED = "1",
      OTEL_BSP_SCHEDULE_DELAY = "-1" }
    equal({ o.traces.timeout, o.disabled, #o.warnings }, { 10.0, false, 3 })
  end)

  it("an empty variable is none", function()
    local o = read { OTEL_EXPORTER_OTLP_ENDPOINT = "", OTEL_SERVICE_NAME = "" }
    equal({ o.traces.url, o.service_name }, { "http://localhost:4318/v1/traces", nil })
  end)

  it("a traceparent is checked", function()
    local trace, span = ("a"):rep(32), ("b"):rep(16)
    local good = ("00-%s-%s-00"):format(trace, span)
    equal(environment.traceparent(good), { trace_id = trace, span_id = span, sampled = false })
    equal(environment.traceparent(("01-%s-%s-03-more"):format(trace, span)).sampled, true)
    for _, bad in ipairs { "", "x", good .. "-x", good:upper(), "ff" .. good:sub(3), good .. "x",
      ("00-%s-%s-01"):format(("0"):rep(32), span), ("00-%s-%s-01"):format(trace, ("0"):rep(16)),
      ("00-%s-%s-0g"):format(trace, span), ("00-%sa-%s-01"):format(trace, span),
      ("01-%s-%s-01x"):format(trace, span) } do
      equal(environment.traceparent(bad), nil)
    end
  end)
end)
