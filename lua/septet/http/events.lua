-- SPDX-License-Identifier: MIT
-- Events of a URL: an iterator that connects again when its connection is lost, and resumes after
-- the last event.
local args = require "septet.internal.args"
local closers = require "septet.task.closers"
local core = require "septet.core"
local event_stream = require "septet.http.event_stream"
local failure = require "septet.http.failure"
local headers = require "septet.http.headers"
local probe = require "septet.internal.probe"
local request_options = require "septet.http.options"
local retry = require "septet.http.retry"
local stream = require "septet.http.stream"

local events = {}

local RETRY, MAX_BACKOFF, MAX_WAIT = 3, 30, 60 -- seconds
local LEAST_BACKOFF = 0.25                     -- seconds, from the second failure in a row
local MAX_RETRIES = 10
local RECONNECTS = { connect = true, dns = true, timeout = true, reset = true, partial = true }
local TRANSIENT = { [408] = true, [429] = true } -- statuses, besides those from 500 on

local own_options = { last_event_id = "string", max_event = "size", retry = "seconds",
  max_retries = "any", max_backoff = "seconds" }
local others = { body = true, form = true, json = true, multipart = true, retries = true }

-- Checks of the options of session:events(), and of those of a request without a body.
local checks = {}
for name, kind in pairs(request_options.checks) do
  if not others[name] then checks[name] = kind end
end
for name, kind in pairs(own_options) do checks[name] = kind end

--- Options of session:events(): those of a request without a body, and its own. A number as the
--- `timeout`, or its `total`, limits all connections together.
---@class septet.EventsOptions: septet.RequestOptions
---@field last_event_id string|nil id of the event after which the stream continues; none
---@field max_event integer|nil bytes of an event; 1 MiB
---@field retry number|nil seconds before a new connection, until the server sets them; 3
---@field max_backoff number|nil longest random time, in seconds, that is added to them; 30
---@field max_retries number|nil connections in a row that bring no byte, after the first one; 10

--- An iterator over the events of a URL.
---@class septet.Events
---@field last_event_id string|nil id after which the stream continues
---@field private session septet.Session
---@field private target string
---@field private request septet.RequestOptions of each connection
---@field private deadline number|nil
---@field private policy septet.RetryPolicy
---@field private home userdata the scope to which all connections belong
---@field private retry number seconds
---@field private max_event integer
---@field private failures integer connections in a row that brought no byte
---@field private at number|nil instant of the next connection
---@field private response septet.StreamedResponse|nil
---@field private parser septet.EventParser|nil
---@field private connected boolean|nil true once a connection brought an event stream
---@field private running boolean|nil
---@field private closed boolean|nil
---@operator call: septet.StreamEvent|nil
local Events = {}
local events_meta = { __name = "septet.http.Events", __metatable = false, __index = Events }

-- Returns the headers of a connection, without the Last-Event-ID.
local function own_headers(given)
  local own = { Accept = "text/event-stream", ["Cache-Control"] = "no-store" }
  if headers.own(given, "last-event-id", "events") then
    args.usage "bad header 'Last-Event-ID' in 'events' ('last_event_id' sets it)"
  end
  for name, value in pairs(given or {}) do
    for known in pairs(own) do
      if type(name) == "string" and name:lower() == known:lower() then own[known] = nil end
    end
    own[name] = value
  end
  return own
end

-- Returns the options of each connection, and the total timeout of all of them. The session's total
-- is that of one request.
local function pass_on(options)
  local request, total = { headers = own_headers(options.headers), retries = false }
  for name, value in pairs(options) do
    if not own_options[name] and name ~= "headers" then request[name] = value end
  end
  local times = {}
  if type(options.timeout) == "number" then
    total = options.timeout
  else
    for name, value in pairs(options.timeout or {}) do times[name] = value end
    total = times.total
  end
  times.total = math.huge
  request.timeout = times
  return request, total
end

local function check_retries(value)
  if value == nil then return MAX_RETRIES end
  if value == math.huge or math.type(value) == "integer" and value >= 0 then return value end
  args.usage("bad option 'max_retries' to 'events' (a whole number or math.huge expected, got %s)",
    tostring(value))
end

--- Returns the events of `target`.
---@param session septet.Session
---@param target string
---@param options septet.EventsOptions|nil
---@return septet.Events
function events.new(session, target, options)
  options = args.options(options, checks, "events")
  local request, total = pass_on(options)
  local self = setmetatable({
    session = session, target = target, request = request, home = core.http_home(),
    deadline = total and core.now() + total,
    last_event_id = options.last_event_id,
    retry = options.retry or RETRY,
    max_event = options.max_event or stream.MAX_EVENT,
    policy = { attempts = check_retries(options.max_retries) + 1, max_wait = MAX_WAIT,
      max_backoff = options.max_backoff or MAX_BACKOFF },
    failures = 0,
  }, events_meta)
  closers.add(self)
  if probe.closes_loops() then return self, nil, nil, self end
  return self
