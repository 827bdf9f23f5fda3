-- SPDX-License-Identifier: MIT
-- Saves a body by way of PATH.part: PATH is always the old or the whole new file. If a transfer
-- breaks off, the next one may ask for the rest alone.
local core = require "septet.core"
local args = require "septet.internal.args"
local blocks = require "septet.task.blocks"
local encode = require "septet.http.encode"
local failure = require "septet.http.failure"
local limits = require "septet.http.limits"
local PartialFile = require "septet.http.partial_file"
local request_options = require "septet.http.options"
local retry = require "septet.http.retry"
local url = require "septet.http.url"

local save = {}

local CLEAN_UP = 5 -- seconds for the disk after a failure
local DIGITS = { md5 = 32, sha1 = 40, sha256 = 64, sha512 = 128 }
local BREAKS = { reset = true, partial = true, timeout = true } -- codes after which it may resume

local own_options = { resume = "boolean", md5 = "string", sha1 = "string", sha256 = "string",
  sha512 = "string" }
local bodies = { body = true, form = true, json = true, multipart = true, length = true }

-- Checks of save's own options and of those of a request without a body.
local checks = {}
for name, kind in pairs(request_options.checks) do
  if not bodies[name] then checks[name] = kind end
end
for name, kind in pairs(own_options) do checks[name] = kind end

-- A save that is under way.
---@class septet.SaveJob
---@field session septet.Session
---@field target string
---@field path string
---@field part septet.PartialFile
---@field request septet.RequestOptions of each request
---@field policy septet.RetryPolicy|nil
---@field address string the URL that the budget of retries counts for
---@field once boolean|nil true if nothing may be requested again
---@field digest string|nil name of the expected digest
---@field expected string|nil its value
---@field deadline number|nil instant of the total timeout
---@field times table<string, number>|nil timeouts of each request, if there is a deadline

