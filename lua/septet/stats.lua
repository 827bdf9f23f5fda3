-- SPDX-License-Identifier: MIT
--- Numbers about numbers: histograms that merge, percentiles, rates over a window of time and
--- moving means. All but `percentile` and `summary` of a list need bounded memory.
---@class septet.stats
local stats = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local histogram = require "septet.stats.histogram"

--- Creates a histogram: an empty one, or the one that an `encode()` returned.
---@param encoded string|nil
---@return septet.Histogram
stats.histogram = histogram.new

local function shown(value)
  return type(value) == "number" and tostring(value) or type(value)
end

-- Raises Usage unless the value is a finite number.
local function check_number(value, position, what)
  if type(value) == "number" and value == value and math.abs(value) < math.huge then return end
  args.usage("bad argument #%d to '%s' (a finite number expected, got %s)", position, what,
    shown(value))
end

-- Raises Usage unless the value is a finite number and more than 0.
local function check_positive(value, position, what, expected)
  if type(value) == "number" and value > 0 and value < math.huge then return end
  args.usage("bad argument #%d to '%s' (%s expected, got %s)", position, what, expected,
    shown(value))
end

local function check_percent(p, position, what)
  if type(p) == "number" and p >= 0 and p <= 100 then return end
  args.usage("bad argument #%d to '%s' (a number from 0 to 100 expected, got %s)", position, what,
    shown(p))
end

-- Returns a sorted copy of a list of numbers.
local function sorted(values, what)
  args.list(values, 1, what)
  local copy = {}
  for i = 1, #values do
    local value = values[i]
    if type(value) ~= "number" or value ~= value then
      args.usage("bad argument #1 to '%s' (item %d: number expected, got %s)", what, i,
        shown(value))
    end
    copy[i] = value
  end
  table.sort(copy)
  return copy
end

local function at_percent(copy, p)
  return copy[math.max(1, math.ceil(p / 100 * #copy))]
end

--- Returns the least value of a list that p percent of the values do not exceed: a value of the
--- list, exactly. nil for an empty list.
---@param values number[]
---@param p number from 0 to 100
---@return number|nil
function stats.percentile(values, p)
  check_percent(p, 2, "percentile")
  return at_percent(sorted(values, "percentile"), p)
end

local function summary_of_histogram(h)
  return { count = h:count(), min = h:min(), max = h:max(), mean = h:mean(),
    p50 = h:percentile(50), p90 = h:percentile(90), p95 = h:percentile(95),
    p99 = h:percentile(99) }
end

--- Returns what a list of numbers or a histogram comes to. Of a list, all is exact. Without a value
--- there is only the count.
---@param values number[]|septet.Histogram
---@return septet.Summary
function stats.summary(values)
  if getmetatable(values) == "septet.histogram" then return summary_of_histogram(values) end
  local copy = sorted(values, "summary")
  local n = #copy
  if n == 0 then return { count = 0 } end
  local mean, squares = 0.0, 0.0
  for i = 1, n do -- Welford's way, which loses no digits
    local delta = copy[i] - mean
    mean = mean + delta / i
    squares = squares + delta * (copy[i] - mean)
  end
  return { count = n, min = copy[1], max = copy[n], mean = mean,
    deviation = n > 1 and math.sqrt(squares / (n - 1)) or 0.0,
    p50 = at_percent(copy, 50), p90 = at_percent(copy, 90), p95 = at_percent(copy, 95),
    p99 = at_percent(copy, 99) }
end

---@class septet.Summary
---@field count integer
---@field min number|nil
---@field max number|nil
---@field mean number|nil
---@field deviation number|nil the standard deviation of a sample; only of a list
---@field p50 number|nil
---@field p90 number|nil
---@field p95 number|nil
---@field p99 number|nil

-- --- rates ---

local SLOTS <const> = 30 -- of a window

---@class septet.Rate
local Rate = {}
local rate_meta = { __name = "septet.rate", __metatable = "septet.rate",
  __index = function(_, key) return Rate[key] or args.no_field("rate", key, Rate) end }

--- Counts n more, now.
---@param n number|nil 1 by default
function Rate:add(n)
  if n == nil then n = 1 else check_number(n, 1, "add") end
  local slot = core.now() // self.width
  local at = slot % SLOTS
  if self.stamps[at] ~= slot then
    self.stamps[at], self.counts[at] = slot, 0
  end
  self.counts[at] = self.counts[at] + n
  self.sum = self.sum + n
end

--- Returns how many there were a second, within the window or since the beginning if that is later.
---@return number
function Rate:per_second()
  local now = core.now()
  local slot, sum = now // self.width, 0
  for at = 0, SLOTS - 1 do
    local stamp = self.stamps[at]
    if stamp and stamp > slot - SLOTS then sum = sum + self.counts[at] end
  end
  local span = (SLOTS - 1) * self.width + (now - slot * self.width)
  return sum / math.max(math.min(span, now - self.began), 0.001)
end

--- Returns the sum of all that was counted.
---@return number
function Rate:total() return self.sum end

args.methods(Rate, "rate", { [rate_meta] = true })

--- Creates a rate over a sliding window of time. It keeps 30 sums, however much is counted.
---@param window number|nil seconds, 10 by default
---@return septet.Rate
function stats.rate(window)
  if window == nil then window = 10 end
  check_positive(window, 1, "rate", "seconds, more than 0,")
  return setmetatable({ width = window / SLOTS, stamps = {}, counts = {}, sum = 0,
    began = core.now() }, rate_meta)
end

-- --- moving means ---

---@class septet.Ewma
local Ewma = {}
local ewma_meta = { __name = "septet.ewma", __metatable = "septet.ewma",
  __index = function(_, key) return Ewma[key] or args.no_field("ewma", key, Ewma) end }

-- Lets the weights of the values so far decay up to now.
local function decay(self)
  local now = core.now()
  local factor = 2.0 ^ ((self.at - now) / self.half_life)
  self.weighted, self.weight, self.at = self.weighted * factor, self.weight * factor, now
end

--- Adds a value, now.
---@param value number
function Ewma:add(value)
  check_number(value, 1, "add")
  decay(self)
  self.weighted, self.weight = self.weighted + value, self.weight + 1
  self.last = value
end

--- Returns the mean of the values, each weighted by half for each half-life that has passed since;
--- nil if there is none.
---@return number|nil
function Ewma:value()
  if not self.last then return nil end
  decay(self)
  if self.weight < 1e-200 then return self.last end -- so long ago that only one counts
  return self.weighted / self.weight
end

args.methods(Ewma, "ewma", { [ewma_meta] = true })

--- Creates an exponentially weighted moving mean over time.
---@param half_life number|nil seconds, 10 by default
---@return septet.Ewma
function stats.ewma(half_life)
  if half_life == nil then half_life = 10 end
  check_positive(half_life, 1, "ewma", "seconds, more than 0,")
  return setmetatable({ half_life = half_life, weighted = 0.0, weight = 0.0, at = core.now(),
    last = false }, ewma_meta)
end

return args.module(stats, "septet.stats")
