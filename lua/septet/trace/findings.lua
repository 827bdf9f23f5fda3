-- SPDX-License-Identifier: MIT
-- What a trace says went wrong or is worth a look, in sentences. Each finding is a table:
--   kind       the word by which a program tells it: see the functions below
--   severity   "error": the run did not do what it was to do; "warning": it was slow or at a risk;
--              "note": the reader should know
--   text       one sentence, escaped for a terminal
--   count      how often
--   task       the task of the first or worst case: { id, name, defined }, or nil
--   at         its place, "file:line", or nil; host: "host:port", or nil; time: seconds, or nil
-- Errors come first, then warnings, then notes. It needs no host.
local findings = {}

local terminal = require "septet.trace.terminal"
local totals = require "septet.trace.totals"
local totals_of_model = require "septet.trace.totals_of_model"
local words = require "septet.trace.words"

local CHURN_MIN <const> = 100 -- requests to a host

-- Returns ", and 3 more <what>", or "" if there is but one.
local function and_more(count, singular)
  if count < 2 then return "" end
  return (", and %s"):format(words.number(count - 1, "more " .. singular))
end

-- Returns "timeout (6), dns (1)", the most frequent first.
local function listed(counts)
  local keys, list = totals.by_count(counts), {}
  for i = 1, math.min(#keys, 5) do
    list[i] = ("%s (%s)"):format(terminal.escape(tostring(keys[i])), words.count(counts[keys[i]]))
  end
  if #keys > 5 then list[6] = ("%d more"):format(#keys - 5) end
  return table.concat(list, ", ")
end

-- The functions that find, in their order. Each returns nil, or a finding without its kind.
local finders = {}

local function finder(kind, find)
  finders[#finders + 1] = { kind = kind, find = find }
end

finder("deadlock", function(t)
  local cycle = t.deadlock or t.cycles[1]
  if not cycle then return end
  if not cycle[1] then
    return { severity = "error", count = 1,
      text = cycle.live == 1 and "the only task waited, and nothing could wake it"
        or ("all %d tasks waited, and nothing could wake them"):format(cycle.live) }
  end
  local names = {}
  for i, task in ipairs(cycle) do names[i] = words.task(task) end
  if cycle.cut then names[#names + 1] = "…" end
  names[#names + 1] = names[1]
  return { severity = "error", count = math.max(1, t.cycles.count), task = cycle[1],
    at = cycle[1].at,
    text = "tasks wait for each other: " .. table.concat(names, " → ") }
end)

finder("failed", function(t)
  local first = t.mains[1]
  if not first then return end
  return { severity = "error", count = t.mains.count, task = first.task, at = first.task.defined,
    text = first.cancelled and words.task(first.task) .. " was cancelled"
      or ("%s failed%s"):format(words.task(first.task),
        first.error and (": " .. terminal.escape(first.error)) or "") }
end)

finder("unhandled", function(t)
  local first = t.unhandled[1]
  if not first then return end
  return { severity = "error", count = t.unhandled.count, task = first.task,
    at = first.task.defined,
    text = ("nothing awaited the failure of %s%s%s"):format(words.task(first.task),
      first.error and (" (%s)"):format(terminal.escape(first.error)) or "",
      and_more(t.unhandled.count, "failed task")) }
end)

finder("stuck", function(t)
  local first = t.stuck[1]
  if not first then return end
  return { severity = "error", count = t.stuck.count, task = first, at = first.defined,
    text = ("%s ignores its cancellation%s"):format(words.task(first),
      and_more(t.stuck.count, "such report")) }
end)

finder("failures", function(t)
  local w = t.whole
  if w.failures == 0 then return end
  return { severity = w.failures * 2 > w.count and "error" or "warning", count = w.failures,
    text = ("%s of %s failed: %s"):format(words.count(w.failures), words.number(w.count,
      "request"), listed(w.codes)) }
end)

finder("statuses", function(t)
  local w = t.whole
  if w.http_errors == 0 then return end
  local server = false
  for status in pairs(w.statuses) do server = server or status >= 500 end
  return { severity = server and "warning" or "note", count = w.http_errors,
    text = ("%s answered by a status of 400 or more: %s"):format(w.http_errors == 1
      and "1 request was" or words.number(w.http_errors, "request") .. " were",
      listed(w.statuses)) }
end)

finder("jobs", function(t)
  local dead, lost, worst = 0, 0, nil
  for _, row in ipairs(t.jobs) do
    dead, lost = dead + row.dead, lost + row.lost
    if row.dead + row.lost > 0 then worst = worst or row end
  end
  if not worst then return end
  local pieces = {}
  if dead > 0 then
    pieces[1] = ("%s dead"):format(dead == 1 and "1 job is" or words.number(dead, "job") .. " are")
  end
  if lost > 0 then
    pieces[#pieces + 1] = ("the lease of %s was lost"):format(words.number(lost, "job"))
  end
  return { severity = "warning", count = dead + lost,
    text = ("%s, of the queue %s"):format(table.concat(pieces, ", "),
      words.cut(terminal.escape(worst.name), 40)) }
end)

finder("hog", function(t)
  local worst = t.hogs[1]
  if not worst then return end
  local more = t.hogs.count - 1
  return { severity = "warning", count = t.hogs.count, task = worst.task, at = worst.at,
    time = worst.time,
    text = ("%s ran for %s without waiting, at %s, while everything else stood still%s"):format(
      words.task(worst.task), words.duration(worst.duration), words.place(worst.at),
      more > 0 and ("; so did %s of more than %s"):format(words.number(more, "other turn"),
        words.duration(totals.hog)) or "") }
end)

-- Retries are a storm if they are half as many as the requests, and more than a few.
finder("retries", function(t)
  local retried, requests = t.requests.retried, t.whole.count
  if retried < 10 or retried * 2 < requests then return end
  return { severity = "warning", count = retried,
    text = ("%s took %s"):format(words.number(requests, "request"),
      words.number(retried, "retry", "retries")) }
end)

finder("queue", function(t)
  local queue, response = t.latency.queue, t.latency.response
  local n = queue:count()
  if n < 10 then return end
  local queued = queue:mean() * n
  local total = response:mean() * response:count()
  if queued < 0.25 * total or queue:percentile(90) < 0.01 then return end
  return { severity = "note", count = n,
    text = ("requests spent %s of their time in the queue, up to %s: the limits of their "
      .. "sessions were reached"):format(words.percent(queued, total),
      words.duration(queue:max())) }
end)

-- Returns true if a host got many more connections than requests ran at once. The mean of those
-- that ran at once is the time of all in the time from the first to the last. Of few requests, each
-- may have had a session of its own.
local function churns(host)
  local all = host.fresh + host.reused
  if all < CHURN_MIN or host.fresh * 2 < all then return false end
  local seconds = host.last - host.first
  local at_once = seconds > 0 and host.busy / seconds or all
  return host.fresh > 4 * (at_once + 1)
end

finder("churn", function(t)
  local worst, count
  for _, host in ipairs(t.hosts) do
    if churns(host) and (not worst or host.fresh > worst.fresh) then worst = host end
    if churns(host) then count = (count or 0) + 1 end
  end
  if not worst then return end
  return { severity = "warning", count = count, host = worst.name,
    text = ("%s were opened for %s to %s%s: they are not reused"):format(
      words.number(worst.fresh, "connection"), words.number(worst.fresh + worst.reused, "request"),
      words.cut(terminal.escape(worst.name), 40), and_more(count, "such host")) }
end)

finder("insecure", function(t)
  local n = t.requests.insecure
  if n == 0 then return end
  return { severity = "note", count = n, text = ("the certificate of %s was not verified"):format(
    words.number(n, "response")) }
end)

finder("open", function(t)
  local tasks, requests = t.tasks.open, t.requests.open
  if tasks == 0 and requests == 0 then return end
  local count = tasks > 0 and tasks or requests
  return { severity = "note", count = count,
    text = ("%s%s had not ended when the trace stopped"):format(
      tasks > 0 and words.number(tasks, "task") or words.number(requests, "request"),
      tasks > 0 and requests > 0 and " and " .. words.number(requests, "request") or "") }
end)

finder("lost", function(t)
  if t.lost == 0 then return end
  return { severity = "warning", count = t.lost,
    text = ("%s lost before they could be read: figures are too low"):format(
      t.lost == 1 and "1 record was" or words.number(t.lost, "record") .. " were") }
end)

local ranks = { "error", "warning", "note" }

--- Returns what is to be said of totals.
---@param t septet.trace.Totals
---@return table[]
function findings.from(t)
  local found, list = {}, {}
  for i, one in ipairs(finders) do
    found[i] = one.find(t) or false
    if found[i] then found[i].kind = one.kind end
  end
  for _, severity in ipairs(ranks) do
    for _, finding in ipairs(found) do
      if finding and finding.severity == severity then list[#list + 1] = finding end
    end
  end
  return list
end

--- Returns what is to be said of a finished model.
---@param model table
---@return table[]
function findings.of(model)
  return findings.from(totals_of_model(model))
end

return findings