-- Returns the name of the expected digest and its value.
local function wanted_digest(options)
  local digest
  for _, name in ipairs { "md5", "sha1", "sha256", "sha512" } do
    local value = options[name]
    if value and digest then
      args.usage("bad options to 'save' (both '%s' and '%s')", digest, name)
    end
    if value and (#value ~= DIGITS[name] or value:find "%X") then
      args.usage("bad option '%s' to 'save' (%d hexadecimal digits expected)", name, DIGITS[name])
    end
    digest = value and name or digest
  end
  return digest, digest and options[digest]:lower()
end

-- Returns the options of the requests. They ask for an unencoded body: a Range counts sent bytes.
local function pass_on(options)
  local request, headers = {}, { ["Accept-Encoding"] = "identity" }
  for name, value in pairs(options) do
    if not own_options[name] then request[name] = value end
  end
  for name, value in pairs(options.headers or {}) do
    local lower = tostring(name):lower()
    if lower == "range" or lower == "if-range" then
      args.usage("bad header '%s' in 'save' ('resume' sets it)", name)
    end
    if lower == "accept-encoding" then headers["Accept-Encoding"] = nil end
    headers[name] = value
  end
  request.headers = headers
  return request
end

local function refuse(response)
  error(failure.new(response, "status", nil, "receive", ("status %d"):format(response.status),
    response), 0)
end

-- Appends the body to the part, up to `stop` bytes in all. A 206 may bring less than requested. The
-- missing rest then is an error, as if the connection had ended.
local function receive(part, response, stop, whole)
  local stream = response.stream
  while stream:hold() do
    if part:write_held(stream, stop) then
      error(failure.new(response, "partial", "excess", "receive", "more bytes than its range has",
        response), 0)
    end
  end
  if whole and part.size ~= whole then
    error(failure.new(response, "partial", "truncated", "receive",
      ("%d of %d bytes"):format(part.size, whole), response), 0)
  end
end

-- Makes one request, for the missing rest if the part's validator is known. Returns its response
-- once the part is complete, or nil if the whole must be requested.
local function transfer(job)
  local part, headers = job.part, job.request.headers
  local ranged = part.validator
  headers.Range, headers["If-Range"] = ranged and ("bytes=%d-"):format(part.size), ranged
  if job.deadline then job.times.total = math.max(0, job.deadline - core.now()) end
  local response <close> = job.session:stream("GET", job.target, job.request)
  local status, stop, whole = response.status, nil, nil
  if ranged and status == 416 then
    return part:is_complete(response.headers) and response or nil
  elseif ranged and status == 206 then
    stop, whole = part:continues(response.headers)
    if not stop then return nil end
  elseif status == 200 then
    part:start_over(response.headers)
  else
    refuse(response)
  end
  receive(part, response, stop, whole)
  return response
end

-- Returns the delay before the next request, or nil if the transfer cannot resume after this error.
local function retry_delay(job, err, breaks)
  local may_resume = job.policy and job.policy.methods.GET and job.part.validator
  if not may_resume or job.once then return nil end
  if not (core.is(err, "HttpError") and BREAKS[err.code]) then return nil end
  local delay = retry.delay(job.policy, breaks)
  if not delay or job.deadline and core.now() + delay >= job.deadline then return nil end
  return job.session.budget.spend(job.address) and delay or nil
end

-- Raises HttpError, as the part cannot be continued and the whole may not be requested.
local function refuse_once(job)
  error(failure.new({ url = job.address, method = "GET" }, "partial", "not_resumed", "receive",
    "the server cannot continue the part, and nothing is sent again with resend = false"), 0)
end

-- Makes requests until the part is complete. If the server cannot resume, one request asks for the
-- whole. If a transfer breaks off, the next asks for the rest, as often as the policy allows.
local function persist(job)
  local attempts, breaks = 0, 0
  while true do
    local ok, result = pcall(transfer, job)
    local has_count = ok and result or core.is(result, "HttpError")
    attempts = attempts + (has_count and result.attempts or 1)
    if has_count then result.attempts = attempts end
    if ok and result then return result end
    if ok and job.once then refuse_once(job) end
    if ok then
      job.part:forget()
      job.session.budget.spent = job.session.budget.spent + 1
    else
      breaks = breaks + 1
      local delay = retry_delay(job, result, breaks)
      if not delay then error(result, 0) end
      core.sleep(delay)
    end
  end
end

local function check_digest(job, response)
  local got = job.part.file:digest()
  if got == job.expected then return end
  local err = failure.new(response, "digest", job.digest, "receive",
    ("its %s is %s, not %s"):format(job.digest, got, job.expected), response)
  err.expected, err.got = job.expected, got
  error(err, 0)
end

local function run(job)
  local part = job.part
  part:recall(job.address)
  if job.digest then part.file:keep_digest(job.digest) end
  local response = persist(job)
  if job.digest then check_digest(job, response) end
  part:commit()
  return { status = response.status, url = response.url, headers = response.headers,
    trailers = response.trailers, path = job.path, bytes = part.size, resumed = part.kept,
    attempts = response.attempts, [job.digest or 1] = job.expected }
end

-- Returns true if a save that failed like this leaves nothing to resume: its digest is wrong, or
-- the disk failed.
local function is_useless(err)
  return core.is(err, "HttpError") and err.code == "digest"
    or core.is(err, "IoError") and err.code == "EIO"
end

-- Sets the deadline of a save: its `total` covers all of its requests.
local function limit(job, options)
  local times = {}
  for name, seconds in pairs(limits.timeouts(job.session.times, options.timeout)) do
    times[name] = seconds
  end
  if not times.total then return end
  job.deadline = core.now() + times.total
  job.times, job.request.timeout = times, times
end

--- Saves the body of `target` to the file `path`.
---@async
---@param session septet.Session
---@param target string
---@param path string
---@param options septet.SaveOptions|nil
---@return septet.Saved
function save.run(session, target, path, options)
  options = args.options(options, checks, "save")
  if path == "" or path:find "/$" then
    args.usage("bad argument #2 to 'save' (a file's path expected, got '%s')", path)
  end
  local job = { session = session, target = target, path = path }
  job.digest, job.expected = wanted_digest(options)
  job.request = pass_on(options)
  job.policy = session.retries
  if options.retries ~= nil then job.policy = retry.policy(options.retries, "save") end
  limit(job, options)
  job.address = encode.query(url.join(session.base_url, target), options.params or {})
  local raw, once = session.connection.raw, session.connection.once
  if options.decode ~= nil then raw = not options.decode end
  if options.resend ~= nil then once = not options.resend end
  job.once = once
  local part = PartialFile.open(path, options.resume, raw)
  local _ <close> = part.file
  job.part = part
  local ok, result = pcall(run, job)
  if ok then return result end
  pcall(blocks.cleanup, CLEAN_UP, part.abandon, part, is_useless(result))
  error(result, 0)
end

return save
