-- SPDX-License-Identifier: MIT
-- The steps of jobs: their words, and what they add up to by queue, in bounded memory. Needs no
-- host.
--
-- A row: name (of the queue); put: jobs given to it, new: those that were new; taken; done, dropped
-- (without a result), failed, of these retried and dead; back: given back; lost: those of which
-- another had the lease; recovered: those without their worker, unless that was the last attempt,
-- which counts as dead; waited, ran: histograms of seconds in the queue, and of runs that ended
local histogram = require "septet.stats.histogram"

local job_steps = {}

local NAMES_MAX <const> = 1000 -- queues with a row of their own
local OTHERS <const> = "(others)"

local function row_of(rows, name)
  if not rows[name] and #rows >= NAMES_MAX then name = OTHERS end
  local row = rows[name]
  if row then return row end
  row = { name = name, put = 0, new = 0, taken = 0, done = 0, dropped = 0, failed = 0, retried = 0,
    dead = 0, back = 0, lost = 0, recovered = 0, waited = histogram.new(), ran = histogram.new() }
  rows[name] = row
  rows[#rows + 1] = row
  return row
end

-- Functions (row, event) by step.
local steps = {}

function steps.put(row, e)
  row.put, row.new = row.put + (e.count or 0), row.new + (e.new or 0)
end

function steps.taken(row, e)
  row.taken = row.taken + 1
  histogram.add(row.waited, e.seconds or 0, 1)
end

local function ended(row, e, what)
  row[what] = row[what] + 1
  histogram.add(row.ran, e.seconds or 0, 1)
end

function steps.done(row, e) ended(row, e, "done") end

function steps.dropped(row, e) ended(row, e, "dropped") end

function steps.retry(row, e)
  ended(row, e, "retried")
  row.failed = row.failed + 1
end

function steps.dead(row, e)
  ended(row, e, "dead")
  row.failed = row.failed + 1
end

function steps.back(row) row.back = row.back + 1 end

function steps.lost(row) row.lost = row.lost + 1 end

function steps.recovered(row) row.recovered = row.recovered + 1 end

function steps.buried(row) row.dead = row.dead + 1 end

--- Counts the event of a step in the row of its queue.
---@param rows table by name and by order of first use
---@param e table
function job_steps.add(rows, e)
  local step = steps[e.step]
  if step then step(row_of(rows, e.queue or "?"), e) end
end

--- Returns the queues, the one with the most steps first.
---@param rows table
---@return table[]
function job_steps.by_steps(rows)
  local list = table.move(rows, 1, #rows, 1, {})
  table.sort(list, function(a, b)
    local x, y = a.put + a.taken, b.put + b.taken
    if x ~= y then return x > y end
    return a.name < b.name
  end)
  return list
end

--- Returns a step as a mark of its task: a name, and a key or a number or nil.
---@param e table
---@return string name
---@return string|number|nil value
function job_steps.mark(e)
  return "job " .. (e.step or "?"), e.key or e.new
end

return job_steps
