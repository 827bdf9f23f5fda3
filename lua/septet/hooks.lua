-- Trace hooks: a session's own functions, told of each request's start and its one end.
local core = require "septet.core"
local args = require "septet.args"
local headers = require "septet.headers"
local url = require "septet.url"

local hooks = {}

--- What is told of each request. They may not wait; what they raise is warned of and leaves the request alone,
--- but for request_start, which runs in the task that asks, may change ev.headers, and may refuse by raising.
---@class septet.TraceHooks
---@field request_start fun(ctx: table, ev: septet.TraceEvent)|nil
---@field request_end fun(ctx: table, ev: septet.TraceEvent)|nil
---@field request_exception fun(ctx: table, ev: septet.TraceEvent)|nil

---@class septet.TraceEvent
---@field time number seconds, as task.now() counts
---@field request integer the request's number
---@field method string
---@field url string
---@field headers table|nil of request_start: what will be sent, to be changed in place
---@field status integer|nil of request_end
---@field exception any of request_exception; nil where the task was cancelled
---@field cancelled boolean|nil of request_exception

local names = { request_start = "any", request_end = "any", request_exception = "any" }

--- Checks a session's hooks.
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

-- A traced request: tells the hooks its end, once, and is told it by the host or by `request`.
local Traced = {}
Traced.__index = Traced

function Traced:fire(hook, event)
  local fn = self.hooks[hook]
  if not fn then return end
  event.method, event.url, event.request = self.method, url.public(self.url), self.id
  local ok, err = pcall(fn, self.ctx, event)
  if not ok then core.warn(("trace hook '%s' failed: %s"):format(hook, tostring(err))) end
end

-- The end of one attempt. One that redirects is not the end of the request.
function Traced:ended(time, status, err, cancelled, redirects)
  if self.told or redirects then return end
  self.told = true
  if err or cancelled then
    self:fire("request_exception", { time = time, exception = err, cancelled = cancelled })
  else
    self:fire("request_end", { time = time, status = status })
  end
end

local next_request = 0

--- Tells request_start, in the caller's task; it may change the headers, and abort by raising.
---@param fns septet.TraceHooks
---@param method string
---@param target string the URL
---@param list string[] header lines
---@return table traced
---@return string[] list
function hooks.start(fns, method, target, list)
  next_request = next_request + 1
  local traced = setmetatable({ hooks = fns, ctx = {}, method = method, url = target, id = next_request }, Traced)
  if not fns.request_start then return traced, list end
  local given = {}
  for i = 1, #list, 2 do given[list[i]] = list[i + 1] end
  core.hook(fns.request_start, traced.ctx, { time = core.now(), method = method, url = target, headers = given,
    request = next_request })
  return traced, headers.list("request_start", given)
end

return hooks
