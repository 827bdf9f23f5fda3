-- SPDX-License-Identifier: MIT
-- Trace hooks: functions of a session or a request, called once at its start and once at its end.
local core = require "septet.core"
local args = require "septet.internal.args"
local headers = require "septet.http.headers"
local url = require "septet.http.url"

local hooks = {}

--- Functions called for each request. They must not wait. If one raises, that is a warning and does
--- not affect the request. The exception is request_start: it runs in the requesting task, may
--- change ev.headers, and may refuse the request by raising.
---@class septet.TraceHooks
---@field request_start fun(ctx: table, ev: septet.TraceEvent)|nil
---@field request_end fun(ctx: table, ev: septet.TraceEvent)|nil
---@field request_exception fun(ctx: table, ev: septet.TraceEvent)|nil

---@class septet.TraceEvent
---@field time number seconds, on the scale of task.now()
---@field request integer number of the request
---@field method string
---@field url string
---@field insecure boolean|nil true if certificates are not checked
---@field headers table|nil of request_start: what will be sent; may be changed in place
---@field status integer|nil of request_end
---@field exception any of request_exception; nil if the task was cancelled
---@field cancelled boolean|nil of request_exception

local names = { request_start = "any", request_end = "any", request_exception = "any" }

--- Checks hooks and returns them.
---@param fns septet.TraceHooks|nil
---@return septet.TraceHooks|nil
function hooks.check(fns)
  for name, fn in pairs(args.options(fns, names, "trace")) do
    if type(fn) ~= "function" then
      args.usage("bad trace hook '%s' (function expected, got %s)", name, type(fn))
    end
  end
  return fns
end

-- A traced request. The core or request.lua reports its end, which is passed on to the hooks once.
---@class septet.Traced
---@field method string of the first attempt
---@field url string
---@field id integer number of the request
---@field insecure boolean|nil true if certificates are not checked
---@field reported boolean|nil true once the end was passed on
local Traced = {}
Traced.__index = Traced

function Traced:fire(hook, event)
  event.method, event.url = url.public(self.method), url.public(self.url)
  event.request, event.insecure = self.id, self.insecure
  for _, watcher in ipairs(self) do
    local fn = watcher.hooks[hook]
    local ok, err = true, nil
    if fn then ok, err = pcall(fn, watcher.ctx, event) end
    if not ok and not core.is(err, "Cancelled") then -- which means that the run ends, as by os.exit
      core.warn(("trace hook '%s' failed: %s"):format(hook, core.words(err)))
    end
  end
end

-- Reports the end of an attempt to the hooks, once. A redirect is not the end of the request.
function Traced:ended(time, status, err, cancelled, redirected)
  if self.reported or redirected then return end
  self.reported = true
  if err or cancelled then
    self:fire("request_exception", { time = time, exception = err, cancelled = cancelled })
  else
    self:fire("request_end", { time = time, status = status })
  end
end

local next_request = 0

-- Calls one request_start hook and applies its changes to the headers.
local function begin(attempt, traced, fns)
  local ctx = {}
  if fns.request_start then
    local given = {}
    for i = 1, #attempt.list, 2 do given[attempt.list[i]] = attempt.list[i + 1] end
    core.hook(fns.request_start, ctx, { time = core.now(), method = url.public(attempt.method),
      url = url.public(attempt.url), headers = given, request = traced.id,
      insecure = attempt.insecure })
    local automatic = {}
    if attempt.list.automatic and given["Accept-Encoding"] == attempt.list.automatic then
      automatic["Accept-Encoding"], given["Accept-Encoding"] = attempt.list.automatic, nil
    end
    attempt:replace_headers(headers.list("request_start", automatic, given), "request_start")
  end
  traced[#traced + 1] = { hooks = fns, ctx = ctx }
end

--- Calls the request_start hooks in the caller's task. They may change the headers. If one raises,
--- the request fails and hooks already called get request_exception.
---@param attempt septet.Attempt
---@param ... septet.TraceHooks|nil
function hooks.start(attempt, ...)
  next_request = next_request + 1
  local traced = { method = attempt.method, url = attempt.url, id = next_request,
    insecure = attempt.insecure }
  setmetatable(traced, Traced)
  for i = 1, select("#", ...) do
    local fns = select(i, ...)
    local ok, err, traceback = core.try(begin, attempt, traced, fns or {})
    if not ok then
      traced:ended(core.now(), nil, err)
      core.raise(err, traceback)
    end
  end
  attempt:report_to(traced)
end

return hooks
