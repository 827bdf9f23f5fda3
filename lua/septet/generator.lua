--- Generators: iterators written as functions that emit their values, may wait, and are closed when their loop
--- is left. `septet.task` gives them out.
local generator = {}

local core = require "septet.core"
local args = require "septet.args"
local probe = require "septet.probe"

local is, pcall, error = core.is, pcall, error

-- The generators open in one scope, oldest first: a ring of themselves with this as its head. The scope calls
-- `close` at its end.
local Open = {}
Open.__index = Open

local function open_here()
  local open = core.closers()
  if not open then
    open = setmetatable({}, Open)
    open.before, open.after = open, open
    core.closers(open)
  end
  return open
end

local function link(gen, open)
  gen.before, gen.after = open.before, open
  gen.before.after, open.before = gen, gen
end

local function unlink(gen)
  if not gen.after then return end
  gen.before.after, gen.after.before = gen.after, gen.before
  gen.before, gen.after = nil, nil
end

-- Closes them, the last first. As with closing variables, the last error counts.
function Open:close()
  local ok, err = true, nil
  while self.before ~= self do
    local closed, why = pcall(self.before.close, self.before)
    if not closed then ok, err = false, why end
  end
  if not ok then error(err, 0) end
end

---@class septet.Generator
---@operator call: any
local Generator = {}
Generator.__index = Generator
Generator.__name = "generator"

-- What the body's coroutine gave: values that were emitted, or its end.
local function stepped(gen, resumed, ok, ...)
  gen.running = false
  if coroutine.status(gen.co) ~= "dead" then return ok, ... end
  gen.done = true
  unlink(gen)
  if not resumed then error(ok, 0) end
  if not ok and not (gen.closing and is((...), "GeneratorClosed")) then error((...), 0) end
end

local function enter(gen)
  if gen.running then args.usage("the generator is running already") end
  gen.running = true
  return stepped(gen, coroutine.resume(gen.co))
end

--- The next values that its function emits; nothing once it has returned. Raises what it raises.
---@async
function Generator:__call()
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
    unlink(self)
  end
end

Generator.__close = Generator.close

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
  local gen = setmetatable({}, Generator)
  local function emit(...)
    if gen.closing then closed() end
    if (...) == nil then args.usage("cannot emit nil: it would end the loop") end
    coroutine.yield(...)
    if gen.closing then closed() end
  end
  local given = table.pack(...)
  gen.co = coroutine.create(function()
    gen.started = true
    return pcall(fn, emit, table.unpack(given, 1, given.n))
  end)
  link(gen, open_here())
  if probe.closes_loops() then return gen, nil, nil, gen end
  return gen
end

return generator
