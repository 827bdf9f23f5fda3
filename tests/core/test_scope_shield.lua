-- SPDX-License-Identifier: MIT
-- The scripts of test_scope_shield.c, by name.
-- check: globals fake
-- check: allow global-in-function
local scripts = {}

function scripts.move_takes_cancellation_and_deadline_along()
  block(true, false, 5, function(to)
    block(true, false, 1, function(from)
      local t = from:spawn(function()
        local _, e = pcall(fake, "a")
        log(e.source, core.now() - T0)
      end)
      T0 = core.now()
      core.scope_move(t, to)
    end)
    log "from"
    fake "b"
  end)
  log "to"
end

function scripts.move_into_a_cancelled_one_cancels()
  block(true, false, nil, function(to)
    to:cancel "gone"
    block(true, true, nil, function(from)
      local t = from:spawn(function()
        local _, e = pcall(fake, "a")
        log(e.reason)
      end)
      fake "b"
      core.scope_move(t, to)
      log "moved"
    end)
  end)
end

function scripts.move_of_the_last_task_ends_the_join()
  block(true, false, nil, function(to)
    block(true, false, nil, function(from)
      T = from:spawn(function()
        fake "a"
      end)
      TO = to
    end)
    log "joined"
  end)
  log "end"
end

function scripts.shield_stops_cancellation()
  T = core.spawn(function()
    block(false, true, nil, function(s)
      s:spawn(function()
        log("child", (fake "b"))
      end)
      log(fake "a")
      core.scope_join(s)
    end)
    log(try(fake, "c"))
  end)
  pcall(T.await, T)
end

function scripts.shield_opened_in_a_cancelled_task()
  T = core.spawn(function()
    local _ <close> = closer(function()
      block(false, true, nil, function()
        log(fake "cleanup")
      end)
      log(try(fake, "x"))
    end)
    fake "a"
  end)
  log(try(T.await, T))
end

function scripts.shield_obeys_its_own_cancel_and_deadline()
  local _, e = block(false, true, 1, function()
    fake "a"
  end)
  log(e.source)
  _, e = block(false, true, nil, function(s)
    S = s
    fake "b"
  end)
  log(e.source)
end

function scripts.block_inside_a_shield_is_shielded()
  T = core.spawn(function()
    block(false, true, nil, function()
      block(false, false, nil, function()
        log(fake "a")
      end)
    end)
  end)
  pcall(T.await, T)
end

return scripts
