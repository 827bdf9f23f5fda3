-- SPDX-License-Identifier: MIT
--- A histogram of values of any size, with bounded memory: 64 buckets between each power of two
--- and the next, so that a percentile is within 0.8 % of a recorded value. Histograms merge by
--- addition. Exported by `septet.stats`, and by `septet.trace`.
local args = require "septet.internal.args"

-- A value is counted in units of 1e-9: nanoseconds, if it is in seconds. Units below 128 have a
-- bucket of their own. From there on, 64 buckets share an octave [2^e, 2^(e+1)), and bucket
-- (e - 6) * 64 + (units >> (e - 6)) has the units. These numbers have no gaps.
local UNIT <const> = 1e9
local SIDE <const> = 64         -- buckets in an octave
local BITS <const> = 6          -- log2 of it
local UNITS_MAX <const> = 2.0 ^ 62 -- 146 years in ns; the last bucket has all from there on
local LAST <const> = (61 - BITS) * SIDE + 2 * SIDE - 1

-- Local for speed: values are counted for each request.
local log, huge = math.log, math.huge

---@class septet.Histogram
local methods = {}
local meta = { __name = "septet.histogram", __metatable = "septet.histogram" }

local function check_value(value, position, what)
  if type(value) == "number" and value >= 0 and value < huge then return end
  args.usage("bad argument #%d to '%s' (a finite number, not negative, expected, got %s)", position,
    what, type(value) == "number" and tostring(value) or type(value))
end

local function check_count(count, position, what)
  if count == nil or math.type(count) == "integer" and count >= 0 then return end
  args.usage("bad argument #%d to '%s' (a whole number, not negative, expected, got %s)", position,
    what, type(count) == "number" and tostring(count) or type(count))
end

