-- SPDX-License-Identifier: MIT
-- The attempts of one request: what the next one sends, where, and how it is sent. A retry sends
-- the same again, a redirect changes it. Only the methods here change an Attempt.
local core = require "septet.core"
local args = require "septet.internal.args"
local auth = require "septet.http.auth"
local connection_options = require "septet.http.connection_options"
local encode = require "septet.http.encode"
local failure = require "septet.http.failure"
local headers = require "septet.http.headers"
local limits = require "septet.http.limits"
local options = require "septet.http.options"
local redirect = require "septet.http.redirect"
local response = require "septet.http.response"
local retry = require "septet.http.retry"
local stream = require "septet.http.stream"
local upload = require "septet.http.upload"
local url = require "septet.http.url"

-- Local for speed: measured by bench/http.py.
local core_http, core_stream, setmetatable = core.http, core.http_stream, setmetatable

---@class septet.Attempt
---@field session septet.Session
---@field method string
---@field url string
---@field body string|septet.BodySource|nil
---@field multipart string|nil Content-Type that the body determines
---@field list string[] headers: {name, value, ...}
---@field headers userdata the same, checked
---@field core_options userdata timeouts, body limit and connection options
---@field without_credentials userdata the same for other origins
---@field redirects integer maximum number that is followed
---@field redirect_headers table<string, boolean> further headers for other origins
---@field policy septet.RetryPolicy|nil
---@field streams boolean|nil true if the body is streamed
---@field insecure boolean|nil true if certificates are not checked
---@field raw boolean|nil true if the body is not decoded
---@field once boolean|nil true if it is not sent again
---@field deadline number|nil instant of the total timeout
---@field traced septet.Traced|nil what reports the request's signals and its end to its hooks
---@field number integer|nil of the request, once it may take several attempts
---@field resends integer number of attempts that were sent
---@field attempts integer|nil number of the latest attempt, if it may be retried
local Attempt = {}
Attempt.__index = Attempt

--- Creates the first attempt of a request without options.
---@param session septet.Session
---@param method string
---@param target string
---@param streams boolean|nil
---@param deadline number|nil
---@return septet.Attempt
function Attempt.new(session, method, target, streams, deadline)
  return setmetatable({ session = session, method = method, url = target,
    headers = session.headers, list = session.list, core_options = session.core_options,
    without_credentials = session.without_credentials, redirects = session.redirects,
    redirect_headers = session.redirect_headers, policy = session.retries, streams = streams,
    insecure = session.connection.insecure, raw = session.connection.raw,
    once = session.connection.once, deadline = deadline, resends = 0 }, Attempt)
end

--- Applies the options of the request.
---@param request septet.RequestOptions
---@param what string the function's name, for messages
---@return number|nil total timeout in seconds
function Attempt:override(request, what)
  args.options(request, options.checks, what)
  local session = self.session
  local derived = {} -- headers that other options ask for
  local fixed = {}   -- those that the body determines, whatever `headers` says
  self.body, derived["Content-Type"] = options.body(request, what)
  if request.multipart then
    fixed["Content-Type"], self.multipart = derived["Content-Type"], derived["Content-Type"]
  end
  derived.Authorization = auth.header(request.auth, what)
  if request.headers or next(derived) then
    self.list =
      headers.list(what, session.defaults, session.own_headers, derived, request.headers, fixed)
  end
  if request.params then self.url = encode.query(self.url, request.params) end
  local times = limits.timeouts(session.times, request.timeout)
  if type(request.timeout) == "table" or request.max_body
    or connection_options.has_any(request) then
    local connection = connection_options.new(request, session.connection, what)
    self.insecure, self.raw, self.once = connection.insecure, connection.raw, connection.once
    self.core_options, self.without_credentials =
      connection_options.for_core(connection, times, request.max_body or session.max_body)
  end
  self.redirects = limits.redirects(request.redirects, session.redirects, what)
  if request.redirect_headers then
    self.redirect_headers = headers.named(request.redirect_headers, what)
  end
  if request.retries ~= nil then self.policy = retry.policy(request.retries, what) end
  if type(self.body) == "table" then self.policy = nil end -- it cannot be made again
  return times.total
end

--- Replaces the headers, before the first attempt. Those that the body determines must stay.
---@param list string[]
---@param what string the hook's name, for messages
function Attempt:replace_headers(list, what)
  self.list = list
  if self.multipart and headers.value(list, "content-type") ~= self.multipart then
    args.usage(
      "bad header 'Content-Type' in '%s' (its boundary is the body's: it cannot be changed)", what)
  end
end

--- Checks the headers, before the first attempt. Raises Usage at the script's line.
function Attempt:check_headers()
  if self.list ~= self.session.list then self.headers = headers.checked(self.list) end
end

--- Sets what reports the request's signals and its end to its hooks.
---@param traced septet.Traced
function Attempt:report_to(traced)
  self.traced, self.number = traced, traced.id
end

