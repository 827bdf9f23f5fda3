-- SPDX-License-Identifier: MIT
-- The workloads of examples/lua/, each as a process of its own against a server of this one.
local task, json, fs = require "septet.task", require "septet.json", require "septet.fs"
local process, testing, hash = require "septet.process", require "septet.testing",
  require "septet.hash"
local csv, http, net = require "septet.csv", require "septet.http", require "septet.net"
local command = require "command"

local EXAMPLES = SUPPORT .. "/../../examples/lua/"

-- The words that run an example; options of the process may be added.
local function words(name, ...)
  return { command.path, EXAMPLES .. name .. ".lua", ... }
end

-- Runs an example to its end, and returns what it printed.
local function run(name, ...)
  local result = process.run(words(name, ...))
  if result.code ~= 0 then error(("%s: status %s\n%s"):format(name, result.code, result.stderr)) end
  return result.stdout
end

-- Serves a table of paths: a text, a response, or a function of the request.
local function site(pages)
  return testing.serve(function(request)
    local page = pages[request.path]
    if type(page) == "function" then page = page(request) end
    if type(page) == "string" then
      return { headers = { ["Content-Type"] = "text/html; charset=utf-8" }, body = page }
    end
    return page or { status = 404 }
  end)
end

local function lines_of(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
  return lines
end

it("paginate.lua follows the Link headers into one file", function()
  local folder <close> = fs.temp_dir()
  local path = folder.path .. "/out.jsonl"
  local server <close> = site {
    ["/items"] = function(request)
      local page = tonumber(request.query:get "page" or 1)
      return { json = { { id = page * 2 - 1 }, { id = page * 2 } },
        headers = page < 3 and { Link = ('</items?page=%d>; rel="next"'):format(page + 1) } or nil }
    end,
  }
  equal(run("paginate", server.url .. "/items", path), "6 items\n")
  local ids = {}
  for i, line in ipairs(lines_of(fs.read(path))) do ids[i] = json.decode(line).id end
  equal(ids, { 1, 2, 3, 4, 5, 6 })
  equal(fs.list(folder.path), { "out.jsonl" })
end)

it("check_links.lua names the broken links and where they stand", function()
  local server <close> = site {
    ["/"] = "<a href='a'>A</a> <a href='/gone#x'>B</a> <a href='mailto:x@y'>C</a>"
      .. "<a href='http://['>no URL</a>",
    ["/a"] = "<base href='/b/'><a href='c'>D</a><a href='/'>E</a>",
    ["/b/c"] = "<p>no links",
  }
  local result = process.run(words("check_links", server.url .. "/"))
  equal(result.stdout, ("404 %s/gone (on %s/)\n"):format(server.url, server.url))
  equal(result.code, 1)
end)

it("sitemap.lua lists what robots.txt allows", function()
  local server <close> = site {
    ["/robots.txt"] = function(request)
      return ("User-agent: *\nDisallow: /private\nSitemap: http://%s/index.xml\n"):format(
        request.headers.host)
    end,
    ["/index.xml"] = function(request)
      local index = "<sitemapindex><sitemap><loc>http://%s/map.xml</loc></sitemap></sitemapindex>"
      return index:format(request.headers.host)
    end,
    ["/map.xml"] = "<urlset><url><loc>http://x/one?a=1&amp;b=2</loc></url>" ..
      "<url><loc>http://x/private/two</loc></url><url><loc>http://x/three</loc></url></urlset>",
  }
  equal(run("sitemap", server.url), "http://x/one?a=1&b=2\nhttp://x/three\n")
end)

it("mirror.lua fetches what is missing or has another digest", function()
  local folder <close> = fs.temp_dir()
  local files = { ["a.bin"] = ("a"):rep(100000), ["b.bin"] = "b", ["c.bin"] = "c" }
  local list, pages = {}, {}
  for _, name in ipairs { "a.bin", "b.bin", "c.bin" } do
    list[#list + 1] = { name = name, sha256 = hash.sha256(files[name]) }
    pages["/files/" .. name] = files[name]
  end
  pages["/files/list.json"] = { json = list }
  local server <close> = site(pages)
  fs.write(folder.path .. "/b.bin", "b")
  fs.write(folder.path .. "/c.bin", "rotten")
  equal(run("mirror", server.url .. "/files/list.json", folder.path),
    "fetched\ta.bin\nkept\tb.bin\nfetched\tc.bin\n")
  for name, body in pairs(files) do equal(fs.read(folder.path .. "/" .. name), body) end
end)

it("probe.lua prints a row for each URL", function()
  local server <close> = site { ["/ok"] = "fine", ["/bad"] = { status = 500 } }
  local rows = lines_of(run("probe", "0.01", "3", server.url .. "/ok", server.url .. "/bad"))
  equal(#rows, 3)
  equal({ rows[2]:match "^(%S+) +(%S+) +(%d+) +[%d.]+ms +[%d.]+ms$" },
    { server.url .. "/ok", "200", "0" })
  equal({ rows[3]:match "^(%S+) +(%S+) +(%d+)" }, { server.url .. "/bad", "500", "3" })
end)

it("relay.lua delivers hooks, and keeps those that it cannot deliver", function()
  local folder <close> = fs.temp_dir()
  local delivered, got_all = {}, task.future()
  local target <close> = testing.serve(function(request)
    if request.body == "poison" then return { status = 400 } end
    delivered[#delivered + 1] = request.body
    if #delivered == 2 then got_all:set() end
    return { status = 204 }
  end)
  local dead = folder.path .. "/dead.jsonl"
  local relay <close> = process.spawn(words("relay", "0", target.url, dead))
  local url = relay.stdout:read_line():match "^listening on (.*)$"
  for _, body in ipairs { "one", "poison", "two" } do
    equal(http.post(url, { body = body }).status, 202)
  end
  equal(http.get(url).status, 405)
  got_all:await()
  table.sort(delivered)
  equal(delivered, { "one", "two" })
  for line in fs.tail(dead, { from = "start" }) do
    local hook = json.decode(line)
    equal({ hook.body, hook.error }, { "poison", "status 400" })
    break
  end
end)

it("load_test.lua sends what is due and reports percentiles", function()
  local server <close> = site { ["/"] = "x" }
  local rows = lines_of(run("load_test", server.url .. "/", "100", "0.2"))
  equal(rows[1]:match "^20 requests, 0 failed, ", "20 requests, 0 failed, ")
  equal(#rows, 5)
  equal(#server.requests, 20)
end)

it("ship_logs.lua ships each line once, also behind a rotation, and again at its end", function()
  local folder <close> = fs.temp_dir()
  local path, shipped, shipper = folder.path .. "/app.log", {}, nil
  local all, again = task.future(), task.future()
  local server <close> = testing.serve(function(request)
    for _, line in ipairs(request:json().lines) do shipped[#shipped + 1] = line end
    if #shipped == 4 then all:set() end
    if #shipped == 5 then
      shipper:kill "TERM"
      return { delay = 60 }
    elseif #shipped == 6 then
      again:set()
    end
    return { status = 200 }
  end)
  fs.write(path, "one\ntwo\n", { atomic = false })
  shipper = process.spawn(words("ship_logs", path, server.url))
  while #shipped < 2 do task.sleep(0.01) end
  fs.rename(path, path .. ".1")
  fs.write(path, "three\nfour\n", { atomic = false })
  all:await()
  fs.append(path, "five\n")
  again:await()
  equal(shipped, { "one", "two", "three", "four", "five", "five" })
  equal({ shipper:wait() }, { nil, "TERM" })
end)

it("backfill.lua goes on where it was killed, and tells each item once", function()
  local folder <close> = fs.temp_dir()
  local asked, requests, running = {}, 0, nil
  local server <close> = testing.serve(function(request)
    local id = request.path:match "^/(%d+)$"
    requests, asked[id] = requests + 1, (asked[id] or 0) + 1
    if requests == 150 then running:kill "KILL" end
    if id == "150" and asked[id] == 1 then return { status = 503 } end
    return id == "7" and { status = 404 } or { json = { id = tonumber(id) } }
  end)
  running = process.spawn(words("backfill", server.url, "230", folder.path .. "/queue.db"))
  equal({ running:wait() }, { nil, "KILL" })
  local seen = {}
  for _, line in ipairs(lines_of(run("backfill", server.url, "230", folder.path .. "/queue.db"))) do
    local id = json.decode(line).id
    equal(seen[id], nil)
    seen[id] = true
  end
  for id = 1, 230 do equal({ id, seen[id] }, { id, id ~= 7 or nil }) end
end)

it("pipeline.lua hashes each file below a folder", function()
  local folder <close> = fs.temp_dir()
  fs.mkdir(folder.path .. "/sub")
  local expected = {}
  for i = 1, 20 do
    local path = ("%s/%sf%d"):format(folder.path, i % 2 == 0 and "sub/" or "", i)
    fs.write(path, "text " .. i, { sync = false })
    expected[i] = hash.sha256("text " .. i) .. "  " .. path
  end
  local lines = lines_of(run("pipeline", folder.path))
  table.sort(lines)
  table.sort(expected)
  equal(lines, expected)
end)

it("chat.lua prints what is said and posts what is typed", function()
  local posted = task.future()
  local server <close> = testing.serve(function(request)
    if request.method == "POST" then
      posted:set(request:json())
      return { status = 204 }
    end
    local sent = false
    return { events = function()
      if sent then posted:await() end
      local event = not sent and { data = '{"name": "ann", "text": "hello"}' } or nil
      sent = true
      return event
    end }
  end)
  local chat <close> = process.spawn(words("chat", server.url, "bob"))
  equal(chat.stdout:read_line(), "ann: hello")
  chat.stdin:write "hi\n"
  equal(posted:await(), { name = "bob", text = "hi" })
  chat.stdin:close()
  equal(chat:wait(), 0)
end)

it("scrape.lua writes a row for each product of each page", function()
  local folder <close> = fs.temp_dir()
  local path = folder.path .. "/out.csv"
  local server <close> = site {
    ["/p1"] = "<div class='product new'><a href='x?1'>Nut, big</a>" ..
      "<b class=price>1 &euro;</b></div>" ..
      "<div class=product><a href='/y'>Bolt \"M5\"</a><i class=price>2</i></div>" ..
      "<a rel='nofollow next' href='p2'>more</a>",
    ["/p2"] = "<div class=product><a href=z>Nail</a><span class=price>3</span></div>",
  }
  run("scrape", server.url .. "/p1", path)
  equal(csv.parse(fs.read(path)), {
    { "name", "price", "url" },
    { "Nut, big", "1 \u{20ac}", server.url .. "/x?1" },
    { "Bolt \"M5\"", "2", server.url .. "/y" },
    { "Nail", "3", server.url .. "/z" },
  })
end)

it("farm.lua runs a command for each line and reports those that fail", function()
  local farm = words("farm", "3", "sh", "-c", "echo got {}; test {} != bad")
  farm.stdin = "one\nbad\n100%\n"
  local result = process.run(farm)
  local printed = lines_of(result.stdout)
  table.sort(printed)
  equal(printed, { "got 100%", "got bad", "got one" })
  equal(without_slow(result.stderr), "bad: status 1\n")
  equal(result.code, 1)
end)

it("client_test.lua passes on a virtual clock", function()
  local result = process.run { command.path, "--virtual-time", EXAMPLES .. "client_test.lua" }
  equal({ result.stdout, result.stderr, result.code }, { "3 tests passed\n", "", 0 })
end)

it("line_server.lua passes each line to the others", function()
  local server <close> = process.spawn(words("line_server", "0"))
  local port = tonumber(server.stdout:read_line():match "%d+$")
  local ann <close> = net.connect { host = "127.0.0.1", port = port }
  local bob <close> = net.connect { host = "127.0.0.1", port = port }
  bob:set_timeout(0.05)
  local heard
  repeat -- until the server has both
    ann:write "hello\n"
    heard = select(2, pcall(bob.read_line, bob))
  until type(heard) == "string"
  equal(heard, ann.local_address .. " hello")
  bob:write "hi\n"
  equal(ann:read_line(), bob.local_address .. " hi")
end)

it("the fifteen examples are short, and none has a parser of its own", function()
  local names, lines = {}, 0
  for _, name in ipairs(fs.list(EXAMPLES)) do
    local text = fs.read(EXAMPLES .. name)
    local count = #lines_of(text)
    lines, names[#names + 1] = lines + select(2, text:gsub("\n", "")), name
    assert(count >= 10 and count <= 60, name)
    assert(not text:find "gmatch" and not text:find ":match", name .. " parses")
  end
  equal(#names, 15)
  assert(lines < 450, lines)
end)
