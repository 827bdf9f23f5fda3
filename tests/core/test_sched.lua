-- SPDX-License-Identifier: MIT
-- The scripts of test_sched.c, by name.
local scripts = {}

function scripts.sleeps_in_virtual_time()
  local t0 = core.now()
  for i = 1, 3 do
    core.spawn(function()
      core.sleep(i)
      log(i, core.now() - t0)
    end)
  end
  core.sleep(3.5)
end

function scripts.one_cancellation_raises_one_error()
  local seen = {}
  local function wait()
    local _, e = pcall(core.sleep, 9)
    seen[#seen + 1] = e
    error(e, 0)
  end
  for i = 1, 2 do
    block(true, false, nil, function(g)
      g:spawn(wait)
      g:spawn(wait)
      core.checkpoint()
      g:cancel("no " .. i)
    end)
  end
  log(seen[1] == seen[2], seen[3] == seen[4], seen[1] == seen[3])
  log(seen[2].reason, "-", seen[4].reason)
end

function scripts.program()
  local ts = {}
  for i = 1, 5 do
    ts[i] = core.spawn(function()
      for j = 1, i do
        core.sleep(j / 10)
        core.checkpoint()
      end
      if i == 4 then
        error("four", 0)
      end
      return i
    end)
  end
  local set = completions(ts)
  for _ = 1, 5 do
    local i = set:wait("next")
    log(i, try(ts[i].await, ts[i]))
  end
  set:close()
  block(true, false, 1, function(g)
    for i = 1, 4 do
      g:spawn(core.sleep, i)
    end
    coroutine.wrap(function()
      core.sleep(5)
    end)()
  end)
end

return scripts
