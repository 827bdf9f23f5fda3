-- SPDX-License-Identifier: MIT
-- What entries of the API are called: task.gather, session:get, response.status.
local types = require "types"

local names = {}

-- Classes whose objects are not called by their class.
local SPOKEN = {
  StreamedResponse = "stream", RobotsRules = "rules", RobotsCache = "cache",
  Url = "u", -- not as its module
  Expectation = "expect", ServedRequest = "request", HtmlLink = "link", StreamWriter = "stdin",
}

--- Returns what an object of a class is called in the name of a method, as in "csv_reader:rows".
function names.object(class)
  local last = class:match "([%w_]+)$"
  if SPOKEN[last] then return SPOKEN[last] end
  return (last:gsub("(%l)(%u)", "%1_%2"):lower())
end

--- Returns true if a class is the table of a module.
function names.is_module(class) return class == "septet" or class:find "^septet%.%l" ~= nil end

--- Returns true if the members of a class have names of their own. Those of tables of options and
--- results do not.
function names.is_object(class) return #class.members > 0 end

--- The class whose members are globals.
names.GLOBALS = "septet.TestGlobals"

--- Returns what stands between an object and the name of a function of its class.
function names.mark(class)
  return (names.is_module(class) or class == "septet.Expectation") and "." or ":"
end

--- Returns the name of a member or a field of a class.
function names.of(class, member)
  if class == names.GLOBALS then return member.name end
  local owner = class == "septet" and class or class:match "^septet%.(%l[%w_]*)$"
  if owner then return owner .. "." .. member.name end
  return names.object(class) .. (member.is_value and "." or names.mark(class)) .. member.name
end

-- Returns a parameter as it stands in a signature.
local function parameter(param)
  local text, may_be_nil = types.without_nil(param.type)
  return ("%s%s: %s"):format(param.name, (may_be_nil or param.optional) and "?" or "", text)
end

--- Returns the names that a name in a page may stand for, by what its object is called there.
function names.readings(short, name)
  local object, mark, member = name:match "^([%w_]+)([.:])([%w_]+)$"
  local found = { name }
  for _, long in ipairs(object and { object, table.unpack(short[object] or {}) } or {}) do
    found[#found + 1] = long .. mark .. member
    found[#found + 1] = long .. (mark == ":" and "." or ":") .. member
  end
  return found
end

--- Returns the parameters and the returned types of a function: "(seconds: number): string".
function names.type_of(member)
  if #member.params == 0 and member.type then return ": " .. member.type end
  local params, returns = {}, {}
  for i, param in ipairs(member.params) do params[i] = parameter(param) end
  for i, value in ipairs(member.returns) do
    returns[i] = value.type .. (value.text:find "^%.%.%." and "..." or "")
  end
  return ("(%s)%s"):format(table.concat(params, ", "),
    #returns > 0 and ": " .. table.concat(returns, ", ") or "")
end

return names
