-- SPDX-License-Identifier: MIT
-- fetch: gets many URLs at once. `septet scripts/fetch.lua --help` says how; copy it to start your
-- own.
local task, http, sync = require "septet.task", require "septet.http", require "septet.sync"
local json, io_lines = require "septet.json", require "septet.io"
local cli, progress, stats = require "septet.cli", require "septet.progress",
  require "septet.stats"

local USAGE = [[
usage: septet fetch.lua [options] [URL ...]

URLs come from the command line, or one a line from --file. Without either, or with the file -, they
come from standard input.

  --file FILE        read URLs from FILE
  --limit N          requests at once (64)
  --per-host N       requests at once to one scheme, host and port (8)
  --rate RATE        starts at most, as 10/s or 100/m
  --retries N        how often a request is tried again (2)
  --timeout SECONDS  for each URL, with its redirects and retries (30)
  --json             write a line of JSON for each URL: url, status, bytes, seconds, attempts, or
                     error

A URL fails if no response comes, or one with a status of 400 or more. If one fails, the exit status
is 1.]]

-- URLs; how many there are is known, for the progress line, once the last of them is read.
local READ_AHEAD = 10000
local HASH = ("#"):byte()

-- --- what there is to fetch: a function that waits for the next URL, nil after the last ---

local function each(urls)
  local i = 0
  return function()
    i = i + 1
    return urls[i]
  end
end

local function each_line(file)
  local reader = file == "-" and io_lines.stdin() or io_lines.open(file)
  local mark = "^\u{feff}" -- of the byte order, which some editors write
  return function()
    for line in reader:lines() do
      line, mark = line:gsub(mark, ""), "^$"
      local url = line:match("^%s*(.*%S)")
      if url and url:byte() ~= HASH then return url end
    end
    reader:close()
  end
end

-- --- what came of it ---

local counts = { done = 0, failed = 0, lost = 0, bytes = 0 }
local seconds = stats.histogram() -- of each request that got a response

-- What is written for a URL: a function for a response, and one for an error.
local text = {
  response = function(url, r, took)
    return ("%3d  %9d B  %7.3f s  %s\n"):format(r.status, #r.body, took, url)
  end,
  failure = function(_, err) return "---  " .. err.message .. "\n" end,
}

local lines_of_json = {
  response = function(url, r, took)
    local format = '{"url":%s,"status":%d,"bytes":%d,"seconds":%.6f,"attempts":%d}\n'
    return format:format(json.encode(url), r.status, #r.body, took, r.attempts)
  end,
  failure = function(url, err, took)
    return json.encode {
      url = url, error = err.message, code = err.code, phase = err.phase, seconds = took,
      attempts = err.attempts,
    } .. "\n"
  end,
}

-- Writes a line, at once: a result that is lost has failed, and no more are got. That output failed
-- is said by septet.
local function write(line)
  if io.write(line) then return end
  counts.failed, counts.lost = counts.failed + 1, counts.lost + 1
  error("cannot write the result", 0)
end

local function fetch(session, url, format, bar)
  local started = task.now()
  local ok, r = task.pcall(session.get, session, url)
  local took = task.now() - started
  if not ok and not task.is(r, "HttpError") then error(r, 0) end
  counts.done = counts.done + 1
  local failed = not ok or r.status >= 400
  if failed then counts.failed = counts.failed + 1 end
  if ok then
    counts.bytes = counts.bytes + #r.body
    seconds:record(took)
  end
  bar:clear()
  write((ok and format.response or format.failure)(url, r, took))
  if failed then bar:fail() else bar:add() end
end

local function summary(elapsed)
  local result = ("%d done, %d failed, %.1f MB in %.2f s: %.0f a second\n"):format(counts.done,
    counts.failed, counts.bytes / 1e6, elapsed, counts.done / elapsed)
  if seconds:count() == 0 then return result end
  local format = "seconds: 50 %% within %.3f, 90 %% %.3f, 99 %% %.3f, all %.3f\n"
  return result .. format:format(seconds:percentile(50), seconds:percentile(90),
    seconds:percentile(99), seconds:max())
end

-- --- all together ---

local function main()
  local options, urls = cli.parse(arg, { file = "string", limit = { "count", 64 },
    per_host = { "count", 8 }, rate = "string", retries = { "count", 2 },
    timeout = { "number", 30 }, json = "flag" })
  if options.help then return print(USAGE) end
  local next_url = (options.file or #urls == 0) and each_line(options.file or "-") or each(urls)
  local session <close> = http.session {
    limit = options.limit, limit_per_host = options.per_host, rate = options.rate,
    retries = options.retries,
    timeout = options.timeout,
  }
  local format = options.json and lines_of_json or text
  io.stdout:setvbuf "line"
  local started, todo = task.now(), sync.channel(READ_AHEAD)
  local bar = progress.new { keep = false }
  local ok, err = pcall(task.group, function(g)
    for _ = 1, options.limit do
      g:spawn(function()
        for url in todo:iter() do fetch(session, url, format, bar) end
      end)
    end
    local total = 0
    for url in next_url do
      todo:send(url)
      total = total + 1
    end
    todo:close()
    bar:set_total(total)
  end)
  bar:finish()
  if not ok and counts.lost == 0 then error(err, 0) end
  io.stderr:write(summary(task.now() - started))
  os.exit(counts.failed == 0)
end

cli.run("fetch.lua", main)
