-- SPDX-License-Identifier: MIT
-- The figures of the report, of the whole trace: what happened, how long requests took, by host,
-- and what failed. Times are whole microseconds.
local stats = {}

local job_steps = require "septet.trace.job_steps"
local text = require "septet.trace.report.text"

local us = text.microseconds
local phase_names = require("septet.trace.model.requests").phase_names

local HOSTS, ERRORS = 50, 50 -- rows of a table

-- Returns the value that a share of the sorted values does not exceed.
local function percentile(sorted, share)
  return sorted[math.max(1, math.ceil(share * #sorted))]
end

-- Returns a row of percentiles; nil of no values.
local function summary(values)
  if #values == 0 then return nil end
  table.sort(values)
  return {
    count = #values, p50 = percentile(values, 0.5), p90 = percentile(values, 0.9),
    p99 = percentile(values, 0.99), max = values[#values],
  }
end

-- Returns the largest number of intervals { from, till } at one instant.
local function peak(starts, finishes)
  table.sort(starts)
  table.sort(finishes)
  local most, ended = 0, 0
  for i, start in ipairs(starts) do
    while finishes[ended + 1] and finishes[ended + 1] <= start do ended = ended + 1 end
    most = math.max(most, i - ended)
  end
  return most
end

-- Returns how many tasks lived, or requests had left the queue, at one instant.
local function peak_of(list)
  local starts, finishes = {}, {}
  for i, item in ipairs(list) do
    starts[i], finishes[i] = item.start + (item.queue or 0), item.finish
  end
  return peak(starts, finishes)
end

-- --- requests: the attempts of one number, redirects and retries included ---

-- Returns the requests: first start, last finish, and the attempt that decided.
local function whole_requests(m)
  local whole, by_number = {}, {}
  for _, attempt in ipairs(m.requests) do
    local number = attempt.request ~= 0 and attempt.request or nil
    local request = number and by_number[number]
    if not request then
      request = { start = attempt.start, finish = attempt.finish, last = attempt }
      whole[#whole + 1] = request
      if number then by_number[number] = request end
    else
      request.finish = math.max(request.finish, attempt.finish)
      if (attempt.resend or 0) >= (request.last.resend or 0) then request.last = attempt end
    end
  end
  return whole
end

-- Returns how an attempt ended.
local function outcome_of(attempt)
  if attempt.open then return "open" end
  if attempt.cancelled then return "cancelled" end
  if attempt.failed then return "failed" end
  return attempt.status >= 400 and "refused" or "ok"
end

-- Bars of equal width on a logarithmic axis. Its ends are 1, 2 or 5 times a power of ten.
local BARS = 40

local function round_edge(value, step)
  local power = 10 ^ math.floor(math.log(value, 10))
  local edges = { 1, 2, 5, 10 }
  for i = step > 0 and 1 or 4, step > 0 and 4 or 1, step do
    local edge = edges[i] * power
    if step > 0 and edge >= value or step < 0 and edge <= value then return edge end
  end
  return value
end

local function histogram(sorted)
  local low = round_edge(math.max(sorted[1], 1), -1)
  local high = round_edge(math.max(sorted[#sorted], 1), 1)
  if high < low * 4 then low, high = low / 2, high * 2 end
  local counts, scale = {}, BARS / math.log(high / low)
  for i = 1, BARS do counts[i] = 0 end
  for _, value in ipairs(sorted) do
    local bar = math.floor(math.log(math.max(value, 1) / low) * scale) + 1
    bar = math.max(1, math.min(bar, BARS))
    counts[bar] = counts[bar] + 1
  end
  return { low = low, high = high, counts = counts }
end

-- What failed, was cancelled or has not ended counts with the time that it took: a response that is
-- late must not vanish from the percentiles.
local function latency(m, whole)
  local times, rows = {}, {}
  if #whole == 0 then return nil end
  for i, request in ipairs(whole) do times[i] = us(request.finish - request.start) end
  rows[1] = summary(times)
  rows[1].name = "response"
  local of = {}
  for _, attempt in ipairs(m.requests) do
    for _, phase in ipairs(attempt.phases) do
      of[phase.name] = of[phase.name] or {}
      table.insert(of[phase.name], us(phase.duration))
    end
  end
  for _, name in ipairs(phase_names) do
    local row = summary(of[name] or {})
    if row then
      row.name = name
      rows[#rows + 1] = row
    end
  end
  return { rows = rows, histogram = histogram(times) }
end

-- --- hosts ---

local function new_host(name)
  return { name = name, attempts = 0, ok = 0, failed = 0, cancelled = 0, refused = 0, open = 0,
    new = 0, bytes = 0, times = {} }
end

local function add_attempt(host, attempt)
  local outcome = outcome_of(attempt)
  host.attempts = host.attempts + 1
  host[outcome] = host[outcome] + 1
  if attempt.status > 0 and not attempt.reused then host.new = host.new + 1 end
  host.bytes = host.bytes + (attempt.bytes or 0)
  host.times[host.attempts] = us(attempt.finish - attempt.start)
end

local function finish_host(host)
  local row = summary(host.times)
  host.p50, host.p99, host.max = row.p50, row.p99, row.max
  host.times = nil
  return host
end

local function hosts_of(m)
  local hosts, by_name = {}, {}
  for _, attempt in ipairs(m.requests) do
    local host = by_name[attempt.host]
    if not host then
      host = new_host(attempt.host)
      by_name[attempt.host] = host
      hosts[#hosts + 1] = host
    end
    add_attempt(host, attempt)
  end
  table.sort(hosts, function(a, b)
    if a.attempts ~= b.attempts then return a.attempts > b.attempts end
    return a.name < b.name
  end)
  local more = #hosts - HOSTS
  for i = #hosts, 1, -1 do
    if i > HOSTS then hosts[i] = nil else finish_host(hosts[i]) end
  end
  return hosts, math.max(0, more)
end

-- --- what failed ---

local function class_of(attempt, outcome)
  if outcome == "refused" then return ("status %d"):format(attempt.status) end
  if outcome ~= "failed" then return nil end
  return attempt.phase and ("%s, while %s"):format(attempt.code, attempt.phase) or attempt.code
end

local function errors_of(m)
  local errors, by_class = {}, {}
  local function add(of, class, example, at)
    local key = of .. "\0" .. class
    local row = by_class[key]
    if not row then
      row = { of = of, class = class, count = 0, example = example, at = at or "" }
      by_class[key] = row
      errors[#errors + 1] = row
    end
    row.count = row.count + 1
  end
  for _, attempt in ipairs(m.requests) do
    local class = class_of(attempt, outcome_of(attempt))
    local example = ("%s %s"):format(attempt.method, attempt.url or "?")
    if class then add("attempt", class, example, attempt.at) end
  end
  for _, t in ipairs(m.tasks) do
    if t.outcome == "error" then
      local class = tostring(t.error or "error")
      if t.code then class = ("%s %s"):format(class, t.code) end
      add("task", class, ("#%d %s"):format(t.id, t.name), t.defined)
    end
  end
  table.sort(errors, function(a, b)
    if a.count ~= b.count then return a.count > b.count end
    if a.of ~= b.of then return a.of < b.of end
    return a.class < b.class
  end)
  for i = #errors, ERRORS + 1, -1 do errors[i] = nil end
  return errors
end

-- --- jobs ---

-- Returns a share of what a histogram counts, in microseconds; nil of nothing.
local function share_of(h, p)
  return h:count() > 0 and us(h:percentile(p)) or nil
end

local function jobs_of(m)
  local rows, queues = {}, {}
  for _, e in ipairs(m.jobs) do job_steps.add(rows, e) end
  for i, row in ipairs(job_steps.by_steps(rows)) do
    if i > HOSTS then break end
    queues[i] = { name = row.name, put = row.put, new = row.new, taken = row.taken, done = row.done,
      dropped = row.dropped, failed = row.failed, dead = row.dead, back = row.back,
      lost = row.lost, recovered = row.recovered, waited = share_of(row.waited, 50),
      p50 = share_of(row.ran, 50), p99 = share_of(row.ran, 99) }
  end
  return queues
end

-- --- the whole ---

local function count_tasks(m)
  local outcomes = { ok = 0, error = 0, cancelled = 0, open = 0 }
  for _, t in ipairs(m.tasks) do
    local outcome = t.open and "open" or t.outcome or "ok"
    outcomes[outcome] = (outcomes[outcome] or 0) + 1
  end
  return outcomes
end

--- Returns the figures of a finished model.
function stats.of(m)
  local whole, busy, longest = whole_requests(m), 0, nil
  local outcomes, bytes = { ok = 0, refused = 0, failed = 0, cancelled = 0, open = 0 }, 0
  for _, request in ipairs(whole) do
    local outcome = outcome_of(request.last)
    outcomes[outcome] = outcomes[outcome] + 1
  end
  for _, attempt in ipairs(m.requests) do bytes = bytes + (attempt.bytes or 0) end
  for _, run in ipairs(m.runs) do
    busy = busy + run.duration
    if not longest or run.duration > longest.duration then longest = run end
  end
  local result = {
    requests = outcomes, tasks = count_tasks(m), attempts = #m.requests, bytes = bytes,
    busy = us(busy),
    longest_run = longest and us(longest.duration) or 0,
    peak_tasks = peak_of(m.tasks), peak_requests = peak_of(m.requests),
    latency = latency(m, whole), errors = errors_of(m), jobs = jobs_of(m),
  }
  result.hosts, result.more_hosts = hosts_of(m)
  return result
end

return stats
