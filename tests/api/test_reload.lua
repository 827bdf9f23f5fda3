-- SPDX-License-Identifier: MIT
-- What scripts do while their modules are loaded again, for test_reload.c.
-- luacheck: globals rounds stopped old_code_ended new_code_ended reload
-- check: globals stopped
-- check: allow global-in-function
local scripts = {}

local world = [[
local task = require "septet.task"
local world = { version = %d, count = 0 }
local private = 0
function world.on_reload(old)
  world.count, world.loads = old.count, (old.loads or 0) + 1
  private = old.private()
end
function world.private() return private end
function world.tick()
  world.count = world.count + 1
  private = private + 1
  return world.version
end
function world.slowly()
  local version = world.version
  task.sleep(0.001)
  world.count = world.count + 1
  private = private + 1
  return %d, version
end
return world
]]

-- Returns the source of a version of the module `world`.
function scripts.world(version)
  return world:format(version, version)
end

-- Spawns tasks that use the module until `stopped`, and checks that none is lost. `world.slowly`
-- returns the version of its code, which is not that of the module if it was loaded again.
function scripts.under_load()
  local task, live = require "septet.task", require "world"
  local spawned, ended, ticks, newer = 0, 0, 0, 0
  old_code_ended, new_code_ended = 0, 0
  task.group(function(g)
    repeat
      for _ = 1, 5 do
        spawned = spawned + 1
        g:spawn(function()
          local code, version = live.slowly()
          assert(code == version, "code of two versions in one call")
          if live.version > code then old_code_ended = old_code_ended + 1
          else new_code_ended = new_code_ended + 1 end
          ended = ended + 1
        end)
      end
      local version = live.tick()
      assert(version == live.version and version >= newer)
      newer, ticks = version, ticks + 1
      task.sleep(0.0002)
    until stopped
  end)
  assert(ended == spawned, "a task was lost")
  -- Code that ran across a reload counted in the state of its own version, which was handed over
  -- before, unless that is a field of the module: there is one table.
  assert(live.count == spawned + ticks, "a count was lost")
  assert(live.loads == rounds and require "world" == live)
end

return scripts