-- Returns the number of the bucket of a value.
local function bucket_of(value)
  local units = value * UNIT + 0.5
  if units < 2 * SIDE then return units // 1 | 0 end
  if units >= UNITS_MAX then return LAST end
  local whole = units // 1 | 0
  -- If rounding makes the logarithm the next whole number, the formula gives the same bucket.
  local shift = (log(units, 2) // 1 | 0) - BITS
  return shift * SIDE + (whole >> shift)
end

-- Returns the least and the first greater value of a bucket.
local function bounds_of(bucket)
  if bucket < 2 * SIDE then return math.max(bucket - 0.5, 0) / UNIT, (bucket + 0.5) / UNIT end
  local shift = bucket // SIDE - 1
  local first = bucket - shift * SIDE
  return ((first << shift) - 0.5) / UNIT, ((first + 1 << shift) - 0.5) / UNIT
end

-- Returns the value that stands for a bucket: the whole units of a small one, the middle of others.
local function value_of(bucket)
  if bucket < 2 * SIDE then return bucket / UNIT end
  local low, high = bounds_of(bucket)
  return (low + high) / 2
end

--- Like h:record(), but without any check.
local function add(self, value, count)
  local counts, bucket = self.counts, bucket_of(value)
  counts[bucket] = (counts[bucket] or 0) + count
  self.total = self.total + count
  self.sum = self.sum + value * count
  if value < self.least then self.least = value end
  if value > self.most then self.most = value end
end

--- Counts a value.
---@param value number seconds or any other unit, from 0; below 1e-9 it counts as 0
---@param count integer|nil how often, 1 by default
function methods:record(value, count)
  check_value(value, 1, "record")
  check_count(count, 2, "record")
  if count ~= 0 then add(self, value, count or 1) end
end

--- Counts a value measured by a loop that was to measure once in each interval. If the value is
--- longer, the measurements that it delayed are counted as well: value - interval,
--- value - 2 * interval and so on. This corrects coordinated omission.
---@param value number
---@param interval number more than 0
function methods:record_corrected(value, interval)
  check_value(value, 1, "record_corrected")
  check_value(interval, 2, "record_corrected")
  if interval <= 0 then
    args.usage "bad argument #2 to 'record_corrected' (more than 0 expected, got 0)"
  end
  local delayed = value // interval - 1
  if delayed > 1000000 then
    args.usage "bad argument #2 to 'record_corrected' (the value is more than 1000000 times it)"
  end
  add(self, value, 1)
  for i = 1, delayed // 1 | 0 do
    add(self, value - i * interval, 1)
  end
end

--- Adds the counts of another histogram.
---@param other septet.Histogram
---@return septet.Histogram self
function methods:merge(other)
  if getmetatable(other) ~= "septet.histogram" then
    args.usage("bad argument #1 to 'merge' (histogram expected, got %s)", type(other))
  end
  local counts = {} -- also of itself
  for bucket, count in pairs(other.counts) do counts[bucket] = count end
  for bucket, count in pairs(counts) do
    self.counts[bucket] = (self.counts[bucket] or 0) + count
  end
  self.total, self.sum = self.total + other.total, self.sum + other.sum
  self.least, self.most = math.min(self.least, other.least), math.max(self.most, other.most)
  return self
end

--- Returns the number of values.
---@return integer
function methods:count() return self.total end

--- Returns the least value, exactly; nil if there is none.
---@return number|nil
function methods:min() return self.total > 0 and self.least or nil end

--- Returns the greatest value, exactly; nil if there is none.
---@return number|nil
function methods:max() return self.total > 0 and self.most or nil end

--- Returns the mean of the values, exactly but for rounding; nil if there is none.
---@return number|nil
function methods:mean() return self.total > 0 and self.sum / self.total or nil end

-- Returns the numbers of the buckets with values, in ascending order.
local function filled(self)
  local buckets = {}
  for bucket in pairs(self.counts) do buckets[#buckets + 1] = bucket end
  table.sort(buckets)
  return buckets
end

--- Returns the value that p percent of the values do not exceed, within 0.8 %. p = 0 is the least
--- value and p = 100 the greatest, both exactly. Returns nil if there is no value.
---@param p number from 0 to 100
---@return number|nil
function methods:percentile(p)
  if type(p) ~= "number" or not (p >= 0 and p <= 100) then
    args.usage("bad argument #1 to 'percentile' (a number from 0 to 100 expected, got %s)",
      type(p) == "number" and tostring(p) or type(p))
  end
  if self.total == 0 then return nil end
  if p == 0 then return self.least end
  if p == 100 then return self.most end
  local rank, passed = math.max(1, math.ceil(p / 100 * self.total)), 0
  for _, bucket in ipairs(filled(self)) do
    passed = passed + self.counts[bucket]
    if passed >= rank then
      local value = bucket == LAST and self.most or value_of(bucket)
      return math.min(math.max(value, self.least), self.most)
    end
  end
end

--- Iterates over the buckets that have values, in ascending order.
---@return fun(): number|nil, number, integer # low, high and count: so many values v have
---low <= v < high
function methods:buckets()
  local buckets, at = filled(self), 0
  return function()
    at = at + 1
    local bucket = buckets[at]
    if not bucket then return nil end
    local low, high = bounds_of(bucket)
    if bucket == LAST then high = math.huge end
    return low, high, self.counts[bucket]
  end
end

-- The form: "h1", the sum, the extremes, then for each bucket with values the distance from the one
-- before, and its count unless that is 1. Numbers are in base 16, the floats with their exact
-- digits.

--- Returns the histogram as a string of printable characters, from which `histogram(s)` makes
--- an equal one in this or another process.
---@return string
function methods:encode()
  local words, last = {}, 0
  for i, bucket in ipairs(filled(self)) do
    local count = self.counts[bucket]
    words[i] = count == 1 and ("%x"):format(bucket - last)
      or ("%x*%x"):format(bucket - last, count)
    last = bucket
  end
  if self.total == 0 then return "h1" end
  return ("h1 %a %a %a %s"):format(self.sum, self.least, self.most, table.concat(words, " "))
end

meta.__index = function(_, key)
  return methods[key] or args.no_field("histogram", key, methods)
end
args.methods(methods, "histogram", { [meta] = true })

local function new()
  return setmetatable({ counts = {}, total = 0, sum = 0.0, least = math.huge, most = 0.0 }, meta)
end

local function bad(what)
  args.usage("bad argument #1 to 'histogram' (not an encoded histogram: %s)", what)
end

local function number_of(word)
  local n = word and word:find "^0x[%x.p+-]+$" and tonumber(word)
  if not n or n < 0 or n == math.huge then bad "a bad number" end
  return n + 0.0
end

local function decode(text)
  local self = new()
  if text == "h1" then return self end
  local sum, least, most, rest = text:match "^h1 (%S+) (%S+) (%S+) (.+)$"
  if not sum then bad "it does not begin with 'h1' and three numbers" end
  self.sum, self.least, self.most = number_of(sum), number_of(least), number_of(most)
  local bucket, first = 0, true
  for word in rest:gmatch "[^ ]+" do
    local step, count = word:match "^(%x+)%*?(%x*)$"
    if not step or #step > 4 or #count > 15 then bad "a bad bucket" end
    local distance = tonumber(step, 16)
    bucket = bucket + distance
    count = count == "" and 1 or tonumber(count, 16)
    if bucket > LAST or count == 0 or distance == 0 and not first then bad "a bad bucket" end
    first = false
    self.counts[bucket] = count
    self.total = self.total + count
  end
  if self.least > self.most then bad "the least value is more than the greatest" end
  return self
end

--- Creates a histogram: an empty one, or the one that an `encode()` returned.
---@param encoded string|nil
---@return septet.Histogram
local function histogram(encoded)
  if encoded == nil then return new() end
  args.string(encoded, 1, "histogram")
  return decode(encoded)
end

return { new = histogram, add = add }
