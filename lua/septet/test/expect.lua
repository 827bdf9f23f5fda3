-- SPDX-License-Identifier: MIT
-- `expect(value)`: what a test states about a value. A statement that does not hold raises
-- ExpectationError at the line of the script.
local expect = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local difference = require "septet.test.difference"
local place = require "septet.test.place"

local show = difference.show

local checks = {}

-- Each returns whether the statement holds, and a text for when it does not and one for when it
-- does not hold for "never", or a function that makes the text. What editors
-- know of them is in meta/septet/tests.lua.

--- The values are equal: by ==, and tables field by field.
---@param expected any
function checks.equal(value, expected)
  local text = difference.describe(value, expected)
  return not text, text, function() return "expected another value than " .. show(expected) end
end

--- It is the same object, or the same text or number.
---@param expected any
function checks.same(value, expected)
  local holds = rawequal(value, expected)
  return holds, not holds and difference.describe_objects(value, expected) or nil,
    function() return "expected another object than " .. show(expected) end
end

--- It is neither nil nor false.
function checks.truthy(value)
  return not not value, "expected a true value, got " .. show(value),
    "expected nil or false, got " .. show(value)
end

--- It is nil or false.
function checks.falsy(value)
  return not value, "expected nil or false, got " .. show(value),
    "expected a true value, got " .. show(value)
end

--- It is of this type: one of Lua's, or "integer", "float" or the kind of an error.
---@param name string
function checks.a(value, name)
  local holds = type(value) == name or math.type(value) == name or core.is(value, name)
  return holds, ("expected a value of type %s, got %s"):format(name, show(value)),
    ("expected no value of type %s, got %s"):format(name, show(value))
end

--- Its text matches a Lua pattern.
---@param pattern string
function checks.matches(value, pattern)
  if type(pattern) ~= "string" then
    args.usage("bad argument #1 to 'matches' (pattern expected, got %s)", type(pattern))
  end
  return tostring(value):find(pattern) ~= nil,
    ("expected a text that matches %s, got %s"):format(show(pattern), show(value)),
    ("expected no text that matches %s, got %s"):format(show(pattern), show(value))
end

--- It is a text with this part, or a table with this value.
---@param part any
function checks.contains(value, part)
  local holds = false
  if type(value) == "string" then
    holds = value:find(tostring(part), 1, true) ~= nil
  elseif type(value) == "table" then
    for _, item in pairs(value) do holds = holds or difference.same(item, part) end
  else
    args.usage("'contains' is for texts and tables, not for a value of type %s", type(value))
  end
  return holds, ("expected %s to contain %s"):format(show(value), show(part)),
    ("expected %s not to contain %s"):format(show(value), show(part))
end

--- It is a number at most `distance` away.
---@param expected number
---@param distance number|nil 1e-9
function checks.near(value, expected, distance)
  distance = distance or 1e-9
  local holds = type(value) == "number" and math.abs(value - expected) <= distance
  return holds, ("expected a number within %s of %s, got %s"):format(distance, expected,
    show(value)), ("expected no number within %s of %s, got %s"):format(distance, expected,
    show(value))
end

-- Returns whether an error is as expected, and what differs.
local function fits(err, expected)
  if expected == nil then return true end
  if type(expected) == "string" then
    return tostring(err):find(expected) ~= nil,
      ("expected an error that matches %s, got %s"):format(show(expected), show(tostring(err)))
  elseif type(expected) ~= "table" then
    return rawequal(err, expected), ("expected the error %s, got %s"):format(show(expected),
      show(err))
  end
  if type(err) ~= "table" and type(err) ~= "userdata" then
    return false, "expected an error with fields, got " .. show(err)
  end
  for name, value in pairs(expected) do
    if not difference.same(err[name], value) then
      return false, ("expected an error of which %s is %s, got %s: %s"):format(tostring(name),
        show(value), show(err[name]), tostring(err))
    end
  end
  return true
end

--- It is a function that raises an error: any, one with a text that matches a pattern, or one with
--- these fields. Returns the error.
---@async
---@param expected string|table|nil
---@param ... any arguments of the function
function checks.raises(value, expected, ...)
  local ok, err = pcall(value, ...)
  if ok then return false, "expected an error, but there was none" end
  local holds, text = fits(err, expected)
  return holds, text, "expected no such error, got " .. tostring(err), err
end

local meta = { __name = "septet.Expectation", __metatable = false }
local VALUE, NEGATED = {}, {}

-- What other tools call them.
local aliases = { toBe = "same", toEqual = "equal", is = "same", equals = "equal", eq = "equal",
  deep = "equal", match = "matches", contain = "contains", has = "contains", includes = "contains",
  raise = "raises", throws = "raises", error = "raises", fails = "raises", ["not"] = "never",
  no = "never", to = "equal", close = "near", ok = "truthy", is_true = "truthy",
  is_false = "falsy", type = "a", is_a = "a" }

local function fail(text)
  local where = place.of_script()
  where = where == "?" and "" or where .. ": "
  error(core.error { kind = "ExpectationError", message = where .. text }, 0)
end

local function new(value, negated)
  return setmetatable({ [VALUE] = value, [NEGATED] = negated }, meta)
end

local known = { never = true }
for name in pairs(checks) do known[name] = true end

function meta.__index(self, name)
  if name == "never" then return new(rawget(self, VALUE), not rawget(self, NEGATED)) end
  local check = checks[name]
  if not check then
    local meant = aliases[name]
    args.usage("there is no expectation '%s'%s", tostring(name), meant
      and (", did you mean '%s'?"):format(meant) or args.hint(tostring(name), known))
  end
  return function(...)
    if rawequal((...), self) then
      args.usage("'%s' is a function: call it with a dot", name)
    end
    local value = rawget(self, VALUE) -- of nil there is no field, which __index would be asked for
    local holds, text, opposite, result = check(value, ...)
    if rawget(self, NEGATED) then holds, text = not holds, opposite end
    if not holds then fail(type(text) == "function" and text() or text) end
    if result ~= nil then return result end
    return value
  end
end

--- Returns the expectation of a value.
---@param value any
---@return septet.Expectation
function expect.new(value) return new(value, false) end

return expect
