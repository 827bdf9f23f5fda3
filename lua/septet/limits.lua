-- The limits of requests: times, bytes, redirects.
local args = require "septet.args"

local limits = {}

--- Time limits in seconds.
---@class septet.Timeouts
---@field total number|nil for a whole request, with redirects, retries and the wait for a place; none
---@field queue number|nil for the wait for a place; none
---@field connect number|nil for name, connection and TLS; 10
---@field first_byte number|nil from the request to the first byte of the response; 30
---@field idle number|nil between two bytes; 30

local timeout_options = {
  total = "seconds", connect = "seconds", first_byte = "seconds", idle = "seconds", queue = "seconds",
}

--- Time limits by name: those of `base`, and over them what an option `timeout` says, a number for the total.
function limits.times(base, option)
  if option == nil then return base end
  option = type(option) == "table" and option or { total = option }
  args.options(option, timeout_options, "timeout")
  local merged = {}
  for name in pairs(timeout_options) do
    merged[name] = option[name]
    if merged[name] == nil then merged[name] = base[name] end
  end
  return merged
end

--- How many redirects are followed: 0 for an option of false.
function limits.redirects(option, otherwise, what)
  if option == nil then return otherwise end
  if option == false then return 0 end
  if math.type(option) ~= "integer" or option < 0 then
    args.usage("bad option 'redirects' to '%s' (a whole number or false expected, got %s)", what, tostring(option))
  end
  return option
end

return limits
