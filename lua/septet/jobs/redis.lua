-- SPDX-License-Identifier: MIT
-- Queues on a Redis server. Each method is a script that runs there, so it happens whole or not at
-- all. A script that is asked for again, because its answer was lost, finds by its token what it
-- has done.
local core = require "septet.core"
local failure = require "septet.jobs.failure"
local hash = require "septet.hash"
local link = require "septet.jobs.redis_link"
local words = require "septet.jobs.redis_words"

local redis = {}

local seconds = words.seconds

local FORMAT = "2"
local STEP = 1000          -- rows of a script
local BEAT = 1             -- seconds between two heart-beats
local DEAD_AFTER = 5       -- seconds of silence
local MAX_TEXT = 128 << 20 -- bytes of a job's data, or of its result
local CLOSE_PATIENCE = 2 -- seconds

---@class septet.jobs.Redis
local Driver = {}
Driver.__index = Driver

-- --- arguments ---

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

local function token(self)
  self.tokens = self.tokens + 1
  return ("%s.%x"):format(self.short, self.tokens)
end

-- A driver that is closing begins nothing but what gives jobs back.
local function check_open(self)
  if self.closing then failure.raise("closed", self.link.place.shown, "it is closed") end
end

-- Runs one script, and returns its reply.
local function one(self, name, ...)
  local args = table.pack(...)
  check_open(self)
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
    words.add_jobs(step, jobs, first, last)
    return step
  end
  local replies
  if #jobs <= STEP then
    replies = self.link:run(function(again) return { make(again, 1) } end)
  else
    replies = self.link:run_whole((#jobs + STEP - 1) // STEP, make)
  end
  for i, reply in ipairs(replies) do
    local before = (i - 1) * STEP
    if math.type(reply) == "integer" then
      for position = 1, math.min(reply, STEP) do new[before + position] = true end
      n = n + reply
    else
      for _, position in ipairs(reply) do n, new[before + position] = n + 1, true end
    end
  end
  return n, new
end

-- --- the owner's heart ---

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
  local held = self.held
  for _, job in ipairs(list) do held[job.key] = mark end
  if next(held) and not self.heart then self.heart = core.background(beat, self) end
end

local function let_go(self, lease)
  if self.held[lease.key] == lease.token then self.held[lease.key] = nil end
end

-- --- what is leased ---

-- Returns the owners that are dead, where a test knows, or nil.
local function judge(self)
  if not self.alive then return nil end
  local dead = {}
  for _, owner in ipairs(one(self, "owners")) do
    if not self.alive(owner) then dead[#dead + 1] = owner end
  end
  return dead
end

-- Runs a script over a list of leases, some at a time, and returns the answers of all.
local function over(self, name, list, head, add)
  local answers = {}
  if #list == 0 then return answers end
  local replies = self.link:run(function(again)
    local steps = {}
    for first = 1, #list, STEP do
      local last, step = math.min(first + STEP - 1, #list), begin(self, name, again)
      step[#step + 1], step[#step + 2] = head, tostring(last - first + 1)
      for i = first, last do add(step, list[i]) end
      steps[#steps + 1] = step
    end
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
  local answers = over(self, "enter", list, tostring(limit), function(step, entry)
    add_lease(step, entry)
    step[#step + 1] = entry.group
  end)
  for i, answer in ipairs(answers) do
    if answer ~= 1 then let_go(self, list[i]) end
    if answer == -1 then answers[i] = "lost" else answers[i] = answer == 1 end
  end
  return answers
end

-- --- ends, and what follows them ---

-- Asks for an exchange, and returns the replies. The last one takes.
local function ask(self, ends, n, options, judged)
  return self.link:run(function(again)
    if options then check_open(self) end -- each time: what is closing has given its jobs back
    local steps, i = {}, 1
    repeat
      local step = begin(self, #ends > 0 and "exchange" or "take", again)
      i = words.add_ends(step, ends, i, STEP)
      if options and not ends[i] then
        words.add_take(step, n, options, self.dead_after, judged)
      else
        step[#step + 1] = ""
      end
      steps[#steps + 1] = step
    until not ends[i]
    return steps
  end)
end

-- Returns the answers and the numbers of new jobs for some ends, by the replies to their scripts.
local function answers_of(self, ends, replies)
  local answers, new = {}, {}
  for _, reply in ipairs(replies) do
    local found = reply[1]
    local all = math.type(found) == "integer"
    for i = 1, all and math.min(found, #ends) or #found do
      local k, answer = #answers + 1, all and 1 or found[i]
      answers[k], new[k] = answer > 0, math.max(answer - 1, 0)
    end
  end
  for _, ending in ipairs(ends) do let_go(self, ending) end
  return answers, new
end

--- Ends jobs, then leases up to n, in one script. Returns for each end if its lease held, and how
--- many of the jobs that it put were new; and with `options` the jobs that were leased, and what is
--- left: { open, due, lost }.
---@async
function Driver:exchange(ends, n, options)
  for _, ending in ipairs(ends) do
    check_text(self, ending.key, ending.result, "result")
    if ending.puts then check_jobs(self, ending.puts) end
  end
  if #ends == 0 and not options then return {}, {} end
  local judged = options and judge(self)
  local replies = ask(self, ends, n, options, judged)
  self.beaten = core.now()
  local answers, new = answers_of(self, ends, replies)
  if not options then return answers, new end
  local reply, lost = replies[#replies], nil
  while true do
    if reply[5] then lost = words.add_lost(lost, reply[5]) end
    if reply[2] ~= 1 then break end
    reply = ask(self, {}, n, options, judged)[1]
  end
  local list = words.taken_of(reply)
  hold(self, list, options.token)
  return answers, new, list, { open = reply[3] == 1, due = tonumber(reply[4]), lost = lost }
end

--- Leases up to n jobs.
---@async
function Driver:take(n, options)
  local _, _, list, state = self:exchange({}, n, options)
  return list, state
end

--- Ends jobs. Returns for each if its lease held, and how many of the jobs that it put were new.
---@async
function Driver:finish(ends) return self:exchange(ends, 0) end

--- Renews leases. Returns for each if it held.
---@async
function Driver:renew(list, lease)
  local answers = over(self, "renew", list, seconds(lease), add_lease)
  self.beaten = core.now()
  for i, answer in ipairs(answers) do
    answers[i] = answer == 1
    if not answers[i] then let_go(self, list[i]) end
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
for _, name in ipairs { "put", "exchange", "enter", "renew", "stats", "results", "dead",
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
    self.link:check_server(options.existing)
    local id = hash.random(12, "hex")
    local existing = options.existing and "1" or ""
    self.id = self.link:run(function() return { { "open", id, FORMAT, existing } } end, 0)[1]
    if type(self.id) ~= "string" then
      failure.raise("open", place.shown, "the server does not answer as Redis does")
    end
  end)
  if ok then return self end
  self.link:close()
  local reason = core.is(err, "JobsError") and err.reason or ""
  if reason:find "^NOQUEUE" then failure.raise("open", place.shown, "there is no such queue") end
  local older = reason:match "^OLDER (.*)"
  if older then
    failure.raise("not_a_queue", place.shown, "the queue has the unknown format " .. older)
  end
  if link.is_fault(err) then failure.raise(err.code, place.shown, err.why, err.reason) end
  error(err, 0)
end

return redis
