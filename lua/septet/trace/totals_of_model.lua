-- SPDX-License-Identifier: MIT
-- Makes totals from a finished model.
local totals = require "septet.trace.totals"

-- Returns the wait of a task at a time: the last one that began by then.
local function wait_at(task, time)
  local waits = task.waits
  local low, high = 0, #waits
  while low < high do
    local middle = (low + high + 1) // 2
    if waits[middle].start <= time then low = middle else high = middle - 1 end
  end
  local wait = waits[low]
  if wait and (wait.open or wait.finish > time) then return wait end
end

-- Returns the place where a run ended: that of the wait which began with its end.
local function end_of_run(run)
  if run.left ~= "wait" then return end
  local finish = run.start + run.duration
  local wait = wait_at(run.task, finish)
  if wait and wait.start >= run.start then return wait.at end
end

-- Returns a function that returns when a wait began, for all waits of a task in their order. At
-- level 1, its record has the time at which its turn began.
local function starts(task)
  local runs, at = task.runs, 1
  return function(wait)
    while runs[at] and runs[at].start + runs[at].duration < wait.start do at = at + 1 end
    local run = runs[at]
    if run and run.left == "wait" and run.start <= wait.start then
      return math.min(run.start + run.duration, wait.finish)
    end
    return wait.start
  end
end

local function add_task(self, model, task)
  self.sched = self.sched + task.sched
  self:ended(task, task.finish - task.start, task.outcome, task.open)
  if task.unhandled then self:failed_unseen(task, task.error, task.main, task.outcome) end
  local start_of = starts(task)
  for _, wait in ipairs(task.waits) do
    self:waited(wait.kind, math.max(0, wait.finish - start_of(wait)), wait.open)
    if wait.kind == "join" and wait.ref then
      self:joins(task, wait.ref, function(id)
        local other = model.task[id]
        local its_wait = other and wait_at(other, wait.start)
        return its_wait and its_wait.kind == "join" and its_wait.ref, other
      end)
    end
  end
end

-- Counts the requests that have not ended: those of the model, and waits for an attempt of which
-- there is none, as the records of level 1 do not have its URL.
local function add_open_requests(self, model)
  local ended, opened = {}, {}
  for _, r in ipairs(model.requests) do
    if r.ref then ended[r.ref] = true end
    if r.open then self:open_request(r.finish - r.start, r.url) end
  end
  for _, task in ipairs(model.lost == 0 and model.tasks or {}) do
    for _, wait in ipairs(task.waits) do
      if wait.kind == "http" and wait.ref and not ended[wait.ref] and not opened[wait.ref] then
        opened[wait.ref] = true
        self:open_request(model.till - wait.start, wait.what:match "^%S+ %S+ (%S+)")
      end
    end
  end
end

--- Returns the totals of a finished model.
---@param model table
---@return septet.trace.Totals
local function totals_of_model(model)
  local self = totals.new()
  self.from, self.till, self.lost, self.peak = model.from, model.till, model.lost, model.lanes or 0
  self.records = model.records
  for _, task in ipairs(model.tasks) do add_task(self, model, task) end
  for _, run in ipairs(model.runs) do
    if run.task then self:ran(run.task, run.start, run.duration, end_of_run(run)) end
  end
  for _, r in ipairs(model.requests) do
    if not r.open then self:request(r, r.start) end
  end
  for _, hog in ipairs(model.hogs) do
    if hog.at and hog.task then self:placed(hog.task.id, hog.duration, hog.at) end
  end
  add_open_requests(self, model)
  for _, e in ipairs(model.jobs) do self:job(e) end
  for _, e in ipairs(model.stuck) do self:ignores_cancel(e.task or { id = 0 }) end
  for _, e in ipairs(model.deadlocks) do self:deadlocked(e.task, e.ref, e.first, e.live) end
  for _, e in ipairs(model.samples) do self:sampled(e) end
  return self:finish()
end

return totals_of_model
