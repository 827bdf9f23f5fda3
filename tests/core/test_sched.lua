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

return scripts
