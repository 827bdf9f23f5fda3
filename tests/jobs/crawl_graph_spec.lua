-- SPDX-License-Identifier: MIT
-- scripts/crawl.lua on a site of generated pages, which nginx serves: the same pages each time,
-- each fetched once, and after kills no more again than were at work.
-- peers: nginx
local fs, process, sync = require "septet.fs", require "septet.process", require "septet.sync"
local task, testing = require "septet.task", require "septet.testing"
local crawl = require "crawl"

local PAGES = math.tointeger(os.getenv "SEPTET_CRAWL_PAGES") or 500
local SEED = math.tointeger(os.getenv "SEPTET_CRAWL_SEED") or 18
local WORKERS, KILLS, DEPTH = 16, 5, 4
local SITE, LOG = assert(os.getenv "SEPTET_NGINX"), assert(os.getenv "SEPTET_NGINX_LOG")
local FOLDER = assert(os.getenv "SEPTET_NGINX_ROOT") .. "/graph/"
local SOCKET = assert(os.getenv "SEPTET_NGINX_SOCKET")
local START = SITE .. "/graph/1.html"

local random = math.random
math.randomseed(SEED)

-- --- the site ---

local links = {} -- of each page, the numbers of others; those above PAGES lead nowhere

-- Every page is found by way of one with a smaller number, and by some others.
for i = 1, PAGES do links[i] = {} end
for i = 2, PAGES do table.insert(links[random(math.max(1, i // 3), i - 1)], i) end
for i = 1, PAGES do
  for _ = 1, 4 do table.insert(links[i], random(math.ceil(PAGES * 1.02))) end
end

-- Returns the depth of each page that is no further from the first one than `most`, and a list of
-- those pages, the nearest first.
local function depths(most)
  local depth, queue = { [1] = 0 }, { 1 }
  for _, i in ipairs(queue) do
    for _, n in ipairs(depth[i] < most and links[i] or {}) do
      if not depth[n] then
        depth[n] = depth[i] + 1
        queue[#queue + 1] = n
      end
    end
  end
  return depth, queue
end

-- The pages at whose first request a process is killed, for each reach of a crawl. They come from
-- this process by way of nginx: no crawl is over before it was killed as often.
local stops, held = { [math.huge] = {}, [DEPTH] = {} }, {}
for most, list in pairs(stops) do
  local _, pages = depths(most)
  for k = 1, KILLS do
    list[k] = pages[#pages * k // (KILLS + 2)]
    held[list[k]] = true
  end
end

-- Spells a link in one of the ways that lead to the page.
local function spelled(n)
  local way, folder = random(4), held[n] and "held" or "graph"
  return way == 1 and ("../%s/%d.html"):format(folder, n)
    or way == 2 and ("/%s/%d.html"):format(folder, n)
    or way == 3 and ("../%s/x/../%d.html#%d"):format(folder, n, random(9))
    or ("//%s/%%%02x%s/%d.html"):format(SITE:match "//(.*)", folder:byte(), folder:sub(2), n)
end

local function page(i)
  local text = { ("<title>%d</title>"):format(i) }
  for _, n in ipairs(links[i] or {}) do
    text[#text + 1] = ("<a href='%s'>%d</a>\n"):format(spelled(n), n)
  end
  return table.concat(text)
end

fs.mkdir(FOLDER)
for i = 1, PAGES do
  if not held[i] then
    local file <close> = assert(io.open(FOLDER .. i .. ".html", "w"))
    file:write(page(i))
  end
end

-- Serves the held pages, and calls kill() before a page of the list is first answered.
local function serve_held(list, kill)
  local due = {}
  for _, n in ipairs(list) do due[n] = true end
  return testing.serve(function(request)
    local n = tonumber(request.path:match "(%d+)%.html$")
    if due[n] then
      due[n] = nil
      kill()
    end
    return { status = n <= PAGES and 200 or 404, headers = { ["Content-Type"] = "text/html" },
      body = page(n) }
  end, { path = SOCKET })
end

-- --- what came of a crawl ---

local function check_rows(text, most)
  local expected, found = depths(most), {}
  for address, row in pairs(crawl.rows(text)) do
    local n = tonumber(address:match "/(%d+)%.html$")
    found[n] = true
    equal({ n, row.status, row.title }, { n, n <= PAGES and 200 or 404, n <= PAGES
      and tostring(n) or nil })
    if most < math.huge then equal({ n, row.depth }, { n, expected[n] }) end
  end
  for n in pairs(expected) do equal({ n, found[n] }, { n, true }) end
  for n in pairs(found) do equal({ n, expected[n] ~= nil }, { n, true }) end
end

local function size_of_log() return fs.stat(LOG).size end

-- Returns how many requests of pages stand in the log behind a place, and how often each page.
local function requests(from)
  local file = assert(io.open(LOG))
  file:seek("set", from)
  local sum, each = 0, {}
  for line in file:lines() do
    local n = tonumber(line:match '"GET /[^/]+/(%d+)%.html ')
    if n then sum, each[n] = sum + 1, (each[n] or 0) + 1 end
  end
  file:close()
  return sum, each
end

-- Checks the log: each page, and at most so many in all.
local function check_log(from, most, surplus)
  local expected, count = depths(most), 0
  for _ in pairs(expected) do count = count + 1 end
  local sum, each = requests(from)
  while sum < count do -- nginx writes a line once the response is sent
    task.sleep(0.01)
    sum, each = requests(from)
  end
  for n in pairs(expected) do equal({ n, each[n] ~= nil }, { n, true }) end
  equal({ sum, sum <= count + surplus }, { sum, true })
end

local function words(queue, most)
  local line = { "--queue", queue, "--limit=" .. WORKERS, "--per-host=" .. WORKERS * 4, START }
  if most < math.huge then table.insert(line, "--depth=" .. most) end
  return crawl.words(line, { stderr = "null" })
end

-- Runs `n` processes of a crawl, which share it, to its end.
local function run(n, queue, most)
  local _ <close> = serve_held({})
  local from, line = size_of_log(), words(queue, most)
  if n > 1 then table.insert(line, 2, "--workers=" .. n) end
  check_rows(process.run(line).stdout, most)
  check_log(from, most, 0)
end

-- The same, but the one that was started first is killed at each stop, and started again.
local function run_killed(n, queue, most)
  local running, kills, text = sync.channel(n), 0, nil
  local _ <close> = serve_held(stops[most], function() running:recv():kill "KILL" end)
  local from = size_of_log()
  local function start()
    local one <close> = process.spawn(words(queue, most))
    running:send(one)
    local printed = one.stdout:read_all()
    local code, signal = one:wait()
    if not signal then
      equal(code, 0)
      text = printed
      return
    end
    equal({ printed, signal }, { "", "KILL" })
    kills = kills + 1
    return start()
  end
  task.group(function(group)
    for _ = 1, n do group:spawn(start) end
  end)
  equal(kills, KILLS)
  check_rows(text, most)
  check_log(from, most, KILLS * WORKERS)
end

-- --- the crawls ---

it("one process fetches each page once", function() run(1, "memory:", math.huge) end)

it("a process that is killed five times fetches the same pages, those at work again", function()
  local folder <close> = fs.temp_dir()
  run_killed(1, folder.path .. "/q.db", math.huge)
end)

it("with --depth the pages are those within reach, also after kills", function()
  local folder <close> = fs.temp_dir()
  run_killed(1, folder.path .. "/q.db", DEPTH)
end)

it("four processes on Redis fetch each page once, and with --depth those within reach", function()
  for _, most in ipairs { math.huge, DEPTH } do
    local url, place = crawl.places.redis()
    local _ <close> = place
    run(4, url, most)
  end
end)

it("four processes on Redis, of which one is killed five times, fetch the same pages", function()
  local url, place = crawl.places.redis()
  local _ <close> = place
  run_killed(4, url, math.huge)
end)
