-- SPDX-License-Identifier: MIT
-- The scripts of test_completions.c, by name.
-- check: globals fake, until_what
-- check: allow global-in-function
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

function scripts.of_other_lists()
  local t, ended = core.spawn(fake, "a"), core.spawn(tostring, 1)
  ended:await()
  local function count(...)
    return select("#", ...)
  end
  log(count(completions { t, 1 }), count(completions { t, core.current() }),
    count(completions { t, ended, t }), count(completions { ended, t, ended }),
    count(completions(setmetatable({ t }, {}))), try(completions, 1),
    count(completions { ended, t }))
  t:cancel()
end

function scripts.results()
  local function results(...)
    return ...
  end
  local tasks = { core.spawn(results, 7), core.spawn(results), core.spawn(results, 1, 2),
    core.spawn(results, nil), core.spawn(results, 5) }
  local set, array = completions(tasks)
  set:wait "all"
  local same = set:results(array) == array
  log(array[1], array[2], array[3], array[4], array[5], same, try(set.results, set, { 1 }))
end

function scripts.split()
  local a, b, ended = core.spawn(fake, "a"), core.spawn(fake, "b"), core.spawn(tostring, 1)
  ended:await()
  local set = completions { a, b, ended }
  set:wait "first"
  b:cancel()
  core.checkpoint()
  local done, live = set:split()
  log(#done, done[1] == ended, done[2] == b, #live, live[1] == a, #set:split())
  set:close()
  a:cancel()
end

return scripts
