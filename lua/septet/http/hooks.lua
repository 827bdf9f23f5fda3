-- SPDX-License-Identifier: MIT
-- Trace hooks: functions of the host, a session or a request, called for what happens to requests.
local core = require "septet.core"
local args = require "septet.internal.args"
local headers = require "septet.http.headers"
local response = require "septet.http.response"
local url = require "septet.http.url"

local hooks = {}

--- Functions called for each request. They must not wait. If one raises, that is a warning and does
--- not affect the request. The exception is request_start: it runs in the requesting task, may
--- change ev.headers, and may refuse the request by raising.
---@class septet.TraceHooks
---@field request_start septet.TraceHook|nil
---@field connection_queued_start septet.TraceHook|nil the limits leave no room for it
---@field connection_queued_end septet.TraceHook|nil
---@field connection_create_start septet.TraceHook|nil
---@field connection_create_end septet.TraceHook|nil
---@field connection_reuseconn septet.TraceHook|nil it is sent over an open connection
---@field connection_attempt septet.TraceHook|nil an address is tried
---@field dns_resolvehost_start septet.TraceHook|nil
---@field dns_resolvehost_end septet.TraceHook|nil
---@field dns_cache_hit septet.TraceHook|nil
---@field dns_cache_miss septet.TraceHook|nil
---@field request_headers_sent septet.TraceHook|nil
---@field request_chunk_sent septet.TraceHook|nil
---@field response_headers septet.TraceHook|nil
---@field response_chunk_received septet.TraceHook|nil
---@field request_redirect septet.TraceHook|nil
---@field request_end septet.TraceHook|nil
---@field request_exception septet.TraceHook|nil

---@alias septet.TraceHook fun(ctx: table, ev: septet.TraceEvent)

---@class septet.TraceEvent
---@field time number seconds, on the scale of task.now()
---@field request integer number of the request
---@field resend integer|nil number of its attempts before this one; of what belongs to an attempt
---@field method string of the attempt; of the first and the last events, as requested
---@field url string of the attempt; of the first and the last events, as requested
---@field insecure boolean|nil true if certificates are not checked
---@field headers table|nil of request_start: what will be sent; may be changed in place. Of
---request_headers_sent: what was sent of the script's headers. Of response_headers: the response's
---@field chunk string|nil bytes of a body
---@field host string|nil of the dns_ hooks
---@field address string|nil of connection_attempt: an IP address, or the path of a unix socket
---@field port integer|nil of connection_attempt
---@field failed boolean|nil true if what ends did not succeed
---@field status integer|nil of response_headers, request_redirect and request_end
---@field location string|nil of request_redirect
---@field exception any of request_exception; nil if the task was cancelled
---@field cancelled boolean|nil of request_exception
---@field incomplete boolean|nil of request_end: the script closed it before the end of the body
---@field lost integer|nil of the last event: number of events for which there was no memory

-- Signals of the core, in the order of their bits.
local signals = core.http_signals()
local bits = {}
for i, name in ipairs(signals) do bits[name] = 1 << (i - 1) end
-- An end that the core adds has no host: it is that of its start.
bits.dns_resolvehost_end = bits.dns_resolvehost_end | bits.dns_resolvehost_start

--- Names of the hooks of requests, as args.options() takes them.
hooks.names = { request_start = "any", request_redirect = "any", request_end = "any",
  request_exception = "any" }
for _, name in ipairs(signals) do hooks.names[name] = "any" end

-- Functions that are called for some requests, as they were when they were given.
---@class septet.Watcher
---@field fns table<string, function>
---@field wanted integer bits of the signals among them
---@field removed boolean|nil true once they are not to be called any more

--- Watchers of the requests of all sessions. If there are none, it is empty.
---@type septet.Watcher[]
hooks.host = {}

