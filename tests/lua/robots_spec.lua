-- SPDX-License-Identifier: MIT
-- septet.robots: groups, the longest match, wildcards, texts of any kind, and what a status means.
-- check: allow unknown-name
local task = require "septet.task"
local robots, http, testing = require "septet.robots", require "septet.http",
  require "septet.testing"

-- Checks the paths of a table: true where the crawler may get them.
local function check(text, agent, expected)
  local rules = robots.parse(text)
  for path, allowed in pairs(expected) do
    equal({ path, rules:allows(agent, path) }, { path, allowed })
  end
end

describe("groups", function()
  it("a crawler has the groups of its product token, whatever the case, or else those of '*'",
    function()
      local text = "User-agent: *\nDisallow: /\n\nUSER-AGENT: Fig/2.0\nDisallow: /a\n" ..
        "User-agent: other\nUser-agent: fig\nDisallow: /b\n"
      check(text, "fig/1.0 (+http://fig.example)",
        { ["/a"] = false, ["/b"] = false, ["/c"] = true })
      check(text, "OTHER", { ["/a"] = true, ["/b"] = false })
      check(text, "figleaf", { ["/c"] = false })
      check(text, "", { ["/c"] = false })
    end)

  it("blank lines and unknown lines do not end a group, and rules before any group are no rules",
    function()
      check("Disallow: /x\nuser-agent: a\n\nFoo: bar\n\nUser-Agent: b\nDisallow: /y", "a",
        { ["/x"] = true, ["/y"] = false })
    end)

  it("no group, an empty rule and /robots.txt allow", function()
    check("", "a", { ["/"] = true })
    check("User-agent: a\nDisallow:", "a", { ["/"] = true })
    check("User-agent: *\nDisallow: /", "a", { ["/robots.txt"] = true, [""] = false })
  end)
end)

describe("paths", function()
  it("the longest rule decides, and of two as long the one that allows", function()
    check("User-agent: *\nDisallow: /a\nAllow: /a/b\nDisallow: /a/b/c\nAllow: /x\nDisallow: /x",
      "a", { ["/a"] = false, ["/ab"] = false, ["/a/b"] = true, ["/a/b/c"] = false, ["/x"] = true })
  end)

  it("'*' stands for any bytes, and '$' for the end", function()
    check("User-agent: *\nDisallow: /*.gif$\nDisallow: /p*q*r\nDisallow: /end$\nDisallow: /all*$",
      "a", { ["/x.gif"] = false, ["/x.gif?a"] = true, ["/x.gif.gif"] = false, ["/pqr"] = false,
        ["/p/q/r/s"] = false, ["/prq"] = true, ["/end"] = false, ["/end/"] = true,
        ["/all/of"] = false })
  end)

  it("a '$' within a rule is a '$'", function()
    check("User-agent: *\nDisallow: /a$b", "a", { ["/a$b"] = false, ["/a"] = true })
  end)

  it("percent-encoding is compared by what it means", function()
    check("User-agent: *\nDisallow: /a%3cd\nDisallow: /%7Ejoe\nDisallow: /b/\u{e9}\n" ..
      "Disallow: /c%2Fd", "a", { ["/a%3Cd"] = false, ["/~joe"] = false, ["/b/%C3%A9"] = false,
      ["/c/d"] = true, ["/c%2fd"] = false })
  end)

  it("a rule with many '*' takes no longer for it", function()
    local path = "/" .. ("a"):rep(20000)
    check("User-agent: *\nDisallow: /" .. ("*a"):rep(5000) .. "*b", "a", { [path] = true })
  end)
end)

