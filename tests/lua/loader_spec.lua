-- SPDX-License-Identifier: MIT
-- task.require: modules whose top level waits.
-- check: allow dropped-result
local task = require "septet.task"

-- Makes `name` a module of that source, gone again at the end of the block.
local function module(name, source)
  package.preload[name] = assert(load(source, "@" .. name .. ".lua"))
  return setmetatable({}, { __close = function()
    package.preload[name], package.loaded[name] = nil, nil
  end })
end

local waits = [[
  local task = require 'septet.task'
  task.sleep(0.001)
  loads = (loads or 0) + 1
  return { n = loads, ... }
]]

describe("task.require", function()
  it("task.require loads a module that waits, once", function()
    local _ <close> = module("waits", waits)
    local m = task.require "waits"
    equal(m[1], "waits")
    equal(rawequal(task.require "waits", m), true)
    equal(rawequal(require "waits", m), true)
  end)

  it("task.require makes other tasks wait for the one that loads", function()
    local _ <close> = module("waits", waits)
    local before = _G.loads or 0
    local all = task.gather(task.map(task.require, { "waits", "waits", "waits" }))
    equal(rawequal(all[1], all[2]) and rawequal(all[2], all[3]), true)
    equal(_G.loads - before, 1)
  end)

  it("task.require finds what require finds, and returns its second value", function()
    package.loaded["spec-target"] = nil
    local m, where = task.require "origin"
    equal(m, require "origin")
    if where then equal(where:find "origin.lua" ~= nil, true) end
  end)

  it("task.require returns true, or package.loaded, for a module without a result", function()
    local _ <close> = module("nothing", "")
    equal(task.require "nothing", true)
    local _ <close> = module("puts", "package.loaded.puts = 7")
    equal(task.require "puts", 7)
  end)

  it("task.require raises the module's error, and loads it anew the next time", function()
    local _ <close> = module("fails",
      "tries = (tries or 0) + 1 if tries == 1 then error 'first' end return tries")
    local err = raises("fails.lua:1: first", task.require, "fails")
    equal(type(err), "string")
    equal(task.require "fails", 2)
  end)

  it("task.require says where it looked for a missing module", function()
    local err = raises("^module 'no.such.module' not found:", task.require, "no.such.module")
    equal(err:find("no field package.preload['no.such.module']", 1, true) ~= nil, true)
  end)

  it("task.require finds a module that requires itself", function()
    local _ <close> = module("itself", "return require 'septet.task'.require 'itself'")
    raises("module 'itself' requires itself", task.require, "itself")
  end)

  it("task.require loads on for other tasks when the loader is cancelled", function()
    local _ <close> = module("waits", waits)
    local first, second = task.spawn(task.require, "waits"), task.spawn(task.require, "waits")
    turns(1)
    first:cancel()
    equal(type(second:await()), "table")
    equal(first:status(), "cancelled")
  end)

  it("the error of a wait below require names task.require", function()
    local _ <close> = module("waits", waits)
    raises("cannot wait here: called from 'require' %(task.require loads modules that wait%)",
      require, "waits")
  end)

  it("task.require refuses what is no name", function()
    misuse("bad argument #1 to 'require' %(string expected, got table%)", function()
      task.require {}
    end)
  end)
end)

describe("task.pcall", function()
  it("task.pcall returns what pcall returns", function()
    equal({ task.pcall(function(...) return ... end, 1, nil, 3) }, { true, 1, nil, 3 })
    equal({ task.pcall(error, "x") }, { false, "x" })
    equal({ task.pcall(error, nil) }, { false })
  end)

  it("task.pcall passes Cancelled on", function()
    local went_on = false
    local t = task.spawn(function()
      task.pcall(task.sleep, 100)
      went_on = true
    end)
    turns(1)
    t:cancel()
    task.wait { t }
    equal(went_on, false)
    equal(t:status(), "cancelled")
  end)

  it("task.pcall passes GeneratorClosed on", function()
    local went_on = false
    local g = task.generator(function(emit)
      task.pcall(emit, 1)
      went_on = true
    end)
    equal(g(), 1)
    g:close()
    equal(went_on, false)
  end)
end)

describe("task.try", function()
  it("task.try returns what the function returns", function()
    equal({ task.try(function(...) return ... end, 1, nil, 3) }, { true, 1, nil, 3 })
  end)

  it("task.try returns the error and its place, over waits", function()
    local function deep()
      task.sleep(0)
      error({ mine = true }, 0)
    end
    local ok, err, traceback = task.try(function() deep() end)
    equal(ok, false)
    equal(err, { mine = true })
    equal(traceback:find "^stack traceback:" ~= nil, true)
    equal(traceback:find "in upvalue 'deep'" ~= nil or traceback:find "in local 'deep'" ~= nil,
      true)
  end)

  it("task.try passes Cancelled on", function()
    local t = task.spawn(function()
      task.try(task.sleep, 100)
      error "went on"
    end)
    turns(1)
    t:cancel()
    task.wait { t }
    equal(t:status(), "cancelled")
  end)
end)

describe("the module septet.task", function()
  it("septet.task takes no variable but on_unhandled", function()
    misuse("septet.task has no variable 'on_unhandeld' to set; only 'on_unhandled'", function()
      task.on_unhandeld = print
    end)
  end)

  it("septet.task takes a function for on_unhandled", function()
    task.on_unhandled = nil
    misuse("bad value for task.on_unhandled %(function expected, got string%)", function()
      task.on_unhandled = "print"
    end)
  end)
end)