--- Checks hooks and their names, and returns a watcher.
---@param fns table<string, function>|nil
---@param names table<string, string>|nil those of requests if nil
---@return septet.Watcher|nil
function hooks.check(fns, names)
  if fns == nil then return nil end
  local watcher = { fns = {}, wanted = 0 }
  for name, fn in pairs(args.options(fns, names or hooks.names, "trace")) do
    if type(fn) ~= "function" then
      args.usage("bad trace hook '%s' (function expected, got %s)", name, type(fn))
    end
    watcher.fns[name] = fn
    watcher.wanted = watcher.wanted | (bits[name] or 0)
  end
  return watcher
end

--- Calls a hook of a watcher. What it raises is a warning.
---@param watcher septet.Watcher
---@param name string
---@param ctx table
---@param ev table
function hooks.call(watcher, name, ctx, ev)
  local fn = watcher.fns[name]
  if not fn or watcher.removed then return end
  local ok, err = pcall(fn, ctx, ev)
  if not ok and not core.is(err, "Cancelled") then -- which means that the run ends, as by os.exit
    core.warn(("trace hook '%s' failed: %s"):format(name, core.words(err)))
  end
end

-- A traced request. The core or request.lua reports its end, which is passed on to the hooks once.
---@class septet.Traced
---@field method string of the first attempt
---@field url string
---@field id integer number of the request
---@field insecure boolean|nil true if certificates are not checked
---@field wanted integer bits of the signals that the core passes on
---@field attempt septet.Attempt|nil what the attempt that is under way sends
---@field resend integer number of attempts before it
---@field host string|nil of the last lookup
---@field held boolean|nil true while another attempt may follow one that ends
---@field last table|nil the end of such an attempt
---@field failed_at number|nil when the last attempt failed
---@field lost integer number of events for which there was no memory
---@field reported boolean|nil true once the end was passed on
local Traced = {}
Traced.__index = Traced

-- Adds what every event has. `from` has the method and the URL.
local function complete(self, event, from)
  event.request, event.insecure = self.id, self.insecure
  event.method, event.url = url.public(from.method), url.public(from.url)
end

-- Calls the hooks with an event. Needs no memory.
local function fire(self, hook, event)
  for _, watcher in ipairs(self) do
    hooks.call(watcher.watcher, hook, watcher.ctx, event)
  end
end

-- Fires an event of the attempt that is under way.
local function fire_of_attempt(self, hook, event)
  complete(self, event, self.attempt)
  event.resend = self.resend
  fire(self, hook, event)
end

-- Fields of events by signal, made of the core's text.
local fields = {}

function fields.connection_attempt(_, event, text)
  local address, port = text:match "^(%S+) (%d+)$"
  event.address, event.port = address or text, port and math.tointeger(port)
end

local function name_host(self, event, text)
  if text ~= "" then self.host = text end
  event.host = self.host
end
fields.dns_resolvehost_start, fields.dns_resolvehost_end = name_host, name_host
fields.dns_cache_hit, fields.dns_cache_miss = name_host, name_host

function fields.request_headers_sent(self, event)
  event.headers = headers.by_name(self.attempt.list)
end

function fields.response_headers(_, event, text)
  event.status = math.tointeger(text:match "^%S+ (%d+)")
  event.headers = response.parse_headers(text)
end

local function set_chunk(_, event, text) event.chunk = text end
fields.request_chunk_sent, fields.response_chunk_received = set_chunk, set_chunk

--- Passes a signal of the core on to the hooks.
---@param name string
---@param time number
---@param text string
---@param failed boolean
function Traced:signal(name, time, text, failed)
  local event = { time = time, failed = failed or nil }
  if fields[name] then fields[name](self, event, text) end
  fire_of_attempt(self, name, event)
end

-- Passes the end of the request on to the hooks, once. If there is no memory for the event, raises,
-- and the next report counts.
local function report(self, time, status, err, cancelled, incomplete)
  if self.reported then return end
  local has_failed = err or cancelled
  local event = { time = time, lost = self.lost > 0 and self.lost or nil }
  complete(self, event, self)
  if has_failed then
    event.exception, event.cancelled = err, cancelled
  else
    event.status, event.incomplete = status, incomplete or nil
  end
  self.reported = true
  fire(self, has_failed and "request_exception" or "request_end", event)
