-- SPDX-License-Identifier: MIT
-- The scripts of test_task_memory.c, by name.
-- check: globals thread_of
local scripts = {}

function scripts.coroutine_is_used_again()
  local first = core
    .spawn(function()
      return thread_of(core.current())
    end)
    :await()
  local again = core
    .spawn(function()
      return thread_of(core.current())
    end)
    :await()
  log(first == again)
end

function scripts.coroutine_of_a_failed_task_is_used_again()
  local first
  local t = core.spawn(function()
    first = thread_of(core.current())
    error "x"
  end)
  pcall(t.await, t)
  log(first == core
    .spawn(function()
      return thread_of(core.current())
    end)
    :await())
  log(core
    .spawn(function(...)
      return select("#", ...)
    end)
    :await())
end

function scripts.coroutine_that_a_script_has_seen_is_not_used_again()
  local co = core
    .spawn(function()
      return (coroutine.running())
    end)
    :await()
  local t = core.spawn(function()
    return (coroutine.running())
  end)
  log(t:await() == co, coroutine.status(co))
  local ok, e = coroutine.resume(co)
  log(ok, e)
end

function scripts.coroutines_at_rest_go_with_the_garbage()
  local n = 0
  for i = 1, 3000 do
    core.spawn(function()
      n = n + 1
    end)
  end
  core.checkpoint()
  log(n)
end

return scripts
