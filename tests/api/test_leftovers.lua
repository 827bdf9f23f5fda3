-- SPDX-License-Identifier: MIT
-- The scripts of test_leftovers.c: each leaves things in globals, and the one of the same name
-- `_afterwards` uses them when the host has ended.
-- check: globals origin
-- check: allow global-in-function
local scripts = {}

function scripts.functions()
  task, http, trace = require "septet.task", require "septet.http", require "septet.trace"
end

function scripts.functions_afterwards()
  local function fails(f, ...)
    local ok, e = pcall(f, ...)
    assert(not ok and task.is(e, "Usage"), e)
  end
  fails(task.sleep, 0)
  fails(task.sleep, 1)
  fails(task.checkpoint)
  fails(task.spawn, print)
  fails(task.background, print)
  fails(task.group)
  fails(task.group, print)
  fails(task.gather, { print })
  fails(task.map, print, { 1 })
  fails(task.as_completed, { print })
  fails(http.session)
  fails(http.get, origin)
  assert(task.current() == nil and task.now() > 0 and #task.tree() == 0)
  trace.subscribe(print)
  trace.lines(io.stderr)
  assert(require "septet".versions():find "^Septet")
end

function scripts.modules() end

function scripts.modules_afterwards()
  local ok, e = pcall(require("septet.task").sleep, 0)
  assert(not ok and tostring(e):find "not inside a task")
  assert(not pcall(require("septet.http").session))
end

function scripts.session()
  local http = require "septet.http"
  s = http.session()
  assert(s:get(origin .. "/bytes/10").status == 200)
end

function scripts.session_afterwards()
  local ok, e = pcall(s.get, s, origin)
  assert(not ok and e.kind == "Usage", e)
  s:close()
  s:close()
  s = nil
end

function scripts.session_whose_hooks_fail()
  local http = require "septet.http"
  s = http.session { trace = {
    request_exception = function()
      error "hook"
    end,
  } }
end

function scripts.session_whose_hooks_fail_afterwards()
  local ok, e = pcall(s.get, s, origin)
  assert(not ok and e.kind == "Usage", e)
end

function scripts.session_with_requests()
  local task, http = require "septet.task", require "septet.http"
  s = http.session()
  task.spawn(function()
    task.sleep(0.02)
    ready = 1
  end)
  for i = 1, 3 do
    task.spawn(s.get, s, origin .. "/stall")
  end
  s:get(origin .. "/stall")
end

function scripts.session_with_requests_afterwards()
  assert(not pcall(s.get, s, origin))
  s = nil
end

function scripts.response()
  local http = require "septet.http"
  r = http.get(origin .. "/bytes/10")
end

function scripts.response_afterwards()
  assert(r.status == 200 and #r.body == 10 and r.times.total > 0)
  assert(r.headers["content-length"] == "10" and r.version == "1.1")
end

function scripts.tasks()
  local task = require "septet.task"
  is = task.is
  done = task.spawn(function()
    return 1, 2
  end)
  failed = task.spawn(error, "x")
  slept = task.spawn(task.sleep, 1000)
  named = task.spawn(task.sleep, 1000)
  named.name = "n"
  task.wait { failed }
  ready = 1
  task.sleep(1000)
end

function scripts.tasks_afterwards()
  assert(done:status() == "done" and select("#", done:result()) == 3)
  assert(failed:status() == "failed" and failed:result() == false)
  for _, t in ipairs { slept, named } do
    assert(t:status() == "cancelled" and not t:cancel() and not t:cancel "again")
    assert(t:waits_for() == "" and t:traceback() == "" and tostring(t) and t.name and t.id > 0)
    local ok, e = t:result()
    assert(not ok and is(e, "Cancelled"))
    t.name = "new"
    assert(t.name == "new")
    assert(not pcall(t.await, t))
  end
end

function scripts.group()
  local task = require "septet.task"
  task.group(function(group)
    g = group
    ready = 1
    g:spawn(task.sleep, 1000)
  end)
end

function scripts.group_afterwards()
  assert(not pcall(g.spawn, g, print) and g:cancel() == false and g:is_cancelled() ~= nil)
end

function scripts.iterator()
  local task = require "septet.task"
  next_one = task.as_completed { task.spawn(task.sleep, 1000), task.spawn(print) }
  next_one()
  ready = 1
  task.sleep(1000)
end

function scripts.iterator_afterwards()
  assert(not pcall(next_one))
  assert(not pcall(next_one))
  next_one = nil
end

function scripts.coroutines()
  local task = require "septet.task"
  co = coroutine.create(function(a)
    local ok = pcall(task.sleep, 1000)
    coroutine.yield(a, ok)
    return "end"
  end)
  plain = coroutine.wrap(function()
    coroutine.yield(1)
    return 2
  end)
  plain()
  own = coroutine.running()
  ready = 1
  coroutine.resume(co, "a")
end

function scripts.coroutines_afterwards()
  assert(coroutine.status(co) == "suspended" or coroutine.status(co) == "dead")
  coroutine.resume(co)
  coroutine.close(co)
  assert(plain() == 2)
  assert(coroutine.status(own) == "dead" and not coroutine.resume(own))
  assert(coroutine.wrap(function()
    return coroutine.isyieldable()
  end)())
  assert(select(2, coroutine.running()))
end

function scripts.trace_sink()
  require "septet.trace".subscribe(function() end)
end

function scripts.trace_sink_afterwards()
  collectgarbage()
end

return scripts
