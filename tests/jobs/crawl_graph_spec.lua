-- SPDX-License-Identifier: MIT
-- scripts/crawl.lua on a site of generated pages, which nginx serves: the same pages each time,
-- each fetched once, and after kills no more again than were at work.
-- peers: nginx
local fs, process, task = require "septet.fs", require "septet.process", require "septet.task"
local crawl = require "crawl"

local PAGES = math.tointeger(os.getenv "SEPTET_CRAWL_PAGES") or 500
local SEED = math.tointeger(os.getenv "SEPTET_CRAWL_SEED") or 18
local WORKERS, KILLS, DEPTH = 16, 5, 4
local SITE, LOG = assert(os.getenv "SEPTET_NGINX"), assert(os.getenv "SEPTET_NGINX_LOG")
local FOLDER = assert(os.getenv "SEPTET_NGINX_ROOT") .. "/graph/"
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

-- Spells a link in one of the ways that lead to the page.
local function spelled(n)
  local way = random(4)
  return way == 1 and n .. ".html" or way == 2 and ("/graph/%d.html"):format(n)
    or way == 3 and ("../graph/x/../%d.html#%d"):format(n, random(9))
    or ("//%s/gr%%61ph/%d.html"):format(SITE:match "//(.*)", n)
end

fs.mkdir(FOLDER)
for i, list in ipairs(links) do
  local file = assert(io.open(FOLDER .. i .. ".html", "w"))
  file:write("<title>", i, "</title>")
  for _, n in ipairs(list) do file:write("<a href='", spelled(n), "'>", n, "</a>\n") end
  file:close()
end

-- Returns the depth of each page that is no further from the first one than `most`.
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
  return depth
end

-- --- what came of a crawl ---

local function check_rows(text, most)
  local expected, found = depths(most), {}
  for address, row in pairs(crawl.rows(text)) do
    local n = tonumber(address:match "/graph/(%d+)%.html$")
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
    local n = tonumber(line:match '"GET /gr[^/]*/(%d+)%.html ')
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

-- Calls kill() each time that so many more pages were requested, until it has returned true five
-- times. A crawl that is too quick for this process is killed less often.
local function kill_at_each(step, kill)
  return task.spawn(function()
    local n, kills = 0, 0
    for line in fs.tail(LOG) do
      if line:find("/gr", 1, true) then n = n + 1 end
      if n >= step and kill() then n, kills = 0, kills + 1 end
      if kills == KILLS then break end
    end
  end)
end

local function words(queue, more, how)
  how.stderr = "null"
  return crawl.words({ "--queue", queue, "--limit=" .. WORKERS, "--per-host=" .. WORKERS * 4,
    START, table.unpack(more or {}) }, how)
end

-- --- the crawls ---

it("one process fetches each page once", function()
  local from = size_of_log()
  check_rows(process.run(words("memory:", nil, {})).stdout, math.huge)
  check_log(from, math.huge, 0)
end)

-- Kills a crawl on a file, up to five times, and starts it again. Returns what the last one has
-- written, and the number of kills.
local function killed(queue, more, pages)
  local running, kills = nil, 0
  local killer = kill_at_each(pages // (2 * KILLS), function()
    if not running then return false end
    kills = kills + 1
    running:kill "KILL"
    running = nil
    return true
  end)
  repeat
    local one <close> = process.spawn(words(queue, more, {}))
    running = one
    local text = one.stdout:read_all()
    local code, signal = one:wait()
    running = nil
    if not signal then
      equal({ code, kills > 0 }, { 0, true })
      killer:cancel()
      return text, kills
    end
    equal(text, "")
  until false
end

it("a process that is killed five times fetches the same pages, those at work again", function()
  local folder <close> = fs.temp_dir()
  local from = size_of_log()
  local text, kills = killed(folder.path .. "/q.db", {}, PAGES)
  check_rows(text, math.huge)
  check_log(from, math.huge, kills * WORKERS)
end)

it("with --depth the pages are those within reach, also after kills", function()
  local folder <close> = fs.temp_dir()
  local pages = 0
  for _ in pairs(depths(DEPTH)) do pages = pages + 1 end
  local from = size_of_log()
  local text, kills = killed(folder.path .. "/q.db", { "--depth=" .. DEPTH }, pages)
  check_rows(text, DEPTH)
  check_log(from, DEPTH, kills * WORKERS)
end)

it("four processes on Redis fetch each page once, and with --depth those within reach", function()
  for _, most in ipairs { math.huge, DEPTH } do
    local url, place = crawl.places.redis()
    local _ <close> = place
    local from = size_of_log()
    local line = words(url, most < math.huge and { "--depth=" .. most } or {}, {})
    table.insert(line, 2, "--workers=4")
    check_rows(process.run(line).stdout, most)
    check_log(from, most, 0)
  end
end)

it("four processes on Redis, of which any is killed, fetch the same pages", function()
  local url, place = crawl.places.redis()
  local _ <close> = place
  local from, kills, running, text = size_of_log(), 0, {}, nil
  task.group(function(group)
    local function start()
      local one <close> = process.spawn(words(url, nil, {}))
      table.insert(running, one)
      text = one.stdout:read_all()
      local code, signal = one:wait()
      if signal then return start() end
      equal(code, 0)
    end
    local killer = kill_at_each(PAGES // (2 * KILLS), function()
      if #running == 0 then return false end
      kills = kills + 1
      table.remove(running, random(#running)):kill "KILL"
      return true
    end)
    for _, one in ipairs { group:spawn(start), group:spawn(start), group:spawn(start),
      group:spawn(start) } do
      one:await()
    end
    killer:cancel()
  end)
  equal(kills > 0, true)
  check_rows(text, math.huge)
  check_log(from, math.huge, kills * WORKERS)
end)
