-- SPDX-License-Identifier: MIT
-- The scripts of test_deadlock.c, by name. Tasks are in `T`, by name.
-- check: globals fake
-- check: allow global-in-function
local scripts = {}

T = {}

local function named(name, fn)
  local t = core.spawn(fn)
  t.name = name
  T[name] = t
  return t
end

-- Spawns a task that awaits another by name.
local function waits(name, other)
  return named(name, function()
    T[other]:await()
  end)
end

function scripts.none()
  waits("a", "b")
  waits("b", "c")
  named("c", function()
    fake "f"
  end)
  fake "main"
end

function scripts.two()
  waits("a", "b")
  waits("b", "a")
  fake "main"
end

function scripts.behind_a_tail()
  waits("x", "y")
  waits("y", "a")
  waits("a", "b")
  waits("b", "c")
  waits("c", "a")
  fake "main"
end

function scripts.through_one_of_many()
  named("free", function()
    fake "f"
  end)
  named("all", function()
    completions({ T.free, T.other }):wait "all"
  end)
  named("other", function()
    T.all:await()
  end)
  fake "main"
end

function scripts.a_group_and_its_task()
  named("owner", function()
    block(true, false, nil, function(g)
      local t = g:spawn(function()
        T.owner:await()
      end)
      t.name = "member"
    end)
  end)
  fake "main"
end

function scripts.a_task_that_waits_for_its_children()
  named("parent", function()
    local child = core.spawn(function()
      block(false, true, nil, function(s)
        S = s
        T.parent:await()
      end)
    end)
    child.name = "child"
    core.sleep(0)
  end)
  fake "main"
end

function scripts.more_than_asked_for()
  for i = 1, 20 do
    waits("t" .. i, "t" .. i % 20 + 1)
  end
  fake "main"
end

function scripts.chain_of_100000()
  T[1] = named("first", function()
    T[2]:await()
  end)
  for i = 2, 100000 do
    T[i] = core.spawn(function()
      (T[i + 1] or T[1]):await()
    end)
  end
  fake "main"
end

return scripts
