-- SPDX-License-Identifier: MIT
-- recv with a timeout: it raises Timeout, and no value is lost whatever comes when.
local task, sync, testing = require "septet.task", require "septet.sync", require "septet.testing"

describe("recv with a timeout", function()
  it("raises Timeout, with the seconds, once the time is over", function()
    for _, capacity in ipairs { 0, 3 } do
      local ch, began = sync.channel(capacity), task.now()
      raises_error({ kind = "Timeout", seconds = 2.5 }, ch.recv, ch, 2.5)
      equal(math.floor((task.now() - began) * 10 + 0.5), 25)
    end
  end)

  it("returns a value that is there or comes in time", function()
    local ch = sync.channel(2)
    ch:send "there"
    equal(ch:recv(1), "there")
    task.spawn(function()
      task.sleep(1)
      ch:send "late"
    end)
    equal(ch:recv(2), "late")
    task.sleep(5)
    equal(ch:try_recv(), nil)
  end)

  it("of 0 polls: a value, or Timeout at once", function()
    local ch, began = sync.channel(), task.now()
    raises_error({ kind = "Timeout" }, ch.recv, ch, 0)
    local sender = task.spawn(function() ch:send(1) end)
    testing.wait_all_blocked()
    equal(ch:recv(0), 1)
    sender:await()
    equal(task.now(), began)
    ch:close()
    equal({ ch:recv(0) }, { nil, "closed" })
  end)

  it("ends with the channel", function()
    local ch = sync.channel()
    task.spawn(function()
      task.sleep(1)
      ch:close()
    end)
    equal({ ch:recv(5) }, { nil, "closed" })
    task.sleep(10)
  end)

  it("a loop with recv as its iterator has no timeout", function()
    local ch, got = sync.channel(3), {}
    for i = 1, 3 do ch:send(i / 1000) end
    task.spawn(function()
      task.sleep(5)
      ch:send "last"
      ch:close()
    end)
    for item in ch.recv, ch do got[#got + 1] = item end
    equal(got, { 0.001, 0.002, 0.003, "last" })
  end)

  it("no value is lost or received twice, at whatever instant it is sent", function()
    for _, capacity in ipairs { 0, 1 } do
      local ch, got, timeouts, n = sync.channel(capacity), {}, 0, many(200)
      task.group(function(g)
        g:spawn(function()
          for i = 1, n do
            task.sleep((i % 7) * 0.02)
            ch:send(i)
          end
          ch:close()
        end)
        for _ = 1, 3 do
          g:spawn(function()
            while true do
              local ok, item = task.pcall(ch.recv, ch, 0.04)
              if not ok then
                timeouts = timeouts + 1
              elseif item == nil then
                return
              else
                got[#got + 1] = item
              end
            end
          end)
        end
      end)
      table.sort(got)
      equal(#got, n)
      for i = 1, n do equal(got[i], i) end
      assert(n < 50 or timeouts > 0)
    end
  end)

  it("a receiver that is cancelled in the turn of its value leaves none behind", function()
    local ch, got = sync.channel(), nil
    local t = task.spawn(function() got = ch:recv(5) end)
    testing.wait_all_blocked()
    ch:send "value"
    t:cancel()
    task.wait { t }
    equal(got, "value")
    local u = task.spawn(function() ch:recv(5) end)
    testing.wait_all_blocked()
    u:cancel()
    task.wait { u }
    local v = task.spawn(function() return ch:recv() end)
    testing.wait_all_blocked()
    equal(ch:try_send "next", true)
    equal(v:await(), "next")
    task.sleep(20)
  end)

  it("waits in the order in which the receivers came, with and without a timeout", function()
    if MODE == "shuffle" then return end
    local ch, order = sync.channel(), {}
    local all = {}
    for i = 1, 4 do
      all[i] = task.spawn(function()
        ch:recv(i % 2 == 0 and 9 or nil)
        order[#order + 1] = i
      end)
    end
    testing.wait_all_blocked()
    for i = 1, 4 do ch:send(i) end
    for _, t in ipairs(all) do t:await() end
    equal(order, { 1, 2, 3, 4 })
  end)

  it("refuses what is no time", function()
    local ch = sync.channel()
    for _, seconds in ipairs { -1, 0 / 0, "1", {} } do
      raises("bad argument #2", ch.recv, ch, seconds)
    end
    raises("too many arguments", ch.recv, ch, 1, 2)
  end)
end)
