-- SPDX-License-Identifier: MIT
-- The scripts of test_close_begin.c, by name. None ends by itself; each sets `ready` when the host
-- may.
-- check: globals origin
-- check: allow global-in-function
local scripts = {}

-- Returns a value that counts in `closed` when its variable is closed.
local function counter()
  return setmetatable({}, {
    __close = function()
      closed = closed + 1
    end,
  })
end

local function sleep_and_count()
  local _ <close> = counter()
  require("septet.task").sleep(1000)
end

function scripts.many_tasks()
  local task = require "septet.task"
  closed = 0
  for _ = 1, 999 do
    task.background(sleep_and_count)
  end
  local _ <close> = counter()
  task.sleep(0)
  ready = 1
  task.sleep(1000)
end

function scripts.group()
  local task = require "septet.task"
  closed = 0
  local _ <close> = counter()
  task.group(function(g)
    for _ = 1, 300 do
      g:spawn(sleep_and_count)
    end
    task.sleep(0)
    ready = 1
  end)
end

function scripts.garbage()
  local task = require "septet.task"
  finalized = 0
  local function count()
    finalized = finalized + 1
  end
  for _ = 1, 1000 do
    task.background(function()
      local kept = setmetatable({}, { __gc = count })
      for i = 1, 100 do
        kept[i] = { i }
      end
      task.sleep(1000)
      kept[1] = nil
    end)
  end
  task.sleep(0)
  ready = 1
  task.sleep(1000)
end

function scripts.waits_while_it_closes()
  local task = require "septet.task"
  warn "@on"
  local _ <close> = setmetatable({}, {
    __close = function()
      task.shield(function()
        local ok, e = pcall(task.sleep, 1)
        warn(not ok and task.is_cancelled(e) and "refused" or "waited")
      end)
    end,
  })
  ready = 1
  task.sleep(1000)
end

function scripts.goes_on_waiting()
  local task = require "septet.task"
  ready = 1
  while true do
    pcall(task.sleep, 1000)
  end
end

function scripts.request()
  local task, http = require "septet.task", require "septet.http"
  for _ = 1, 10 do
    task.background(http.get, origin .. "/stall")
  end
  task.sleep(0.02)
  ready = 1
  task.sleep(1000)
end

return scripts
