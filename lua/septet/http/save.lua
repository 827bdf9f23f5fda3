-- Saves a body by way of PATH.part: PATH is always the old or the whole new file. A link at PATH is
-- followed. An interrupted transfer resumes if PATH.part.meta matches PATH.part.
local core = require "septet.core"
local args = require "septet.internal.args"
local blocks = require "septet.task.blocks"
local encode = require "septet.http.encode"
local failure = require "septet.http.failure"
local json = require "septet.json"
local limits = require "septet.http.limits"
local retry = require "septet.http.retry"
local url = require "septet.http.url"

local PIECE = 256 * 1024   -- bytes read, and written, at once
local CLEAN_UP = 5             -- seconds for the disk after a failure
local DIGITS = { md5 = 32, sha1 = 40, sha256 = 64, sha512 = 128 }
local STRONG = '^"[^"%c]*"$' -- a strong ETag
local BREAKS = { reset = true, partial = true, timeout = true } -- codes after which it may resume

local own_options = { resume = "boolean", md5 = "string", sha1 = "string", sha256 = "string",
  sha512 = "string" }
local bodies = { body = true, form = true, json = true, multipart = true }

-- Returns the checks of save's own options and of those of a request without a body.
local function save_options(request_options)
  local spec = {}
  for name, kind in pairs(request_options) do spec[name] = not bodies[name] and kind or nil end
  for name, kind in pairs(own_options) do spec[name] = kind end
  return spec
end

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

local function is_encoded(headers)
  return (headers["content-encoding"] or "identity"):lower() ~= "identity"
end

-- Returns what identifies this state of the body: a strong ETag, or a date at least a minute before
-- the server's Date (RFC 9110, 8.8.2.2). Returns nil if there is none, or if the body is encoded.
local function validator(headers)
  if is_encoded(headers) then return nil end
  local etag, modified, date = headers.etag, headers["last-modified"], headers.date
  if etag and etag:find(STRONG) then return etag end
  local since, now = modified and retry.date(modified), date and retry.date(date)
  return since and now and now - since >= 60 and modified or nil
end

-- Opens the part, shielded: after a cancelled open, the next save of the path could find it in use.
local function open_part(path)
  return blocks.shield(core.file_open_part, path)
end

local function open_private(path, make)
  return blocks.shield(core.file_open_private, path, make)
end

-- --- PATH.part.meta: {address =, validator =, total =} ---

-- Returns a digest in place of the URL, which may contain secrets.
local function url_digest(job)
  return core.digest("sha256", job.address)
end

-- Returns the parsed meta, an empty table if it is malformed, or nil if there is none. Without
-- `resume`, a name that is too long counts as no meta.
local function read_meta(job)
  local ok, file = pcall(open_private, job.part .. ".meta", false)
  if not ok then
    local code = core.is(file, "IoError") and file.code
    if code == "ENOENT" or code == "ENAMETOOLONG" and not job.resume then return nil end
    error(file, 0)
  end
  job.meta_file = file -- closed on every exit path
  local text = file:contents()
  file:close()
  local understood, meta = pcall(json.decode, text)
  return understood and type(meta) == "table" and meta or {}
end

-- Opens the meta file and empties it.
local function open_meta(job)
  job.meta_file = open_private(job.part .. ".meta", true)
  job.meta_file:truncate()
  return job.meta_file
end

-- Writes the meta file and closes it.
local function write_meta(job, validated)
  job.meta_file:write(json.encode { address = url_digest(job), validator = validated,
    total = job.total })
  job.meta_file:close()
end

local function drop_meta(job)
  if not job.meta then return end
  open_meta(job):remove()
  job.meta_file:close()
  job.meta = nil
end

-- --- the transfer ---