end

-- Raises HttpError for a response that is no event stream.
local function check_response(response)
  local kind = response.headers["content-type"]
  if response.status ~= 200 then
    error(failure.new(response, "status", nil, "receive", ("status %d"):format(response.status),
      response), 0)
  elseif not kind or not kind:lower():find "^text/event%-stream%f[;%s\0]" then
    error(failure.new(response, "protocol", "content_type", "receive", kind
      and ("the Content-Type is '%s', not 'text/event-stream'"):format(kind)
      or "there is no Content-Type; 'text/event-stream' expected", response), 0)
  end
end

-- Connects. Returns false if the server says that there are no more events.
local function connect(self)
  if self.at then core.sleep_until(self.at) end
  if self.closed then return false end
  local id, request = self.last_event_id, self.request
  -- A header cannot hold a control character.
  request.headers["Last-Event-ID"] = id and id ~= "" and not id:find "%c" and id or nil
  if self.deadline then request.timeout.total = math.max(0, self.deadline - core.now()) end
  local response = self.session:stream("GET", self.target, request)
  self.home:take(response.stream)
  self.response = response
  if response.status == 204 then return false end
  check_response(response)
  self.connected, self.at = true, nil
  self.parser = event_stream.new(self.max_event, id)
  return true
end

-- Returns the next event of the connection, or nil at the end of the stream. Raises HttpError if
-- the connection is lost.
local function read(self)
  if not self.parser and not connect(self) then return nil end
  local event = stream.next_event(self.response, self.parser)
  if event then return event end
  error(failure.new(self.response, "partial", "ended", "receive", "the event stream ended",
    self.response), 0)
end

-- Returns true if a failure is that of a connection, so that another one may succeed.
local function may_reconnect(self, err)
  if self.closed or not core.is(err, "HttpError") then return false end
  if err.code == "status" then return err.status >= 500 or TRANSIENT[err.status] or false end
  if err.reason == "total" or err.reason == "not_found" and not self.connected then return false end
  return RECONNECTS[err.code] or false
end

-- Ends the connection, and keeps what the stream has set.
local function drop(self)
  local response, parser = self.response, self.parser
  self.response, self.parser = nil, nil
  if parser then
    self.last_event_id, self.retry = parser.id, math.min(parser.retry or self.retry, MAX_WAIT)
    if parser.chunk ~= "" then self.failures = 0 end
  end
  if response then response:close() end
  return response
end

-- Sets the instant of the next connection. Returns false if there is to be none.
local function plan(self)
  local response = drop(self)
  self.failures = self.failures + 1
  self.policy.backoff = self.failures > 1 and math.max(self.retry, LEAST_BACKOFF) or self.retry
  local delay = retry.delay(self.policy, self.failures, response)
  if not delay then return false end
  self.at = core.now() + self.retry + delay
  if self.deadline and self.at >= self.deadline then return false end
  self.session.budget.spent = self.session.budget.spent + 1
  return true
end

-- Returns the next event, or nil at the end. Connects as often as the options allow.
local function advance(self)
  while true do
    local ok, event, traceback = core.try(read, self)
    if ok then return event end
    if self.closed then return nil end
    if not (may_reconnect(self, event) and plan(self)) then core.raise(event, traceback) end
  end
end

--- Waits for the next event and returns it, or nil once the server has answered with 204. Raises
--- HttpError, after which there are no more. If it is cancelled, the next call continues.
---@async
function events_meta:__call()
  if self.closed then return nil end
  if self.running then args.usage "another task waits for the next event" end
  self.running = true
  local ok, event, traceback = core.try(advance, self)
  self.running = false
  if self.parser then self.last_event_id = self.parser.id end
  if ok and event then return event end
  if ok or core.is(event, "HttpError") or core.is(event, "Usage") then self:close() end
  if not ok then core.raise(event, traceback) end
end

--- Ends the iterator and its connection. Does nothing if it has ended. Also called at the end of a
--- loop, of a `<close>` variable, and of the block or task that made it.
function Events:close()
  if self.closed then return end
  self.closed = true
  drop(self)
  closers.remove(self)
end
events_meta.__close = Events.close

args.methods(Events, "events", { [events_meta] = true })
args.fields(Events, "events", "last_event_id",
  "deadline response connected parser at closed running before after")
return events
