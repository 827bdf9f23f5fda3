-- SPDX-License-Identifier: MIT
-- The scripts of test_load.c, by name.
-- check: allow global-in-function
local scripts = {}

function scripts.a_load_over_many_tasks_names_some_of_them()
  LOAD = core.load(core.current())
  local function deeper(n)
    if n == 0 then
      OVER = LOAD:wait()
      PATH = LOAD:path()
      return
    end
    core.spawn(deeper, n - 1):await()
  end
  core.spawn(deeper, 100):await()
  log(OVER, #PATH)
end

return scripts