--- Starts the total timeout.
---@param seconds number|nil
function Attempt:limit(seconds)
  if seconds then self.deadline = core.now() + seconds end
end

-- --- sending ---

-- Returns the seconds until the deadline, or nil if there is none.
local function seconds_left(self)
  return self.deadline and math.max(0, self.deadline - core.now())
end

-- Waits for the attempt's turn under the rate, but no longer than the total timeout allows.
local function throttle(self)
  if self.session.pace(self.url, seconds_left(self)) then return end
  error(failure.new(self, "timeout", "total", "queue", "the rate left no time for it"), 0)
end

-- Sends the attempt. With a retry policy it is streamed, as its head decides whether it is retried.
-- Returns the response.
local function send(self, body)
  local session, left, no_follow = self.session.handle, seconds_left(self), self.redirects == 0
  local traced, resend = self.traced, self.resends
  if traced then traced:begin(self, self.policy ~= nil) end
  self.resends = resend + 1
  if self.streams or self.policy then
    local result = core_stream(session, self.core_options, self.headers, self.method, self.url,
      body, left, traced, no_follow, self.number, resend, not self.streams)
    if not result.url then result.url = self.url end
    return setmetatable(result, self.streams and stream.meta or response.meta)
  end
  return core_http(session, self.core_options, self.headers, self.method, self.url, body, left,
    traced, no_follow, self.number, resend)
end

local function run_once(self)
  if self.session.pace then throttle(self) end
  local result
  if type(self.body) == "table" then
    local with = self.streams and upload.start_body or upload.with_body
    result = with(self.body, self, function(body) return send(self, body) end)
  else
    result = send(self, self.body)
  end
  if self.raw then result.raw = true end
  return result
end

-- Reads the body of a streamed response, which then is a whole one. Returns like core.try().
local function gather(result)
  local body_stream = result.stream
  local ok, body, traceback = core.try(body_stream.peek, body_stream)
  result.body, result.head, result.stream = body, body_stream:head(), nil
  body_stream:close()
  return ok, ok and result or body, traceback
end

-- Returns the delay before the next attempt, or nil if there is none.
local function retry_delay(self, attempts, result, err)
  local policy = self.policy
  local delay = retry.wants(policy, self.method, result, err, self.once)
    and retry.delay(policy, attempts, result)
  local in_time = delay and not (self.deadline and core.now() + delay >= self.deadline)
  return in_time and self.session.budget.spend(self.url) and delay or nil
end

-- Runs the attempt, and retries it as its policy allows. Returns or raises the last outcome. The
-- bodies of earlier responses are not read.
local function run_with_retries(self)
  self.session.budget.earn(self.url, self.policy)
  self.number = self.number or core.http_number()
  local ok, result, traceback = core.try(run_once, self)
  for attempts = 1, math.huge do
    local err = not ok and result or nil
    if err and not core.is(err, "HttpError") then core.raise(err, traceback) end
    self.attempts = attempts
    if attempts > 1 then result.attempts = attempts end
    local delay = retry_delay(self, attempts, ok and result or nil, err)
    if not delay then
      if ok and not self.streams then ok, result, traceback = gather(result) end
      if self.traced then self.traced:release(not ok) end
      if ok then return result end
      if attempts > 1 and core.is(result, "HttpError") then result.attempts = attempts end
      core.raise(result, traceback)
    end
    local unread = ok and result.stream:discard()
    core.sleep(delay)
    if unread then result.stream:peek() end -- so that the connection can be used again
    ok, result, traceback = core.try(run_once, self)
  end
end

--- Sends the attempt, again as its retry policy allows, and waits for the response.
---@async
---@return septet.Response|septet.StreamedResponse
function Attempt:run()
  return (self.policy and run_with_retries or run_once)(self)
end

-- --- redirects ---

-- Removes the headers for which keep(name in lower case) is false.
local function keep_headers(self, keep)
  local kept = {}
  for i = 1, #self.list, 2 do
    if keep(self.list[i]:lower()) then
      kept[#kept + 1], kept[#kept + 2] = self.list[i], self.list[i + 1]
    end
  end
  self.list, self.headers = kept, core.http_headers(kept)
end

--- Notes that a response has come for an earlier attempt of the request.
---@param result septet.Response
function Attempt:follows(result)
  self.number = self.number or result.head:number()
  self.resends = math.max(self.resends, 1)
end

--- Changes to the attempt that follows a redirect. Raises HttpError{code="redirect"} if that is
--- refused.
---@param result septet.Response
---@param number integer number of redirects, including this one
function Attempt:redirect(result, number)
  local target = redirect.target(self, result, number)
  local method = redirect.method(self, result)
  if url.origin(target) ~= url.origin(self.url) then
    local named = self.redirect_headers
    keep_headers(self, function(name) return named[name] or redirect.is_public(name) end)
    self.core_options = self.without_credentials
  end
  if method ~= self.method then
    self.body = nil
    keep_headers(self, function(name) return not redirect.is_of_body(name) end)
  end
  self.method, self.url = method, target
end

return Attempt
