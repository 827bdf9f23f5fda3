-- SPDX-License-Identifier: MIT
-- scripts/crawl.lua against small sites: which pages it fetches, and what it says of them.
local fs, json = require "septet.fs", require "septet.json"
local process, task, testing = require "septet.process", require "septet.task",
  require "septet.testing"
local crawl = require "crawl"

-- Serves a table of paths: a page of HTML, a response, or a function of the request. `counts` of
-- the server has the number of requests by path with the query.
local function site(pages)
  local counts = {}
  local server = testing.serve(function(request)
    counts[request.target] = (counts[request.target] or 0) + 1
    local page = pages[request.target] or pages[request.path]
    if type(page) == "function" then page = page(request) end
    if type(page) == "string" then
      return { headers = { ["Content-Type"] = "text/html; charset=utf-8" }, body = page }
    end
    return page or { status = 404 }
  end)
  return server, counts
end

local function links(...)
  local list = {}
  for i, href in ipairs { ... } do list[i] = ("<a href='%s'>%d</a>"):format(href, i) end
  return table.concat(list, " ")
end

-- Returns the paths of rows, sorted, with a field of each.
local function paths(rows, server, field)
  local list = {}
  for address, row in pairs(rows) do
    local path = address:gsub("^" .. server.url:gsub("%p", "%%%0"), "")
    list[#list + 1] = path .. " " .. tostring(row[field])
  end
  table.sort(list)
  return list
end

describe("pages", function()
  it("those to which links lead are fetched, each once, and told in a line each", function()
    local server, counts = site {
      ["/"] = "<title> Home\n page</title>" .. links("a", "/b/", "//%s/c", "?q", "#x", "a#y"),
      ["/a"] = "<base href='/d/'><area href=e><iframe src=f></iframe>" .. links "../",
      ["/b/"] = links("x", "../a", "./", "x?"),
      ["/b/x"] = "<p>no links <a name=here>at all</a>",
      ["/d/e"] = { headers = { ["Content-Type"] = "text/plain" }, body = "<a href=/plain>" },
      ["/d/f"] = { body = "<title>f</title>" }, -- without a type
      ["/?q"] = "q",
    }
    local _ <close> = server
    local rows, status, said = crawl.run(server.url)
    equal(status, 0)
    equal(paths(rows, server, "status"), { "/ 200", "/?q 200", "/a 200", "/b/ 200", "/b/x 200",
      "/d/e 200", "/d/f 200" })
    for target, n in pairs(counts) do equal({ target, n }, { target, 1 }) end
    local home = rows[server.url .. "/"]
    equal({ home.title, home.depth, home.bytes > 100 }, { "Home page", 0, true })
    equal({ rows[server.url .. "/d/f"].title, rows[server.url .. "/d/f"].depth }, { "f", 2 })
    equal(rows[server.url .. "/d/e"].type, "text/plain")
    equal(said:match "(%d+ done, %d+ failed, %d+ unchanged, )", "7 done, 0 failed, 0 unchanged, ")
  end)

  it("URLs that are spelled in several ways are one page, fetched as it was found first", function()
    local server, counts = site { ["/"] = "" }
    local _ <close> = server
    local upper = server.url:gsub("http", "HTTP")
    local rows = crawl.run("--limit=1", server.url .. "/p?b=2&a=1", server.url .. "/p?a=1&b=2#x",
      upper .. "/./x/../p?a=1&b=2", server.url .. "/%70?a=1&b=2")
    equal(paths(rows, server, "status"), { "/p?a=1&b=2 404" })
    equal({ counts["/p?b=2&a=1"], counts["/p?a=1&b=2"] }, { 1 })
  end)

  it("what leads to no page of the web is passed over", function()
    local server = site { ["/"] = links("mailto:a@b", "javascript:x()", "ftp://h/", "http://[",
      "http://user:word@127.0.0.1/", "/" .. ("x"):rep(8300), "http:", "tel:1", "data:,x")
      .. "<link href=/style>" }
    local _ <close> = server
    equal(paths(crawl.run(server.url), server, "status"), { "/ 200" })
  end)

  it("broken pages are read as a browser reads them, whatever their charset", function()
    local server = site {
      ["/"] = { headers = { ["Content-Type"] = "text/html; charset=windows-1251" },
        body = "<title>\xCF\xF0</title><a href=a<b><a href='b'><table><a href=c></p></html>"
          .. "<a href=d" },
      ["/b"] = { headers = { ["Content-Type"] = "text/html", ETag = "\xff\xfe" },
        body = "\0\xff\xfe<a href=/e>" .. ("\xff"):rep(100) },
      ["/c"] = ("<div>"):rep(5000) .. links "/never",
    }
    local _ <close> = server
    local rows, status = crawl.run(server.url)
    equal(status, 0)
    equal(rows[server.url .. "/"].title, "Пр")
    equal(paths(rows, server, "status"), { "/ 200", "/a%3Cb 404", "/b 200", "/c 200", "/e 404" })
    equal(rows[server.url .. "/c"].error:match "deep" ~= nil, true, rows[server.url .. "/c"].error)
    equal(rows[server.url .. "/b"].etag, nil)
  end)

  it("a page that is too large is not read, and one of another kind not at all", function()
    local sent = 0
    local server = site {
      ["/"] = links("large", "film"),
      ["/large"] = ("x"):rep(200000) .. links "/never",
      ["/film"] = { headers = { ["Content-Type"] = "video/mp4" }, body = function()
        sent = sent + 1
        return ("x"):rep(65536) -- without end
      end },
    }
    local _ <close> = server
    local rows, status = crawl.run("--max-size=100000", server.url)
    equal({ status, rows[server.url .. "/large"].status, rows[server.url .. "/film"].status },
      { 0, 200, 200 })
    equal(rows[server.url .. "/large"].error:match "larger than allowed" ~= nil, true)
    equal(rows[server.url .. "/film"].error, nil)
  end)

  it("a page that names another as its own is a duplicate of it", function()
    local server, counts = site {
      ["/"] = links("list?sort=a", "list?sort=b", "self"),
      ["/list"] = function(request)
        local more = request.target ~= "/list" and links "/only-in-duplicates" or links "/item"
        return "<link rel=canonical href=/list>" .. more
      end,
      ["/self"] = "<link rel=canonical href='?'><link rel=canonical href=/second>"
        .. links "/item2",
    }
    local _ <close> = server
    local rows = crawl.run(server.url)
    equal(paths(rows, server, "canonical"), { "/ nil", "/item nil", "/item2 nil", "/list nil",
      "/list?sort=a " .. server.url .. "/list", "/list?sort=b " .. server.url .. "/list",
      "/self nil" })
    equal(counts["/list"], 1)
  end)
end)

describe("politeness:", function()
  it("robots.txt is fetched once, and what it disallows is not", function()
    local server, counts = site {
      ["/robots.txt"] = { body = "User-agent: mine\nDisallow: /m\nAllow: /m/ok\n\n"
        .. "User-agent: *\nDisallow: /all" },
      ["/"] = links("m/1", "m/ok", "all", "free?m"),
    }
    local _ <close> = server
    local rows, status = crawl.run("--agent=mine", server.url)
    equal({ status, counts["/robots.txt"], counts["/m/1"] }, { 0, 1 })
    equal(paths(rows, server, "skipped"), { "/ nil", "/all nil", "/free?m nil",
      "/m/1 robots.txt", "/m/ok nil" })
    equal(server.requests[1].headers["user-agent"], "mine")
    equal(paths(crawl.run(server.url .. "/all"), server, "skipped"), { "/all robots.txt" })
  end)

  it("of a site whose robots.txt fails, no page is fetched", function()
    local server, counts = site { ["/robots.txt"] = { status = 503 }, ["/"] = "x" }
    local _ <close> = server
    local rows, status = crawl.run("--retries=0", server.url)
    equal({ status, counts["/"], rows[server.url .. "/"].error },
      { 1, nil, "cannot get robots.txt: its server failed, or did not answer" })
  end)

  it("a robots.txt that was moved is followed there", function()
    local server = site {
      ["/robots.txt"] = { status = 301, headers = { Location = "/moved.txt" } },
      ["/moved.txt"] = { body = "User-agent: *\nDisallow: /x" },
    }
    local _ <close> = server
    equal(paths(crawl.run(server.url .. "/x"), server, "skipped"), { "/x robots.txt" })
  end)

  it("nofollow is heeded, in a link and in a page", function()
    local server = site {
      ["/"] = "<a rel='x NoFollow' href=no>1</a>" .. links("a", "b"),
      ["/a"] = "<meta name=Robots content='noindex, nofollow'>" .. links "/never",
      ["/b"] = "<meta name=robots content=noindex>" .. links "/c",
    }
    local _ <close> = server
    equal(paths(crawl.run(server.url), server, "status"), { "/ 200", "/a 200", "/b 200", "/c 404" })
  end)

  it("the Crawl-delay lies between the requests to a site", function()
    local server = site { ["/robots.txt"] = { body = "User-agent: *\nCrawl-delay: 0.2" },
      ["/"] = links("1", "2", "3"), ["/1"] = "", ["/2"] = "", ["/3"] = "" }
    local _ <close> = server
    local folder <close> = fs.temp_dir()
    local path = folder.path .. "/trace.har"
    local line = crawl.words { "--per-host=4", server.url }
    table.insert(line, 2, "--trace=" .. path)
    equal(process.run(line).code, 0)
    local instants = {} -- by the crawler's clock: what a request takes on the way varies
    for _, entry in ipairs(json.decode(fs.read(path)).log.entries) do
      if not entry.request.url:find "robots" then
        instants[#instants + 1] = tonumber(entry.startedDateTime:match ":([%d.]+)Z")
      end
    end
    equal(#instants, 4)
    for i = 2, 4 do equal((instants[i] - instants[i - 1]) % 60 >= 0.19, true) end
  end)

  it("a server that says for how long is left alone until then", function()
    local asked, at = 0, {}
    local server = site { ["/"] = function()
      asked = asked + 1
      at[asked] = task.now()
      return asked == 1 and { status = 429, headers = { ["Retry-After"] = "1" } } or "fine"
    end }
    local _ <close> = server
    local rows, status = crawl.run(server.url)
    equal({ status, asked, rows[server.url .. "/"].status }, { 0, 2, 200 })
    equal(at[2] - at[1] >= 0.95, true)
  end)

  it("no more pages are fetched from a host at once than --per-host, by all processes", function()
    local now, most, pages = 0, 0, {}
    for i = 1, 60 do
      pages["/" .. i] = function()
        now = now + 1
        most = math.max(most, now)
        task.sleep(0.01)
        now = now - 1
        return "x"
      end
    end
    pages["/"] = function()
      local list = {}
      for i = 1, 60 do list[i] = "/" .. i end
      return links(table.unpack(list))
    end
    local server, counts = site(pages)
    local _ <close> = server
    local url, place = crawl.places.redis()
    local _ <close> = place
    local results = task.gather(task.map(function()
      return process.run(crawl.words { "--queue", url, "--per-host=3", server.url })
    end, { 1, 2, 3 }))
    for i = 1, 3 do
      equal(results[i].code, 0, results[i].stderr)
      local n = 0
      for _ in pairs(crawl.rows(results[i].stdout)) do n = n + 1 end
      equal(n, 61)
    end
    equal(most <= 3 and most > 0, true, most)
    for i = 1, 60 do equal(counts["/" .. i], 1) end
  end)
end)

describe("answers:", function()
  it("a status of 4xx is a result; 5xx is tried again, and then the page is given up", function()
    local tries = 0
    local server, counts = site {
      ["/"] = links("gone", "teapot", "flaky", "broken", "cut"),
      ["/gone"] = { status = 410, headers = { ["Content-Type"] = "text/html" },
        body = links "/never" },
      ["/teapot"] = { status = 418 }, ["/broken"] = { status = 500 },
      ["/flaky"] = function()
        tries = tries + 1
        return tries == 1 and { status = 503 } or "well"
      end,
      ["/cut"] = { raw = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
        .. "Content-Length: 9\r\n\r\nshort" },
    }
    local _ <close> = server
    local rows, status, said = crawl.run("--retries=1", server.url)
    equal(status, 1)
    equal(paths(rows, server, "status"), { "/ 200", "/broken nil", "/cut nil", "/flaky 200",
      "/gone 410", "/teapot 418" })
    equal(rows[server.url .. "/broken"].error, "status 500")
    equal({ counts["/broken"], counts["/flaky"], counts["/gone"], counts["/cut"] }, { 2, 2, 1, 2 })
    equal(said:match "%d+ done, %d+ failed", "6 done, 2 failed")
  end)

  it("a server that does not answer in time, and one that is not there, are given up", function()
    local server = site { ["/"] = { delay = 60 } }
    local _ <close> = server
    local nothing = "http://127.0.0.1:1/"
    local rows, status = crawl.run("--retries=0", "--timeout=0.3", server.url, nothing)
    equal(status, 1)
    equal({ rows[server.url .. "/"].status, rows[nothing].status }, {})
    equal({ rows[server.url .. "/"].error ~= nil, rows[nothing].error }, { true,
      "cannot get robots.txt: its server failed, or did not answer" })
  end)

  it("redirects lead to pages like any other, and end", function()
    local function to(target, status)
      return { status = status or 302, headers = { Location = target } }
    end
    local pages = {
      ["/"] = links("one", "loop", "self", "far", "odd?b=1&a=2", "none", "secret"),
      ["/robots.txt"] = { body = "User-agent: *\nDisallow: /private" },
      ["/one"] = to("two", 301), ["/two"] = to("/three#x", 307), ["/three"] = links "/one",
      ["/loop"] = to "/loop2", ["/loop2"] = to "/loop", ["/self"] = to "/self",
      ["/odd?b=1&a=2"] = to "/odd?a=2&b=1", ["/odd?a=2&b=1"] = "<title>odd</title>",
      ["/none"] = to "http://[/", ["/secret"] = to "/private/x",
    }
    for i = 0, 30 do pages["/far" .. (i > 0 and i or "")] = to("/far" .. i + 1) end
    local server, counts = site(pages)
    local _ <close> = server
    local rows, status = crawl.run(server.url)
    equal(status, 0)
    equal(rows[server.url .. "/one"].redirect, server.url .. "/two")
    equal({ rows[server.url .. "/three"].depth, counts["/three"] }, { 1, 1 })
    equal({ counts["/loop"], counts["/loop2"] }, { 1, 1 })
    equal(rows[server.url .. "/self"].status, 302)
    equal(counts["/self"] <= 11, true)
    equal({ counts["/far10"], counts["/far12"] }, { 1 })
    equal({ rows[server.url .. "/odd?a=2&b=1"].title, counts["/odd?a=2&b=1"] }, { "odd", 1 })
    equal({ rows[server.url .. "/none"].status, rows[server.url .. "/none"].redirect }, { 302 })
    equal(rows[server.url .. "/private/x"].skipped, "robots.txt")
  end)
end)

describe("the reach", function()
  it("--depth counts the shortest way, whichever is faster", function()
    local pages = {
      ["/"] = links("slow", "b"), ["/b"] = links "c", ["/c"] = links "x", ["/x"] = links "y",
      ["/y"] = links "z", ["/z"] = links "never",
    }
    pages["/slow"] = function()
      task.sleep(0.15) -- meanwhile /x could be reached as the third page
      return links "x"
    end
    local server = site(pages)
    local _ <close> = server
    equal(paths(crawl.run("--depth=3", server.url), server, "depth"), { "/ 0", "/b 1", "/c 2",
      "/slow 1", "/x 2", "/y 3" })
    equal(paths(crawl.run("--depth=0", server.url), server, "depth"), { "/ 0" })
    equal(paths(crawl.run("--depth=1", server.url), server, "depth"), { "/ 0", "/b 1", "/slow 1" })
    equal(#paths(crawl.run("--depth=99", server.url), server, "depth"), 8)
  end)

  it("--same-host stays on the host of the page, but follows the URLs that are given", function()
    local other, others = site { ["/"] = links("in", "out"), ["/in"] = "x" }
    local third, thirds = site { ["/"] = links "never" }
    local _ <close> = other
    local _ <close> = third
    local server, counts = site {
      ["/"] = links(third.url, "a", "away")
        .. "<link rel=canonical href='" .. third.url .. "/c'>",
      ["/away"] = { status = 302, headers = { Location = third.url .. "/away" } },
      ["/start"] = { status = 301, headers = { Location = other.url .. "/" } },
    }
    local _ <close> = server
    local localhost = server.url:gsub("127.0.0.1", "localhost")
    local rows, status = crawl.run("--same-host", server.url, server.url .. "/start")
    equal(status, 0)
    equal({ counts["/a"], counts["/away"], others["/in"], thirds["/"] }, { 1, 1, 1 })
    equal(thirds["/robots.txt"], nil)
    equal(rows[server.url .. "/away"].redirect, third.url .. "/away")
    rows = crawl.run(server.url, localhost .. "/b")
    equal({ rows[server.url .. "/"].canonical, rows[third.url .. "/c"].status },
      { third.url .. "/c", 404 })
    equal(rows[localhost .. "/b"].status, 404)
  end)
end)
