-- SPDX-License-Identifier: MIT
-- A queue as scripts see it, over the driver of an engine.
local core = require "septet.core"
local args = require "septet.internal.args"
local bell = require "septet.jobs.bell"
local blocks = require "septet.task.blocks"
local failure = require "septet.jobs.failure"
local hash = require "septet.hash"
local json = require "septet.json"
local seen = require "septet.jobs.seen"
local target = require "septet.jobs.target"

local queue = {}

local MAX_KEY <const> = 8192     -- bytes
local MAX_DELAY <const> = 3e9    -- seconds, which are 95 years
local PAGE <const> = 256         -- most rows that a cursor holds
local PAGE_BYTES <const> = 1 << 20
local SLICE <const> = 256        -- jobs that are checked between two pauses
local DEPTH <const> = 128        -- of the tables in a job's data

local ENGINES = { memory = "septet.jobs.memory", sqlite = "septet.jobs.sqlite",
  redis = "septet.jobs.redis" }

---@class septet.JobOptions
---@field key string what the job is known by, of 1 to 8192 bytes
---@field data any|nil what goes with it, as JSON; nil
---@field priority integer|nil jobs of a higher one go first; 0
---@field delay number|nil seconds before it may begin; 0
---@field again boolean|nil true: a job that was done, or is dead, is put anew; false
---@field group string|nil `limit_per_key` limits how many of its jobs run at once; none

local put_options = { key = "any", data = "any", priority = "any", delay = "seconds",
  again = "boolean", group = "any" }

---@class septet.Queue
---@field url string where it lies, without a password
local Queue = {}

local queue_meta = { __name = "septet.jobs.Queue", __metatable = false }

local DRIVER = {} -- key of a queue's driver; nil once it is closed
local BELL = {}   -- key of what wakes the runs on it
local SHARED = {} -- key of whether other processes may use it

-- --- what goes in ---

-- Returns a value as JSON, or nil.
local function encoded(value, shown, what)
  if value == nil then return nil end
  local ok, text = core.try(core.json_encode, value, DEPTH, 0)
  if ok then return text end
  failure.raise("data", shown, what .. " cannot be written as JSON", core.words(text))
end