-- Empties PATH.part for this response. After a power failure, a meta must not lie beside bytes of
-- another body. So old contents are removed from the disk before new ones can reach it.
local function start_over(job, response)
  job.validator = validator(response.headers)
  job.total = math.tointeger(response.headers["content-length"])
  local names = job.resume and job.validator
  if job.meta or names then open_meta(job) end
  if job.meta then job.meta_file:sync() end
  if job.size > 0 then
    job.file:truncate()
    job.file:sync()
  end
  job.size, job.kept = 0, 0
  if job.meta or names then
    job.meta = {}
    if names then write_meta(job, names) else job.meta_file:close() end
  end
end

-- Returns true if the response is for the part's body. Some servers know Range, but not If-Range.
local function is_same(job, headers)
  local name = job.validator:find '^"' and "etag" or "last-modified"
  return (headers[name] or job.validator) == job.validator
end

-- Returns first and last byte of a Content-Range and the size, if known, or nil if it is malformed.
local function range_of(headers)
  local first, last, total =
    (headers["content-range"] or ""):match "^[Bb][Yy][Tt][Ee][Ss] (%d+)%-(%d+)/([%d*]+)$"
  first, last = math.tointeger(first), math.tointeger(last)
  local size = math.tointeger(total)
  local is_sound = first and last and first <= last and (size and last < size or total == "*")
  if is_sound then return first, last, size end
end

-- Keeps the size of the whole that a 206 was the first to report, also for a later save.
local function learn_total(job, total)
  job.total = total
  if job.resume and job.meta then
    open_meta(job)
    write_meta(job, job.validator)
  end
end

-- Returns the size of the part after a 206, and the largest size reported for the whole. Returns
-- nil if the 206 does not start at the part's end, exceeds the known size, or is for another body.
local function continues(job, headers)
  local first, last, total = range_of(headers)
  if first ~= job.size or is_encoded(headers) or not is_same(job, headers) then return nil end
  if job.total and last >= job.total then return nil end
  if total and not job.total then learn_total(job, total) end
  return last + 1, math.max(last + 1, job.total or 0, total or 0)
end

-- Returns true if a 416 shows that the part is complete: it reports the size of the whole.
local function is_complete(job, headers)
  local total =
    math.tointeger((headers["content-range"] or ""):match "^[Bb][Yy][Tt][Ee][Ss] %*/(%d+)$")
  return total == job.size and (job.total or total) == total and is_same(job, headers)
end

local function refuse(response)
  local err = failure(response, "status", nil, "receive", ("status %d"):format(response.status))
  err.status = response.status
  error(err, 0)
end

-- Appends the body to the part, up to `stop` bytes in all. A 206 may bring less than requested. The
-- missing rest then is an error, as if the connection had ended.
local function receive(job, response, stop, whole)
  for piece in response:chunks(PIECE) do
    local is_excess = stop and job.size + #piece > stop
    if is_excess then piece = piece:sub(1, stop - job.size) end
    job.file:write(piece)
    job.size = job.size + #piece
    if is_excess then
      error(failure(response, "partial", "excess", "receive", "more bytes than its range has"), 0)
    end
  end
  if whole and job.size ~= whole then
    error(failure(response, "partial", "truncated", "receive",
      ("%d of %d bytes"):format(job.size, whole)), 0)
  end
end

-- Makes one request, for the missing rest if job.validator is known. Returns its response once the
-- part is complete, or nil if the whole must be requested.
local function transfer(job)
  local ranged, headers = job.validator, job.request.headers
  headers.Range, headers["If-Range"] = ranged and ("bytes=%d-"):format(job.size), ranged
  if job.deadline then job.times.total = math.max(0, job.deadline - core.now()) end
  local response <close> = job.session:stream("GET", job.target, job.request)
  local status, stop, whole = response.status, nil, nil
  if ranged and status == 416 then
    return is_complete(job, response.headers) and response or nil
  elseif ranged and status == 206 then
    stop, whole = continues(job, response.headers)
    if not stop then return nil end
  elseif status == 200 then
    start_over(job, response)
  else
    refuse(response)
  end
  receive(job, response, stop, whole)
  return response
end

