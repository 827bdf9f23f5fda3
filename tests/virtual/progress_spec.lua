-- SPDX-License-Identifier: MIT
-- septet.progress, where there is no terminal; cli/test_progress has one.
local progress, task, testing =
  require "septet.progress", require "septet.task", require "septet.testing"

-- Returns a bar and the lines that it wrote.
local function bar_of(options)
  local lines = {}
  options.out = function(text) lines[#lines + 1] = text end
  return progress.new(options), lines
end

describe("progress without a terminal", function()
  it("is a line every ten seconds while something is done, and one at the end", function()
    local bar, lines = bar_of { total = 60 }
    for _ = 1, 60 do
      task.sleep(0.5)
      bar:add()
    end
    bar:finish()
    assert(lines[1]:find "^[12]%d of 60 done, 0 failed, 2 a second, 0:2%d left\n$", lines[1])
    equal(lines[#lines], "60 of 60 done, 0 failed, 2 a second, 0:30\n")
    assert(#lines >= 3 and #lines <= 4, #lines)
  end)

  it("draws what came since, although nothing follows, and then waits for no clock", function()
    local bar, lines = bar_of {}
    bar:add(5)
    equal(#lines, 0)
    testing.advance(11)
    equal(#lines, 1)
    local began = #lines
    testing.advance(30)
    equal(#lines, began)
    bar:finish()
  end)

  it("counts failures, sizes and a label, which is escaped", function()
    local bar = bar_of { label = "up\27[2J", bytes = true, total = 5000000 }
    task.sleep(1)
    bar:add(1500000)
    local line = bar:line()
    assert(line:find("1.5 MB of 5.0 MB done, 1.5 MB a second, 0:03 left", 1, true), line)
    assert(not bar:line():find "\27", bar:line())
    bar:fail(500000)
    assert(bar:line():find("2.0 MB of 5.0 MB done, 500000 failed", 1, true), bar:line())
    equal({ bar.done, bar.failed, bar.total }, { 2000000, 500000, 5000000 })
    bar:finish()
  end)

  it("learns its total later, and may pass it", function()
    local bar = bar_of {}
    task.sleep(1)
    bar:add(3)
    equal(bar:line(), "3 done, 0 failed, 3 a second")
    bar:set_total(2)
    equal(bar:line(), "3 of 2 done, 0 failed, 3 a second, 0:00 left")
    bar:set_total(nil)
    equal(bar.total, nil)
    bar:finish()
  end)

  it("ends once, with its block, also by an error and a cancellation", function()
    local function run(fn)
      local lines = {}
      local function out(text) lines[#lines + 1] = text end
      local t = task.spawn(function()
        local bar <close> = progress.new { out = out }
        bar:add()
        fn(bar)
      end)
      testing.wait_all_blocked()
      t:cancel()
      task.wait { t }
      pcall(t.await, t)
      equal(#lines, 1)
      assert(lines[1]:find "^1 done", lines[1])
    end
    run(function(bar) bar:finish() bar:finish() bar:add() end)
    run(function() error "x" end)
    run(function() task.sleep(60) end)
  end)

  it("keeps no line if it is told not to", function()
    local bar, lines = bar_of { keep = false }
    bar:add()
    bar:finish()
    bar:print "\r" -- after the end, it only prints
    equal(lines, {})
  end)

  it("a deadlock beside it is told", function()
    local bar = bar_of { total = 10 }
    bar:add()
    raises_error({ kind = "Timeout" }, task.timeout, 20, function() task.future():await() end)
    bar:finish()
  end)

  it("refuses what it cannot show", function()
    raises("unknown option 'totl' to 'new', did you mean 'total'", progress.new, { totl = 1 })
    raises("bad option 'label'", progress.new, { label = 1 })
    raises("a number, not negative", progress.new, { total = -1 })
    local bar = bar_of {}
    raises("a number, not negative", bar.add, bar, -1)
    raises("'add' is a method", function() bar.add() end)
    bar:finish()
  end)
end)
