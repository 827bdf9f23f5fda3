-- SPDX-License-Identifier: MIT
-- Checks Chrome Trace Events against the rules of Perfetto's importer and of chrome://tracing: what
-- breaks one of them is dropped or drawn wrongly there. Raises for the first that is broken.
local perfetto = {}

local needs_time = { X = true, i = true, C = true, s = true, f = true }

local function check(condition, format, ...)
  if not condition then error(format:format(...), 0) end
end

-- Returns nanoseconds as Perfetto reads them.
local function ns(us)
  return math.floor(us * 1000)
end

local function check_event(e, threads)
  check(e.name ~= nil and e.ph ~= nil and e.pid ~= nil, "an event has no name, ph or pid")
  if e.ph == "M" then
    if e.tid then threads[e.tid] = true end
    return
  end
  check(needs_time[e.ph], "an event has the unknown ph '%s'", e.ph)
  check(type(e.ts) == "number" and e.ts >= 0, "'%s' has no time", e.name)
  check(threads[e.tid], "the thread %s of '%s' has no name", e.tid, e.name)
  if e.ph == "X" then
    check(type(e.dur) == "number" and e.dur >= 0, "the slice '%s' has no duration", e.name)
  elseif e.ph == "i" then
    check(e.s == "t" or e.s == "p" or e.s == "g", "the instant '%s' has no scope", e.name)
  elseif e.ph == "C" then
    for name, value in pairs(e.args) do
      check(type(value) == "number", "'%s' of the counter '%s' is no number", name, e.name)
    end
  end
end

-- Checks that the slices of a thread nest. Those around others come first at the same instant.
local function check_nesting(slices)
  table.sort(slices, function(a, b)
    if a.from ~= b.from then return a.from < b.from end
    return a.index < b.index
  end)
  local open = {}
  for _, s in ipairs(slices) do
    while open[1] and open[#open].till <= s.from do open[#open] = nil end
    local around = open[#open]
    check(not around or s.till <= around.till, "the slice '%s' at %d ns sticks out of '%s'",
      s.name, s.from, around and around.name)
    -- What computes with the numbers as they are tolerates a picosecond.
    check(not around or s.ends <= around.ends + 1e-6, "'%s' at %d ns ends %g us late", s.name,
      s.from, around and s.ends - around.ends)
    open[#open + 1] = s
  end
end

-- Checks that a slice encloses an end of an arrow.
local function check_bound(e, slices)
  local time = ns(e.ts)
  local low, high = 1, #slices
  while low < high do -- the last that begins at or before the end of the arrow
    local middle = (low + high + 1) // 2
    if slices[middle].from <= time then low = middle else high = middle - 1 end
  end
  while low > 0 and not (slices[low].from <= time and time < slices[low].till) do low = low - 1 end
  check(low > 0, "no slice encloses the end of the arrow %s", e.id)
end

local function check_arrows(arrows, by_thread)
  for id, pair in pairs(arrows) do
    local s, f = pair.s, pair.f
    check(type(id) == "string" and tonumber(id:gsub("^0x", ""), 16), "bad id '%s' of an arrow", id)
    check(s and f, "the arrow %s has one end", id)
    check(s.name == f.name and s.cat == f.cat, "the ends of the arrow %s differ", id)
    check(f.bp == "e", "the arrow %s ends at the next slice", id)
    check(ns(s.ts) <= ns(f.ts), "the arrow %s ends before it begins", id)
    check_bound(s, by_thread[s.tid])
    check_bound(f, by_thread[f.tid])
  end
end

--- Checks a trace, as decoded from JSON. Returns the number of events by their `ph`, and the number
--- of slices by their `cat`.
function perfetto.check(trace)
  local counts, cats, threads, by_thread, arrows = {}, {}, {}, {}, {}
  for i, e in ipairs(trace.traceEvents) do
    check_event(e, threads)
    counts[e.ph] = (counts[e.ph] or 0) + 1
    if e.ph == "X" then
      cats[e.cat] = (cats[e.cat] or 0) + 1
      by_thread[e.tid] = by_thread[e.tid] or {}
      table.insert(by_thread[e.tid], { name = e.name, from = ns(e.ts), till = ns(e.ts) + ns(e.dur),
        ends = e.ts + e.dur, index = i })
    elseif e.ph == "s" or e.ph == "f" then
      arrows[e.id] = arrows[e.id] or {}
      check(not arrows[e.id][e.ph], "two arrows have the id %s", e.id)
      arrows[e.id][e.ph] = e
    end
  end
  for _, slices in pairs(by_thread) do check_nesting(slices) end
  check_arrows(arrows, by_thread)
  return counts, cats
end

return perfetto
