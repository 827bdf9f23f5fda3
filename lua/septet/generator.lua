--- Generators: iterators written as functions that emit their values, may wait, and are closed when their loop
--- is left. `septet.task` gives them out.
local generator = {}

local core = require "septet.core"
local args = require "septet.args"
local closers = require "septet.closers"
local probe = require "septet.probe"

local is, try, raise, error = core.is, core.try, core.raise, error

---@class septet.Generator
---@operator call: any
local Generator = {}
local generator_meta = { __name = "generator", __index = Generator, __metatable = false }

-- What the body's coroutine gave: values that were emitted, or its end.
local function stepped(gen, resumed, ok, ...)
  gen.running = false
  local dead = coroutine.status(gen.co) == "dead"
  if dead then
    gen.done = true
    closers.remove(gen)
  end
  if not resumed then error(ok, 0) end -- Lua's stack of C calls is full
  if not dead then return ok, ... end
  if not ok and not (gen.closing and is((...), "GeneratorClosed")) then
    local err, traceback = ...
    raise(err, traceback, "resumed at")
  end
end

-- Goes on from the first resume, which has led into the call that protects the body, if there was room for it.
local function begun(gen, resumed, ...)
  gen.started = resumed
  if not resumed or coroutine.status(gen.co) == "dead" then return stepped(gen, resumed, ...) end
  return stepped(gen, coroutine.resume(gen.co))
end

local function enter(gen)
  if gen.running then args.usage("the generator is running already") end
  gen.running = true
  if not gen.started then return begun(gen, coroutine.resume(gen.co)) end
  return stepped(gen, coroutine.resume(gen.co))
end

--- The next values that its function emits; nothing once it has returned. Raises what it raises.
---@async
function generator_meta:__call()
  if not self.done then return enter(self) end
end

--- Ends it: `emit` raises GeneratorClosed where its function is, whose closing variables may wait. Harmless
--- when it has ended. Also at the end of a loop over it, of a `local g <close>`, and of the block or task that made
--- it.
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

--- An iterator for a `for` over the values that fn(emit, ...) emits; fn may wait. No block that it opens may be open
--- where it emits.
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
  -- The call that protects the body takes a level of Lua's C calls until the coroutine is suspended within.
  local function body()
    coroutine.yield()
    return fn(emit, table.unpack(given, 1, given.n))
  end
  gen.co = coroutine.create(function() return try(body) end)
  closers.add(gen)
  if probe.closes_loops() then return gen, nil, nil, gen end
  return gen
end

args.methods(Generator, "generator", { [generator_meta] = true })
return generator
