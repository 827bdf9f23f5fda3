-- SPDX-License-Identifier: MIT
-- OpenTelemetry's protocol in its JSON form (OTLP/HTTP): a span for each task, each attempt of a
-- request and each span of a script's. It follows version 1.44 of the semantic conventions.
--
-- The ids are computed from a seed and the numbers in the trace. So nothing is stored for them, and
-- the same trace always gives the same spans.
local environment = require "septet.trace.otlp_environment"
local metrics = require "septet.trace.otlp_metrics"
local quote = require "septet.trace.json_text".string
local url_parts = require "septet.trace.url_parts"

local otlp = { level = 1, environment = environment.read }

local SCHEMA = "https://opentelemetry.io/schemas/1.44.0"
local INTERNAL, CLIENT = 1, 3 -- kinds of spans

otlp.MAX_EVENTS = 128             -- maximum number of events of a span
otlp.BATCH = 512                  -- maximum number of spans in a body
otlp.MAX_BYTES = 20 * 1024 * 1024 -- maximum size of a body

-- --- ids ---

local GOLDEN = 0x9e3779b97f4a7c15
local STREAMS = { trace = 1, task = 2, request = 3, span = 4 }

-- Spreads an integer over all 64 bits. No two integers give the same.
local function mix(n)
  n = (n ~ n >> 30) * 0xbf58476d1ce4e5b9
  n = (n ~ n >> 27) * 0x94d049bb133111eb
  return n ~ n >> 31
end

--- Returns the id of the task, request or span with a number: 16 hexadecimal digits, not all 0.
---@param context septet.OtlpContext
---@param stream "trace"|"task"|"request"|"span"
---@param number integer
---@return string
function otlp.id(context, stream, number)
  local id = mix(mix(context.seed + STREAMS[stream] * GOLDEN) + number * GOLDEN)
  return ("%016x"):format(id == 0 and 1 or id)
end

--- Returns the `traceparent` of what is a part of a task.
---@param context septet.OtlpContext
---@param task integer
---@return string
function otlp.traceparent(context, task)
  return ("00-%s-%s-01"):format(context.trace_id, otlp.id(context, "task", task))
end

-- --- attributes ---

