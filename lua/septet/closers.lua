--- What a block closes at its end besides its tasks: iterators that were left open. Objects with a method `close`,
--- which may wait.
local closers = {}

local core = require "septet.core"

local try, raise = core.try, core.raise

-- Those of one scope, oldest first: a ring of the objects themselves with this as its head. The scope closes it.
local Ring = {}
Ring.__index = Ring

local function ring_here()
  local ring = core.closers()
  if not ring then
    ring = setmetatable({}, Ring)
    ring.before, ring.after = ring, ring
    core.closers(ring)
  end
  return ring
end

--- Has the innermost block that is open here close the object at its end.
function closers.add(object)
  local ring = ring_here()
  object.before, object.after = ring.before, ring
  object.before.after, ring.before = object, object
end

--- Forgets it: it is closed.
function closers.remove(object)
  if not object.after then return end
  object.before.after, object.after.before = object.after, object.before
  object.before, object.after = nil, nil
end

-- Closes all, the last first. As with closing variables, the last error counts.
function Ring:close()
  local ok, err, traceback = true, nil, nil
  while self.before ~= self do
    local object = self.before
    local closed, why, where = try(object.close, object)
    closers.remove(object)
    if not closed then ok, err, traceback = false, why, where end
  end
  if not ok then raise(err, traceback) end
end

return closers
