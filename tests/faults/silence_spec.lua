-- SPDX-License-Identifier: MIT
-- Bytes that decode to nothing: each limit of a body holds before its decoder as well as after it.
local private = debug.getregistry()["septet.require"] -- of private modules
local task, http = require "septet.task", require "septet.http"
local retry = private "septet.http.retry"
local origin, pack = require "origin", require "pack"

local HEAD = "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n%s\r\n"
local MANY = 4000000 // 100 * 100

-- Codings, how each begins, and a repeatable piece that decodes to nothing.
local silences = {
  { "gzip", "", pack.member "", "empty members" },
  { "gzip", "\x1f\x8b\8\8\0\0\0\0\2\3", "xxxxxxxxxx", "a file's name" },
  { "gzip", "\x1f\x8b\8\0\0\0\0\0\2\3", "\0\0\0\xff\xff", "empty blocks" },
  { "deflate", "\x78\x9c", "\0\0\0\xff\xff", "empty blocks" },
  { "br", "\x0c", "\6\6\6\6\6\6\6\6", "empty metadata" },
  { "zstd", "", "\x50\x2a\x4d\x18\0\0\0\0", "skippable frames" },
  { "zstd", "", "\x28\xb5\x2f\xfd\x20\0\1\0\0", "empty frames" },
}

local ways = {
  get = function(session, url) return session:get(url) end,
  ["retried get"] = function(session, url) return session:get(url, { retries = 1 }) end,
  stream = function(session, url)
    local r <close> = session:stream("GET", url)
    return r:read()
  end,
  lines = function(session, url)
    local r <close> = session:stream("GET", url)
    for _ in r:lines() do end -- luacheck: ignore
  end,
  save = function(session, url)
    local path = os.tmpname()
    local ok, err = pcall(session.save, session, url, path)
    os.remove(path)
    os.remove(path .. ".part")
    if not ok then error(err, 0) end
  end,
}

describe("H-10: bytes that say nothing", function()
  for way, fetch in pairs(ways) do
    it("bytes that decode to nothing count against max_body, by " .. way, function()
      for _, s in ipairs(silences) do
        for _, framing in ipairs { "", way == "get" and "Content-Length: 1000000000\r\n" or nil } do
          local session <close> = http.session { max_body = 1000, timeout = { idle = 20 } }
          local url = origin.raw { HEAD:format(s[1], framing) .. s[2], { s[3], MANY }, "fin" }
          raises_error({ kind = "HttpError", code = "body_too_large", phase = "receive" }, fetch,
            session, url)
          equal(session:get(origin.url .. "/bytes/3").body, "012")
        end
      end
    end)

    it("bytes that decode to nothing are idle, by " .. way, function()
      for i, s in ipairs(silences) do
        if i == 1 or way == "get" then
          local steps = { HEAD:format(s[1], "") .. s[2] }
          for _ = 1, 200 do
            steps[#steps + 1] = 0.02
            steps[#steps + 1] = s[3]
          end
          local session <close> = http.session { timeout = { idle = 0.2 } }
          raises_error({ kind = "HttpError", code = "timeout", reason = "idle", phase = "receive" },
            fetch, session, origin.raw(steps))
        end
      end
    end)
  end
end)

it("H-10: bytes that say nothing end without max_body, too", function()
  local s = silences[1]
  local url = origin.raw { HEAD:format(s[1], "") .. s[2], { s[3], MANY }, "fin" }
  for _, way in ipairs { "get", "lines" } do
    local session <close> = http.session { timeout = { idle = 20 } }
    raises_error({ kind = "HttpError", code = "body_too_large" }, ways[way], session, url)
  end
end)

describe("H-10: an extension of a chunk that never ends", function()
  local CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

  -- Returns a server that sends it in small pieces, for seconds, after the given bytes. Then it
  -- ends the connection, or goes on as `ending` says.
  local function endless(before, ending)
    local steps = { CHUNKED .. before .. "5;" }
    for _ = 1, 200 do
      steps[#steps + 1] = 0.02
      steps[#steps + 1] = "aaaaaaaa"
    end
    steps[#steps + 1] = ending
    return origin.raw(steps)
  end

  for way, fetch in pairs(ways) do
    it("an endless chunk extension is idle, by " .. way, function()
      for _, before in ipairs { "", "3\r\nabc\r\n", "3;b=c\r\nabc\r\n" } do
        local session <close> = http.session { timeout = { idle = 0.2 } }
        raises_error({ kind = "HttpError", code = "timeout", reason = "idle", phase = "receive" },
          fetch, session, endless(before))
        equal(session:get(origin.url .. "/bytes/3").body, "012")
      end
    end)
  end

  it("the total timeout or a cancellation ends an endless chunk extension", function()
    local session <close> = http.session { timeout = { idle = 20 } }
    local slow = endless("", "stall")
    origin.with_limit(0.2, function(total)
      raises_error({ kind = "HttpError", code = "timeout", reason = "total", phase = "receive" },
        session.get, session, slow, { timeout = { total = total } })
    end)
    local fast = origin.raw { CHUNKED .. "5;", { "aaaaaaaa", MANY }, "stall" }
    local t = task.spawn(session.get, session, fast)
    for _ = 1, 20 do equal(session:get(origin.url .. "/bytes/3").body, "012") end
    t:cancel()
    raises_error({ kind = "TaskCancelled" }, t.await, t)
  end)
end)

describe("H-10: bytes that say something", function()
  it("a body may be larger compressed than not", function()
    local write, finish = pack.gzip()
    local pieces = {}
    for i = 1, 1000 do pieces[i] = write "x" end -- six bytes each
    local session <close> = http.session { max_body = 1000 }
    local url = origin.raw { HEAD:format("gzip", "") .. table.concat(pieces) .. finish(), "fin" }
    equal(#session:get(url).body, 1000)
    raises_error({ code = "body_too_large" }, session.get, session, url, { max_body = 999 })
  end)

  it("a compressed body may have empty members", function()
    local bytes = pack.member "":rep(100) .. pack.member "hello" .. pack.member "":rep(100)
    equal(http.get(origin.raw { HEAD:format("gzip", "") .. bytes, "fin" }).body, "hello")
  end)
end)

describe("H-10: budgets of retries", function()
  it("budgets of retries are kept for a bounded number of origins", function()
    local budget = retry.new_budget()
    local function spend(first, last)
      for i = first, last do budget.spend(("http://host-%d.test/"):format(i)) end
      collectgarbage()
      return collectgarbage "count"
    end
    local before = spend(1, 5000)
    equal(spend(5001, 50000) - before < 200, true) -- kilobytes
  end)

  it("budgets of retries are kept for the origins that need them most", function()
    local budget, policy = retry.new_budget(), { budget = 0.5 }
    for i = 1, 300 do
      local other = ("http://other-%d.test/"):format(i)
      budget.spend(other)
      equal(budget.spend "http://busy.test/", i <= 10)
    end
    for _ = 1, 2 do budget.earn("http://busy.test/x", policy) end
    equal({ budget.spend "http://busy.test/", budget.spend "http://busy.test/" }, { true, false })
    for i = 1, 2000 do -- a budget that is looked at stays
      budget.spend(("http://more-%d.test/"):format(i))
      if i % 100 == 0 then budget.earn("http://busy.test/", { budget = 0 }) end
    end
    equal(budget.spend "http://busy.test/", false)
  end)
end)
