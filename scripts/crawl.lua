-- SPDX-License-Identifier: MIT
-- crawl: follows the links of sites, politely. `septet scripts/crawl.lua --help` says how; copy it
-- to start your own.
local task, http, jobs = require "septet.task", require "septet.http", require "septet.jobs"
local json, io_files, url = require "septet.json", require "septet.io", require "septet.url"
local cli, progress = require "septet.cli", require "septet.progress"
local robots = require "septet.robots"

local USAGE = [[
usage: septet crawl.lua [options] [URL ...]

Fetches the pages of the URLs, and those to which their links lead. Respects robots.txt with its
Crawl-delay, and nofollow. A crawl that was killed goes on if it is started again with its options.

  --queue URL        keeps what is done and what is to do: a file, or redis://host/0?queue=name, for
                     any number of processes and machines (memory:, which ends with the crawl)
  --limit N          pages at once (64)
  --per-host N       pages at once from one host and port, of all who share the queue (4)
  --depth N          links to follow from a URL, on the shortest way to a page (no limit)
  --same-host        follow no links to other hosts
  --again            crawl once more if all is done: what has not changed is not sent again
  --agent NAME       who is asking, as robots.txt may name it (septet-crawl)
  --retries N        how often a page is tried again after no response, 429, or 500 and above (4)
  --timeout SECONDS  for each response (30)
  --max-size BYTES   of a page; a larger one is not read (8388608)
  --output FILE      gets a line of JSON for each page at the end; - is standard output (-)

The exit status is 1 if a page was given up. A status of 4xx is a result.]]

local AGAIN = "crawl again" -- key of the job that puts all pages once more
local HOPS = 10             -- redirects from a URL
local CRASHES = 20          -- attempts that may end with a crash, besides those that fail

local options, urls, q, session, sites, bar
local bytes, unchanged = 0, 0

-- --- pages ---

local function host_of(address) return url.origin(address):match "//(.*)" end

-- Returns the job of the page to which a URL leads, or nil if it is not to be crawled. Its key is
-- what duplicates have in common. The `url` of its data is what is fetched, if that is another.
local function page_at(address, depth, from)
  if not address or not address:lower():find "^https?:" then return nil end
  local ok, key = task.pcall(url.normalize, address)
  if not ok or #key > 8192 or not url.origin(key) or url.parse(key).user then return nil end
  if from and options.same_host and host_of(key) ~= host_of(from.key) then return nil end
  address = address:gsub("#.*", "")
  return { key = key, data = { depth = depth, url = address ~= key and address or nil,
    round = from and from.data.round } }
end

-- Returns the pages to which a page redirects, none or one. It is a job like any other, so that the
-- rules of its host count. If it is the page itself, with its parameters in another order, it runs
-- again.
local function redirect(job, location, result)
  local data = job.data
  local ok, address = task.pcall(url.resolve, data.url or job.key, location)
  if not ok then return {} end
  result.redirect = address
  local page = page_at(address, data.depth, data.depth > 0 and job or nil)
  if not page or (data.hops or 0) >= HOPS then return {} end
  page.data.hops, page.data.round = (data.hops or 0) + 1, data.round
  if page.key == job.key then page.again, page.data.old = true, data.old end
  return { page }
end

-- Returns the parsed page, or nil and what is wrong with it.
local function parsed(response)
  local ok, document = task.pcall(function()
    bytes = bytes + #response.body
    return response:html()
  end)
  if ok then return document end
  if not task.is(document, "HtmlError") and document.code ~= "body_too_large" then
    error(document, 0)
  end
  return nil, document.message
end

