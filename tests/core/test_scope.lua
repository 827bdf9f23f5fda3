-- SPDX-License-Identifier: MIT
-- The scripts of test_scope.c, by name.
-- check: globals fake, deep
-- check: allow global-in-function
local scripts = {}

function scripts.cancel_reaches_all_below_in_order_of_spawning()
  T = core.spawn(function()
    for i = 1, 3 do
      core.spawn(function()
        core.spawn(function()
          local _ <close> = closer(function()
            log(i .. "b")
          end)
          fake("b" .. i)
        end)
        local _ <close> = closer(function()
          log(i .. "a")
        end)
        fake("a" .. i)
      end)
    end
    local _ <close> = closer(function()
      log "t"
    end)
    fake "t"
  end)
  fake "main"
end

function scripts.cancel_of_a_block_leaves_what_is_around()
  core.spawn(function()
    log("sibling", (fake "out"))
  end)
  local ok, e, absorbed = block(true, false, nil, function(g)
    G = g
    g:spawn(fake, "in")
    fake "body"
  end)
  log(ok, kind(e), absorbed)
  fake "after"
  log "after"
end

function scripts.canceller_gives_the_reason_of_the_outermost()
  T = core.spawn(function()
    block(true, false, nil, function(g)
      G = g
      local _, e = pcall(fake, "a")
      log(e.message, e.reason, e.source)
    end)
    local _, e = pcall(fake, "b")
    log(e.message, e.reason)
  end)
  pcall(T.await, T)
end

function scripts.cancelled_error_names_the_task_that_asked()
  A = core.spawn(function()
    local _, e = pcall(fake, "a")
    log(e.by == B.id)
  end)
  B = core.spawn(function()
    A:cancel()
  end)
  A:await()
end

function scripts.absorbs_unless_one_around_is_cancelled()
  T = core.spawn(function()
    local _, _, absorbed = block(true, false, nil, function(g)
      G = g
      fake "a"
    end)
    log(absorbed)
  end)
  pcall(T.await, T)
end

function scripts.wide_cancel()
  block(true, false, nil, function(g)
    G = g
    n = 0
    for i = 1, 10000 do
      g:spawn(function()
        pcall(core.sleep, 9)
        n = n + 1
      end)
    end
  end)
  log(n)
end

function scripts.failing_child_of_a_group_cancels_its_siblings()
  block(true, false, nil, function(g)
    for i = 1, 2 do
      g:spawn(function()
        local _, e = pcall(fake, "a" .. i)
        log(i, e.source)
      end)
    end
    g:spawn(function()
      fake "bad"
      error("bad", 0)
    end)
    local _, e = pcall(fake, "body")
    log("body", e.source)
  end)
  log "closed"
end

function scripts.failures_are_told_once_at_its_close()
  block(true, false, nil, function(g)
    g:spawn(function()
      fake "x"
      error("one", 0)
    end)
    g:spawn(function()
      pcall(fake, "y")
      error("two", 0)
    end)
  end)
  fake "after"
end

function scripts.failures_are_handed_out_oldest_first()
  local s = core.scope(false)
  for i = 1, 3 do
    s:spawn(error, "e" .. i, 0)
  end
  core.scope_join(s)
  for t in core.scope_failed, s do
    local _, e = t:result()
    log(e)
  end
  core.scope_close(s)
end

function scripts.close_tells_of_its_tasks()
  local function close(fn)
    local s = core.scope(false)
    fn(s)
    core.scope_join(s)
    log(select(3, core.scope_close(s)))
  end
  close(function() end)
  close(function(s)
    s:spawn(print)
  end)
  close(function(s)
    s:spawn(fake, "a"):cancel()
  end)
end

function scripts.join_is_not_cancelled()
  T = core.spawn(function()
    local s = core.scope(true)
    s:spawn(function()
      block(false, true, nil, function()
        fake "slow"
      end)
    end)
    core.scope_join(s)
    log "joined"
    core.scope_close(s)
    log(try(fake, "a"))
  end)
  pcall(T.await, T)
end

function scripts.left_open_is_closed_with_a_warning()
  T = core.spawn(function()
    local s = core.scope(false)
    s:spawn(function()
      local _, e = pcall(fake, "a")
      log(e.source)
    end)
    core.checkpoint()
    return 1
  end)
  log(T:await())
end

function scripts.group_left_open_cancels_its_tasks()
  T = core.spawn(function()
    local s = core.scope(true)
    s:spawn(function()
      local _, e = pcall(fake, "a")
      log(e.source)
    end)
    core.checkpoint()
    return 1
  end)
  log(T:await())
end

function scripts.left_open_close_last_in_first_out()
  T = core.spawn(function()
    core.scope(true):spawn(function()
      pcall(fake, "outer")
      log "outer"
    end)
    core.scope(false):spawn(function()
      pcall(fake, "middle")
      log "middle"
    end)
    core.scope(true):spawn(function()
      pcall(fake, "inner")
      log "inner"
    end)
    core.checkpoint()
    error("x", 0)
  end)
  log(try(T.await, T))
end

function scripts.chain_of_spawns()
  n = 0
  local function down(i)
    if i > 0 then
      core.spawn(down, i - 1)
    end
    pcall(core.sleep, 1000)
    n = n + 1
  end
  T = core.spawn(down, deep - 1)
  T:await()
end

function scripts.chain_of_ends()
  local function down(i)
    if i == 0 then
      return block(false, true, nil, function()
        fake "last"
      end)
    end
    core.spawn(down, i - 1)
    core.checkpoint()
  end
  core.spawn(down, deep - 1):await()
  log "joined"
end

return scripts
