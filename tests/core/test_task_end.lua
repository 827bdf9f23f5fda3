-- SPDX-License-Identifier: MIT
-- The scripts of test_task_end.c, by name.
-- check: globals fake
-- check: allow global-in-function
local scripts = {}

function scripts.orphans_are_cancelled_and_joined_at_its_end()
  T = core.spawn(function()
    for i = 1, 3 do
      core.spawn(function()
        local _ <close> = closer(function(_, e)
          log(i, e.source)
        end)
        fake("f" .. i)
      end)
    end
    fake "a"
    return "value"
  end)
  log(T:await())
end

function scripts.waits_for_what_its_orphans_clean_up()
  T = core.spawn(function()
    core.spawn(function()
      block(false, true, nil, function()
        fake "slow"
      end)
    end)
    fake "a"
  end)
  T:await()
  log "joined"
end

function scripts.cancelled_between_its_end_and_its_childrens_is_done()
  T = core.spawn(function()
    core.spawn(function()
      block(false, true, nil, function()
        fake "slow"
      end)
    end)
    core.checkpoint()
    return 1
  end)
  log(T:await())
end

function scripts.failure_that_was_awaited_is_not_told()
  local t = core.spawn(error, "x")
  pcall(t.await, t)
  t = core.spawn(error, "y")
  core.checkpoint()
  core.checkpoint()
  t:result()
  t = core.spawn(error, "z")
  core.checkpoint()
  core.checkpoint()
  pcall(t.await, t)
end

return scripts
