-- SPDX-License-Identifier: MIT
-- The summary as an object of JSON, with its fields always in the same order.
local summary_json = {}

local findings = require "septet.trace.findings"
local job_steps = require "septet.trace.job_steps"
local json_text = require "septet.trace.json_text"
local totals = require "septet.trace.totals"

local protocols = totals.protocols
local percentile_names = { "p50", "p90", "p99", "p99_9" } -- of totals.percentiles

local write_value

local function write_object(write, fields)
  write "{"
  for i = 1, #fields, 2 do
    write(("%s%s:"):format(i > 1 and "," or "", json_text.string(fields[i])))
    write_value(write, fields[i + 1])
  end
  write "}"
end

local function write_array(write, list)
  write "["
  for i, value in ipairs(list) do
    if i > 1 then write "," end
    write_value(write, value)
  end
  write "]"
end

local NULL <const> = {}

-- A table with `array` is one; any other has names and values in turns.
function write_value(write, value)
  if value == NULL then
    write "null"
  elseif type(value) ~= "table" then
    write(json_text.value(value))
  elseif value.array then
    write_array(write, value.array)
  else
    write_object(write, value)
  end
end

local function json_latency(h)
  local fields = { "count", h:count(), "min", h:min() or NULL, "mean", h:mean() or NULL }
  for i, p in ipairs(totals.percentiles) do
    fields[#fields + 1] = percentile_names[i]
    fields[#fields + 1] = h:percentile(p) or NULL
  end
  fields[#fields + 1] = "max"
  fields[#fields + 1] = h:max() or NULL
  return fields
end

-- Returns counts as fields, by ascending key. name(key) returns that of a field.
local function json_counts(counts, name)
  local keys, fields = {}, {}
  for key in pairs(counts) do keys[#keys + 1] = key end
  table.sort(keys)
  for _, key in ipairs(keys) do
    fields[#fields + 1] = name and name(key) or tostring(key)
    fields[#fields + 1] = counts[key]
  end
  return fields
end

local function json_requests(t)
  local r, seconds = t.requests, t.till - t.from
  return { "count", r.count, "per_second", seconds > 0 and r.count / seconds or NULL, "ok", r.ok,
    "http_errors", r.http_errors, "network_errors", r.failures, "cancelled", r.cancelled,
    "open", r.open, "queued", r.queued, "retried", r.retried, "redirected", r.redirected,
    "received", r.bytes, "sent", r.sent, "insecure", r.insecure,
    "statuses", json_counts(r.statuses), "codes", json_counts(r.codes) }
end

local function json_phases(t)
  local fields = {}
  for _, phase in ipairs(totals.phases) do
    local sum = t.phase_sums[phase]
    fields[#fields + 1] = phase
    fields[#fields + 1] = { "count", sum.count, "mean", sum.count > 0 and sum.sum / sum.count
      or NULL }
  end
  return fields
end

local function json_list(rows, fields_of)
  local list = {}
  for i, row in ipairs(rows) do list[i] = fields_of(row) end
  return { array = list }
end

local function json_host(h)
  return { "host", h.name, "count", h.attempts, "ok", h.ok, "http_errors", h.http_errors,
    "network_errors", h.failures, "cancelled", h.cancelled, "open", h.open, "received", h.bytes,
    "connections", h.fresh, "classes", json_counts(h.classes, function(class)
      return class .. "xx"
    end), "response", json_latency(h.response) }
end

local function json_line(line)
  return { "line", line.name, "count", line.count, "total", line.total, "longest", line.longest,
    "failed", line.failed or 0, "open", line.open }
end

local function json_wait(wait)
  return { "kind", wait.name, "count", wait.count, "total", wait.total, "longest", wait.longest,
    "open", wait.open }
end

local function json_jobs(row)
  return { "queue", row.name, "put", row.put, "new", row.new, "taken", row.taken, "done", row.done,
    "dropped", row.dropped, "failed", row.failed, "retried", row.retried, "dead", row.dead,
    "back", row.back, "lost", row.lost, "recovered", row.recovered,
    "waited", json_latency(row.waited), "ran", json_latency(row.ran) }
end

local function json_finding(finding)
  return { "kind", finding.kind, "severity", finding.severity, "text", finding.text,
    "count", finding.count, "task", finding.task and finding.task.id or NULL,
    "at", finding.at or NULL, "host", finding.host or NULL }
end

--- Writes it. `cost` is the estimate of tracing's own time in seconds, nil if it is not known.
function summary_json.write(t, write, options, cost)
  write_value(write, { "version", 1, "script", options.script or NULL,
    "worker", options.worker or NULL, "seconds", t.till - t.from,
    "requests", json_requests(t),
    "latency", { "response", json_latency(t.latency.response),
      "service", json_latency(t.latency.service), "queue", json_latency(t.latency.queue) },
    "phases", json_phases(t),
    "connections", { "new", t.connections.fresh, "reused", t.connections.reused },
    "protocols", json_counts(t.protocols, function(p) return protocols[p] or tostring(p) end),
    "hosts", json_list(totals.hosts_by_attempts(t), json_host),
    "tasks", { "count", t.tasks.count, "ok", t.tasks.ok, "error", t.tasks.error,
      "cancelled", t.tasks.cancelled, "open", t.tasks.open, "at_once", t.peak,
      "turns", t.resumes, "busy", t.busy, "sched", t.sched },
    "lines", json_list(totals.by_total(t.lines), json_line),
    "waits", json_list(totals.by_total(t.waits), json_wait),
    "jobs", json_list(job_steps.by_steps(t.jobs), json_jobs),
    "idle", t.idle or NULL,
    "findings", json_list(findings.from(t), json_finding),
    "trace", { "records", t.records or NULL, "lost", t.lost,
      "seconds", cost or NULL } })
  write "\n"
end

return summary_json
