-- SPDX-License-Identifier: MIT
-- scripts/crawl.lua that is killed, stopped and started again; a second crawl; what it writes, and
-- its exit status.
local fs, process, testing = require "septet.fs", require "septet.process", require "septet.testing"
local crawl = require "crawl"

local PAGES = 60

-- Serves pages of which each leads to some others. `counts` has the number of requests of each.
-- `at(n)` is called at the n-th request of a page.
local function tree(at)
  local counts, n = {}, 0
  local server = testing.serve(function(request)
    local number = tonumber(request.path:match "^/(%d+)$")
    if not number or number > PAGES then return { status = 404 } end
    n = n + 1
    counts[number] = (counts[number] or 0) + 1
    if at then at(n) end
    return { delay = 0.002, headers = { ["Content-Type"] = "text/html" },
      body = ("<title>%d</title><a href=%d></a><a href=%d></a><a href=%d></a>"):format(number,
        2 * number, 2 * number + 1, number // 3 + 1) }
  end)
  return server, counts
end

local function total(counts)
  local sum, pages = 0, 0
  for _, n in pairs(counts) do sum, pages = sum + n, pages + 1 end
  return sum, pages
end

local function count(rows)
  local n = 0
  for _ in pairs(rows) do n = n + 1 end
  return n
end

-- The pages that lead to 404 are no pages of the tree.
local ROWS = 2 * PAGES + 1

-- Of how many processes the death is seen: it takes Redis some seconds each.
local KILLS = { file = 5, redis = 2 }

for name, make in pairs(crawl.places) do
  describe("on a " .. name .. ",", function()
    it("a crawl that is killed again and again fetches all pages, and tells each once", function()
      local url, place = make()
      local _ <close> = place
      local running, due
      local server, counts = tree(function(n)
        if running and n >= due then
          running:kill "KILL"
          running = nil
        end
      end)
      local _ <close> = server
      local folder <close> = fs.temp_dir()
      local out, kills, code = folder.path .. "/out.jsonl", 0, nil
      for start = 0, KILLS[name] do
        due = start < KILLS[name] and 9 * (start + 1) or math.huge
        local one <close> = process.spawn(crawl.words({ "--queue", url, "--limit=4",
          "--output", out, server.url .. "/1" }, { stderr = "null" }))
        running = one
        local signal
        code, signal = one:wait()
        running = nil
        if signal then kills = kills + 1 end
        equal(fs.exists(out), start == KILLS[name])
      end
      equal({ code, kills }, { 0, KILLS[name] })
      equal(count(crawl.rows(fs.read(out))), ROWS)
      local sum, pages = total(counts)
      equal({ pages, sum <= PAGES + kills * 4 }, { PAGES, true })
    end)

    it("a crawl that is stopped by Ctrl-C loses nothing, and fetches nothing again", function()
      local url, place = make()
      local _ <close> = place
      local running
      local server, counts = tree(function(n)
        if running and n >= 20 then
          running:kill "INT"
          running = nil
        end
      end)
      local _ <close> = server
      local words = { "--queue", url, "--limit=4", server.url .. "/1" }
      local first <close> = process.spawn(crawl.words(words, { stderr = "null" }))
      running = first
      local printed = first.stdout:read_all()
      local code = first:wait()
      equal({ printed, code == 0 }, { "", false })
      local rows, status = crawl.run("--queue", url, "--limit=4") -- goes on without URLs
      equal({ status, count(rows) }, { 0, ROWS })
      equal({ total(counts) }, { PAGES, PAGES })
    end)

    it("several processes share a crawl, and each page is fetched once", function()
      local url, place = make()
      local _ <close> = place
      local server, counts = tree()
      local _ <close> = server
      local line = crawl.words { "--queue", url, "--per-host=8", server.url .. "/1" }
      table.insert(line, 2, "--workers=3")
      local result = process.run(line)
      equal(result.code, 0, result.stderr)
      equal(count(crawl.rows(result.stdout)), ROWS) -- written by one of them
      equal({ total(counts) }, { PAGES, PAGES })
    end)
  end)
end

describe("a second crawl", function()
  -- Serves three pages with what makes a request conditional, and notes what was asked for.
  local function versions()
    local state = { version = 1, asked = {} }
    local server = testing.serve(function(request)
      local headers = request.headers
      if request.path == "/robots.txt" then return { status = 404 } end
      table.insert(state.asked, request.path .. " " .. (headers["if-none-match"]
        or headers["if-modified-since"] or "all"))
      local pages = {
        ["/"] = { tag = '"home"', text = "<a href=/a></a><a href=/b></a><a href=/gone></a>" },
        ["/a"] = { date = "Mon, 02 Jan 2023 00:00:00 GMT", text = "<title>a</title>" },
        ["/b"] = { tag = ('"b%d"'):format(state.version),
          text = ("<title>b%d</title><a href=/new%d>"):format(state.version, state.version) },
        ["/gone"] = state.version == 1 and { text = "<title>gone</title>" } or nil,
        ["/new2"] = { text = "<title>new</title>" },
      }
      local page = pages[request.path]
      if not page then return { status = 404 } end
      local validators = { ETag = page.tag, ["Last-Modified"] = page.date,
        ["Content-Type"] = "text/html" }
      if page.tag and headers["if-none-match"] == page.tag
        or page.date and headers["if-modified-since"] == page.date then
        return { status = 304, headers = validators }
      end
      return { headers = validators, body = page.text }
    end)
    return server, state
  end

  local function titles(rows, server)
    local list = {}
    for _, path in ipairs { "/", "/a", "/b", "/gone", "/new1", "/new2" } do
      local row = rows[server.url .. path]
      list[#list + 1] = row and path .. " " .. (row.title or row.status) or nil
    end
    return list
  end

  it("asks for what has changed, and keeps the results of what has not", function()
    local folder <close> = fs.temp_dir()
    local server, state = versions()
    local _ <close> = server
    for _, more in ipairs { { "--depth=5" }, {} } do
      local queue = ("%s/%d.db"):format(folder.path, #more)
      local words = { "--queue", queue, "--again", server.url, table.unpack(more) }
      state.version = 1
      equal(titles(crawl.run(table.unpack(words)), server),
        { "/ ", "/a a", "/b b1", "/gone gone", "/new1 404" })
      state.version, state.asked = 2, {}
      local rows, status, said = crawl.run(table.unpack(words))
      equal(titles(rows, server),
        { "/ ", "/a a", "/b b2", "/gone 404", "/new1 404", "/new2 new" })
      table.sort(state.asked)
      equal(state.asked, { '/ "home"', "/a Mon, 02 Jan 2023 00:00:00 GMT", '/b "b1"', "/gone all",
        "/new1 all", "/new2 all" })
      equal({ status, said:match "%d+ done, %d+ failed, %d+ unchanged" },
        { 0, "6 done, 0 failed, 2 unchanged" })
      equal(rows[server.url .. "/a"].depth, 1)
    end
  end)

  it("without --again fetches nothing, but what is given anew", function()
    local folder <close> = fs.temp_dir()
    local server, state = versions()
    local _ <close> = server
    local queue = folder.path .. "/q.db"
    crawl.run("--queue", queue, server.url)
    state.asked = {}
    equal(#titles(crawl.run("--queue", queue, server.url), server), 5)
    equal(state.asked, {})
    crawl.run("--queue", queue, server.url, server.url .. "/other")
    equal(state.asked, { "/other all" })
  end)

  it("gives pages that were given up another chance", function()
    local works = false
    local server = testing.serve(function() return { status = works and 404 or 500 } end)
    local _ <close> = server
    local folder <close> = fs.temp_dir()
    local words = { "--queue", folder.path .. "/q.db", "--retries=0", server.url }
    local rows, status = crawl.run(table.unpack(words))
    equal({ status, rows[server.url .. "/"].error },
      { 1, "cannot get robots.txt: its server failed, or did not answer" })
    works = true
    equal(select(2, crawl.run(table.unpack(words))), 1)
    rows, status = crawl.run("--again", table.unpack(words))
    equal({ status, rows[server.url .. "/"].status }, { 0, 404 })
  end)

  it("that is killed goes on with the same words, and fetches no page a third time", function()
    local folder <close> = fs.temp_dir()
    local running, due
    local server, counts = tree(function(n)
      if running and n >= due then
        running:kill "KILL"
        running = nil
      end
    end)
    local _ <close> = server
    local words = { "--queue", folder.path .. "/q.db", "--again", "--limit=4", server.url .. "/1" }
    crawl.run(table.unpack(words))
    for i = 1, 3 do
      due = PAGES + 12 * i
      local one <close> = process.spawn(crawl.words(words, { stdout = "null", stderr = "null" }))
      running = one
      equal(select(2, one:wait()) ~= nil, true)
    end
    equal(count(crawl.run(table.unpack(words))), ROWS)
    local sum, pages = total(counts)
    equal({ pages, sum >= 2 * PAGES, sum <= 2 * PAGES + 3 * 4 }, { PAGES, true, true })
  end)
end)

describe("the command line", function()
  local function refused(words, message, how)
    local result = process.run(crawl.words(words, how))
    equal({ result.code, result.stdout }, { 2, "" }, result.stderr)
    equal(result.stderr:match "crawl%.lua: [^\n]*", "crawl.lua: " .. message)
  end

  it("says what is wrong with it", function()
    refused({}, "URLs or a --queue expected")
    refused({ "--dept=3", "http://x/" }, "unknown option '--dept', did you mean '--depth'?")
    refused({ "--depth=x", "http://x/" },
      "--depth: a whole number, not negative, expected, got 'x'")
    refused({ "example.com" }, "no http URL: 'example.com'")
    refused({ "ftp://x/" }, "no http URL: 'ftp://x/'")
    refused({ "http://[/" }, "no http URL: 'http://[/'")
    for _, option in ipairs { "--limit=0", "--per-host=0", "--retries=-1", "--timeout=-1",
      "--max-size=-1" } do
      local result = process.run(crawl.words { option, "http://127.0.0.1:1/" })
      equal({ option, result.code }, { option, 2 }, result.stderr)
    end
    local help = process.run(crawl.words { "--help" })
    equal({ help.code, help.stdout:sub(1, 23) }, { 0, "usage: septet crawl.lua" })
  end)

  it("names a queue that cannot be opened, and an output that cannot be written", function()
    local folder <close> = fs.temp_dir()
    local path = folder.path .. "/no.db"
    fs.write(path, ("no database\n"):rep(200))
    local result = process.run(crawl.words { "--queue", path, "http://127.0.0.1:1/" })
    equal({ result.code, result.stderr:find(path, 1, true) ~= nil }, { 2, true }, result.stderr)
    result = process.run(crawl.words { "--queue", "mysql://x", "http://127.0.0.1:1/" })
    equal(result.code, 2)
    local server = testing.serve(function() return { status = 404 } end)
    local _ <close> = server
    result = process.run(crawl.words { "--output", folder.path .. "/none/x", server.url })
    equal({ result.code, result.stderr:find("cannot open", 1, true) ~= nil }, { 2, true })
    result = process.run(crawl.words({ server.url }, { stdout = "null" }))
    equal(result.code, 0)
  end)

  it("--output is there as a whole or not at all", function()
    local folder <close> = fs.temp_dir()
    local server = tree()
    local _ <close> = server
    local path = folder.path .. "/out.jsonl"
    fs.write(path, "old\n")
    local result = process.run(crawl.words { "--output", path, server.url .. "/1" })
    equal({ result.code, result.stdout }, { 0, "" })
    equal(count(crawl.rows(fs.read(path))), ROWS)
    equal(fs.list(folder.path), { "out.jsonl" })
  end)
end)
