-- SPDX-License-Identifier: MIT
-- The scripts of test_nested_run.c: run_loop(mode) is a function in C that calls uv_run.
-- check: globals run_loop, origin
-- check: allow global-in-function
local scripts = {}

local function is_refused(f, ...)
  local task = require "septet.task"
  local ok, e = pcall(f, ...)
  assert(not ok and task.is(e, "Usage") and tostring(e):find "cannot run the loop", tostring(e))
  n = (n or 0) + 1
end

function scripts.task()
  local task = require "septet.task"
  task.spawn(function()
    task.sleep(0.001)
    other = 1
  end)
  for _, mode in ipairs { "default", "once", "nowait" } do
    is_refused(run_loop, mode)
    task.sleep(0)
    is_refused(run_loop, mode)
  end
end

function scripts.each_mode()
  local task = require "septet.task"
  for _, mode in ipairs { "default", "once", "nowait" } do
    is_refused(run_loop, mode)
    task.sleep(0.001)
    is_refused(run_loop, mode)
  end
end

function scripts.coroutines()
  local task = require "septet.task"
  is_refused(coroutine.wrap(run_loop), "default")
  is_refused(coroutine.wrap(function()
    task.sleep(0.001)
    coroutine.wrap(function()
      run_loop "default"
      error "not reached"
    end)()
  end))
  local ok, e = coroutine.resume(coroutine.create(run_loop), "once")
  assert(not ok and task.is(e, "Usage"))
  local co = coroutine.create(function()
    pcall(run_loop, "default")
    coroutine.yield(1)
    return 2
  end)
  assert(select(2, coroutine.resume(co)) == 1)
  assert(select(2, coroutine.resume(co)) == 2)
  local failing = task.spawn(run_loop, "default")
  is_refused(failing.await, failing)
  local ok_group, e_group = pcall(task.group, function(g)
    g:spawn(run_loop, "default")
  end)
  assert(not ok_group and tostring(e_group):find "cannot run the loop")
end

function scripts.metamethods()
  is_refused(function()
    return setmetatable({}, { __index = function() run_loop "default" end }).x
  end)
  is_refused(function()
    local _ <close> = setmetatable({}, { __close = function() run_loop "default" end })
  end)
  is_refused(table.sort, { 1, 2, 3 }, function() run_loop "once" end)
  is_refused(string.gsub, "x", "x", function() run_loop "once" end)
end

function scripts.request()
  local task, http = require "septet.task", require "septet.http"
  local requests = task.map(http.get, { origin .. "/bytes/10", origin .. "/delay/0.01" })
  task.spawn(function()
    for i = 1, 10 do
      is_refused(run_loop, "default")
      task.sleep(0.001)
    end
  end)
  for _, response in ipairs(task.gather(requests)) do
    assert(response.status == 200)
  end
  is_refused(http.post, origin .. "/echo", {
    body = function()
      run_loop "default"
    end,
  })
end

function scripts.trace_hook()
  local task = require "septet.task"
  require "septet.trace".subscribe(function()
    n = (n or 0) + 1
    run_loop "default"
  end)
  task.sleep(0.001)
end

function scripts.unwinding()
  local task = require "septet.task"
  warn "@on"
  local _ <close> = setmetatable({}, {
    __close = function()
      is_refused(run_loop, "default")
      warn "refused"
    end,
  })
  task.sleep(1000)
end

function scripts.failing()
  error "x"
end

function scripts.warning()
  local task = require "septet.task"
  warn "@on"
  is_refused(warn, "x")
  task.sleep(0.001)
end

function scripts.finalizer()
  local task = require "septet.task"
  setmetatable({}, {
    __gc = function()
      run_loop "default"
      finished = 1
    end,
  })
  pcall(collectgarbage)
  pcall(task.sleep, 0.001)
  task.sleep(0.001)
  n = finished
end

function scripts.debug_hook()
  local task = require "septet.task"
  local lines = 0
  debug.sethook(function() lines = lines + 1 end, "l")
  is_refused(run_loop, "default")
  local before = lines
  task.sleep(0.001)
  assert(lines > before)
end

return scripts
