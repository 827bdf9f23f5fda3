-- SPDX-License-Identifier: MIT
-- septet.stats: percentiles, summaries, rates and moving means.
local stats, task, testing = require "septet.stats", require "septet.task", require "septet.testing"

local function near(got, expected, share)
  if math.abs(got - expected) > math.abs(expected) * (share or 1e-9) + 1e-12 then
    error(("expected about %g, got %g"):format(expected, got), 2)
  end
end

describe("a percentile", function()
  it("is a value of the list, by nearest rank", function()
    local values = { 15, 20, 35, 40, 50 }
    for p, expected in pairs { [0] = 15, [5] = 15, [30] = 20, [40] = 20, [50] = 35, [100] = 50 } do
      equal(stats.percentile(values, p), expected)
    end
    equal(values, { 15, 20, 35, 40, 50 })
    equal(stats.percentile({ 3, 1, 2 }, 50), 2)
    equal(stats.percentile({}, 50), nil)
    equal(stats.percentile({ -5, -7, math.huge }, 1), -7)
  end)

  it("refuses what is no list and no percentage", function()
    raises("bad argument #2", stats.percentile, { 1 }, 101)
    raises("bad argument #2", stats.percentile, { 1 }, 0 / 0)
    raises("item 2: number expected, got string", stats.percentile, { 1, "2" }, 50)
    raises("item 1: number expected", stats.percentile, { 0 / 0 }, 50)
    raises("list expected", stats.percentile, 5, 50)
  end)
end)

describe("a summary", function()
  it("of a list is exact, also where the values are large and close", function()
    local s = stats.summary { 2, 4, 4, 4, 5, 5, 7, 9 }
    equal({ s.count, s.min, s.max, s.mean, s.p50, s.p99 }, { 8, 2, 9, 5.0, 4, 9 })
    near(s.deviation, math.sqrt(32 / 7))
    near(stats.summary { 1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16 }.deviation, math.sqrt(30))
    equal(stats.summary { 7 }.deviation, 0.0)
    equal(stats.summary {}, { count = 0 })
  end)

  it("of a histogram is that of its buckets, and merges", function()
    local whole, parts = stats.histogram(), { stats.histogram(), stats.histogram() }
    for i = 1, 1000 do
      whole:record(i / 1000)
      parts[i % 2 + 1]:record(i / 1000)
    end
    local merged = stats.summary(parts[1]:merge(parts[2]))
    local expected = stats.summary(whole)
    near(merged.mean, expected.mean)
    merged.mean = expected.mean -- the sums are of another order
    equal(merged, expected)
    near(merged.p90, 0.9, 0.01)
    equal({ merged.count, merged.min, merged.max }, { 1000, 0.001, 1.0 })
    equal(stats.summary(stats.histogram()).p50, nil)
    equal(require "septet.trace".histogram(whole:encode()):count(), 1000)
  end)
end)

describe("a rate", function()
  it("is counted over its window, and from the beginning before that", function()
    local r = stats.rate(10)
    equal(r:per_second(), 0)
    for _ = 1, 5 do
      testing.busy(1)
      r:add(20)
    end
    near(r:per_second(), 20)
    for _ = 1, 50 do
      testing.busy(1)
      r:add()
    end
    near(r:per_second(), 1, 0.15)
    testing.busy(20)
    equal(r:per_second(), 0)
    equal(r:total(), 150)
  end)

  it("keeps no more than its slots, however long it runs", function()
    local r = stats.rate(1)
    for _ = 1, 1000 do
      task.sleep(0.05)
      r:add(3)
    end
    near(r:per_second(), 60, 0.1)
    local n = 0
    for _ in pairs(r.counts) do n = n + 1 end
    assert(n <= 30)
  end)

  it("refuses what is no amount and no window", function()
    for _, window in ipairs { 0, -1, math.huge, "3" } do
      raises("bad argument #1 to 'rate'", stats.rate, window)
    end
    raises("bad argument #1 to 'add'", function() stats.rate():add(0 / 0) end)
    raises("rate has no field 'count'", function() return stats.rate().count end)
  end)
end)

describe("a moving mean", function()
  it("weighs a value by half for each half-life", function()
    local e = stats.ewma(10)
    equal(e:value(), nil)
    e:add(8)
    equal(e:value(), 8.0)
    testing.busy(10)
    e:add(2)
    near(e:value(), (8 * 0.5 + 2) / 1.5)
    e:add(2)
    near(e:value(), (8 * 0.5 + 4) / 2.5)
  end)

  it("follows a step, and survives an age without values", function()
    local e = stats.ewma(1)
    for _ = 1, 50 do
      task.sleep(0.5)
      e:add(10)
    end
    near(e:value(), 10)
    for _ = 1, 50 do
      task.sleep(0.5)
      e:add(20)
    end
    near(e:value(), 20, 1e-6)
    testing.busy(1e6)
    equal(e:value(), 20)
    e:add(5)
    near(e:value(), 5)
  end)

  it("refuses what is no value and no half-life", function()
    raises("bad argument #1 to 'ewma'", stats.ewma, 0)
    raises("bad argument #1 to 'add'", function() stats.ewma():add(math.huge) end)
    raises("bad argument #1 to 'add'", function() stats.ewma():add() end)
  end)
end)
