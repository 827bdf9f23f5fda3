-- SPDX-License-Identifier: MIT
--- Closers: objects that a block closes at its end, after its tasks, such as iterators left open.
--- They have a method `close`, which may wait.
local closers = {}

local core = require "septet.core"

-- The closers of one scope, oldest first: a ring with this object as its head. The scope closes it.
local Ring = {}
local ring_meta = { __index = Ring, __metatable = false }

local function ring_here()
  local ring = core.closers()
  if not ring then
    ring = setmetatable({}, ring_meta)
    ring.before, ring.after = ring, ring
    core.closers(ring)
  end
  return ring
end

--- Registers an object, which the innermost open block closes at its end.
function closers.add(object)
  local ring = ring_here()
  object.before, object.after = ring.before, ring
  object.before.after, ring.before = object, object
end

--- Removes an object that was closed. Does nothing if it is not registered.
function closers.remove(object)
  if not object.after then return end
  object.before.after, object.after.before = object.after, object.before
  object.before, object.after = nil, nil
end

-- Closes all objects, newest first. As with closing variables, the last error is raised.
function Ring:close()
  local ok, err, traceback = true, nil, nil
  while self.before ~= self do
    local object = self.before
    local closed, why, where = core.try(object.close, object)
    closers.remove(object)
    if not closed then ok, err, traceback = false, why, where end
  end
  if not ok then core.raise(err, traceback) end
end

return closers
