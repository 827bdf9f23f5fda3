-- SPDX-License-Identifier: MIT
-- The scripts of test_task.c, by name.
-- check: globals fake
-- check: allow global-in-function
local scripts = {}

function scripts.states_in_words()
  T = core.spawn(function()
    log(T:status())
    fake "a"
  end)
  log(T:status())
  fake "b"
  log(T:status())
  F = core.spawn(error, "x")
  C = core.spawn(fake, "c")
  C:cancel()
  pcall(F.await, F)
  pcall(C.await, C)
  log(F:status(), C:status())
end

function scripts.results_pass_to_each_who_awaits()
  local function give(...)
    local t = core.spawn(function(...)
      return ...
    end, ...)
    log(select("#", t:await()), t:await())
    log(t:result())
  end
  give()
  give(1)
  give(nil)
  give(1, nil, 3, nil)
end

function scripts.traceback_shows_the_raising_frame()
  local function raiser()
    error("x")
  end
  local t = core.spawn(function()
    raiser()
    return 1
  end)
  pcall(t.await, t)
  log(t:traceback():find("raiser") ~= nil)
end

function scripts.traceback_of_an_error_object_is_of_its_first_raise()
  local function raiser()
    error(core.error { kind = "Mine", message = "x" })
  end
  local inner = core.spawn(function()
    raiser()
    return 1
  end)
  local outer = core.spawn(function()
    inner:await()
    return 1
  end)
  local _, e = pcall(outer.await, outer)
  log(e.traceback:find("raiser") ~= nil)
end

function scripts.stray_cancelled_is_a_failure()
  T = core.spawn(function()
    local _, e = pcall(fake, "a")
    saved = e
  end)
  fake "go"
  local t = core.spawn(function()
    error(saved, 0)
  end)
  local _, e = pcall(t.await, t)
  log(e, t:status())
end

return scripts
