-- SPDX-License-Identifier: MIT
-- Events of a server for tests, as bodies (text/event-stream).
local args = require "septet.internal.args"

local events = {}

local function check_field(value, name, what)
  local text = tostring(value)
  if text:find "[\r\n%z]" then
    args.usage("bad '%s' of an event in '%s' (no line break and no NUL expected)", name, what)
  end
  return ("%s: %s\n"):format(name, text)
end

-- Returns an event as it is sent.
local function text_of(event, what)
  if type(event) == "string" then event = { data = event } end
  if type(event) ~= "table" then
    args.usage("bad event in '%s' (a string or a table expected, got %s)", what, type(event))
  end
  local lines = {}
  local function add_lines(name, text)
    for line in (tostring(text):gsub("\r\n?", "\n") .. "\n"):gmatch "([^\n]*)\n" do
      lines[#lines + 1] = ("%s: %s\n"):format(name, line)
    end
  end
  if event.comment then add_lines("", event.comment) end
  if event.type then lines[#lines + 1] = check_field(event.type, "event", what) end
  if event.id then lines[#lines + 1] = check_field(event.id, "id", what) end
  if event.retry then
    lines[#lines + 1] = ("retry: %d\n"):format(math.ceil(event.retry * 1000))
  end
  if event.data then add_lines("data", event.data) end
  return table.concat(lines) .. "\n"
end

--- Returns a body that gives the events of a callable or a list, and what is to be closed after it.
---@param given any
---@param what string the function's name, for messages
---@return fun(): string|nil
---@return any closes
function events.body(given, what)
  local next_event, at = given, 0
  if not args.is_callable(given) then
    if type(given) ~= "table" then
      args.usage("bad 'events' in '%s' (a function or a list expected, got %s)", what, type(given))
    end
    next_event = function()
      at = at + 1
      return given[at]
    end
  end
  return function()
    local event = next_event()
    return event ~= nil and text_of(event, what) or nil
  end, type(given) ~= "function" and next_event == given and given or nil
end

return events
