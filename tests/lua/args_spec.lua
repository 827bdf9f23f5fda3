-- SPDX-License-Identifier: MIT
-- septet.internal.args: how the modules check their arguments. The messages of each function are
-- in its own spec.
local private = debug.getregistry()["septet.require"] -- of private modules
local task = require "septet.task"
local args = private "septet.internal.args"

-- As a function of a module of ours has it: the mistake is its caller's.
local function takes(options, spec)
  local checked = args.options(options, spec, "takes")
  return checked
end

describe("options", function()
  it("options that the caller leaves out are an empty table", function()
    equal(takes(nil, { a = "any" }), {})
  end)

  it("options that the caller gives are the same table", function()
    local given = { a = 1 }
    equal(rawequal(takes(given, { a = "any", b = "any" }), given), true)
    equal(takes({}, {}), {})
  end)

  it("options accept the values of their kind, and refuse all others", function()
    local callable = setmetatable({}, { __call = function() end })
    local cases = {
      seconds = { { 0, 1, 0.5, 1e300, math.huge, -0.0 }, { -1, 0 / 0, -math.huge, "1", true, {} } },
      count = { { 1, 2, 1000000 },
        { 0, -1, 1000001, math.maxinteger, 1.5, 1.0, math.huge, "1", true } },
      size = { { 1, 1000001, math.maxinteger }, { 0, -1, 1.5, 1.0, math.huge, "1", true } },
      boolean = { { true, false }, { 0, 1, "true", {} } },
      string = { { "", "x", "a\0b" }, { 1, true, {} } },
      table = { { {}, callable }, { "x", 1, print } },
      any = { { 1, "x", false, print, {} }, {} },
    }
    for kind, case in pairs(cases) do
      for _, value in ipairs(case[1]) do
        takes({ x = value }, { x = kind })
      end
      for _, value in ipairs(case[2]) do
        raises_error({ kind = "Usage" }, takes, { x = value }, { x = kind })
      end
    end
  end)

  it("the error of an unknown option names the nearest known one, if one is near", function()
    local spec = { timeout = "any", limit = "any", headers = "any" }
    raises("did you mean 'timeout'%?", takes, { timout = 1 }, spec)
    raises("did you mean 'limit'%?", takes, { limits = 1 }, spec)
    raises("did you mean 'headers'%?", takes, { header = 1 }, spec)
    raises("unknown option 'nothing_like_it' to 'takes' %(one of headers,",
      takes, { nothing_like_it = 1 }, spec)
    raises("unknown option '' to 'takes'", takes, { [""] = 1 }, {})
    raises("unknown option 'true' to 'takes'", takes, { [true] = 1 }, spec)
    raises("unknown option '1' to 'takes'", takes, { "x" }, spec)
  end)

  it("options that are no table are refused", function()
    for _, value in ipairs { 1, "x", true, print, io.stdout } do
      raises("bad options to 'takes' %(table expected, got " .. type(value), takes, value, {})
    end
    raises("got boolean", takes, false, {})
  end)
end)

describe("callable", function()
  it("a function or a value with __call is callable", function()
    args.callable(print, 1, "f")
    args.callable(function() end, 1, "f")
    args.callable(setmetatable({}, { __call = print }), 1, "f")
  end)

  it("all other values are refused as callables", function()
    local plain, hidden = setmetatable({}, {}), setmetatable({}, { __metatable = "no" })
    for _, value in ipairs { 1, "x", {}, true, task.current(), plain, hidden } do
      raises_error({ kind = "Usage" }, args.callable, value, 3, "f")
    end
    raises("bad argument #3 to 'f' %(function expected, got nil%)", args.callable, nil, 3, "f")
  end)
end)

describe("a mistake", function()
  it("a mistake is reported at the line of the script, with its file", function()
    misuse("unknown option 'x' to 'wait'", function() task.wait({}, { x = 1 }) end)
    misuse("function expected", function() task.map(nil, {}) end)
  end)

  it("a mistake is an error of kind Usage", function()
    local err = raises(nil, function() task.wait({}, { x = 1 }) end)
    equal(task.is(err, "Usage"), true)
    equal(tostring(err), err.message)
  end)
end)
