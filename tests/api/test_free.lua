-- SPDX-License-Identifier: MIT
-- The scripts of test_free.c, by name. None ends by itself; each sets `ready` when the host may.
-- check: globals origin
-- check: allow cannot-wait, global-in-function
local scripts = {}

function scripts.with_tasks_that_sleep()
  local task = require "septet.task"
  for i = 1, 100 do
    task.spawn(task.sleep, 1000)
  end
  task.sleep(0)
  ready = 1
  task.sleep(1000)
end

function scripts.unwinds_to_be_closed_variables()
  local task = require "septet.task"
  warn "@on"
  local function guard(name)
    return setmetatable({}, {
      __close = function(_, e)
        warn(name .. " " .. tostring(task.is_cancelled(e)))
      end,
    })
  end
  task.spawn(function()
    local _ <close> = guard "child"
    task.sleep(1000)
  end)
  local _ <close> = guard "first"
  local _ <close> = guard "second"
  task.sleep(0)
  ready = 1
  task.sleep(1000)
end

function scripts.refuses_to_wait_in_to_be_closed_variables()
  local task = require "septet.task"
  warn "@on"
  local _ <close> = setmetatable({}, {
    __close = function(_, e)
      local ok, err = pcall(task.sleep, 1000)
      warn(tostring(ok) .. " " .. tostring(task.is_cancelled(err)))
    end,
  })
  ready = 1
  task.sleep(1000)
end

function scripts.with_a_request_in_flight()
  local task, http = require "septet.task", require "septet.http"
  task.spawn(function()
    task.sleep(0.02)
    ready = 1
  end)
  for i = 1, 5 do
    task.spawn(http.get, origin .. "/stall")
  end
  http.get(origin .. "/stall?after=10&length=100")
end

function scripts.with_requests_that_wait_for_a_place()
  local task, http = require "septet.task", require "septet.http"
  task.spawn(function()
    task.sleep(0.02)
    ready = 1
  end)
  local s = http.session { limit = 1 }
  for i = 1, 5 do
    task.spawn(s.get, s, origin .. "/stall")
  end
  s:get(origin .. "/stall")
end

function scripts.with_a_name_being_looked_up()
  local task, http = require "septet.task", require "septet.http"
  repeat
    ready = 1
    local _, e = pcall(http.get, "http://no-such-host.invalid/")
  until task.is_cancelled(e)
end

function scripts.runs_finalizers_that_use_the_library()
  local task, http = require "septet.task", require "septet.http"
  warn "@on"
  local s, t = http.session(), task.current()
  keep = setmetatable({}, {
    __gc = function()
      assert(not pcall(task.sleep, 1))
      assert(not pcall(task.spawn, print))
      assert(not pcall(http.session))
      assert(not pcall(s.get, s, origin))
      assert(t:status() == "cancelled" and not t:cancel() and t.name and tostring(t))
      assert(#task.tree() == 0 and not task.current() and task.now() > 0)
      require "septet.trace".subscribe(print)
      s:close()
      s:close()
      warn "finalized"
    end,
  })
  ready = 1
  task.sleep(1000)
end

return scripts