describe("texts", function()
  it("any line end, comments and a byte order mark", function()
    check("\u{feff}User-agent: a # me\rDisallow: /x#y\r\n  Allow : /x/z  \n", "a",
      { ["/x"] = false, ["/x/z"] = true })
  end)

  it("sitemaps stand in any place, and a crawl delay in its group", function()
    local rules = robots.parse("Sitemap: http://a/1\nUser-agent: a\nCrawl-delay: 2.5\n" ..
      "Sitemap: /2\nUser-agent: b\nCrawl-delay: soon")
    equal(rules.sitemaps, { "http://a/1", "/2" })
    equal(rules:crawl_delay "a", 2.5)
    equal(rules:crawl_delay "b", nil)
    equal(rules:crawl_delay "c", nil)
  end)

  it("any bytes are a valid text", function()
    math.randomseed(7)
    for _ = 1, 200 do
      local bytes = {}
      for i = 1, 300 do bytes[i] = string.char(math.random(0, 255)) end
      local text = "User-agent: *\nDisallow:" .. table.concat(bytes)
      robots.parse(text):allows("a", table.concat(bytes))
    end
  end)

  it("many names before many rules cost what they weigh", function()
    local text = ("User-agent: a\nUser-agent: b\n"):rep(8000) .. ("Disallow: /x\n"):rep(15000)
    local rules = robots.parse(text)
    equal(rules:allows("a", "/x"), false)
    equal(#rules.groups.a, 1)
  end)

  it("what lies behind 512 KiB does not count", function()
    local text = "User-agent: *\n" .. ("#"):rep(512 * 1024) .. "\nDisallow: /"
    equal(robots.parse(text):allows("a", "/x"), true)
  end)

  it("wrong use is told", function()
    misuse("bad argument #1 to 'parse'", function() robots.parse(nil) end)
    misuse("bad argument #1 to 'allows'", function() robots.parse(""):allows() end)
    misuse("bad argument #2 to 'allows'", function() robots.parse(""):allows("a", 1) end)
  end)
end)

describe("fetching", function()
  local function fetched(respond, path)
    local server <close> = testing.serve(respond)
    local session <close> = http.session { retries = 0 }
    local rules = robots.fetch(session, server.url .. "/any/page?x")
    return rules:allows("a", path or "/x"), server
  end

  it("the file of the origin decides", function()
    local allowed = fetched(function(request)
      equal(request.target, "/robots.txt")
      return { status = 200, body = "User-agent: *\nDisallow: /x" }
    end)
    equal(allowed, false)
  end)

  it("without a file all is allowed; of a server that fails, nothing is", function()
    for status, expected in pairs { [404] = true, [403] = true, [500] = false, [503] = false } do
      equal(fetched(function() return { status = status } end), expected)
    end
    equal(fetched(function() return { reset = true } end), false)
  end)

  it("a file without end is read as far as it counts", function()
    equal(fetched(function()
      return { status = 200, body = function()
        return "User-agent: *\nDisallow: /x\n" .. ("#"):rep(65536) .. "\n"
      end }
    end), false)
  end)
end)

describe("the rules of many sites", function()
  local sessions = {}

  after_each(function()
    for _, session in ipairs(sessions) do session:close() end
    sessions = {}
  end)

  -- Returns a cache on a server whose robots.txt is what respond() returns, and the server.
  local function cache_of(respond)
    local server = testing.serve(function(request)
      return request.path == "/robots.txt" and respond(request) or { status = 204 }
    end)
    local session = http.session { retries = 0 }
    table.insert(sessions, session)
    return robots.cache(session, "a/1.0"), server
  end

  it("one request gets them, however many tasks ask", function()
    local cache, server = cache_of(function()
      return { delay = 0.02, status = 200, body = "User-agent: *\nDisallow: /x\nAllow: /x?y" }
    end)
    local _ <close> = server
    local answers = task.gather(task.map(function(path) return cache:allows(server.url .. path) end,
      { "", "/", "/x", "/x?y=1", "/y#/x" }))
    equal({ table.unpack(answers) }, { true, true, false, true, true })
    equal(cache:rules(server.url):allows("a", "/x"), false)
    equal(#server.requests, 1)
  end)

  it("they are kept for their time: a minute at least, a day at most", function()
    for control, expected in pairs { ["max-age=120"] = 120, ["no-cache, max-age=5"] = 60,
        ["max-age=0"] = 60, ["public, max-age=9999999"] = 86400, ["nothing"] = 86400 } do
      local cache, server = cache_of(function()
        return { status = 404, headers = { ["Cache-Control"] = control } }
      end)
      local _ <close> = server
      local before = task.now()
      equal(cache:allows(server.url), true)
      local kept = cache.sites[server.url].expires - before
      equal({ control, kept >= expected, kept < expected + 30 }, { control, true, true })
    end
  end)

  it("of a server that fails, nothing is known, and it is not asked at once again", function()
    local cache, server = cache_of(function() return { status = 503 } end)
    local _ <close> = server
    equal({ (cache:allows(server.url)) }, {})
    equal({ (cache:allows(server.url .. "/x")) }, {})
    equal(#server.requests, 1)
  end)

  it("a task that is cancelled while it asks leaves that to the next one", function()
    local answer, asked = task.future(), task.future()
    local cache, server = cache_of(function()
      if not asked:is_done() then asked:set() end
      answer:await()
      return { status = 404 }
    end)
    local _ <close> = server
    local first = task.spawn(cache.allows, cache, server.url)
    asked:await()
    local second = task.spawn(cache.allows, cache, server.url)
    first:cancel()
    answer:set()
    equal(second:await(), true)
    task.wait { first }
    equal(first:status(), "cancelled")
  end)

  it("tasks wait for the Crawl-delay of a site one after the other", function()
    local cache, server = cache_of(function()
      return { status = 200, body = "User-agent: *\nCrawl-delay: 0.05" }
    end)
    local _ <close> = server
    local instants = task.gather(task.map(function()
      cache:wait(server.url .. "/x")
      return task.now()
    end, { 1, 2, 3, 4 }))
    table.sort(instants)
    for i = 2, 4 do equal(instants[i] - instants[i - 1] >= 0.049, true) end
  end)

  it("a site that was postponed is waited for, and no other one", function()
    local cache, server = cache_of(function() return { status = 404 } end)
    local _ <close> = server
    local other <close> = testing.serve(function() return { status = 404 } end)
    cache:rules(server.url)
    cache:rules(other.url)
    local before = task.now()
    cache:postpone(server.url, 0.1)
    cache:postpone(server.url, 0.01) -- the longer one counts
    cache:wait(other.url)
    cache:wait(server.url)
    equal(task.now() - before >= 0.1, true)
    equal(task.move_on_after(0, cache.wait, cache, other.url), true)
  end)

  it("the sites that were asked for last are kept, however many there are", function()
    local asked = 0
    local cache = robots.cache({ stream = function() -- a session that gets nothing
      asked = asked + 1
      return setmetatable({ status = 404, headers = {} }, { __close = function() end })
    end }, "a")
    cache:rules "http://first/"
    for i = 1, 12000 do
      cache:rules(("http://h%d/"):format(i))
      if i % 1000 == 0 then cache:rules "http://first/x" end
    end
    equal(asked, 12001)
    local count = 0
    for _, sites in ipairs { cache.sites, cache.older } do
      for _ in pairs(sites) do count = count + 1 end
    end
    equal(count <= 10000, true)
  end)

  it("wrong use is told", function()
    local plain <close> = http.session {}
    local cache = robots.cache(plain, "a")
    misuse("bad argument #2 to 'cache'", function() robots.cache(plain) end)
    misuse("bad argument #1 to 'allows'", function() cache:allows(nil) end)
    misuse("bad argument #1 to 'rules'", function() cache:rules(1) end)
    misuse("bad argument #1 to 'wait'", function() cache:wait() end)
    misuse("bad argument #2 to 'postpone'", function() cache:postpone("http://x/", -1) end)
    misuse("cache has no field 'allow', did you mean 'allows'?", function() return cache.allow end)
  end)
end)