end

--- Takes the end of an attempt from the core. A redirect is not the end of the request.
function Traced:ended(time, status, err, cancelled, location, incomplete, lost)
  self.lost = self.lost + lost
  if self.held then
    self.last = { time, status, err, cancelled, location, incomplete }
  elseif location then
    fire_of_attempt(self, "request_redirect",
      { time = time, status = status, location = url.public(location) })
  else
    report(self, time, status, err, cancelled, incomplete)
  end
end

--- Begins an attempt. `held` says that another one may follow it, whatever comes of it.
---@param attempt septet.Attempt
---@param held boolean
function Traced:begin(attempt, held)
  self.resend = self.attempt and self.resend + 1 or 0
  self.attempt, self.held, self.last = attempt, held, nil
end

--- Ends the holding of an attempt, which was the last or leads to a redirect. `has_failed` says
--- that fail() follows, with the error that the script gets.
---@param has_failed boolean
function Traced:release(has_failed)
  local last = self.last
  self.held, self.last = false, nil
  if last and has_failed then
    self.failed_at = last[1]
  elseif last then
    self:ended(last[1], last[2], last[3], last[4], last[5], last[6], 0)
  end
end

--- Reports the success of the request, unless its end was reported.
---@param status integer
function Traced:finish(status)
  report(self, core.now(), status)
end

--- Reports the failure of the request, unless its end was reported.
---@param err any
function Traced:fail(err)
  local cancelled = core.is(err, "Cancelled")
  report(self, self.failed_at or core.now(), nil, not cancelled and err or nil, cancelled)
end

-- Calls one request_start hook and applies its changes to the headers.
local function begin(attempt, traced, watcher)
  local ctx, fn = {}, watcher.fns.request_start
  if fn then
    local given = headers.by_name(attempt.list)
    core.hook(fn, ctx, { time = core.now(), method = url.public(attempt.method),
      url = url.public(attempt.url), headers = given, request = traced.id,
      insecure = attempt.insecure })
    local automatic = {}
    if attempt.list.automatic and given["Accept-Encoding"] == attempt.list.automatic then
      automatic["Accept-Encoding"], given["Accept-Encoding"] = attempt.list.automatic, nil
    end
    attempt:replace_headers(headers.list("request_start", automatic, given), "request_start")
  end
  traced[#traced + 1] = { watcher = watcher, ctx = ctx }
  traced.wanted = traced.wanted | watcher.wanted
end

--- Calls the request_start hooks in the caller's task: those of the host, of the session and of the
--- request. They may change the headers. If one raises, the request fails and hooks already called
--- get request_exception.
---@param attempt septet.Attempt
---@param ... septet.Watcher|nil of the session and of the request
function hooks.start(attempt, ...)
  local watchers = table.move(hooks.host, 1, #hooks.host, 1, {}) -- they may be removed meanwhile
  for i = 1, select("#", ...) do watchers[#watchers + 1] = (select(i, ...)) end
  local traced = setmetatable({ method = attempt.method, url = attempt.url,
    id = core.http_number(), insecure = attempt.insecure, wanted = 0, lost = 0, resend = 0 },
    Traced)
  for _, watcher in ipairs(watchers) do
    local ok, err, traceback = core.try(begin, attempt, traced, watcher)
    if not ok then
      traced:fail(err)
      core.raise(err, traceback)
    end
  end
  attempt:report_to(traced)
end

--- Calls the watcher's hooks for the requests of all sessions that start from now on.
---@param watcher septet.Watcher
function hooks.add_to_host(watcher)
  hooks.host[#hooks.host + 1] = watcher
  core.http_hooked(true)
end

--- Calls the watcher's hooks no more.
---@param watcher septet.Watcher
function hooks.remove_from_host(watcher)
  watcher.removed = true
  for i, other in ipairs(hooks.host) do
    if other == watcher then
      table.remove(hooks.host, i)
      core.http_hooked(#hooks.host > 0)
      return
    end
  end
end

return hooks