local function add_string(list, key, value)
  if value == nil then return end
  list[#list + 1] = ('{"key":%s,"value":{"stringValue":%s}}'):format(quote(key), quote(value))
end

local function add_int(list, key, value)
  if value == nil then return end
  list[#list + 1] = ('{"key":"%s","value":{"intValue":"%d"}}'):format(key, value)
end

local function add_flag(list, key, value)
  if value then list[#list + 1] = ('{"key":"%s","value":{"boolValue":true}}'):format(key) end
end

local function add_us(list, key, seconds)
  add_int(list, key, seconds and math.floor(seconds * 1e6 + 0.5))
end

-- Adds the attributes of a place, "file:line".
local function add_place(list, place)
  local file, line = (place or ""):match "^(.*):(%d+)$"
  add_string(list, "code.file.path", file or place)
  add_int(list, "code.line.number", math.tointeger(tonumber(line)))
end

-- --- what all spans have ---

--- What the spans of a run have in common.
---@class septet.OtlpContext
---@field seed integer
---@field trace_id string
---@field parent_id string|nil of the spans that have none in this run
---@field resource string JSON
---@field version string
---@field unix fun(time: number): integer

local function resource_json(meta, options)
  local given = options.resource or {}
  local names, list = {}, {}
  for name in pairs(given) do names[#names + 1] = name end
  table.sort(names)
  local script = meta.script and meta.script:match "([^/]+)$"
  local fallback = script and script:gsub("%.lua$", "") or "unknown_service:septet"
  add_string(list, "service.name", options.service_name or given["service.name"] or fallback)
  add_string(list, "telemetry.sdk.name", "septet")
  add_string(list, "telemetry.sdk.language", "lua")
  add_string(list, "telemetry.sdk.version", meta.version or "")
  if not given["process.pid"] then add_int(list, "process.pid", meta.pid) end
  for _, name in ipairs(names) do
    if name ~= "service.name" and not name:find "^telemetry%.sdk%." then
      add_string(list, name, given[name])
    end
  end
  return '{"attributes":[' .. table.concat(list, ",") .. "]}"
end

--- Options of the OpenTelemetry exporter.
---@class septet.OtlpOptions
---@field seed integer|nil what the ids are made from; the process and the time of the run
---@field traceparent string|nil the span that the run is part of, as W3C's Trace Context writes it
---@field service_name string|nil the script's name
---@field resource table<string, string>|nil attributes of the resource
---@field signal "traces"|"metrics"|nil what to write; traces

--- Returns what the spans of a run have in common.
---@param meta table
---@param unix fun(time: number): integer nanoseconds since 1970 of an instant of the host
---@param options septet.OtlpOptions
---@return septet.OtlpContext
function otlp.context(meta, unix, options)
  local self = {
    seed = options.seed or mix(unix(0)) + (meta.pid or 0),
    version = meta.version or "",
    resource = resource_json(meta, options),
    unix = unix,
  }
  local parent = environment.traceparent(options.traceparent)
  self.parent_id = parent and parent.span_id
  self.trace_id = parent and parent.trace_id
    or otlp.id(self, "trace", 1) .. otlp.id(self, "trace", 2)
  return self
end

local function event_json(time, name, attributes)
  return ('{"timeUnixNano":"%d","name":%s%s}'):format(time, quote(name), attributes or "")
end

-- Returns the marks of a script as events, and the number of those that are too many. The list may
-- have the number of further ones in `more`.
local function mark_events(context, marks)
  local words = {}
  if not marks then return words, 0 end
  for i, mark in ipairs(marks) do
    if i > otlp.MAX_EVENTS then return words, #marks - otlp.MAX_EVENTS + (marks.more or 0) end
    local value = ""
    if mark.value then
      value = (',"attributes":[{"key":"septet.value","value":{%s}}]'):format(
        type(mark.value) == "string" and '"stringValue":' .. quote(mark.value)
          or '"doubleValue":' .. metrics.double(mark.value))
    end
    words[i] = event_json(context.unix(mark.time), mark.name, value)
  end
  return words, marks.more or 0
end

-- Returns the JSON of a span. `span` has the fields id, parent, name, kind, start, finish and
-- attributes (a list), perhaps events, dropped and status.
local function span_json(context, span)
  local start = context.unix(span.start)
  local words = {
    ('{"traceId":"%s","spanId":"%s"'):format(context.trace_id, span.id),
    span.parent and (',"parentSpanId":"%s"'):format(span.parent) or "",
    (',"name":%s,"kind":%d,"startTimeUnixNano":"%d","endTimeUnixNano":"%d"'):format(
      quote(span.name), span.kind, start, math.max(start, context.unix(span.finish))),
    (',"attributes":[%s]'):format(table.concat(span.attributes, ",")),
  }
  if span.events and span.events[1] then
    words[#words + 1] = (',"events":[%s]'):format(table.concat(span.events, ","))
  end
  if (span.dropped or 0) > 0 then
    words[#words + 1] = (',"droppedEventsCount":%d'):format(span.dropped)
  end
  words[#words + 1] = (',"status":%s}'):format(span.status or "{}")
  return table.concat(words)
end

local function failed_status(message)
  return message and ('{"message":%s,"code":2}'):format(quote(message)) or '{"code":2}'
end

-- --- spans ---

--- Returns the JSON of a task's span.
---@param context septet.OtlpContext
---@param task table a task of a model, or one with the same fields
---@param parent string|nil id of the span that it is part of
---@param marks table[]|nil
---@return string
function otlp.task(context, task, parent, marks)
  local list, status = {}, nil
  add_int(list, "septet.task.id", task.id)
  add_place(list, task.defined)
  add_int(list, "septet.task.resumes", task.resumes)
  add_us(list, "septet.task.busy_us", task.busy)
  add_us(list, "septet.task.ready_us", task.sched)
  if task.outcome == "error" then
    local kind = task.error or "error"
    add_string(list, "error.type", kind)
    add_string(list, "septet.error.code", task.code)
    status = failed_status(task.code and kind .. ": " .. task.code or kind)
  end
  add_flag(list, "septet.cancelled", task.outcome == "cancelled")
  add_flag(list, "septet.open", task.open)
  local events, dropped = mark_events(context, marks)
  return span_json(context, { id = otlp.id(context, "task", task.id),
    parent = parent or context.parent_id, name = task.name, kind = INTERNAL, start = task.start,
    finish = task.finish, attributes = list, events = events, dropped = dropped, status = status })
end

--- Returns the JSON of a span that a script made.
---@param context septet.OtlpContext
---@param span table a span of a model, or one with the same fields
---@param parent string|nil
---@param marks table[]|nil
---@return string
function otlp.span(context, span, parent, marks)
  local list = {}
  add_place(list, span.at)
  add_flag(list, "septet.open", span.open)
  if span.failed then add_string(list, "error.type", "_OTHER") end
  local events, dropped = mark_events(context, marks)
  return span_json(context, { id = otlp.id(context, "span", span.ref),
    parent = parent or context.parent_id, name = span.name, kind = INTERNAL, start = span.start,
    finish = span.finish, attributes = list, events = events, dropped = dropped,
    status = span.failed and failed_status() or nil })
end

local function add_peer(list, peer)
  if not peer or peer == "<gone>" then return end -- it was overwritten before it was read
  local address, port = url_parts.address(peer)
  add_string(list, "network.peer.address", address or peer)
  add_int(list, "network.peer.port", port)
  if not address then add_string(list, "network.transport", "unix") end
end

-- The events at the end of phases, by the name of the phase.
local PHASE_EVENTS = { queue = "queue.end", dns = "dns.end", tcp = "tcp.end", tls = "tls.end",
  send = "send.end", wait = "first_byte" }

-- Returns the phases of an attempt as events, and adds their durations to its attributes. One that
-- failed did not reach the end of its last phase.
local function phase_events(context, request, list)
  local events, phases = {}, request.phases or {}
  for i, phase in ipairs(phases) do
    add_us(list, ("septet.http.%s_us"):format(phase.name), phase.duration)
    local name = PHASE_EVENTS[phase.name]
    if name and (i < #phases or not (request.code or request.open)) then
      events[#events + 1] = event_json(context.unix(phase.start + phase.duration), name)
    end
  end
  return events
end

--- Returns the JSON of the span of an attempt of a request.
---@param context septet.OtlpContext
---@param request table a request of a model, or one with the same fields
---@param parent string|nil
---@return string
function otlp.request(context, request, parent)
  local list = {}
  local facts = metrics.facts(request)
  add_string(list, "http.request.method", facts.method)
  if facts.method == "_OTHER" then
    add_string(list, "http.request.method_original", request.method)
  end
  add_string(list, "url.full", url_parts.public(request.url or ""))
  add_string(list, "server.address", facts.host)
  add_int(list, "server.port", facts.port)
  add_int(list, "http.response.status_code", facts.status)
  add_string(list, "error.type", facts.error)
  if (request.resend or 0) > 0 then add_int(list, "http.request.resend_count", request.resend) end
  add_string(list, "network.protocol.version", facts.version)
  add_peer(list, request.peer)
  add_place(list, request.at)
  if (request.request or 0) > 0 then add_int(list, "septet.http.request", request.request) end
  add_int(list, "septet.http.bytes", request.bytes)
  add_int(list, "septet.http.connection", request.connection)
  add_flag(list, "septet.http.reused", request.reused)
  add_flag(list, "septet.http.insecure", request.insecure)
  add_string(list, "septet.http.phase", request.phase)
  add_flag(list, "septet.cancelled", request.code == "cancelled")
  add_flag(list, "septet.open", request.open)
  local events, status = phase_events(context, request, list), nil
  if facts.error then
    local phase = request.phase ~= request.code and request.phase
    status = failed_status(request.code and request.code .. (phase and " in " .. phase or ""))
  end
  return span_json(context, { id = otlp.id(context, "request", request.ref or 0),
    parent = parent or context.parent_id,
    name = facts.method == "_OTHER" and "HTTP" or facts.method, kind = CLIENT,
    start = request.start, finish = request.finish, attributes = list, events = events,
    status = status })
end

-- --- bodies of requests to a collector ---

--- Returns the JSON of an ExportTraceServiceRequest.
---@param context septet.OtlpContext
---@param spans string[]
---@return string
function otlp.body(context, spans)
  return ('{"resourceSpans":[{"resource":%s,"scopeSpans":[{"scope":{"name":"septet","version":%s},'
    .. '"spans":[%s],"schemaUrl":"%s"}],"schemaUrl":"%s"}]}'):format(context.resource,
    quote(context.version), table.concat(spans, ","), SCHEMA, SCHEMA)
end

--- Returns how many of the spans, from `first` on, fit into a body.
---@param context septet.OtlpContext
---@param spans string[]
---@param first integer
---@return integer
function otlp.fit(context, spans, first)
  local bytes, count = #context.resource + 1024, 0
  for i = first, math.min(#spans, first + otlp.BATCH - 1) do
    bytes = bytes + #spans[i] + 1
    if bytes > otlp.MAX_BYTES and count > 0 then break end
    count = count + 1
  end
  return count
end

--- Writes a trace as the JSON of ExportTraceServiceRequest messages, one a line, or its metrics as
--- that of an ExportMetricsServiceRequest.
---@param model table
---@param write fun(text: string)
---@param options septet.OtlpOptions|nil
function otlp.export(model, write, options)
  options = options or {}
  local context = otlp.context(model.meta, model.unix, options)
  if options.signal == "metrics" then
    local durations = metrics.new()
    for _, request in ipairs(model.requests) do durations:add(request) end
    write(durations:body(context, model.from, model.till) .. "\n")
    return
  end
  local spans = require "septet.trace.otlp_model".spans(otlp, context, model)
  local first = 1
  repeat
    local count = otlp.fit(context, spans, first)
    write(otlp.body(context, table.move(spans, first, first + count - 1, 1, {})) .. "\n")
    first = first + count
  until first > #spans
end

return setmetatable(otlp, { __call = function(_, ...) return otlp.export(...) end })
