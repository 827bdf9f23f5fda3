-- SPDX-License-Identifier: MIT
-- septet.http: event streams of responses and of URLs, which connect again.
-- check: allow unknown-option
local septet, task, http = require "septet", require "septet.task", require "septet.http"
local testing = require "septet.testing"
local origin, ticker = require "origin", require "ticker"

local HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

-- Returns the bytes of a response with a status, an optional header line and no body.
local function status(code, header)
  return ("HTTP/1.1 %d X\r\nContent-Length: 0\r\n%s\r\n"):format(code,
    header and header .. "\r\n" or "")
end

-- Returns the data of all events of an iterator.
local function data_of(events)
  local found = {}
  for event in events do found[#found + 1] = event.data end
  return found
end

-- Returns the values of Last-Event-ID in the requests since a mark for a URL; "-" stands for none.
local function ids_sent(mark, url)
  local ids = {}
  for i, request in ipairs(origin.requests(mark, url:sub(#origin.url + 1))) do
    ids[i] = request.headers["last-event-id"] or "-"
  end
  return ids
end

local QUICK = { retry = 0.001, max_backoff = 0.002 }

local function quick(more)
  local options = {}
  for name, value in pairs(QUICK) do options[name] = value end
  for name, value in pairs(more or {}) do options[name] = value end
  return options
end

describe("the events of a response", function()
  it("come as they arrive, cut anywhere", function()
    local body = "\u{FEFF}: hi\r\nretry: 20\r\nid: 1\r\nevent: add\r\ndata: a\r\ndata: b\r\n\r\n"
      .. "data: c\r\rdata: lost\n"
    local session <close> = http.session()
    for cut = 0, #body, 7 do
      local url = origin.raw { HEAD, body:sub(1, cut), 0.001, body:sub(cut + 1) }
      local r <close> = session:stream("GET", url)
      local found = {}
      for event in r:events() do found[#found + 1] = event end
      equal(found, { { type = "add", data = "a\nb", id = "1", retry = 0.02 },
        { type = "message", data = "c", id = "1", retry = 0.02 } })
    end
  end)

  it("need neither GET nor a Content-Type", function()
    local session <close> = http.session()
    local r <close> = session:stream("POST", origin.url .. "/mirror", { body = "data: x\n\n" })
    equal(data_of(r:events()), { "x" })
  end)

  it("raise HttpError where the body breaks off, and for one that is too big", function()
    local session <close> = http.session()
    local url = origin.raw { "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ndata: a\n\ndata: b" }
    local r <close> = session:stream("GET", url)
    local events = r:events()
    equal(events().data, "a")
    raises_error({ kind = "HttpError", code = "partial" }, events)
    local s <close> = session:stream("GET", origin.url .. "/bytes/3000000")
    raises_error({ kind = "HttpError", code = "body_too_large", reason = "event" }, s:events(1000))
    local t <close> = session:stream("GET", origin.url .. "/bytes/3000000")
    raises_error({ code = "body_too_large", reason = "event" }, t:events())
    misuse("bad argument #1 to 'events'", function() t:events(0) end)
  end)

  it("go on after a wait that was cancelled, with no byte lost", function()
    local session <close> = http.session()
    local steps, made = { "a\nda", "ta: b\n", "\n" }, 0
    local cancelled = { gate(), gate() }
    local server <close> = testing.serve(function()
      return { body = function()
        if cancelled[made] then cancelled[made].wait() end
        made = made + 1
        return steps[made] and (made == 1 and "data: " or "") .. steps[made]
      end }
    end)
    local r <close> = session:stream("GET", server.url)
    local events = r:events()
    for i = 1, 2 do
      equal(task.move_on_after(0.01, events), false)
      cancelled[i].open()
    end
    equal(events().data, "a\nb")
  end)

  it("of a large body let other tasks run", function()
    local session <close> = http.session()
    local body = ("data: x\n\n"):rep(many(50000))
    local r <close> = session:stream("POST", origin.url .. "/mirror", { body = body })
    local count = ticker.pieces(many(100), function()
      local n = 0
      for _ in r:events() do n = n + 1 end
      return n
    end)
    equal(count, many(50000))
  end)
end)

describe("the events of a URL", function()
  it("continue on a new connection, after the last event that was whole", function()
    local mark = origin.mark()
    local url = origin.raw { HEAD, "retry: 1\nid: 1\ndata: a\n\nid: 2\ndata: lost\n", "next",
      HEAD, "data: b\n\nid: 3\n\n", "rst", "next", HEAD, "data: c\nid\n\n", "next",
      HEAD, "id: \u{e4}\ndata: d\n\nid: 5\0\ndata: e\n\nid: 6\1\ndata: f\n\n", "next",
      HEAD, "data: g\n\n", "next", status(204) }
    local session <close> = http.session()
    equal(data_of(session:events(url, { last_event_id = "0", max_backoff = 0.001 })),
      { "a", "b", "c", "d", "e", "f", "g" })
    equal(ids_sent(mark, url), { "0", "1", "3", "-", "-", "-" })
    equal(session:stats().retries, 5)
  end)

  it("ask for an event stream, with the script's headers over these", function()
    local mark = origin.mark()
    local url = origin.raw { status(204) }
    local session <close> = http.session { headers = { ["X-Key"] = "k" } }
    equal(data_of(session:events(url, { params = { a = "1" }, headers = { accept = "x/y" } })), {})
    local seen = origin.requests(mark, url:sub(#origin.url + 1) .. "?a=1")[1].headers
    equal({ seen.accept, seen["cache-control"], seen["x-key"] }, { "x/y", "no-store", "k" })
    data_of(session:events(url))
    local last = origin.requests(mark, url:sub(#origin.url + 1))[2]
    equal(last.headers.accept, "text/event-stream")
  end)

  it("are ended by a status that is no success, and by another Content-Type", function()
    local session <close> = http.session()
    for _, code in ipairs { 201, 304, 400, 404, 410 } do
      local events = session:events(origin.raw { status(code) }, quick())
      raises_error({ kind = "HttpError", code = "status", status = code }, events)
      equal(events(), nil)
    end
    for _, kind in ipairs { "text/html", "text/event-streams", "text/event-stream-x", "",
      "text/plain\r\nContent-Type: text/event-stream" } do
      local head = ("HTTP/1.1 200 OK\r\nContent-Type: %s\r\n\r\ndata: x\n\n"):format(kind)
      raises_error({ kind = "HttpError", code = "protocol", reason = "content_type" },
        session:events(origin.raw { head }, quick()))
    end
    raises_error({ code = "protocol" },
      session:events(origin.raw { "HTTP/1.1 200 OK\r\n\r\ndata: x\n\n" }, quick()))
    local url = origin.raw {
      "HTTP/1.1 200 OK\r\ncontent-type: Text/Event-Stream ; charset=utf-8\r\n\r\ndata: x\n\n",
      "next", status(204) }
    equal(data_of(session:events(url, quick())), { "x" })
  end)

  it("survive a server that fails for a while", function()
    local session <close> = http.session()
    local url = origin.raw { status(503), "next", status(500), "next", status(429), "next", "rst",
      "next", "fin", "next", HEAD, "next", HEAD, "data: a\n\n", "next", status(502), "next",
      HEAD:gsub("\r\n\r\n", "\r\nContent-Length: 900\r\n\r\n"), "data: b\n\n", "next", status(204) }
    equal(data_of(session:events(url, quick())), { "a", "b" })
  end)

  it("are given up after max_retries connections in a row without a byte", function()
    local session <close> = http.session()
    local mark = origin.mark()
    local url = origin.raw { HEAD, "data: a\n\n", "next", status(503) }
    local events = session:events(url, quick { max_retries = 3 })
    equal(events().data, "a")
    raises_error({ kind = "HttpError", code = "status", status = 503 }, events)
    equal(#origin.requests(mark, url:sub(#origin.url + 1)), 4)
    equal(events(), nil)
    local refused = session:events(origin.refused, quick { max_retries = 2 })
    raises_error({ kind = "HttpError", code = "connect" }, refused)
    local once = session:events(origin.raw { HEAD, "data: a\n\n" }, quick { max_retries = 0 })
    equal(once().data, "a")
    raises_error({ kind = "HttpError", code = "partial", reason = "ended" }, once)
    raises_error({ code = "partial" }, session:events(origin.raw { HEAD }, quick()))
    raises_error({ code = "dns", reason = "not_found" },
      session:events("http://nowhere.invalid/", { resolve = nil }))
  end)

  it("wait as long as the server says, and as Retry-After says", function()
    local session <close> = http.session()
    local url = origin.raw { HEAD, "retry: 60\ndata: a\n\n", "next",
      status(503, "Retry-After: 1"), "next", status(503, "Retry-After: 100") }
    local events = session:events(url, quick())
    equal(events().data, "a")
    local before = task.now()
    raises_error({ code = "status", status = 503 }, events) -- 100 s is too long
    equal(task.now() - before >= 1.12, true)
  end)

  it("have no time limit of the session", function()
    local session <close> = http.session { timeout = 0.05 }
    local url = origin.raw { HEAD, "data: a\n\n", 0.1, "data: b\n\n", "next", status(204) }
    equal(data_of(session:events(url, quick())), { "a", "b" })
    local events = session:events(origin.raw { status(503) }, { timeout = 1, retry = 5 })
    raises_error({ code = "status" }, events) -- no retry would begin in time
  end)

  it("close their connection when the loop is left", function()
    local session <close> = http.session()
    local function first(leave)
      local mark = origin.mark()
      local url = origin.raw { HEAD, "data: a\n\n", "stall" }
      leave(url)
      local request = origin.requests(mark, url:sub(#origin.url + 1))[1]
      equal(origin.closed(mark, request.connection).by, "client")
      equal(session:stats().active, 0)
    end
    -- Before Lua 5.4.6, `for` does not close what it iterates over: the block around it does.
    local block = septet.versions(true):find "generic for: closed on break" and pcall or task.shield
    first(function(url) block(function() for _ in session:events(url) do break end end) end)
    first(function(url)
      raises("oops", task.shield, function() for _ in session:events(url) do error "oops" end end)
    end)
    first(function(url)
      local events <close> = session:events(url)
      events()
    end)
    first(function(url) task.group(function() session:events(url)() end) end)
    first(function(url) task.spawn(function() session:events(url)() end):await() end)
    first(function(url)
      local events = session:events(url)
      events()
      events:close()
      events:close()
      equal(events(), nil)
    end)
  end)

  it("belong to the block that made them, not to the one that waits", function()
    local server <close> = testing.serve(function(request)
      local last = tonumber(request.headers["last-event-id"]) or 0
      if last == 3 then return 204 end
      local steps = { HEAD }
      for id = last + 1, 3 do
        steps[#steps + 1] = ("id: %d\ndata: %d\n\n"):format(id, id)
        steps[#steps + 1] = 0.05
      end
      return { raw = steps }
    end)
    local session <close> = http.session()
    local found, late = {}, 0
    local events <close> = session:events(server.url, quick())
    repeat
      local in_time, event = task.move_on_after(0.02 + late / 1000, events)
      if not in_time then late = late + 1 elseif event then found[#found + 1] = event.data end
    until in_time and not event
    equal({ found, late > 0 }, { { "1", "2", "3" }, true })
  end)

  it("can be cancelled at each instant, and go on", function()
    local session <close> = http.session()
    for turns_before = 0, many(60) do
      local mark = origin.mark()
      local url = origin.raw { HEAD, "id: 1\ndata: a\n\n", "next", status(503), "next", HEAD,
        "id: 2\ndata: b\n\n", "next", status(204) }
      local events <close> = session:events(url, quick { retry = 0 })
      local found = {}
      local t = task.spawn(function()
        for event in function() return events() end do found[#found + 1] = event.data end
      end)
      turns(turns_before)
      if turns_before % 2 == 1 then task.sleep(turns_before / 10000) end
      t:cancel()
      if not pcall(t.await, t) then
        for event in function() return events() end do found[#found + 1] = event.data end
      end
      -- The origin sends each event once. One that was sent on a cancelled connection is lost, and
      -- no id says that it was there.
      local ids, last = { a = "1", b = "2" }, "-"
      local asked = ids_sent(mark, url)
      for _, data in ipairs(found) do
        equal(ids[data] > last, true)
        last = ids[data]
      end
      equal({ asked[#asked], #asked <= 5 }, { last, true })
    end
    equal(session:stats().active, 0)
  end)

  it("lose no event and repeat none, wherever the waits are cancelled", function()
    -- A server that resumes after any event, breaks off at any byte, and fails now and then.
    local text, count = "", 20
    for i = 1, count do text = text .. ("id: %d\ndata: %d\n\n"):format(i, i) end
    local n = 0
    local server <close> = testing.serve(function(request)
      n = n + 1
      local last = request.headers["last-event-id"]
      if last == tostring(count) then return 204 end
      if n % 5 == 0 then return 503 end
      if n % 7 == 0 then return { reset = true } end
      local from = last and select(2, text:find("data: " .. last .. "\n\n", 1, true)) + 1 or 1
      local rest = text:sub(from, from + 30 + n * 7 % 50)
      return { reset = n % 3 == 0, raw = { HEAD .. "retry: 0\n", 0.0005, rest:sub(1, n % 20),
        0.0005, rest:sub(n % 20 + 1) } }
    end)
    local session <close> = http.session()
    for round = 1, many(6) + 1 do
      local events <close> = session:events(server.url, quick())
      local found, expected, ended, step = {}, {}, false, 0
      while not ended do
        step = step + 1 -- the later, the longer: a slow machine connects at last
        task.move_on_after(step * round % 40 / 10000 * 1.03 ^ step, function()
          while true do
            local event = events()
            if not event then
              ended = true
              return
            end
            found[#found + 1] = event.data
          end
        end)
      end
      for i = 1, count do expected[i] = tostring(i) end
      equal(found, expected, round)
    end
    equal(session:stats().active, 0)
  end)

  it("are ended by a session that is closed, and by close() in another task", function()
    local session = http.session()
    local url = origin.raw { HEAD, "data: a\n\n", "stall" }
    local events <close> = session:events(url)
    equal(events().data, "a")
    local t = task.spawn(events)
    turns(3)
    misuse("another task waits for the next event", function() events() end)
    session:close()
    raises_error({ kind = "HttpError", code = "closed" }, t.await, t)
    local other <close> = http.session()
    local more <close> = other:events(url)
    equal(more().data, "a")
    local u = task.spawn(more)
    turns(3)
    more:close()
    equal(u:await(), nil)
  end)

  it("tell misuse at the script's line", function()
    local session <close> = http.session()
    misuse("unknown option 'body'", function() session:events("http://a/", { body = "x" }) end)
    misuse("'last_event_id' sets it", function()
      session:events("http://a/", { headers = { ["last-event-id"] = "1" } })
    end)
    misuse("bad option 'max_retries'", function()
      session:events("http://a/", { max_retries = -1 })
    end)
    misuse("bad argument #1 to 'events'", function() session:events(1) end)
    misuse("unknown option 'max_retry'", function()
      session:events("http://a/", { max_retry = 1 })
    end)
  end)

  it("say after which event they continue", function()
    local session <close> = http.session()
    local url = origin.raw { HEAD, "id: 1\ndata: a\n\nid: 2\ndata: b\n\n", "stall" }
    local events <close> = session:events(url, { last_event_id = "0" })
    equal(events.last_event_id, "0")
    events()
    equal(events.last_event_id, "1")
    events()
    equal(events.last_event_id, "2")
  end)
end)
