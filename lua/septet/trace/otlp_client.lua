-- SPDX-License-Identifier: MIT
-- Sends spans to an OpenTelemetry collector while the run goes on, through a session of the host's.
-- What sends is a task of which the trace has no records, and which lives only while it sends. It
-- keeps the run alive for FLUSH at most.
local core = require "septet.core"
local args = require "septet.internal.args"
local environment = require "septet.trace.otlp_environment"
local decode = require "septet.trace.decode"
local live = require "septet.trace.otlp_live"
local metrics = require "septet.trace.otlp_metrics"
local otlp = require "septet.trace.otlp"
local propagate = require "septet.trace.otlp_propagate"

local client = {}

local MAX_QUEUED = 2048    -- spans; further ones are lost
local FLUSH = 2            -- seconds that a run takes longer, at most, to send what is left
local METRICS_INTERVAL = 60 -- seconds
local MAX_ANSWER = 4 * 1024 * 1024 -- bytes

-- A batch is sent again after a failure to connect and after these statuses, within its timeout. At
-- the end of a run less is tried: there may be no collector at all.
local function retries(attempts, backoff)
  return { attempts = attempts, backoff = backoff, max_backoff = 5, max_wait = 30, budget = 1,
    methods = { "POST" }, statuses = { 429, 502, 503, 504 } }
end
local RETRIES, LAST_RETRIES = retries(10, 1), retries(2, 0.25)

local VERSION = core.versions():match "^Septet ([^,]+)"

local running -- the client, of which there is one

--- Sends spans to a collector.
---@class septet.Otlp
---@field private queue string[] JSON of spans
---@field private sent integer
---@field private lost integer
---@field private sender boolean|nil true while a task sends
---@field private ending number|nil instant by which the run is to end
---@field private due number|nil instant at which what is queued is sent
local Client = {}
local client_meta = { __name = "septet.trace.Otlp", __metatable = false, __index = Client }

-- --- warnings ---

-- Warns once of what keeps spans from being received: the first reason is enough.
local function complain(self, words)
  if self.warned then return end
  self.warned = true
  core.warn(("OpenTelemetry: %s"):format(core.escape(words)))
end

-- Reads what a collector says of a batch that it took: it may have refused some of the spans.
local function read_answer(self, body)
  local ok, answer = pcall(require "septet.json".decode, body, { max_memory = MAX_ANSWER })
  local partial = ok and type(answer) == "table" and answer.partialSuccess
  if type(partial) ~= "table" then return end
  local rejected = math.tointeger(tonumber(partial.rejectedSpans)) or 0
  local message = type(partial.errorMessage) == "string" and partial.errorMessage:sub(1, 200) or ""
  self.sent, self.lost = self.sent - rejected, self.lost + rejected
  if rejected > 0 or message ~= "" then
    complain(self, ("the collector refused %d spans: %s"):format(rejected, message))
  end
end

-- --- sending ---

-- Returns the session to send with; a new one if that of an earlier end was closed.
local function session_of(self)
  if not self.session or self.session.closed then
    self.session = require "septet.http".session { limit = 1, redirects = false, tls = self.tls,
      max_body = MAX_ANSWER }
    self.session.unwatched = true
  end
  return self.session
end

-- Returns the seconds until the end of the run, which may already have passed.
local function seconds_left(self)
  return self.ending and self.ending - core.now() or math.huge
end

-- Sends a body. Returns the response, or nil and what went wrong. Raises nothing.
local function post(self, signal, body)
  local left = math.min(signal.timeout, seconds_left(self))
  if left <= 0 then return nil, "the run has ended" end
  local session = session_of(self)
  local ok, response = core.try(session.post, session, signal.url, { body = body,
    headers = signal.headers, timeout = { total = left },
    retries = self.ending and LAST_RETRIES or RETRIES })
  if not ok then return nil, core.words(response) end
  if response.status >= 200 and response.status < 300 then return response end
  return nil, ("POST %s: status %d"):format(core.http_public(signal.url), response.status),
    response.status
end

