-- SPDX-License-Identifier: MIT
-- The scripts of test_sync.c, by name.
-- check: globals fake
-- check: allow global-in-function
local scripts = {}

function scripts.lock_of_an_ended_task_goes_to_the_next()
  L = core.lock()
  local a = core.spawn(function()
    L:acquire()
    fake "a"
  end)
  a.name = "a"
  local b = core.spawn(function()
    L:acquire()
    log("b", L:locked())
  end)
  b.name = "b"
  core.spawn(function()
    L:acquire()
    log("c")
    L:release()
  end)
  fake "main"
end

function scripts.lock_of_a_failed_and_of_a_cancelled_task_is_released()
  L, M = core.lock(), core.lock()
  A = core.spawn(function()
    L:acquire()
    fake "a"
    error "x"
  end)
  B = core.spawn(function()
    M:acquire()
    fake "b"
  end)
  try(A.await, A)
end

function scripts.lock_stays_with_a_task_until_its_children_have_ended()
  L = core.lock()
  core.background(function()
    L:acquire()
    core.spawn(function()
      pcall(fake, "child")
      log(L:locked())
    end)
    core.checkpoint()
  end)
  fake "main"
end

function scripts.locks_are_released_last_first()
  L, M = core.lock(), core.lock()
  core.spawn(function()
    L:acquire()
    M:acquire()
    core.sleep(1)
  end)
  core.spawn(function()
    L:acquire()
    log "L"
    L:release()
  end)
  core.spawn(function()
    M:acquire()
    log "M"
    M:release()
  end)
  core.sleep(2)
end

function scripts.lock_that_only_its_owner_has_is_kept()
  do
    local l = core.lock()
    l:acquire()
  end
  local m = core.lock()
  m:acquire()
  for i = 1, 3 do
    core.lock():try_acquire()
  end
  collectgarbage()
  fake "a"
  m:release()
end

function scripts.lock_names_its_owner_as_the_blocker()
  local l = core.lock()
  A = core.spawn(function()
    l:acquire()
    fake "a"
    l:release()
  end)
  B = core.spawn(function()
    l:acquire()
    fake "b"
    l:release()
  end)
  C = core.spawn(function()
    l:acquire()
    l:release()
  end)
  fake "main"
end

function scripts.what_is_done_outside_the_drain_wakes()
  E, S, C = core.event(), core.semaphore(1), core.channel()
  S:acquire()
  core.spawn(function()
    E:wait()
    log "E"
  end)
  core.spawn(function()
    S:acquire()
    log "S"
  end)
  core.spawn(function()
    log(C:recv())
  end)
  fake "a"
end

function scripts.waiters()
  E, S, L, C, D = core.event(), core.semaphore(1), core.lock(), core.channel(), core.channel(1)
  S:acquire()
  L:acquire()
  D:send "kept"
  local function go(fn, ...)
    core.spawn(fn, ...)
    core.spawn(fn, ...)
  end
  go(E.wait, E)
  go(S.acquire, S)
  go(L.acquire, L)
  go(C.recv, C)
  go(D.send, D, "lost")
  go(function()
    coroutine.wrap(function()
      local s = D:sender()
      s:send {}
    end)()
  end)
  fake "main"
end

return scripts
