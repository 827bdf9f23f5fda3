-- SPDX-License-Identifier: MIT
-- Queues on a Redis server. Each method is a script that runs there, so it happens whole or not at
-- all. A script that is asked for again, because its answer was lost, finds by its token what it
-- has done.
local core = require "septet.core"
local failure = require "septet.jobs.failure"
local hash = require "septet.hash"
local link = require "septet.jobs.redis_link"

local redis = {}

local FORMAT = "1"
local STEP = 500           -- rows of a script
local BEAT = 1             -- seconds between two heart-beats
local DEAD_AFTER = 5       -- seconds of silence
local MAX_TEXT = 128 << 20 -- bytes of a job's data, or of its result
local CLOSE_PATIENCE = 2 -- seconds

---@class septet.jobs.Redis
local Driver = {}
Driver.__index = Driver

-- --- arguments ---

local function seconds(x) return ("%.17g"):format(x) end
local function optional(text) return text == nil and "" or "=" .. tostring(text) end
local function class_of(priority) return ("%016x"):format(priority ~ math.mininteger) end
local function priority_of(class) return tonumber(class, 16) ~ math.mininteger end

-- Appends the arguments that each script begins with.
local function begin(self, name, again)
  local clock = self.clock
  local wall, steady = clock and seconds(clock.wall()), clock and seconds(clock.steady())
  return { name, self.id, wall or "", steady or "", self.owner, again and "1" or "" }
end

