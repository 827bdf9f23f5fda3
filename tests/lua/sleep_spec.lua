-- SPDX-License-Identifier: MIT
-- task.sleep and the clock.
-- check: allow blocks
local task = require "septet.task"
local helpers = require "helpers"

local recorder = helpers.recorder

describe("sleep", function()
  it("sleep never returns early", function()
    for _, seconds in ipairs { 0.001, 0.0103, 0.02 } do
      local t0 = task.now()
      task.sleep(seconds)
      local took = task.now() - t0
      equal(took >= seconds, true, ("slept %.9f of %.9f"):format(took, seconds))
    end
  end)

  it("sleep counts from its call, whatever ran before it", function()
    local t0 = os.clock()
    while os.clock() - t0 < 0.05 do end -- the loop's own idea of the time is stale now
    local t1 = task.now()
    task.sleep(0.03)
    equal(task.now() - t1 >= 0.03, true)
  end)

  it("sleep(0) lets other tasks run", function()
    local order, note = recorder()
    local t = task.spawn(note, "other")
    task.sleep(0)
    note "back"
    equal(order, { "other", "back" })
    t:await()
  end)

  it("sleeps end in the order of their instants, equal ones in the order they came", function()
    local order, note = recorder()
    local tasks = task.map(function(i)
      task.sleep(0.01)
      note(i)
    end, { 1, 2, 3, 4 })
    task.wait(tasks)
    equal(order, { 1, 2, 3, 4 })
  end)

  it("sleep returns nothing", function()
    equal(select("#", task.sleep(0)), 0)
    equal(select("#", task.sleep(0.0001)), 0)
    equal(select("#", task.checkpoint()), 0)
  end)

  it("sleep refuses NaN, negative numbers and other values, at the caller's line", function()
    misuse("seconds cannot be NaN", function() task.sleep(0 / 0) end)
    misuse("seconds cannot be negative", function() task.sleep(-1) end)
    misuse("seconds cannot be negative", function() task.sleep(-math.huge) end)
    misuse("seconds cannot be negative", function() task.sleep(-1e-300) end)
    misuse("bad argument #1 to 'sleep' %(seconds expected, got string%)", function()
      task.sleep("1")
    end)
    misuse("got nil", function() task.sleep(nil) end)
    misuse("got no value", function() task.sleep() end)
    misuse("got table", function() task.sleep({}) end)
    misuse("got boolean", function() task.sleep(true) end)
    misuse("got septet.task", function() task.sleep(task.current()) end)
  end)

  it("sleep takes huge numbers, and can still be cancelled", function()
    for _, seconds in ipairs { math.huge, 1e300, 1e19, 1e10, math.maxinteger } do
      local t = task.spawn(task.sleep, seconds)
      turns(2)
      equal(t:status(), "suspended")
      t:cancel()
      task.wait { t }
      equal(t:status(), "cancelled")
    end
  end)

  it("sleep takes tiny numbers, and minus zero", function()
    task.sleep(1e-300)
    task.sleep(-0.0)
    task.sleep(0)
  end)

  it("a thousand tasks sleep at once", function()
    local tasks = {}
    for i = 1, 1000 do
      tasks[i] = task.spawn(task.sleep, (i * 7919 % 1000) * 1e-5)
    end
    local done = task.wait(tasks)
    equal(#done, 1000)
  end)
end)

describe("the clock", function()
  it("the clock never goes backwards", function()
    local last = task.now()
    for _ = 1, 1000 do
      local now = task.now()
      equal(now >= last, true)
      last = now
    end
    equal(math.type(last), "float")
  end)
end)
