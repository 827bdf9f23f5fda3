-- SPDX-License-Identifier: MIT
-- The scripts of test_loop_closed.c. close_handles(type) is a function in C that closes the handles
-- of the loop: all, or those of a type.
-- check: globals origin, close_handles
-- check: allow global-in-function
local scripts = {}

function scripts.close_in_a_task()
  local task, http = require "septet.task", require "septet.http"
  kept = http.session()
  kept:get(origin .. "/bytes/10")
  for i = 1, 3 do
    task.spawn(kept.get, kept, origin .. "/stall")
    task.spawn(task.sleep, 1000)
  end
  task.sleep(0.01)
  close_handles()
  task.spawn(kept.get, kept, origin .. "/stall")
  task.spawn(task.sleep, 0.001)
  kept:get(origin .. "/bytes/10")
end

local function is_failure(e)
  return require "septet.task".is(e, "HttpError")
end

function scripts.close_pollers()
  local task, http = require "septet.task", require "septet.http"
  local session = http.session()
  session:get(origin .. "/bytes/10")
  local requests = {}
  for i = 1, 5 do
    requests[i] = task.spawn(function()
      local ok, e = pcall(session.get, session, origin .. "/stall?after=10&length=100")
      return not ok and is_failure(e)
    end)
  end
  task.sleep(0.02)
  close_handles "poll"
  for i = 1, 200 do
    task.sleep(0.001)
  end
  for _, request in ipairs(requests) do
    assert(request:status() == "done" and request:await())
  end
  assert(session:get(origin .. "/bytes/10").status == 200)
  n = 1
end

return scripts