-- Raises JobsError for a text that could be put, but is too large for the reply of a take.
local function check_text(self, key, text, what)
  if not text or #text <= self.max_text then return end
  failure.raise("data", self.link.place.shown, ("the %s of the job '%s' has %d bytes, and at " ..
    "most %d are possible"):format(what, key, #text, self.max_text))
end

local function check_jobs(self, jobs)
  for _, job in ipairs(jobs) do check_text(self, job.key, job.data, "data") end
end

local function add_job(list, job)
  local n = #list
  list[n + 1], list[n + 2], list[n + 3] = job.key, job.data or "", class_of(job.priority or 0)
  list[n + 4], list[n + 5] = seconds(job.delay or 0), job.again and "1" or ""
  list[n + 6] = optional(job.group)
end

local function token(self)
  self.tokens = self.tokens + 1
  return ("%s.%x"):format(self.short, self.tokens)
end

-- Runs one script, and returns its reply.
local function one(self, name, ...)
  local args = table.pack(...)
  if self.closing then failure.raise("closed", self.link.place.shown, "it is closed") end
  return self.link:run(function(again)
    local list = begin(self, name, again)
    table.move(args, 1, args.n, #list + 1, list)
    return { list }
  end)[1]
end

-- --- put ---

--- Adds jobs. Returns the number of new ones, and a table with true for each.
---@async
function Driver:put(jobs)
  local mark, n, new = token(self), 0, {}
  if #jobs == 0 then return 0, new end
  check_jobs(self, jobs)
  local function make(again, number)
    local first, last = (number - 1) * STEP + 1, math.min(number * STEP, #jobs)
    local step = begin(self, "put", again)
    step[#step + 1], step[#step + 2] = mark, tostring(last - first + 1)
    for i = first, last do add_job(step, jobs[i]) end
    return step
  end
  local replies
  if #jobs <= STEP then
    replies = self.link:run(function(again) return { make(again, 1) } end)
  else
    replies = self.link:run_whole((#jobs + STEP - 1) // STEP, make)
  end
  for i, reply in ipairs(replies) do
    for _, position in ipairs(reply) do n, new[(i - 1) * STEP + position] = n + 1, true end
  end
  return n, new
end

-- --- the owner's heart ---

local function id_of(lease) return lease.token .. "\0" .. lease.key end

-- Beats while there are leases, so that the other owners know that this one lives.
local function beat(self)
  while next(self.held) and not self.closed do
    core.sleep(BEAT)
    if next(self.held) and core.now() - self.beaten >= BEAT * 0.9 then
      local ok = core.try(one, self, "renew", "0", "0")
      if ok then self.beaten = core.now() end
    end
  end
  self.heart = nil
end

local function hold(self, list, mark)
  self.beaten = core.now()
  for _, job in ipairs(list) do self.held[mark .. "\0" .. job.key] = true end
  if next(self.held) and not self.heart then self.heart = core.background(beat, self) end
end

-- --- take ---

-- Returns the owners that are dead, where a test knows.
local function judged(self)
  if not self.alive then return {} end
  local dead = {}
  for _, owner in ipairs(one(self, "owners")) do
    if not self.alive(owner) then dead[#dead + 1] = owner end
  end
  return dead
end

-- Appends the jobs of a reply of which the workers were lost to a list, or to a new one.
local function add_lost(lost, rows)
  lost = lost or {}
  for i = 1, #rows, 3 do
    lost[#lost + 1] = { key = rows[i], attempt = rows[i + 1], died = rows[i + 2] == 1 }
  end
  return lost
end

--- Leases up to n jobs.
---@async
function Driver:take(n, options)
  local dead = judged(self)
  local reply, lost
  repeat
    reply = one(self, "take", tostring(n), seconds(options.lease), tostring(options.attempts),
      options.limit and tostring(options.limit) or "", options.token,
      seconds(self.dead_after), self.alive and "1" or "", table.unpack(dead))
    if reply[4] then lost = add_lost(lost, reply[4]) end
  until reply[1] ~= 1
  local list = {}
  for i = 5, #reply, 7 do
    list[#list + 1] = { key = reply[i], data = reply[i + 1] or nil, attempt = reply[i + 2],
      priority = priority_of(reply[i + 3]), put_at = tonumber(reply[i + 4]),
      group = reply[i + 5] or nil, history_n = reply[i + 6] }
  end
  hold(self, list, options.token)
  return list, { open = reply[2] == 1, due = tonumber(reply[3]), lost = lost }
end

-- Runs a script over a list, some rows at a time, and returns the answers of all.
local function over(self, name, list, head, add)
  local answers = {}
  if #list == 0 then return answers end
  local replies = self.link:run(function(again)
    local steps, step, rows = {}, nil, STEP
    for _, entry in ipairs(list) do
      if rows >= STEP then
        if step then step[step.count] = tostring(step.n) end
        step, rows = begin(self, name, again), 0
        for _, value in ipairs(head) do step[#step + 1] = value end
        step[#step + 1] = ""
        step.count, step.n = #step, 0
        steps[#steps + 1] = step
      end
      add(step, entry)
      step.n, rows = step.n + 1, rows + 1 + (entry.puts and #entry.puts or 0)
    end
    step[step.count] = tostring(step.n)
    return steps
  end)
  for _, reply in ipairs(replies) do table.move(reply, 1, #reply, #answers + 1, answers) end
  return answers
end

local function add_lease(step, entry)
  step[#step + 1], step[#step + 2] = entry.key, entry.token
end

--- Puts leased jobs into their groups. One waits there if the group is full.
---@async
function Driver:enter(list, limit)
  local answers = over(self, "enter", list, { tostring(limit) }, function(step, entry)
    add_lease(step, entry)
    step[#step + 1] = entry.group
  end)
  for i, answer in ipairs(answers) do
    if answer ~= 1 then self.held[id_of(list[i])] = nil end
    if answer == -1 then answers[i] = "lost" else answers[i] = answer == 1 end
  end
  return answers
end

-- --- the end of a job ---

local function add_end(step, ending)
  add_lease(step, ending)
  local n, puts = #step, ending.puts or {}
  step[n + 1], step[n + 2] = ending.how, seconds(ending.delay or 0)
  step[n + 3], step[n + 4] = optional(ending.error), optional(ending.traceback)
  step[n + 5], step[n + 6] = ending.result or "", tostring(#puts)
  for _, job in ipairs(puts) do add_job(step, job) end
end

local function truths(answers)
  for i, answer in ipairs(answers) do answers[i] = answer == 1 end
  return answers
end

--- Ends jobs. Returns for each if its lease held, and how many of the jobs that it put were new.
---@async
function Driver:finish(ends)
  for _, ending in ipairs(ends) do
    check_text(self, ending.key, ending.result, "result")
    check_jobs(self, ending.puts or {})
  end
  local answers, new = over(self, "finish", ends, {}, add_end), {}
  for i, answer in ipairs(answers) do
    answers[i], new[i] = answer > 0, math.max(answer - 1, 0)
  end
  self.beaten = core.now()
  for _, ending in ipairs(ends) do self.held[id_of(ending)] = nil end
  return answers, new
end

--- Ends jobs, then leases up to n others.
---@async
function Driver:exchange(ends, n, options)
  local answers, new = {}, {}
  if #ends > 0 then answers, new = self:finish(ends) end
  if not options then return answers, new end
  return answers, new, self:take(n, options)
end

--- Renews leases. Returns for each if it held.
---@async
function Driver:renew(list, lease)
  local answers = truths(over(self, "renew", list, { seconds(lease) }, add_lease))
  self.beaten = core.now()
  for i, held in ipairs(answers) do
    if not held then self.held[id_of(list[i])] = nil end
  end
  return answers
end

require "septet.jobs.redis_look"(Driver, one, token)

-- --- the end ---

local function stop(self)
  self.closed, self.held = true, {}
  if self.heart then self.heart:cancel() end
  self.link:close()
end

--- Drops the connection without a farewell, as the end of the process does.
function Driver:crash() stop(self) end

--- Gives back what this driver has leased, unless the server is away: then the others see that it
--- is silent.
---@async
function Driver:close()
  if self.closed then return end
  self.closing = true -- a take of several requests begins no more of them
  core.try(self.link.run, self.link, function(again) return { begin(self, "close", again) } end,
    CLOSE_PATIENCE)
  stop(self)
end

-- A server that is none, or is between us and Redis, may answer anything.
for _, name in ipairs { "put", "take", "enter", "finish", "renew", "stats", "results", "dead",
  "retry", "remove", "forget", "check" } do
  local method = Driver[name]
  Driver[name] = function(self, ...)
    local found = table.pack(core.try(method, self, ...))
    if found[1] then return table.unpack(found, 2, found.n) end
    local err = found[2]
    if type(err) == "string" then
      failure.raise("corrupt", self.link.place.shown, "the server answers what no queue does", err)
    end
    core.raise(err, found[3])
  end
end

-- --- opening ---

-- Returns the fields of an INFO, or nil if the server does not say.
local function info(self)
  local reply = self.link:command("INFO")
  if type(reply) ~= "string" then return nil end
  local fields = {}
  for name, value in reply:gmatch "([%w_]+):([^\r\n]*)" do fields[name] = value end
  return fields
end

-- Raises if this server would lose jobs, and warns if a crash of it may.
local function check_server(place, fields, quiet)
  local version = fields.redis_version or ""
  if (tonumber(version:match "^%d+") or 0) < 7 then
    failure.raise("open", place.shown, ("Redis 7.0 or later is needed, and this is %s")
      :format(core.escape(version)))
  end
  local policy = fields.maxmemory_policy or "noeviction"
  if policy:find "^allkeys" then
    failure.raise("evicts", place.shown, ("the server's maxmemory-policy is %s, by which it may " ..
      "throw jobs away (noeviction is needed)"):format(core.escape(policy)))
  end
  if fields.aof_enabled == "0" and not quiet then
    core.warn(("queue '%s': the server runs without appendonly, so a crash of it loses jobs")
      :format(place.shown))
  end
end

--- Returns the driver of a queue on a Redis server. `options.alive` tells whether an owner still
--- is, and `options.silence` after how many seconds without an answer a connection is broken. With
--- `options.existing`, a queue that does not exist is not made, and the error has the code "open".
---@async
function redis.open(place, options)
  local key = ("septet:{%s}:meta"):format(place.queue)
  local self = setmetatable({ owner = options.owner, short = hash.random(8, "hex"), tokens = 0,
    held = {}, beaten = 0, clock = options.clock, alive = options.alive,
    dead_after = options.dead_after or DEAD_AFTER, max_text = options.max_text or MAX_TEXT,
    link = link.new(place, key, options) }, Driver)
  self.link:open()
  local ok, err = core.try(function()
    local fields = info(self)
    if fields then check_server(place, fields, options.existing) end
    local id = hash.random(12, "hex")
    local existing = options.existing and "1" or ""
    self.id = self.link:run(function() return { { "open", id, FORMAT, existing } } end, 0)[1]
    if type(self.id) ~= "string" then
      failure.raise("open", place.shown, "the server does not answer as Redis does")
    end
  end)
  if ok then return self end
  self.link:close()
  if core.is(err, "JobsError") and (err.reason or ""):find "^NOQUEUE" then
    failure.raise("open", place.shown, "there is no such queue")
  end
  if link.is_fault(err) then failure.raise(err.code, place.shown, err.why, err.reason) end
  error(err, 0)
end

return redis
