-- SPDX-License-Identifier: MIT
--- Generators: iterators written as functions that emit values. They may wait, and are closed when
--- their loop is left. Exported by `septet.task`.
local generator = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local closers = require "septet.task.closers"
local probe = require "septet.internal.probe"

---@class septet.Generator
---@operator call: any
local Generator = {}
local generator_meta = { __name = "generator", __index = Generator, __metatable = false }

-- Returns the values that the body's coroutine emitted, or nothing at its end. Raises its error.
local function after_resume(gen, resumed, ok, ...)
  gen.running = false
  local dead = coroutine.status(gen.co) == "dead"
  if dead then
    gen.done = true
    closers.remove(gen)
  end
  if not resumed then error(ok, 0) end -- Lua's limit of nested C calls is reached
  if not dead then return ok, ... end
  if not ok and not (gen.closing and core.is((...), "GeneratorClosed")) then
    local err, traceback = ...
    core.raise(err, traceback, "resumed at")
  end
end

-- Continues after the first resume, which has entered the call that protects the body. It has not
-- if Lua had no room for that call.
local function after_first_resume(gen, resumed, ...)
  gen.started = resumed
  if not resumed or coroutine.status(gen.co) == "dead" then
    return after_resume(gen, resumed, ...)
  end
  return after_resume(gen, coroutine.resume(gen.co))
end

local function enter(gen)
  if gen.running then args.usage("the generator is running already") end
  gen.running = true
  if not gen.started then return after_first_resume(gen, coroutine.resume(gen.co)) end
  return after_resume(gen, coroutine.resume(gen.co))
end

--- Returns the next values that its function emits, or nothing at its end. Raises its error.
---@async
function generator_meta:__call()
  if not self.done then return enter(self) end
end

--- Ends the generator: `emit` raises GeneratorClosed in its function. That function's closing
--- variables may wait. Does nothing if it has ended. Also called at the end of a loop, of a
--- `<close>` variable, and of the block or task that made it.
---@async
function Generator:close()
  if self.done then return end
  self.closing = true
  if self.started then
    enter(self)
  else
    self.done = true
    closers.remove(self)
  end
end

generator_meta.__close = Generator.close

local function closed()
  error(core.error { kind = "GeneratorClosed", message = "the generator is closed" }, 0)
end

--- Returns an iterator for a `for` over the values that fn(emit, ...) emits. fn may wait. It must
--- not emit inside a block that it opened.
---@param fn fun(emit: fun(...: any), ...)
---@param ... any
---@return septet.Generator
function generator.new(fn, ...)
  args.callable(fn, 1, "generator")
  local gen = setmetatable({}, generator_meta)
  local function emit(...)
    if gen.closing then closed() end
    if (...) == nil then args.usage("cannot emit nil: it would end the loop") end
    coroutine.yield(...)
    if gen.closing then closed() end
  end
  local given = table.pack(...)
  -- The call that protects the body takes one of Lua's C calls until the coroutine suspends in it.
  local function body()
    coroutine.yield()
    return fn(emit, table.unpack(given, 1, given.n))
  end
  gen.co = coroutine.create(function() return core.try(body) end)
  closers.add(gen)
  if probe.closes_loops() then return gen, nil, nil, gen end
  return gen
end

args.methods(Generator, "generator", { [generator_meta] = true })
return generator
