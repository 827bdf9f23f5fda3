-- SPDX-License-Identifier: MIT
-- The scripts of test_reentry.c, by name. Each counts in `n` how often it has checked.
-- check: globals call_all
-- check: allow global-in-function
local task, http = require "septet.task", require "septet.http"
local scripts = {}

-- Calls run, step and free from inside: each is SEPTET_EBUSY.
local function check_calls()
  local results = { call_all() }
  for i = 1, 3 do
    assert(results[i] == -7, i)
  end
  n = (n or 0) + 1
end

function scripts.task()
  check_calls()
end

function scripts.coroutine()
  coroutine.wrap(check_calls)()
end

function scripts.trace_sink()
  local once
  require("septet.trace").subscribe(function()
    if not once then
      once = true
      check_calls()
    end
  end)
  task.sleep(0.001)
end

function scripts.request_hook()
  local hooks = { request_start = check_calls, request_exception = check_calls }
  local s <close> = http.session { trace = hooks }
  pcall(s.get, s, "http://127.0.0.1:1/")
  assert(n == 2)
end

function scripts.unwinding()
  local _ <close> = setmetatable({}, {
    __close = function()
      check_calls()
      warn "@on"
      warn "checked"
    end,
  })
  task.sleep(1000)
end

-- A sink cancels a task that has just begun to wait.
function scripts.sink_that_cancels()
  local t = task.spawn(task.sleep, 1000)
  require("septet.trace").subscribe(function(e)
    if e.kind == "wait" and e.task == t.id then
      t:cancel()
    end
  end)
  assert(#task.wait { t } == 1 and t:status() == "cancelled")
end

return scripts