-- Raises JobsError unless a key, or a group, is one.
local function check_name(name, what, shown)
  if type(name) ~= "string" then
    failure.raise("key", shown, ("a %s is a string, not %s"):format(what,
      name == nil and "nil" or "a " .. type(name)))
  end
  if name == "" or #name > MAX_KEY then
    failure.raise("key", shown, ("a %s has 1 to %d bytes, not %d"):format(what, MAX_KEY, #name))
  end
end

--- Returns a job as drivers take it. Raises Usage and JobsError.
---@param given septet.JobOptions
---@param shown string
---@param what string name of the function, for messages
---@param number integer|nil which item of a list it is, for messages
function queue.job(given, shown, what, number)
  if type(given) ~= "table" then
    args.usage("bad argument #1 to '%s' (%s{ key = ... } expected, got %s)", what,
      number and ("item %d: "):format(number) or "", given == nil and "nil" or type(given))
  end
  local job = args.options(given, put_options, what)
  check_name(job.key, "key", shown)
  if job.group ~= nil then check_name(job.group, "group", shown) end
  if job.priority ~= nil and math.type(job.priority) ~= "integer" then
    args.usage("bad option 'priority' to '%s' (a whole number expected, got %s)", what,
      type(job.priority) == "number" and tostring(job.priority) or type(job.priority))
  end
  return { key = job.key, data = encoded(job.data, shown, "the job's data"),
    priority = job.priority or 0, delay = math.min(job.delay or 0, MAX_DELAY),
    again = job.again or false, group = job.group }
end

local function driver_of(self)
  local driver = rawget(self, DRIVER)
  return driver or failure.raise("closed", self.url, "it is closed")
end
queue.driver = driver_of

--- Returns what wakes the runs on a queue.
---@return septet.jobs.Bell
function queue.bell(self) return rawget(self, BELL) end

--- Returns true if other processes may use the queue.
---@return boolean
function queue.is_shared(self) return rawget(self, SHARED) end

-- Wakes the runs if there is something new for them. Returns what it was given.
local function rung(self, n, ...)
  if n and n ~= 0 then rawget(self, BELL):ring() end
  return n, ...
end

--- Adds a job. Returns true if its key is new, and false if it was seen before. On return, the job
--- survives a crash. Raises JobsError.
---@async
---@param job septet.JobOptions
---@return boolean
function Queue:put(job)
  local n = driver_of(self):put { queue.job(job, self.url, "put") }
  seen.put(self.url, 1, n, job.key)
  return rung(self, n) == 1
end

--- Adds jobs, all or none. Returns the number of new ones. Raises JobsError.
---@async
---@param jobs septet.JobOptions[]
---@return integer
function Queue:put_many(jobs)
  args.list(jobs, 1, "put_many")
  local list = {}
  for i = 1, #jobs do
    if i % SLICE == 0 then core.pause() end
    list[i] = queue.job(jobs[i], self.url, "put_many", i)
  end
  local n = driver_of(self):put(list)
  seen.put(self.url, #list, n)
  return (rung(self, n))
end

-- --- running ---

--- Calls fn(job) for each job, each in a task of its own, and waits until no job is left. What the
--- function returns is the job's result. If it fails, the job is tried again later. A cancelled run
--- gives back the jobs at work, after Ctrl-C or SIGTERM only if they do not end in time.
---@async
---@param options septet.JobsRunOptions|nil
---@param fn async fun(job: septet.Job): any
---@return septet.JobsRunCounts
function Queue:run(options, fn)
  return require "septet.jobs.run".run(self, options, fn)
end

-- --- what comes out ---

local function decoded(text)
  if text == nil then return nil end
  return json.decode(text)
end

-- Returns how many rows the next page may have, by the bytes of the last one.
local function next_size(size, list)
  local bytes = 0
  for _, row in ipairs(list) do
    bytes = bytes + #(row.result or row.data or "") + #(row.traceback or "")
  end
  if bytes > PAGE_BYTES then return math.max(1, size // 4) end
  return bytes < PAGE_BYTES // 8 and math.min(PAGE, size * 2) or size
end

--- Returns an iterator over the rows of a driver's method, a page at a time.
---@param self septet.Queue
---@param method string
---@return async fun(): table|nil
local function rows(self, method)
  local list, i, cursor, more, size, is_busy = {}, 0, nil, true, 16, false
  ---@async
  return function()
    if is_busy then args.usage "another task reads from this iterator" end
    while i == #list do
      if not more then return nil end
      local driver = driver_of(self)
      is_busy = true
      local ok, page, after = core.try(driver[method], driver, cursor, size)
      is_busy = false
      if not ok then core.raise(page, after) end
      list, cursor, size = page, after, next_size(size, page)
      i, more = 0, cursor ~= nil
    end
    i = i + 1
    local row = list[i]
    list[i] = false
    return row
  end
end

queue.rows = rows

--- Iterates over the keys and the results of the jobs that are done, in the order in which they
--- ended.
---@async
---@return fun(): string, any
function Queue:results()
  local next_row = rows(self, "results")
  return function()
    local row = next_row()
    if row then return row.key, decoded(row.result) end
  end
end

--- A job that failed too often.
---@class septet.DeadJob
---@field key string
---@field data any
---@field error string of the last failure
---@field traceback string|nil of the last failure
---@field attempts integer
---@field at number when it died, in seconds since 1970
---@field history {error: string, at: number}[] the last ten failures

--- Iterates over the dead jobs, in the order of their deaths. Each step may wait.
---@async
---@return fun(): septet.DeadJob|nil
function Queue:dead()
  local next_row = rows(self, "dead")
  return function()
    local row = next_row()
    if row then row.data = decoded(row.data) end
    return row
  end
end

--- Numbers of the jobs of a queue, by their state.
---@class septet.QueueStats
---@field pending integer may begin
---@field waiting integer wait for a place in their group
---@field delayed integer are due later: by `delay`, or after a failure
---@field leased integer are at work
---@field done integer
---@field dead integer
---@field oldest number|nil seconds since the oldest of the pending ones was put
---@field rate number results a second, lately

--- Returns the numbers of jobs: `pending`, `waiting`, `delayed`, `leased`, `done` and `dead`; the
--- age of the oldest pending one in seconds, `oldest`; and the jobs done in a second, `rate`.
---@async
---@return septet.QueueStats
function Queue:stats() return driver_of(self):stats() end

-- --- by hand ---

--- Makes a dead job pending again, or with "dead" all of them. Returns their number.
---@async
---@param key string
---@return integer
function Queue:retry(key)
  args.string(key, 1, "retry")
  return rung(self, driver_of(self):retry(key ~= "dead" and key or nil))
end

--- Removes a job, whatever its state. Returns true if there was one.
---@async
---@param key string
---@return boolean
function Queue:remove(key)
  args.string(key, 1, "remove")
  return rung(self, driver_of(self):remove(key))
end

--- Removes all jobs and results.
---@async
function Queue:clear()
  driver_of(self):clear()
  rung(self, true)
end

--- Removes the jobs that have been done for so many seconds, with their results. Their keys may be
--- put again. Returns their number.
---@async
---@param seconds number
---@return integer
function Queue:forget(seconds)
  args.seconds(seconds, 1, "forget")
  return driver_of(self):forget(seconds or 0)
end

--- Returns what is wrong with the queue, in words: an empty list if nothing is.
---@async
---@return string[]
function Queue:check() return driver_of(self):check() end

--- Closes the queue: what it has leased goes back. A closed queue is left as it is. A task that was
--- cancelled closes it, too.
---@async
function Queue:close()
  local driver = rawget(self, DRIVER)
  if not driver then return end
  self[DRIVER] = nil
  rung(self, true)
  blocks.shield(driver.close, driver)
end

args.methods(Queue, "queue", { [queue_meta] = true })
args.fields(Queue, "queue", "url")
queue_meta.__index = Queue
function queue_meta.__close(self) self:close() end
function queue_meta.__tostring(self) return ("queue '%s'"):format(self.url) end

--- Opens the queue that a URL, or a path, names.
---@param text string
---@param options table
---@return septet.Queue
function queue.open(text, options)
  local place = target.parse(text)
  local engine = require(ENGINES[place.engine])
  options.owner = hash.random(12, "hex")
  local driver = engine.open(place, options)
  local name = place.engine == "memory" and not place.name and options.owner or place.shown
  return setmetatable({ url = place.shown, [DRIVER] = driver, [BELL] = bell.of(name),
    [SHARED] = place.engine ~= "memory" }, queue_meta)
end

return queue
