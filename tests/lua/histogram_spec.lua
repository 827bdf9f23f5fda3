-- SPDX-License-Identifier: MIT
-- septet.trace.histogram: counts of values in buckets of a bounded number.
local trace = require "septet.trace"

local SEED <const> = 20261130

-- Returns a generator of values from 1e-9 to 1e9, all magnitudes as likely, from a seed of its own.
local function values(seed)
  local state = seed
  return function()
    state = (state * 6364136223846793005 + 1442695040888963407) & math.maxinteger
    return 10 ^ ((state >> 20) / 2.0 ^ 43 * 18 - 9)
  end
end

local function filled(list)
  local h = trace.histogram()
  for _, value in ipairs(list) do h:record(value) end
  return h
end

local function random_list(seed, n)
  local next_value, list = values(seed), {}
  for i = 1, n do list[i] = next_value() end
  return list
end

-- Returns true if two numbers are equal but for rounding.
local function near(a, b, tolerance)
  return math.abs(a - b) <= (tolerance or 1e-9) * math.max(math.abs(a), math.abs(b))
end

-- Returns what a histogram says of its values, but for their sum, whose rounding depends on order.
local function contents(h)
  local list = { h:count(), h:min(), h:max() }
  for low, high, count in h:buckets() do list[#list + 1] = { low, high, count } end
  return list
end

describe("histogram", function()
  it("an empty histogram has no percentile, and counts 0", function()
    local h = trace.histogram()
    equal({ h:count(), h:min(), h:max(), h:mean(), h:percentile(50) }, { 0 })
    equal(h:buckets()(), nil)
  end)

  it("a histogram has the number, extremes and mean of its values exactly", function()
    local h = filled { 0.25, 0.5, 3 }
    h:record(0.125, 2)
    h:record(7, 0)
    equal({ h:count(), h:min(), h:max(), h:mean() }, { 5, 0.125, 3, 0.8 })
  end)

  it("each percentile is within 0.8 % of the value of that rank", function()
    for seed = SEED, SEED + 9 do
      local list = random_list(seed, 1000)
      local h = filled(list)
      table.sort(list)
      for p = 0, 100, 2.5 do
        local exact = list[math.max(1, math.ceil(p / 100 * #list))]
        local found = h:percentile(p)
        local off = math.abs(found - exact)
        equal(off <= 0.00782 * exact or off <= 0.5e-9, true, ("%g: %g %g"):format(p, found, exact))
      end
    end
  end)

  it("percentiles never decrease, from the least value to the greatest", function()
    local h, last = filled(random_list(SEED, 500)), 0
    equal({ h:percentile(0), h:percentile(100) }, { h:min(), h:max() })
    for p = 0, 100, 0.1 do
      local value = h:percentile(math.min(p, 100))
      equal(value >= last and value <= h:max(), true)
      last = value
    end
  end)

  it("the percentile of equal values is that value", function()
    for _, value in ipairs { 0, 3e-9, 0.1, 12345.678 } do
      local h = trace.histogram()
      h:record(value, 1000)
      for _, p in ipairs { 0, 1, 50, 99.9, 100 } do equal(h:percentile(p), value) end
    end
  end)

  it("buckets have all values, ascend without overlap, and are narrow", function()
    local list = random_list(SEED + 1, 2000)
    list[#list + 1] = 0
    local h = filled(list)
    table.sort(list)
    local at, last = 1, 0
    for low, high, count in h:buckets() do
      equal(low >= last and high > low, true)
      equal(high - low <= math.max(low / 63, 1.01e-9), true, low)
      for _ = 1, count do
        local value = list[at]
        equal(near(value, low) or near(value, high) or low <= value and value < high, true)
        at = at + 1
      end
      last = high
    end
    equal(at, #list + 1)
  end)

  it("the powers of two and their neighbours are in the buckets of their values", function()
    for e = 0, 61 do
      for _, units in ipairs { (1 << e) - 1, 1 << e, (1 << e) + 1 } do
        local value = units / 1e9
        local h = trace.histogram()
        h:record(value)
        local low, high = h:buckets()()
        equal(near(low, value) or near(high, value) or low <= value and value < high, true, units)
      end
    end
  end)

  it("merging gives what recording all values gives", function()
    for seed = SEED, SEED + 4 do
      local a, b = random_list(seed, 300), random_list(seed + 100, 200)
      local merged = filled(a)
      equal(rawequal(merged:merge(filled(b)), merged), true)
      local all = filled(table.move(b, 1, #b, #a + 1, a))
      equal(contents(merged), contents(all))
      equal(near(merged:mean(), all:mean()), true)
    end
  end)

  it("merging with an empty one or itself is no exception", function()
    local h = filled { 1, 2 }
    equal(contents(h:merge(trace.histogram())), contents(filled { 1, 2 }))
    equal(contents(trace.histogram():merge(h)), contents(h))
    equal(contents(h:merge(h)), contents(filled { 1, 1, 2, 2 }))
  end)

  it("values of any size are counted, in a bounded number of buckets", function()
    local h = trace.histogram()
    for _, value in ipairs { 0, 1e-300, 4e-10, 5e9, 1e300, math.maxinteger } do h:record(value) end
    equal({ h:count(), h:min(), h:max() }, { 6, 0, 1e300 })
    equal({ h:percentile(1), h:percentile(99) }, { 0, 1e300 })
    local last
    for _, high in h:buckets() do last = high end
    equal(last, math.huge)
    for e = -1100, 1023 do
      for i = 64, 127 do h:record(i / 64 * 2.0 ^ e) end
    end
    local n = 0
    for _ in h:buckets() do n = n + 1 end
    equal(n <= 3648, true, n)
  end)

  it("a corrected record counts the measurements that a slow one delayed", function()
    local h = trace.histogram()
    h:record_corrected(1, 0.25)
    equal(contents(h), contents(filled { 1, 0.75, 0.5, 0.25 }))
    h = trace.histogram()
    h:record_corrected(0.25, 0.25)
    h:record_corrected(0.1, 0.25)
    equal(contents(h), contents(filled { 0.25, 0.1 }))
  end)

  it("an encoded histogram is printable, and decodes to an equal one", function()
    for _, list in ipairs { {}, { 0 }, { 1.5 }, { 0, 0, 1e300 }, random_list(SEED, 1000) } do
      local h = filled(list)
      local text = h:encode()
      local copy = trace.histogram(text)
      equal(text:find "[^%w .*+-]", nil)
      equal({ contents(copy), copy:mean(), copy:encode() }, { contents(h), h:mean(), text })
    end
    local h = trace.histogram()
    h:record(1, 1 << 40)
    equal(trace.histogram(h:encode()):count(), 1 << 40)
  end)

  it("decoding refuses what encode did not return", function()
    local good = filled({ 1, 2 }):encode()
    trace.histogram(good)
    for _, text in ipairs { "", "h2", "h1 ", "h1 1 2", good .. " 0", good .. " -1", good .. " 1*0",
      good .. " zz", good .. " ffff", good .. " 1*ffffffffffffffff", (good:gsub("0x", "-0x", 1)),
      "h1 nan 0x1p+0 0x1p+0 1", "h1 0x1p+9999 0x1p+0 0x1p+0 1", "h1 0x1p+0 0x1p+1 0x1p+0 1" } do
      misuse("bad argument #1 to 'histogram' %(not an encoded histogram", function()
        trace.histogram(text)
      end)
    end
    misuse("bad argument #1 to 'histogram' %(string expected, got number%)", function()
      trace.histogram(1)
    end)
  end)

  it("what is no value is refused, and leaves the histogram as it was", function()
    local h = filled { 1 }
    for _, value in ipairs { -1, -1e-300, 0 / 0, math.huge, -math.huge, "1", true, {} } do
      local expected = "%(a finite number, not negative, expected, got "
      misuse("bad argument #1 to 'record' " .. expected, function() h:record(value) end)
      misuse("bad argument #1 to 'record_corrected' " .. expected, function()
        h:record_corrected(value, 1)
      end)
      misuse("bad argument #2 to 'record_corrected' " .. expected, function()
        h:record_corrected(1, value)
      end)
    end
    for _, count in ipairs { -1, 0.5, 1.0, "1", false } do
      misuse("bad argument #2 to 'record' %(a whole number, not negative, expected", function()
        h:record(1, count)
      end)
    end
    misuse("more than 0 expected, got 0", function() h:record_corrected(1, 0) end)
    misuse("more than 1000000 times", function() h:record_corrected(1, 1e-9) end)
    for _, p in ipairs { -1, 100.1, 0 / 0, "50", false } do
      misuse("bad argument #1 to 'percentile' %(a number from 0 to 100 expected", function()
        h:percentile(p)
      end)
    end
    misuse("bad argument #1 to 'merge' %(histogram expected, got table%)", function()
      h:merge {}
    end)
    equal(contents(h), contents(filled { 1 }))
  end)

  it("methods want a colon", function()
    local h = trace.histogram()
    misuse("call it as histogram:record%(...%), with a colon", function() h.record(1) end)
    misuse("call it as histogram:record%(...%), with a colon", function() h.record() end)
    misuse("call it as histogram:count%(...%), with a colon", function() h.count() end)
    misuse("histogram has no field 'percentil', did you mean 'percentile'%?", function()
      return h.percentil
    end)
  end)
end)
