-- SPDX-License-Identifier: MIT
-- Reads the options that limit a request: `timeout` (the timeouts by name) and `redirects`.
local args = require "septet.internal.args"

local limits = {}

--- Timeouts in seconds. The words after the last semicolon are the default.
---@class septet.Timeouts
---@field total number|nil for a whole request: redirects, retries and time in the queue; none
---@field queue number|nil while queued; none
---@field connect number|nil for lookup, connection and TLS; 10
---@field first_byte number|nil from the request to the first byte of the response; 30
---@field idle number|nil between two bytes; 30

local timeout_options = {
  total = "seconds", connect = "seconds", first_byte = "seconds", idle = "seconds",
  queue = "seconds",
}

--- Returns timeouts by name: those of the option `timeout`, over those of `base`. A number is the
--- total.
function limits.timeouts(base, option)
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

--- Returns the maximum number of redirects: `otherwise` for nil, 0 for false.
function limits.redirects(option, otherwise, what)
  if option == nil then return otherwise end
  if option == false then return 0 end
  if math.type(option) ~= "integer" or option < 0 then
    args.usage("bad option 'redirects' to '%s' (a whole number or false expected, got %s)", what,
      tostring(option))
  end
  return option
end

return limits
