-- SPDX-License-Identifier: MIT
-- The scripts of test_foreign.c, by name.
-- check: globals origin
-- check: allow global-in-function
local task, http = require "septet.task", require "septet.http"
local scripts = {}

function scripts.outside_of_tasks()
  local function refused(fn, ...)
    local ok, e = pcall(fn, ...)
    assert(not ok and task.is(e, "Usage"))
    return e.message
  end
  assert(refused(task.sleep, 0):find "not inside a task")
  assert(refused(task.spawn, print):find "not inside a task")
  refused(http.get, origin)
  assert(task.current() == nil and task.now() > 0)
end

-- `old` is the module of the first host: its functions fail on the later ones, or work.
function scripts.one_host_after_another()
  assert(not pcall(old and old.sleep or error, 0) or not old)
  old = old or task
  local t = task.spawn(function()
    task.sleep(0)
    return 7
  end)
  assert(t:await() == 7)
  coroutine.wrap(function()
    task.sleep(0)
  end)()
  local s <close> = http.session()
  assert(s:get(origin .. "/bytes/10").status == 200)
end

return scripts