-- Reads a page into its result. Returns the pages to which it leads.
local function read(job, response, result)
  local document, fault = parsed(response)
  if not document then
    result.error = fault
    return {}
  end
  local depth, pages = job.data.depth, {}
  local canonical = page_at(document.canonical, depth, job)
  result.title, result.bytes = document.title, #response.body
  if canonical and canonical.key ~= job.key then
    result.canonical = canonical.key
    return { canonical }
  end
  if document.nofollow or depth == options.depth then return pages end
  for _, link in ipairs(document:links()) do
    if link.tag ~= "link" and not link.nofollow then
      pages[#pages + 1] = page_at(link.url, depth + 1, job)
    end
  end
  return pages
end

-- Returns a response with its body unread. Raises an error if the page is to be tried again.
local function get(address, old)
  sites:wait(address)
  local response = session:stream("GET", address, { redirects = false, max_body = options.max_size,
    headers = { ["If-None-Match"] = old.etag, ["If-Modified-Since"] = old.modified } })
  if response.status ~= 429 and response.status < 500 then return response end
  local pause = response.retry_after or response.status == 429 and 5 or 0
  sites:postpone(address, math.min(pause, 300))
  error("status " .. response.status, 0)
end

-- Returns the value of a header, or nil if it cannot be written as JSON.
local function header(response, name)
  local value = response.headers[name]
  return value and utf8.len(value) and value or nil
end

local function crawl(job)
  local data, address = job.data, job.data.url or job.key
  local result = { depth = data.depth, address = data.url, round = data.round }
  local is_allowed = sites:allows(address)
  if is_allowed == nil then
    error("cannot get robots.txt: its server failed, or did not answer", 0)
  end
  if not is_allowed then
    result.skipped = "robots.txt"
    return result
  end
  local response <close> = get(address, data.old or {})
  if response.status == 304 and data.old then
    unchanged, data.old.round = unchanged + 1, data.round
    return data.old
  end
  local status, location, pages = response.status, response.headers.location, {}
  result.status, result.type = status, header(response, "content-type")
  result.etag, result.modified = header(response, "etag"), header(response, "last-modified")
  if location and status >= 300 and status < 400 then
    pages = redirect(job, location, result)
  elseif status < 300 and (result.type or "html"):lower():find "html" then
    pages = read(job, response, result)
  end
  for _, page in ipairs(pages) do
    if not options.depth or page.data.depth == data.depth then
      job:put(page)
    else -- once all pages of this depth are done
      result.next = result.next or {}
      table.insert(result.next, page.data.url or page.key)
    end
  end
  return result
end

-- --- the queue ---

-- Calls fn(put), and puts in batches what that is called with.
local function put_all(fn)
  local list = {}
  fn(function(page)
    list[#list + 1] = page
    if #list < 500 then return end
    q:put_many(list)
    list = {}
  end)
  q:put_many(list)
end

-- Puts the pages that were not yet crawled in the round that a job began. Its instant names it.
local function put_again(job)
  put_all(function(put)
    for key, old in q:results() do
      if old.round ~= job.put_at then
        put { key = key, again = true,
          data = { url = old.address, depth = old.depth, round = job.put_at, old = old } }
      end
    end
    for page in q:dead() do
      page.data.round = job.put_at
      put { key = page.key, data = page.data, again = true }
    end
  end)
  job:drop()
end

-- Puts the pages to which those of a depth lead. Returns true if there is any of that depth.
local function descend(depth)
  local any = false
  put_all(function(put)
    for key, page in q:results() do
      any = any or page.depth == depth
      for _, address in ipairs(page.depth == depth and page.next or {}) do
        put(page_at(address, depth + 1, { key = key, data = page }))
      end
    end
  end)
  return any
end

local function run()
  q:run({
    workers = options.limit, attempts = options.retries + CRASHES,
    limit_per = function(page) return page.key ~= AGAIN and host_of(page.key) or nil end,
    limit_per_key = options.per_host,
  }, function(job)
    if job.key == AGAIN then return put_again(job) end
    local ok, result = task.pcall(crawl, job)
    if ok then
      bar:add()
      return result
    elseif job.attempt <= options.retries then
      error(result, 0)
    end
    bar:fail()
    job:fail(result)
  end)
end

local function begin()
  local n = q:stats()
  local is_over = n.pending + n.waiting + n.delayed + n.leased == 0
  if options.again and is_over then q:put { key = AGAIN, again = true } end
  put_all(function(put)
    for _, address in ipairs(urls) do
      put(page_at(address, 0) or cli.fail("no http URL: '%s'", address))
    end
  end)
end

local function write_results()
  local out <close> = options.output ~= "-" and io_files.create(options.output .. ".part") or nil
  local function write(row)
    local line = json.encode(row) .. "\n"
    if out then out:write(line) elseif not io.write(line) then os.exit(false) end
  end
  for key, page in q:results() do
    page.address, page.url, page.next, page.round = nil, key, nil, nil
    write(page)
  end
  for page in q:dead() do write { url = page.key, depth = page.data.depth, error = page.error } end
  if out then out:commit(options.output) end
end

local function main()
  options, urls = cli.parse(arg, { queue = { "string", "memory:" }, limit = { "count", 64 },
    per_host = { "count", 4 }, depth = "count", same_host = "flag", again = "flag",
    agent = { "string", "septet-crawl" }, retries = { "count", 4 }, timeout = { "number", 30 },
    max_size = { "count", 8388608 }, output = { "string", "-" } })
  if options.help then return print(USAGE) end
  if options.queue == "memory:" and not urls[1] then cli.fail "URLs or a --queue expected" end
  local started, queue <close> = task.now(), jobs.open(options.queue)
  q, bar = queue, progress.new { keep = false }
  session = http.session { limit = options.limit, limit_per_host = options.per_host,
    timeout = options.timeout, headers = { ["User-Agent"] = options.agent } }
  sites = robots.cache(session, options.agent)
  begin()
  run()
  local depth = 0
  while options.depth and depth < options.depth and descend(depth) do
    run()
    depth = depth + 1
  end
  bar:finish()
  if (os.getenv "SEPTET_WORKER" or "1") == "1" then write_results() end
  local format = "%d done, %d failed, %d unchanged, %.1f MB in %.2f s\n"
  io.stderr:write(format:format(bar.done, bar.failed, unchanged, bytes / 1e6, task.now() - started))
  os.exit(q:stats().dead == 0)
end

cli.run("crawl.lua", main)
