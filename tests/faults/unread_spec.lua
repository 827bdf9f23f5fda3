-- SPDX-License-Identifier: MIT
-- Unread bodies: those of a followed redirect, and of a retried response. They do not affect the
-- outcome, and the last response keeps all its limits.
local http = require "septet.http"
local origin, pack, process = require "origin", require "pack", require "process"
local files = require "files"

local URL = origin.url
local CHUNKED = "Transfer-Encoding: chunked\r\n"

-- What follows a status line and the first headers: header lines, a blank one, and a body, in every
-- bad shape.
local shapes = {
  ["none"] = { "Content-Length: 0\r\n\r\n", "keep" },
  ["small"] = { "Content-Length: 2\r\n\r\nhi", "keep" },
  ["in chunks"] = { CHUNKED .. "\r\n2\r\nhi\r\n0\r\n\r\n", "keep" },
  ["not packed as it says"] = {
    "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain", "keep",
  },
  ["packed in an unknown coding"] = {
    "Content-Encoding: rot13\r\nContent-Length: 5\r\n\r\nplain", "keep",
  },
  ["packed and cut"] = {
    "Content-Encoding: gzip\r\n\r\n" .. pack.member("hello"):sub(1, -3), "fin",
  },
  ["packed and endless"] = { "Content-Encoding: gzip\r\n\r\n", { pack.member "", 2000000 }, "fin" },
  ["of a transfer coding"] = {
    "Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "keep",
  },
  ["cut short"] = { "Content-Length: 100\r\n\r\nhi", "fin" },
  ["reset"] = { "Content-Length: 100\r\n\r\nhi", "rst" },
  ["reset at once"] = { "Content-Length: 100\r\n\r\n", "rst" },
  ["in bad chunks"] = { CHUNKED .. "\r\nzz\r\nhi\r\n", "fin" },
  ["in a chunk that is cut"] = { CHUNKED .. "\r\n64\r\nhi", "fin" },
  ["with too many trailers"] = { CHUNKED .. "\r\n0\r\n", { "X-A: b\r\n", 2000 }, "fin" },
  ["too large"] = { "Content-Length: 10000\r\n\r\n" .. ("x"):rep(10000), "keep" },
  ["without a length, kept open"] = { "\r\nhi", "stall" },
  ["without a byte, kept open"] = { "Content-Length: 10\r\n\r\n", "stall" },
  ["slow"] = { "Content-Length: 10\r\n\r\n1", 0.3, "2", 0.3, "3", "stall" },
  ["endless"] = { "\r\n", { ("x"):rep(1000), 300000 }, "fin" },
  ["endless, in chunks"] = {
    CHUNKED .. "\r\n", { "3e8\r\n" .. ("x"):rep(1000) .. "\r\n", 300000 }, "fin",
  },
  ["huge, by its length"] = {
    "Content-Length: 300000000\r\n\r\n", { ("x"):rep(1000), 300000 }, "fin",
  },
}

local GOOD = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"

