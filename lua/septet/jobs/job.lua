-- SPDX-License-Identifier: MIT
-- A job at work, as the function of a run sees it. The same table goes to the driver as the job's
-- end: it has its `how`, `result`, `puts`, `delay`, `error` and `traceback` then.
local core = require "septet.core"
local args = require "septet.internal.args"
local failure = require "septet.jobs.failure"
local json = require "septet.json"
local queue = require "septet.jobs.queue"

local job = {}

local MAX_ERROR, MAX_TRACEBACK = 4096, 16384 -- bytes that are kept of a failure's

---@class septet.Job
---@field key string
---@field data any
---@field attempt integer 1 for the first
---@field priority integer
---@field group string|nil
---@field put_at number when it was put, in seconds since 1970
local Job = {}

local job_meta = { __name = "septet.jobs.Job", __metatable = false }

--- Makes a job of what a driver has taken.
---@param taken table { key, data, attempt, ... }
---@param run septet.jobs.Run
---@param token string of its lease
---@return septet.Job the same table
function job.new(taken, run, token)
  taken.run, taken.token, taken.raw = run, token, true
  return setmetatable(taken, job_meta)
end

--- Decodes the data of a job, once.
---@param self septet.Job
function job.decode(self)
  if not self.raw then return end
  local text = self.data
  if text ~= nil then
    self.data = nil
    self.data = core.json_decode(text, 2047, 1 << 40)
  end
  self.raw = false
end

local function cut(text, most)
  if #text <= most then return text end
  return text:sub(1, most) .. " ..."
end

-- Returns an error in words. That of a plain table is the table as JSON.
local function words_of(err)
  if type(err) == "table" and debug.getmetatable(err) == nil then
    local ok, text = core.try(json.encode, err)
    if ok then return cut(text, MAX_ERROR) end
  end
  return cut(core.words(err), MAX_ERROR)
end

--- Keeps what a job failed with.
---@param self septet.Job
---@param err any
---@param traceback any as core.try() returns it
function job.failed(self, err, traceback)
  self.error = words_of(err)
  local text = core.traceback(traceback)
  self.traceback = text and cut(text, MAX_TRACEBACK)
end

-- Raises Usage if the function of the job has ended.
local function check_open(self, what)
  if self.how then args.usage("'%s' of a job that has ended", what) end
end

--- Puts another job once this one is done, in the same transaction. If this attempt fails, it puts
--- nothing.
---@param options septet.JobOptions
function Job:put(options)
  check_open(self, "put")
  local run = self.run
  local child = queue.job(options, run.url, "put")
  if run.limit_per and child.group == nil then child.group = run:group_of(options) end
  local puts = rawget(self, "puts")
  if not puts then
    puts = {}
    self.puts = puts
  end
  puts[#puts + 1] = child
end

--- Renews the lease now. Raises Cancelled if the job was lost.
---@async
function Job:keep_alive()
  check_open(self, "keep_alive")
  self.run:keep_alive(self)
end

--- Makes the job dead when its function returns, however many attempts are left.
---@param reason string|nil
function Job:fail(reason)
  check_open(self, "fail")
  self.said, self.reason = "dead", reason == nil and "failed" or words_of(reason)
end

--- Ends the job without a result when its function returns.
function Job:drop()
  check_open(self, "drop")
  self.said = "dropped"
end

args.methods(Job, "job", { [job_meta] = true })
args.fields(Job, "job", "key data attempt priority group put_at",
  "run raw token puts said reason how result delay error traceback lost task at history_n began"
  .. " ran")
job_meta.__index = Job
function job_meta.__tostring(self) return ("job '%s'"):format(core.escape(self.key)) end

--- Raises JobsError for a group that is no string of 1 to 8192 bytes.
---@param group any
---@param url string
function job.check_group(group, url)
  if type(group) == "string" and group ~= "" and #group <= 8192 then return end
  failure.raise("key", url, type(group) == "string"
    and ("a group has 1 to 8192 bytes, not %d"):format(#group)
    or ("'limit_per' returns a string or nil, not a %s"):format(type(group)))
end

return job
