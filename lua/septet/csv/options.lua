-- SPDX-License-Identifier: MIT
-- Checks of options that readers and writers of CSV share.
local args = require "septet.internal.args"

local options = {}

--- Returns the value of an option that is one byte.
function options.byte(value, name, what)
  if type(value) == "string" and #value == 1 and not value:find "[\r\n]" then return value end
  args.usage("bad option '%s' to '%s' (one byte, and no line end, expected, got %s)", name, what,
    type(value) == "string" and ("'%s'"):format(value) or type(value))
end

--- Returns the separator.
function options.separator(given, what)
  local separator = options.byte(given.separator or ",", "separator", what)
  if separator == '"' then args.usage("bad option 'separator' to '%s' (it is the quote)", what) end
  return separator
end

--- Returns a list of names that was checked.
function options.names(names, what)
  args.list_option(names, "header", what)
  local seen, copy = {}, {}
  for i, name in ipairs(names) do
    if type(name) ~= "string" or seen[name] then
      args.usage("bad option 'header' to '%s' (a list of different names expected, got %s)", what,
        type(name) == "string" and ("'%s' twice"):format(name) or type(name))
    end
    seen[name], copy[i] = true, name
  end
  if #copy == 0 then args.usage("bad option 'header' to '%s' (an empty list)", what) end
  return copy
end

return options
