-- SPDX-License-Identifier: MIT
-- A task that loads and awaits one that waits for the load, and another one that is in no circle.
-- check: allow global-in-function
local function loads()
  LOAD = core.load(core.current())
  INNER = core.spawn(function()
    OVER = LOAD:wait()
    PATH = LOAD:path()
  end)
  OTHER = core.spawn(function()
    OTHERS = LOAD:wait()
  end)
  core.sleep(0)
  pcall(INNER.await, INNER)
  LOAD:finish()
  core.sleep(1)
end

A = core.spawn(loads)
core.sleep(2)
