-- SPDX-License-Identifier: MIT
-- The summary as text.
local summary_text = {}

local findings = require "septet.trace.findings"
local job_steps = require "septet.trace.job_steps"
local layout = require "septet.trace.layout"
local terminal = require "septet.trace.terminal"
local totals = require "septet.trace.totals"
local words = require "septet.trace.words"

local HOSTS_MAX <const> = 10
local LINES_MAX <const> = 10
local FINDINGS_MAX <const> = 12

local protocols = totals.protocols

-- --- sections; each is a function (totals, write) ---

-- Returns " (503×29 404×2)" for counts.
local function breakdown(counts, wanted)
  local list = {}
  for _, key in ipairs(totals.by_count(counts)) do
    if not wanted or wanted(key) then
      list[#list + 1] = ("%s×%s"):format(terminal.escape(tostring(key)), words.count(counts[key]))
    end
  end
  if #list > 6 then
    list[6] = ("%d more"):format(#list - 5)
    list = table.move(list, 1, 6, 1, {})
  end
  return #list > 0 and (" (%s)"):format(table.concat(list, " ")) or ""
end

local function is_error_status(status) return status >= 400 end

local function write_requests(t, write)
  local r, seconds = t.requests, t.till - t.from
  local pieces = { ("%s in %s"):format(words.number(r.count, "request"), words.duration(seconds)) }
  if seconds > 0 then
    local rate = r.count / seconds
    pieces[#pieces + 1] = rate >= 9.95 and words.count((rate + 0.5) // 1 | 0) .. "/s"
      or ("%.2g/s"):format(rate)
  end
  if r.retried > 0 then pieces[#pieces + 1] = words.count(r.retried) .. " of them retries" end
  if r.redirected > 0 then
    pieces[#pieces + 1] = words.count(r.redirected) .. " of them after a redirect"
  end
  if r.sent > 0 then pieces[#pieces + 1] = words.size(r.sent) .. " sent" end
  pieces[#pieces + 1] = words.size(r.bytes) .. " received"
  layout.flow(write, "", pieces, "  ", ", ")

  pieces = { "ok " .. words.count(r.ok) }
  if r.http_errors > 0 then
    pieces[#pieces + 1] = ("http errors %s%s"):format(words.count(r.http_errors),
      breakdown(r.statuses, is_error_status))
  end
  if r.failures > 0 then
    pieces[#pieces + 1] = ("network errors %s%s"):format(words.count(r.failures),
      breakdown(r.codes))
  end
  if r.cancelled > 0 then pieces[#pieces + 1] = "cancelled " .. words.count(r.cancelled) end
  if r.open > 0 then
    pieces[#pieces + 1] = ("still open %s%s"):format(words.count(r.open),
      r.queued > 0 and (" (%s queued)"):format(words.count(r.queued)) or "")
  end
  layout.flow(write, "  ", pieces, "    ", "   ")
end

local function latency_row(name, h, note)
  local row = { name }
  for i, p in ipairs(totals.percentiles) do row[i + 1] = words.duration(h:percentile(p)) end
  row[#row + 1] = words.duration(h:max())
  row[#row + 1] = note
  return row
end

local function write_latency(t, write)
  local l = t.latency
  if l.response:count() == 0 then return end
  local rows = { { "", "p50", "p90", "p99", "p99.9", "max", "" },
    latency_row("response", l.response, "with the queue") }
  if l.service:count() > 0 then
    rows[#rows + 1] = latency_row("service", l.service, "once it left the queue")
  end
  if l.queue:count() > 0 and l.queue:max() > 0 then
    rows[#rows + 1] = latency_row("queue", l.queue, "")
  end
  write "\n"
  layout.table(write, rows, true)
  if t.requests.open > 0 then
    layout.words(write, "  ", ("%s still open: counted with %s so far"):format(
      t.requests.open == 1 and "1 request is" or words.number(t.requests.open, "request") .. " are",
      t.requests.open == 1 and "its time" or "their times"), "  ")
  end
end

local function write_connections(t, write)
  local pieces, c = {}, t.connections
  for _, phase in ipairs(totals.phases) do
    local sum = t.phase_sums[phase]
    if sum.count > 0 then
      pieces[#pieces + 1] = ("%s %s"):format(phase, words.duration(sum.sum / sum.count))
    end
  end
  if #pieces > 0 then layout.flow(write, "  mean of phases: ", pieces, "    ", ", ") end
  if c.fresh + c.reused == 0 then return end
  pieces = { ("connections: %s new, %s of requests reused one"):format(words.count(c.fresh),
    words.percent(c.reused, c.fresh + c.reused)) }
  local all = 0
  for _, count in pairs(t.protocols) do all = all + count end
  for _, protocol in ipairs(totals.by_count(t.protocols)) do
    pieces[#pieces + 1] = ("%s %s"):format(protocols[protocol] or "another",
      words.percent(t.protocols[protocol], all))
  end
  layout.flow(write, "  ", pieces, "    ", ", ")
end

-- The columns of hosts. Those are left out of which every cell is empty, and then the last of the
-- others that is not needed, until the names fit.
local host_columns = {
  { "requests", function(h) return words.count(h.attempts) end, needed = true },
  { "2xx", function(h) return words.count(h.classes[2] or 0) end, needed = true },
  { "3xx", function(h) return words.count(h.classes[3] or 0) end, needed = true },
  { "4xx", function(h) return words.count(h.classes[4] or 0) end, needed = true },
  { "5xx", function(h) return words.count(h.classes[5] or 0) end, needed = true },
  { "failed", function(h) return words.count(h.failures) end, needed = true },
  { "cancelled", function(h) return words.count(h.cancelled) end },
  { "open", function(h) return words.count(h.open) end },
  { "p50", function(h) return words.duration(h.response:percentile(50)) end },
  { "p99", function(h) return words.duration(h.response:percentile(99)) end, needed = true },
  { "received", function(h) return h.bytes > 0 and words.size(h.bytes) or "0" end },
}

local function p50_of(h) return h:count() > 0 and words.duration(h:percentile(50)) or "0" end

-- The columns of queues, likewise.
local job_columns = {
  { "put", function(q) return words.count(q.put) end, needed = true },
  { "new", function(q) return words.count(q.new) end, needed = true },
  { "taken", function(q) return words.count(q.taken) end },
  { "done", function(q) return words.count(q.done) end, needed = true },
  { "dropped", function(q) return words.count(q.dropped) end },
  { "failed", function(q) return words.count(q.failed) end, needed = true },
  { "dead", function(q) return words.count(q.dead) end, needed = true },
  { "lost", function(q) return words.count(q.lost) end, needed = true },
  { "back", function(q) return words.count(q.back) end },
  { "recovered", function(q) return words.count(q.recovered) end },
  { "queued p50", function(q) return p50_of(q.waited) end },
  { "ran p50", function(q) return p50_of(q.ran) end, needed = true },
}

-- Returns the columns that are not empty: { width, needed, the cells with the title first }.
local function filled_columns(all, list)
  local columns = {}
  for _, column in ipairs(all) do
    local cells, width, filled = { column[1] }, words.width(column[1]), false
    for i, row in ipairs(list) do
      cells[i + 1] = column[2](row)
      width = math.max(width, words.width(cells[i + 1]))
      filled = filled or cells[i + 1] ~= "0"
    end
    if filled then
      columns[#columns + 1] = { width = width, needed = column.needed, cells = cells }
    end
  end
  return columns
end

-- Removes columns until names of `wanted` columns fit. Returns the width that they have.
local function fit(columns, wanted)
  local room = layout.width - 2
  for _, column in ipairs(columns) do room = room - 2 - column.width end
  for i = #columns, 1, -1 do
    if room >= wanted then break end
    if not columns[i].needed then room = room + 2 + table.remove(columns, i).width end
  end
  return math.max(room, 12)
end

-- Writes the first rows of a table that begins with names: of hosts or of queues.
local function write_named(write, title, all, all_columns)
  if #all == 0 then return end
  local list, names = table.move(all, 1, math.min(#all, HOSTS_MAX), 1, {}), { title }
  local wanted = words.width(title)
  for i, row in ipairs(list) do
    names[i + 1] = words.cut(terminal.escape(row.name), 32)
    wanted = math.max(wanted, words.width(names[i + 1]))
  end
  local columns = filled_columns(all_columns, list)
  local width, rows = fit(columns, wanted), {}
  for i, name in ipairs(names) do
    rows[i] = { words.cut(name, width) }
    for k, column in ipairs(columns) do rows[i][k + 1] = column.cells[i] end
  end
  write "\n"
  layout.table(write, rows)
  if #all > #list then
    write(("  … %s\n"):format(words.number(#all - #list, "more " .. title)))
  end
end

local function write_lines(t, write)
  local list = {}
  if t.tasks.count < 2 then return end
  for _, line in ipairs(totals.by_total(t.lines)) do
    if not line.name:find "^%[septet%." then list[#list + 1] = line end -- not Septet's own
  end
  local rows = { { "slowest tasks by line", "tasks", "total", "mean", "longest", "" } }
  for i = 1, math.min(#list, LINES_MAX) do
    local line, notes = list[i], {}
    if line.failed then notes[1] = words.count(line.failed) .. " failed" end
    if line.open > 0 then notes[#notes + 1] = words.count(line.open) .. " open" end
    rows[#rows + 1] = { words.cut(words.place(line.name), 32), words.count(line.count),
      words.duration(line.total), words.duration(line.total / line.count),
      words.duration(line.longest), table.concat(notes, ", ") }
  end
  write "\n"
  layout.table(write, rows, true)
  if #list > LINES_MAX then
    write(("  … %s\n"):format(words.number(#list - LINES_MAX, "more line")))
  end
end

local function write_waits(t, write)
  local list = totals.by_total(t.waits)
  if #list == 0 then return end
  local rows = { { "waited for", "times", "total", "mean", "longest", "" } }
  for i = 1, math.min(#list, LINES_MAX) do
    local wait = list[i]
    rows[#rows + 1] = { words.cut(terminal.escape(wait.name), 32), words.count(wait.count),
      words.duration(wait.total), words.duration(wait.total / wait.count),
      words.duration(wait.longest), wait.open > 0 and words.count(wait.open) .. " open" or "" }
  end
  write "\n"
  layout.table(write, rows, true)
end

local function write_loop(t, write)
  local seconds, pieces = t.till - t.from, {}
  local tasks = t.tasks
  local ends = {}
  for _, how in ipairs { "error", "cancelled", "open" } do
    local word = how == "error" and "failed" or how == "open" and "still open" or how
    if tasks[how] > 0 then ends[#ends + 1] = ("%s %s"):format(words.count(tasks[how]), word) end
  end
  pieces[1] = ("%s%s"):format(words.number(tasks.count, "task"),
    #ends > 0 and (" (%s)"):format(table.concat(ends, ", ")) or "")
  if t.peak > 1 then pieces[2] = ("%s at once"):format(words.count(t.peak)) end
  pieces[#pieces + 1] = words.number(t.resumes, "turn")
  if seconds > 0 then
    pieces[#pieces + 1] = ("tasks ran %s of the time"):format(words.percent(t.busy, seconds))
    if t.idle then
      pieces[#pieces + 1] = ("the loop was idle %s"):format(words.percent(t.idle, seconds))
    end
  end
  if t.resumes > 0 and t.sched > 0 then
    pieces[#pieces + 1] = ("a ready task waited %s for its turn"):format(
      words.duration(t.sched / t.resumes))
  end
  write "\n"
  layout.flow(write, "  ", pieces, "    ", ", ")
end

local function write_cost(t, write, cost)
  local seconds = t.till - t.from
  local lost = t.lost > 0 and words.count(t.lost) .. " lost" or "none lost"
  if not cost then
    write(("  tracing: %s\n"):format(lost))
    return
  end
  layout.flow(write, "  ", { ("tracing: %s"):format(words.number(t.records, "record")),
    seconds > 0 and ("about %s (%s)"):format(words.duration(cost), words.percent(cost, seconds))
      or "about " .. words.duration(cost), lost }, "    ", ", ")
end

local marks = { error = "error: ", warning = "warning: ", note = "note: " }

-- Findings that the figures above them have said.
local said = { failures = true, statuses = true, open = true }

local function write_findings(t, write)
  local written = 0
  for _, finding in ipairs(findings.from(t)) do
    if not said[finding.kind] and written < FINDINGS_MAX then
      if written == 0 then write "\n" end
      layout.words(write, "  " .. marks[finding.severity], finding.text, "    ")
      written = written + 1
    end
  end
end

--- Writes it. `cost` is the estimate of tracing's own time in seconds, nil if it is not known.
function summary_text.write(t, write, cost)
  if t.tasks.count == 0 and t.requests.count + t.requests.open == 0 and #t.jobs == 0 then
    write "nothing ran\n"
    return
  end
  if t.requests.count + t.requests.open == 0 and t.tasks.count < 2 and #t.waits == 0
    and #t.jobs == 0 and t.lost == 0 then
    write(("1 task in %s, no requests\n"):format(words.duration(t.till - t.from)))
    write_findings(t, write)
    return
  end
  if t.requests.count + t.requests.open > 0 then
    write_requests(t, write)
    write_latency(t, write)
    write_connections(t, write)
    write_named(write, "host", totals.hosts_by_attempts(t), host_columns)
  else
    write(("no requests in %s\n"):format(words.duration(t.till - t.from)))
  end
  write_named(write, "queue", job_steps.by_steps(t.jobs), job_columns)
  write_lines(t, write)
  write_waits(t, write)
  write_loop(t, write)
  write_cost(t, write, cost)
  write_findings(t, write)
end

return summary_text
