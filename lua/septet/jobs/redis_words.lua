-- SPDX-License-Identifier: MIT
-- How jobs and their ends are written as arguments of the server's scripts, and how their replies
-- are read. redis_scripts.lua and redis_take.lua have the other side.
local words = {}

local function seconds(x) return ("%.17g"):format(x) end
local function optional(text) return text == nil and "" or "=" .. tostring(text) end
local function class_of(priority) return ("%016x"):format(priority ~ math.mininteger) end
local function priority_of(class) return tonumber(class, 16) ~ math.mininteger end

words.seconds = seconds

--- Appends jobs first to last of a list: runs of those that have the same options, each with these
--- once. Most puts are one run.
function words.add_jobs(step, list, first, last)
  local run, n, of = nil, #step, nil
  for i = first, last do
    local job = list[i]
    if not of or job.group ~= of.group or (job.priority or 0) ~= (of.priority or 0) or
      (job.delay or 0) ~= (of.delay or 0) or (job.again or false) ~= (of.again or false) then
      if run then step[run] = tostring((n - run - 4) // 2) end
      run, of = n + 1, job
      step[run], step[n + 2] = "", class_of(job.priority or 0)
      step[n + 3], step[n + 4] = seconds(job.delay or 0), job.again and "1" or ""
      step[n + 5] = optional(job.group)
      n = n + 5
    end
    step[n + 1], step[n + 2] = job.key, job.data or ""
    n = n + 2
  end
  if run then step[run] = tostring((n - run - 4) // 2) end
end

local function add_end(step, ending)
  local n, puts, how, result = #step, ending.puts, ending.how, ending.result
  local word = result and result ~= "" and "=" .. result or ""
  step[n + 1] = ending.key
  if how == "done" and not (puts and puts[1]) then
    step[n + 2] = word
    return
  end
  local count = puts and #puts or 0
  step[n + 2], step[n + 3] = "+" .. how, seconds(ending.delay or 0)
  step[n + 4], step[n + 5] = optional(ending.error), optional(ending.traceback)
  step[n + 6], step[n + 7] = word, tostring(count)
  words.add_jobs(step, puts or {}, 1, count)
end

--- Appends ends from the i-th on, until that are so many rows. Returns the next one.
function words.add_ends(step, ends, i, most)
  local rows, first, count_at = 0, i, #step + 1
  step[count_at] = ""
  while ends[i] and rows < most do
    local token, from, run_at = ends[i].token, i, #step + 2
    step[run_at - 1], step[run_at] = token, ""
    repeat
      local ending = ends[i]
      add_end(step, ending)
      i, rows = i + 1, rows + 1 + (ending.puts and #ending.puts or 0)
    until not ends[i] or ends[i].token ~= token or rows >= most
    step[run_at] = tostring(i - from)
  end
  step[count_at] = tostring(i - first)
  return i
end

--- Appends what a take asks for.
function words.add_take(step, n, options, dead_after, judged)
  local at = #step
  step[at + 1], step[at + 2] = tostring(n), seconds(options.lease)
  step[at + 3] = tostring(options.attempts)
  step[at + 4], step[at + 5] = options.limit and tostring(options.limit) or "", options.token
  step[at + 6], step[at + 7] = seconds(dead_after), judged and "1" or ""
  if judged then table.move(judged, 1, #judged, at + 8, step) end
end

--- Returns the jobs of a reply to a take.
function words.taken_of(reply)
  local list, n = {}, 0
  for i = 6, #reply, 4 do
    local more = reply[i + 3]
    n = n + 1
    list[n] = { key = reply[i], data = reply[i + 1] or nil, attempt = more and more[1] or 1,
      priority = more and priority_of(more[2]) or 0, put_at = tonumber(reply[i + 2]),
      group = more and more[3] or nil, history_n = more and more[4] or 0 }
  end
  return list
end

--- Appends to a list, or to a new one, the jobs of a reply that have lost their workers.
function words.add_lost(lost, rows)
  lost = lost or {}
  for i = 1, #rows, 3 do
    lost[#lost + 1] = { key = rows[i], attempt = rows[i + 1], died = rows[i + 2] == 1 }
  end
  return lost
end

return words