-- Returns a URL with this first response, and a good one after it.
local function url_of(status, line, shape)
  local steps = { ("HTTP/1.1 %s\r\n%s"):format(status, line) .. shape[1] }
  for i = 2, #shape do steps[i] = shape[i] end
  steps[#steps + 1] = "next"
  steps[#steps + 1] = GOOD
  steps[#steps + 1] = "keep"
  return origin.raw(steps)
end

local ways = {
  get = function(session, url, options) return session:get(url, options) end,
  stream = function(session, url, options)
    local r <close> = session:stream("GET", url, options)
    local body = r:read()
    return { status = r.status, body = body, attempts = r.attempts, history = r.history }
  end,
  save = function(session, url, options)
    local f <close> = files.with ""
    local saved = session:save(url, f.path, options)
    saved.body = files.contents(f.path)
    return saved
  end,
}

local function new_session(options)
  options = options or {}
  options.timeout = { first_byte = 5, idle = 2, total = 20 }
  options.max_body = options.max_body or 1000
  return http.session(options)
end

for way, fetch in pairs(ways) do
  it("H-13: " .. way .. " follows a redirect, whatever its body", function()
    local before = process.resident()
    for name, shape in pairs(shapes) do
      for _, status in ipairs(name == "small" and { "301 M", "302 F", "303 S", "307 T", "308 P" }
        or { "302 F" }) do
        for _, line in ipairs {
          "Location: /bytes/3\r\n", "Location:\r\nLOCATION: \t/bytes/3 \r\n",
        } do
          local session <close> = new_session()
          local r = fetch(session, url_of(status, line, shape))
          equal({ name, r.status, r.body }, { name, 200, "012" })
        end
      end
    end
    equal(process.resident() - before < 64 * 1024, true, "memory of an unread body")
  end)

  it("H-13: " .. way .. " tries again, whatever the body", function()
    for name, shape in pairs(shapes) do
      for _, line in ipairs { "", "Retry-After: 0\r\n" } do
        local session <close> = new_session { retries = { attempts = 3, backoff = 0.001 } }
        local r = fetch(session, url_of(name == "small" and "429 Busy" or "503 No", line, shape))
        equal({ name, r.status, r.body, r.attempts }, { name, 200, "good", 2 })
      end
    end
  end)

  it("H-13: " .. way .. " follows and tries again in one request", function()
    for _, name in ipairs { "reset", "endless", "not packed as it says" } do
      local session <close> = new_session()
      local last = url_of("503 No", "", shapes[name])
      local url = url_of("307 T", "Location: " .. last .. "\r\n", shapes[name])
      local r = fetch(session, url, { retries = { backoff = 0.001 } })
      equal({ name, r.status, r.body, r.attempts }, { name, 200, "good", 2 })
    end
  end)
end

it("H-13: a method and its body are kept where they must be", function()
  for name, shape in pairs(shapes) do
    for status, method in pairs {
      ["307 T"] = "POST", ["308 P"] = "POST", ["303 S"] = "GET", ["302 F"] = "GET",
    } do
      local session <close> = new_session()
      local url = url_of(status, "Location: /echo\r\n", shape)
      local echo = origin.decode(session:post(url, { body = "mine" }).body)
      equal({ name, echo.method, echo.body }, { name, method, method == "POST" and "mine" or "" })
    end
  end
end)

describe("H-13: what is handed out", function()
  local bad = {
    ["not packed as it says"] = "decode", ["packed in an unknown coding"] = "decode",
    ["packed and cut"] = "decode", ["of a transfer coding"] = "protocol", ["cut short"] = "partial",
    ["reset"] = "reset",
    ["in bad chunks"] = "protocol",
    ["too large"] = "body_too_large", ["endless"] = "body_too_large",
    ["without a length, kept open"] = "timeout",
  }

  -- The first response alone, without another after it.
  local function only(status, line, shape)
    local steps = { ("HTTP/1.1 %s\r\n%s"):format(status, line) .. shape[1] }
    for i = 2, #shape do steps[i] = shape[i] end
    return origin.raw(steps)
  end

  for way, fetch in pairs { get = ways.get, stream = ways.stream } do
    it("the returned response keeps its limits, by " .. way, function()
      for name, code in pairs(bad) do
        local shape, session <close> = shapes[name],
          http.session { max_body = 1000, timeout = { idle = 0.2 } }
        for _, url in ipairs {
          only("404 N", "", shape), only("302 F", "", shape), only("302 F", "Location:\r\n", shape),
        } do
          raises_error({ kind = "HttpError", code = code }, fetch, session, url)
        end
        local redirect = only("302 F", "Location: /bytes/3\r\n", shape)
        raises_error({ kind = "HttpError", code = code }, fetch, session, redirect,
          { redirects = false })
        local busy = only("503 N", "", shape)
        local err = raises_error({ kind = "HttpError", code = code }, fetch, session, busy,
          { retries = { attempts = 2, backoff = 0.001 } })
        equal(way == "get" and err.attempts or 2, 2)
        raises_error({ code = code }, fetch, session, only("503 N", "Retry-After: 1000\r\n", shape),
          { retries = 1 })
        raises_error({ code = code }, fetch, session, only("503 N", "", shape),
          { retries = { statuses = { 429 } } })
      end
    end)

    it("the returned response is whole, by " .. way, function()
      local session <close> = new_session { retries = { attempts = 2, backoff = 0.001 } }
      for _, name in ipairs { "small", "in chunks" } do
        local r = fetch(session, only("503 N", "", shapes[name]))
        equal({ r.status, r.body, r.attempts }, { 503, "hi", 2 })
        r = fetch(session, only("302 F", "Location: /x\r\n", shapes[name]), { redirects = false })
        equal({ r.status, r.body }, { 302, "hi" })
        r = fetch(session, only("404 N", "", shapes[name]))
        equal({ r.status, r.body }, { 404, "hi" })
      end
      local r = session:get(URL .. "/bytes/900")
      equal({ r.body, r.times.total > 0, rawget(r, "stream") }, { origin.pattern(900), true, nil })
    end)
  end
end)

it("H-13: a connection is kept where the body is small, and dropped where it is not", function()
  local function connections(name, status, line, options)
    local session <close> = new_session(options)
    local mark = origin.mark()
    local url = url_of(status, line, shapes[name])
    equal(session:get(url).status, 200)
    local stats = session:stats()
    -- One task is the script's own.
    return origin.connections(origin.since(mark, "request")) - 1, stats.connections_made
  end
  for _, name in ipairs { "none", "small", "in chunks", "not packed as it says" } do
    equal({ connections(name, "302 F", "Location: /bytes/3\r\n") }, { 1, 1 }, name)
  end
  for _, name in ipairs { "none", "small", "in chunks" } do
    equal({ connections(name, "503 N", "", { retries = { backoff = 0.02 } }) }, { 1, 1 }, name)
  end
  for _, name in ipairs { "cut short", "endless", "without a length, kept open", "slow" } do
    equal({ connections(name, "302 F", "Location: /bytes/3\r\n") }, { 2, 2 }, name)
    equal({ connections(name, "503 N", "", { retries = { backoff = 0.001 } }) }, { 2, 2 }, name)
  end
end)

it("H-13: the total timeout still holds in an unread body", function()
  local session <close> = http.session()
  local url = url_of("302 F", "Location: /stall\r\n", shapes["without a length, kept open"])
  raises_error({ kind = "HttpError", code = "timeout", reason = "total" }, session.get, session,
    url, { timeout = 0.05 })
end)

it("H-13: the end of a scope, and a closed session, end an unread body", function()
  local task = require "septet.task"
  local shape = shapes["without a length, kept open"]
  local session = new_session { retries = { attempts = 2, backoff = 10 } }
  equal(task.move_on_after(0.05, session.get, session, url_of("503 N", "", shape)), false)
  local waiting = task.spawn(function()
    session:get(url_of("302 F", "Location: /bytes/3\r\n", shape))
  end)
  task.sleep(0.03)
  session:close()
  local ok = pcall(waiting.await, waiting)
  equal(ok, false)
end)
