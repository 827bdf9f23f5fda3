-- SPDX-License-Identifier: MIT
-- The summary at the end of a run: requests by host and status, percentiles of their time, the
-- slowest tasks by line, the time waited by kind, and what is worth a look.
--
--   local collector = summary.start()            collects what happens from here on
--   collector:print(write, options)              writes the summary; options as below
--   summary.export(model, write, options)        writes that of a finished model
--
-- options: json: true for one line of JSON; script: the name to be shown; worker: its number among
-- the workers; till: seconds, the end of the run, by default the time of the last event
--
-- Latencies count every attempt with the time that it took, also those that failed, were cancelled
-- or have not ended: a response that is late must not vanish from its percentiles.
local summary = {}

local summary_json = require "septet.trace.summary_json"
local summary_text = require "septet.trace.summary_text"
local totals_of_events = require "septet.trace.totals_of_events"
local totals_of_model = require "septet.trace.totals_of_model"

-- What it costs to write a record, and to collect the event of it, and a request more than others:
-- estimates, as processors differ. bench/summary.lua measures the second.
local RECORD_SECONDS <const> = 20e-9
local COLLECT_SECONDS <const> = 0.6e-6
local REQUEST_SECONDS <const> = 6e-6

local function cost_of(t, live)
  if not t.records then return nil end
  local collecting = t.records * COLLECT_SECONDS + t.requests.count * REQUEST_SECONDS
  return t.records * RECORD_SECONDS + (live and collecting or 0)
end

local function write_totals(t, write, options, live)
  local cost = cost_of(t, live)
  if options.json then
    summary_json.write(t, write, options, cost)
  else
    summary_text.write(t, write, cost)
  end
end

--- Writes the summary of a finished model.
---@param model table
---@param write fun(text: string)
---@param options {json: boolean|nil, script: string|nil}|nil
function summary.export(model, write, options)
  write_totals(totals_of_model(model), write, options or {}, false)
end

---@class septet.trace.Collector
local collector = {}
collector.__index = collector

--- Counts an event.
---@param event table
function collector:add(event)
  if self.collected then self.collected:add(event) end
end

--- Ends the collection, and writes the summary.
---@param write fun(text: string)
---@param options {json: boolean|nil, script: string|nil, worker: integer|nil, till: number|nil}|nil
function collector:print(write, options)
  options = options or {}
  if self.unsubscribe then self.unsubscribe() end
  if self.collected then self.totals = self.collected:finish(options.till) end
  self.unsubscribe, self.collected = nil, nil
  write_totals(self.totals, write, options, true)
end

--- Returns a collector for events from elsewhere: collector:add(event) takes them.
---@return septet.trace.Collector
function summary.collector()
  return setmetatable({ collected = totals_of_events.new() }, collector)
end

--- Returns a collector of what happens from here on. Its memory does not grow with the run.
---@return septet.trace.Collector
function summary.start()
  local self = summary.collector()
  self.unsubscribe = require "septet.trace".subscribe(function(event) self:add(event) end,
    { level = 1 })
  return self
end

-- Exporters are functions (model, write, options).
return setmetatable(summary, { __call = function(_, ...) summary.export(...) end })
