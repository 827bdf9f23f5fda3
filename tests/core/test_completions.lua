-- SPDX-License-Identifier: MIT
-- The scripts of test_completions.c, by name.
local scripts = {}

function scripts.come_in_order_of_ending()
  local ts = {}
  for i = 1, 4 do
    ts[i] = core.spawn(fake, "f" .. i)
  end
  local set = completions(ts)
  while true do
    local i = set:wait("next")
    if not i then
      break
    end
    log(i)
  end
  log "end"
  set:close()
end

function scripts.of_ended_tasks()
  local t = core.spawn(print)
  local u = core.spawn(fake, "a")
  t:await()
  local set = completions { u, t }
  log(set:wait("next"))
  log(set:take() == nil)
  set:wait("first")
  set:close()
  log(select("#", completions {}:wait("next")))
end

function scripts.cancelled_wait_may_be_repeated()
  T = core.spawn(fake, "a")
  local set = completions { T }
  local _, e = block(false, false, 1, function()
    set:wait("all")
  end)
  log(e.source)
  log(set:wait("next"))
  set:close()
end

function scripts.serve_one_waiter()
  T = core.spawn(fake, "a")
  S = completions { T }
  core.spawn(function()
    S:wait("all")
    log "first"
  end)
  core.checkpoint()
  core.checkpoint()
  log(try(S.wait, S, "all"))
  T:await()
  core.checkpoint()
end

function scripts.wait_until()
  a = core.spawn(fake, "a")
  b = core.spawn(fake, "b")
  c = core.spawn(function()
    fake "c"
    error("c", 0)
  end)
  d = core.spawn(fake, "d")
  local set = completions { a, b, c, d }
  set:wait(until_what)
  local n = 0
  for _ in set.take, set do
    n = n + 1
  end
  log(n)
  set:wait("all")
  set:close()
  log(try(c.await, c))
end

return scripts
