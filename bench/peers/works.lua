-- SPDX-License-Identifier: MIT
-- The kinds of work that both peers/septet.lua and instructions.lua do: a function that takes their
-- arguments, and returns {name of the work: function}. Each does it n times, and checks what comes.
local task = require "septet.task"

local LIST = 1000 -- tasks that are waited for together

local function nothing() end

return function(n, url, tasks, ca_file)
  local works = {}

  function works.start() end

  function works.spawn_await()
    for _ = 1, n do task.spawn(nothing):await() end
  end

  function works.spawn_gather()
    local list = {}
    for _ = 1, n // LIST do
      for i = 1, LIST do list[i] = task.spawn(nothing) end
      task.gather(list)
    end
  end

  -- Runs fn in `count` tasks and waits for all.
  local function together(count, fn)
    task.group(function(g)
      for _ = 1, count do g:spawn(fn) end
    end)
  end

  -- Gives way n times, in `count` tasks.
  function works.give_way(count)
    together(count, function()
      for _ = 1, n // count do task.sleep(0) end
    end)
  end

  function works.hand_off()
    local channel = require "septet.sync".channel(1)
    local sent = task.spawn(function()
      for i = 1, n do channel:send(i) end
    end)
    local sum = 0
    for _ = 1, n do sum = sum + channel:recv() end
    sent:await()
    assert(sum == n * (n + 1) // 2, "an item was lost")
  end

  function works.new_session(http2)
    return require "septet.http".session {
      limit = tasks, limit_per_host = tasks, http2 = http2 and "force",
      tls = ca_file and { ca_file = ca_file } or nil,
    }
  end

  local function get(http2)
    local session <close> = works.new_session(http2)
    together(tasks, function()
      for _ = 1, n // tasks do
        local response = session:get(url)
        assert(response.status == 200 and #response.body == 1024, "not as expected")
      end
    end)
  end

  function works.get() get(false) end
  function works.get_h2() get(true) end

  -- `n` MB of a body.
  function works.stream()
    local session <close> = works.new_session()
    local got = 0
    local response <close> = session:stream("GET", url)
    for chunk in response:chunks() do got = got + #chunk end
    assert(got == n << 20, "a part of the body is missing")
  end

  function works.save(path)
    local session <close> = works.new_session()
    session:save(url, path)
    local file <close> = assert(io.open(path))
    assert(file:seek("end") == n << 20, "a part of the body is missing")
  end

  return works
end