-- Takes the next batch off the queue.
local function next_batch(self)
  local count = otlp.fit(self.live.context, self.queue, 1)
  local batch = table.move(self.queue, 1, count, 1, {})
  table.move(self.queue, count + 1, #self.queue + count, 1)
  return batch
end

local function send_spans(self)
  while self.queue[1] do
    local batch = next_batch(self)
    self.sending = #batch
    local response, problem = post(self, self.traces, otlp.body(self.live.context, batch))
    if response then
      self.sent = self.sent + #batch
      read_answer(self, response.body)
    else
      self.lost = self.lost + #batch
      complain(self, "spans are lost: " .. problem)
    end
    self.sending = 0
  end
end

local function send_metrics(self)
  local now = core.now()
  if not self.durations or not self.durations.keys[1] or not self.durations.changed
    or now < self.metrics_due and not self.ending then
    return
  end
  self.metrics_due, self.durations.changed = now + METRICS_INTERVAL, false
  local body = self.durations:body(self.live.context, self.started, now)
  local response, problem, status = post(self, self.metrics, body)
  if response then return end
  self.durations.changed = not self.ending -- so that they are sent again with the next ones
  if status == 404 then
    self.durations = nil -- it takes traces only
  else
    complain(self, "metrics are lost: " .. problem)
  end
end

local function run_sender(self)
  local blocks = require "septet.task.blocks"
  core.try(blocks.shield, function()
    repeat
      send_spans(self)
      send_metrics(self)
    until not self.queue[1]
  end)
  self.sender = false
  if self.done then
    self.done:set()
    self.done = nil
  end
end

-- Has the queue sent, unless it is being sent.
local function send(self)
  if self.sender then return end
  self.sender = core.try(core.trace_task, run_sender, self)
end

-- --- reading the trace ---

local function read(self)
  while true do
    local bytes, cursor = core.trace_block(self.cursor)
    if not bytes then return end
    self.cursor = cursor
    decode.block(bytes, 1, self.add)
  end
end

-- Returns true if something is to be sent now.
local function is_due(self, now, virtual)
  local waiting = #self.queue > 0
  if self.ending then
    return now < self.ending and (waiting or self.durations and self.durations.changed)
  end
  if #self.queue >= otlp.BATCH then return true end
  if waiting and not self.due then self.due = now + self.interval end
  -- While something is sent, a virtual clock runs: that is for when it cannot be avoided.
  return waiting and not virtual and now >= self.due
end

-- The sink: reads the trace, and decides what to do now and when to look again.
local function on_records(self)
  read(self)
  local mains, virtual = core.trace_host()
  local now = core.now()
  self.ending = mains == 0 and (self.ending or now + FLUSH) or nil
  if is_due(self, now, virtual) then
    self.due = nil
    send(self)
  end
  if self.ending and self.sender and now >= self.ending then
    self.session:close() -- ends a request that hangs
  elseif self.ending and self.sender then
    core.trace_wake(self.ending - now)
  elseif self.due then
    core.trace_wake(math.max(0, self.due - now))
  end
end

local function queue(self, span)
  if #self.queue >= MAX_QUEUED then
    self.lost = self.lost + 1
    complain(self, "spans are lost: more come than can be sent")
  else
    self.queue[#self.queue + 1] = span
  end
end

local function count(self, request)
  if not self.durations then return end
  self.durations:add(request)
  self.durations.changed = true
end

-- --- the client ---

--- Numbers of spans.
---@class septet.OtlpStats
---@field sent integer that a collector took
---@field lost integer that could not be sent, or were refused
---@field queued integer not sent yet

--- Returns what has become of the spans.
---@return septet.OtlpStats
function Client:stats()
  return { sent = self.sent, lost = self.lost, queued = #self.queue + self.sending }
end

--- Sends the spans that have ended until now, and waits until they are sent. Returns false if that
--- takes longer than `seconds`.
---@async
---@param seconds number|nil 2
---@return boolean
function Client:flush(seconds)
  args.seconds(seconds, 1, "flush")
  if self.disabled then return true end
  read(self)
  self.metrics_due = core.now()
  self.done = self.done or core.event()
  send(self)
  local done = self.done
  return require "septet.task.blocks".move_on_after(seconds or FLUSH, done.wait, done)
end

--- Ends the client: sends what is there, and the spans that have not ended.
---@async
---@param seconds number|nil longest time that it waits; 2
---@return boolean in_time
function Client:close(seconds)
  if self.disabled or self.closed then return true end
  read(self)
  self.closed = true
  self.live:finish(core.now())
  core.trace_unsink(self.sink)
  if self.stop_propagating then self.stop_propagating() end
  running = nil
  return self:flush(seconds)
end

local options_of_start = {
  url = "string", headers = "table", service_name = "string", resource = "table",
  traceparent = "string", seed = "any", interval = "seconds", timeout = "seconds",
  metrics = "boolean", tls = "table", environment = "boolean", propagate = "table",
}

--- Options of trace.otlp(). What they do not say, the environment says (OTEL_...).
---@class septet.OtlpClientOptions
--- URL of the collector, without /v1/traces; or "console": each span is printed to stderr, as JSON
--- in a line, and nothing is sent; http://localhost:4318
---@field url string|nil
---@field headers table<string, string>|nil header lines of each batch; none
---@field service_name string|nil of the service; the script's name
---@field resource table<string, string>|nil attributes of the resource; none
---@field traceparent string|nil the span that the run is part of; none
---@field seed integer|nil what the ids are made from; from the process and its start
---@field interval number|nil seconds that a span waits for others, at most; 5
---@field timeout number|nil seconds that a batch may take, with its retries; 10
---@field metrics boolean|nil also metrics are sent; true
---@field tls septet.Tls|nil as of a session; none
---@field environment boolean|nil environment variables are read; true
--- Hosts that get the header `traceparent`, as "api.example.com", or ".example.com" for all below
--- it; none
---@field propagate string[]|nil

local function context_options(options, given)
  return { seed = options.seed, service_name = options.service_name or given.service_name,
    resource = options.resource or given.resource,
    traceparent = options.traceparent or given.traceparent }
end

--- Begins to send the spans of the run to a collector. There is one client in a host.
---@param options septet.OtlpClientOptions|nil
---@return septet.Otlp
function client.start(options)
  options = args.options(options, options_of_start, "otlp")
  if running then args.usage "'otlp' was called before: there is one client in a run" end
  if options.propagate then args.list_option(options.propagate, "propagate", "otlp") end
  local given = environment.settings(options, VERSION)
  local further = context_options(options, given)
  local self = setmetatable({ queue = {}, sent = 0, sending = 0, lost = 0,
    interval = given.interval, started = core.now(),
    metrics_due = core.now() + METRICS_INTERVAL }, client_meta)
  for _, words in ipairs(given.warnings) do core.warn("OpenTelemetry: " .. words) end
  local parent = environment.traceparent(further.traceparent)
  if parent and not parent.sampled then
    core.warn "OpenTelemetry: nothing is sent: TRACEPARENT is not sampled"
  end
  if given.disabled or given.traces.off or parent and not parent.sampled then
    self.disabled = true
    return self
  end
  local _, _, pid = core.trace_host()
  local script = type(arg) == "table" and arg[0] or nil
  local meta = { version = VERSION, pid = pid, script = script }
  local give = function(span) queue(self, span) end
  if options.url == "console" then
    give = function(span)
      self.sent = self.sent + 1
      io.stderr:write(span, "\n")
    end
  else
    self.traces, self.metrics, self.tls = given.traces, given.metrics, options.tls
    self.durations = not given.metrics.off and metrics.new() or nil
    session_of(self) -- checks the options
  end
  self.live = live.new(meta, further, give, function(request) count(self, request) end)
  self.add = function(event) self.live:add(event) end
  self.sink = function() on_records(self) end
  self.cursor = core.trace_sink(self.sink, otlp.level) -- raises if the embedder forbids it
  running = self
  if options.propagate then
    self.stop_propagating = propagate(options.propagate, function(id)
      if not self.live.context then read(self) end -- it begins with the first record
      return otlp.traceparent(self.live.context, id)
    end)
  end
  return self
end

return client