-- Returns the delay before the next request, or nil if the transfer cannot resume after this error.
local function retry_delay(job, err, breaks)
  if not (job.policy and job.policy.methods.GET and job.validator) then return nil end
  if not (core.is(err, "HttpError") and BREAKS[err.code]) then return nil end
  local delay = retry.delay(job.policy, breaks)
  if not delay or job.deadline and core.now() + delay >= job.deadline then return nil end
  return job.session.budget.spend(job.address) and delay or nil
end

-- Makes requests until the part is complete. If the server cannot resume, one request asks for the
-- whole. If a transfer breaks off, the next asks for the rest, as often as the policy allows.
local function persist(job)
  local attempts, breaks = 0, 0
  while true do
    local ok, result = pcall(transfer, job)
    local is_told = ok and result or core.is(result, "HttpError")
    attempts = attempts + (is_told and result.attempts or 1)
    if is_told then result.attempts = attempts end
    if ok and result then return result end
    if ok then
      job.validator = nil
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
  local got = job.file:digest()
  if got == job.expected then return end
  local err = failure(response, "digest", job.digest, "receive",
    ("its %s is %s, not %s"):format(job.digest, got, job.expected))
  err.expected, err.got = job.expected, got
  error(err, 0)
end

-- Returns the validator of the part's contents if they can be resumed, else nil.
local function known_validator(job)
  local meta = job.meta
  if not (job.resume and job.size > 0 and meta
    and meta.address == url_digest(job)) then return nil end
  local text = meta.validator
  return type(text) == "string" and (text:find(STRONG) or retry.date(text)) and text or nil
end

local function run(job)
  job.meta = read_meta(job)
  job.validator = known_validator(job)
  job.total = job.validator and math.tointeger(job.meta.total) or nil
  job.kept = job.validator and job.size or 0
  if job.digest then job.file:keep_digest(job.digest) end
  local response = persist(job)
  if job.digest then check_digest(job, response) end
  job.file:commit()
  drop_meta(job)
  job.file:close()
  return { status = response.status, url = response.url, headers = response.headers,
    path = job.path, bytes = job.size,
    resumed = job.kept, attempts = response.attempts, [job.digest or 1] = job.expected }
end

-- Closes the part. Removes it if it is empty, its digest is wrong, or the disk failed.
local function clean_up(job, err)
  if job.meta_file then job.meta_file:close() end
  local is_wrong = core.is(err, "HttpError") and err.code == "digest"
    or core.is(err, "IoError") and err.code == "EIO"
  if is_wrong or job.file:size() == 0 then
    job.file:remove()
    drop_meta(job)
  end
  job.file:close()
end

-- Sets the deadline of a save: its `total` covers all of its requests.
local function limit(job, options)
  local times = {}
  for name, seconds in pairs(limits.times(job.session.times, options.timeout)) do
    times[name] = seconds
  end
  if not times.total then return end
  job.deadline = core.now() + times.total
  job.times, job.request.timeout = times, times
end

--- Saves the body of `target` to the file `path`.
---@async
---@param request_options table<string, string> options of a request, with their checks
return function(session, target, path, options, request_options)
  options = args.options(options, save_options(request_options), "save")
  if path == "" or path:find "/$" then
    args.usage("bad argument #2 to 'save' (no name of a file: '%s')", path)
  end
  local job = { session = session, target = target, path = path, resume = options.resume }
  job.digest, job.expected = wanted_digest(options)
  job.request = pass_on(options)
  job.policy = session.retries
  if options.retries ~= nil then job.policy = retry.policy(options.retries, "save") end
  limit(job, options)
  job.address = encode.query(url.join(session.base_url, target), options.params or {})
  local file <close>, size, final = open_part(path)
  job.file, job.size, job.part = file, size, final .. ".part"
  local ok, result = pcall(run, job)
  if ok then return result end
  pcall(blocks.cleanup, CLEAN_UP, clean_up, job, result)
  error(result, 0)
end
