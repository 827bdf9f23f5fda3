-- SPDX-License-Identifier: MIT
-- Tasks, a group and completions, for the tests that take the memory away at each allocation.
-- check: globals fake
local function child(...)
  local _ <close> = closer(function()
    try(fake, "inline")
  end)
  core.sleep(1)
  local n = select("#", ...)
  fake "closing"
  return n, ...
end

local t = core.spawn(child, 1, 2, 3)
local u = core.spawn(function()
  return coroutine.wrap(child)(4)
end)
block(true, false, 5, function(g)
  g:spawn(core.sleep, 2)
  g:spawn(error, "x")
  core.sleep(3)
end)
local set = completions { t, u }
set:wait("all")
set:close()
log(t:await())
log(u:await())
core.spawn(core.sleep, 9)
u:cancel()
log(try(core.spawn(error, "y").await, t))
