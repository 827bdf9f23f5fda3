-- SPDX-License-Identifier: MIT
-- septet.trace.har: requests as HAR 1.2. tests/cli/test_har.py checks it against npm's schema.
local json = require "septet.json"
local private = debug.getregistry()["septet.require"] -- of private modules
local model, har = private "septet.trace.model", private "septet.trace.har"

-- Returns the finished model of a request with these fields.
local function model_of(...)
  local m = model.new { version = "0.1.0", pid = 4242, script = "crawl.lua" }
  m:add { kind = "clock", time = 0, unix_ns = 1766426787123456789 }
  m:add { kind = "spawn", time = 0, task = 2, parent = 0, defined = "dir/crawl.lua:14" }
  m:add { kind = "name", time = 0, task = 2, name = "page" }
  for _, event in ipairs { ... } do
    event.kind, event.task = event.kind or "xfer", event.task or 2
    event.time = event.time or 0
    if event.kind == "xfer" then
      event.method = event.method or "GET"
      event.url = event.url or "https://example.com/1"
    end
    m:add(event)
  end
  return m:finish()
end

-- Returns the text and the decoded log.
local function export(options, ...)
  local pieces = {}
  har(model_of(...), function(text) pieces[#pieces + 1] = text end, options)
  local text = table.concat(pieces)
  return json.decode(text).log, text
end

local function entries(...)
  return export(nil, ...).entries
end

local function attempt(fields)
  for name, value in pairs { ref = 7, status = 200, protocol = 11, bytes = 14213, sent = 0,
    reused = false, total = 0.1175, dns = 0.0021, tcp = 0.011, tls = 0.0234, send = 0.0002,
    wait = 0.071, receive = 0.0098, queue = 0 } do
    if fields[name] == nil then fields[name] = value end
  end
  return fields
end

-- Returns a number of milliseconds as the text has it, in whole microseconds.
local function micros(words)
  local whole, rest = words:match "^(%d+)%.?(%d*)$"
  return tonumber(whole) * 1000 + tonumber((rest .. "000"):sub(1, 3))
end

describe("har", function()
  it("says which version and which program", function()
    local log = export()
    equal({ log.version, log.creator.name, log.creator.version }, { "1.2", "septet", "0.1.0" })
    equal({ #log.pages, #log.entries }, { 0, 0 })
  end)

  it("an attempt that opened a connection", function()
    local e = entries(attempt { peer = "93.184.216.34:443", connection = 3, request = 9,
      at = "crawl.lua:9" })[1]
    equal(e.startedDateTime, "2025-12-22T18:06:27.123Z")
    equal(e.time, 117.5)
    equal({ e.request.method, e.request.url, e.request.httpVersion, e.request.bodySize },
      { "GET", "https://example.com/1", "HTTP/1.1", 0 })
    equal({ e.response.status, e.response.content.size, e.response.httpVersion },
      { 200, 14213, "HTTP/1.1" })
    local t = e.timings
    equal({ t.blocked, t.dns, t.connect, t.ssl, t.send, t.wait, t.receive },
      { -1, 2.1, 34.4, 23.4, 0.2, 71, 9.8 })
    equal({ e.serverIPAddress, e.connection, e._task, e._request, e._attempt, e._at },
      { "93.184.216.34", "3", "page #2", 9, 1, "crawl.lua:9" })
    equal({ e._error, next(e.cache) }, { json.null, nil })
  end)

  it("a reused connection has no dns, connect and ssl", function()
    local t = entries(attempt { reused = true, queue = 0.01, dns = false, tcp = false, tls = false,
      wait = 0.097 })[1].timings
    equal({ t.blocked, t.dns, t.connect, t.ssl, t.wait }, { 10.5, -1, -1, -1, 97 })
  end)

  it("timings add up to the time, digit by digit", function()
    local events = {}
    for i = 1, 200 do
      local third = i / 3 * 1e-4
      events[i] = attempt { time = i, ref = i, queue = third, dns = third / 7, tcp = third * 1.1,
        tls = i % 2 == 0 and third or nil, send = third / 3, wait = third * 5, receive = third / 9,
        total = third * 9 + 1e-6 / i }
    end
    local _, text = export(nil, table.unpack(events))
    local n = 0
    for time, timings in text:gmatch '"time":([%d.]+).-"timings":(%b{})' do
      local sum = 0
      for name, value in timings:gmatch '"(%a+)":([%-%d.]+)' do
        if name ~= "ssl" and value ~= "-1" then sum = sum + micros(value) end
      end
      equal(sum, micros(time))
      n = n + 1
    end
    equal(n, 200)
  end)

  it("entries are sorted by their start", function()
    local list = entries(attempt { time = 3, ref = 1, url = "http://h/3" },
      attempt { time = 1, ref = 2, url = "http://h/1" },
      attempt { time = 2, ref = 3, url = "http://h/2" })
    equal({ list[1].request.url, list[2].request.url, list[3].request.url },
      { "http://h/1", "http://h/2", "http://h/3" })
  end)

  it("a failure has the status 0 and its code", function()
    local e = entries { ref = 1, status = 0, code = "timeout", phase = "connect", total = 0.5,
      queue = 0, tcp = 0.5, bytes = 0, protocol = 0 }[1]
    equal({ e.response.status, e._error, e._phase, e.request.httpVersion },
      { 0, "timeout", "connect", "unknown" })
    equal({ e.time, e.timings.connect, e.timings.send, e.timings.wait, e.timings.receive },
      { 500, 500, 0, 0, 0 })
    equal({ e.request.bodySize, e.response.bodySize, e.serverIPAddress }, { -1, 0, nil })
  end)

  it("a request that was still going on is marked", function()
    local e = entries({ kind = "wait", time = 1, what = "http GET https://example.com/slow",
      ref = 4 }, { kind = "clock", time = 3, task = 0, unix_ns = 1766426790123456789 })[1]
    equal({ e._open, e.response.status, e.request.url, e.time },
      { true, 0, "https://example.com/slow", 2000 })
  end)

  it("heads give headers, cookies, sizes and the words of the status", function()
    local response = "HTTP/1.1 200 Very OK\r\nContent-Type: text/html\r\nX-Folded: a\r\n b\r\n\r\n"
    local e = entries(attempt {}, { kind = "head", ref = 8, which = "request" })[1]
    equal({ #e.request.headers, e.request.headersSize, e.response.content.mimeType },
      { 0, -1, "" })
    e = entries({ kind = "head", ref = 7, which = "request",
      text = "GET /1 HTTP/1.1\r\nAccept: */*\r\nHost: example.com:443\r\n\r\n" },
      { kind = "head", ref = 7, which = "response", text = response }, attempt {})[1]
    equal({ #e.request.headers, e.request.headers[1].name, e.request.headers[1].value,
      e.request.headers[2].value }, { 2, "Accept", "*/*", "example.com:443" })
    equal({ e.response.statusText, e.response.headersSize, e.response.content.mimeType,
      e.response.headers[2].value, e.response.bodySize },
      { "Very OK", #response, "text/html", "a b", 14213 })
  end)

  it("the size of a head is not known if a value of it is hidden", function()
    for text, size in pairs {
      ["GET / HTTP/1.1\r\nHost: h\r\n\r\n"] = 27, ["GET / HTTP/1.1\r\nHost: h"] = 27,
      ["GET / HTTP/1.1\r\nCookie: REDACTED\r\n\r\n"] = -1, ["Host: h\r\n\r\n"] = -1,
      ["GET / HTTP/1.1\r\nReferer: http://u:p@h/"] = -1,
    } do
      local e = entries({ kind = "head", ref = 7, which = "request", text = text }, attempt {})[1]
      equal(e.request.headersSize, size)
    end
    local e = entries({ kind = "head", ref = 7, which = "request",
      text = "GET / HTTP/1.1\r\nHost: h\r\n\r\n" }, attempt { protocol = 20 })[1]
    equal(e.request.headersSize, -1)
  end)

  it("the size of an encoded body is not known", function()
    local e = entries({ kind = "head", ref = 7, which = "response",
      text = "HTTP/1.1 200\r\ncontent-encoding: gzip\r\n\r\n" }, attempt {})[1]
    equal({ e.response.bodySize, e.response.content.size, e.response.statusText },
      { -1, 14213, "" })
  end)

  it("secrets in headers and URLs are hidden", function()
    local events = function()
      return { kind = "head", ref = 7, which = "request",
        text = "GET / HTTP/1.1\r\nCookie: a=sEcret; b=sEcret\r\n"
          .. "AUTHORIZATION: Basic sEcret\r\n\r\n" },
        { kind = "head", ref = 7, which = "response",
          text = "HTTP/1.1 302 Found\r\nSet-Cookie: a=sEcret; Path=/\r\n"
            .. "Location: http://u:sEcret@h/\r\n\r\n" },
        attempt { status = 302, url = "http://u:sEcret@example.com/?a=1&sig=sEcret&sigma=2#x" }
    end
    local log, text = export(nil, events())
    equal(text:find "sEcret", nil)
    local e = log.entries[1]
    equal({ #e.request.cookies, #e.response.cookies, e.request.headersSize,
      e.request.headers[1].value }, { 0, 0, -1, "REDACTED" })
    equal(e.request.url, "http://REDACTED:REDACTED@example.com/?a=1&sig=REDACTED&sigma=2")
    e = export({ sanitize = false }, events()).entries[1]
    equal({ e.request.cookies[2].name, e.request.cookies[2].value, e.response.cookies[1].value,
      #e.response.cookies }, { "b", "sEcret", "sEcret", 1 })
  end)

  it("the query is decoded", function()
    local e = entries(attempt { url = "http://h/?a=b+c&d=%C3%A9&e&f=%ff%00&=g&&h=i=j" })[1]
    local words = {}
    for i, pair in ipairs(e.request.queryString) do words[i] = pair.name .. ":" .. pair.value end
    equal(table.concat(words, "|"), "a:b c|d:é|e:|f:\u{FFFD}\0|:g|h:i=j")
  end)

  it("a redirect names its target, with or without headers", function()
    local list = entries(attempt { ref = 1, request = 5, status = 302, url = "http://h/a" },
      attempt { ref = 2, time = 1, request = 5, resend = 1, url = "http://h/b" },
      { kind = "head", ref = 3, which = "response", text = "HTTP/1.1 301 Moved\r\nlocation: /c" },
      attempt { ref = 3, time = 2, status = 301 })
    equal({ list[1].response.redirectURL, list[2].response.redirectURL, list[2]._attempt,
      list[3].response.redirectURL }, { "http://h/b", "", 2, "/c" })
  end)

  it("bodies are there if they were recorded", function()
    local e = entries({ kind = "body", ref = 7, which = "request", text = "a=1", cut = false },
      { kind = "head", ref = 7, which = "request", text = "content-type: text/plain" },
      { kind = "body", ref = 7, which = "response", text = "\xFF\0\1ab", cut = true },
      attempt {})[1]
    equal({ e.request.postData.text, e.request.postData.mimeType }, { "a=1", "text/plain" })
    local content = e.response.content
    equal({ content.text, content.encoding, content._cut }, { "/wABYWI=", "base64", true })
    e = entries({ kind = "body", ref = 7, which = "response", text = "h\u{e9}", cut = false },
      attempt {})[1]
    equal({ e.response.content.text, e.response.content.encoding, e.request.postData },
      { "hé", nil, nil })
  end)

  it("hostile names are escaped", function()
    local log, text = export(nil, { kind = "name", name = 'x"\27[31m\xFF\u{9B}' }, attempt {})
    equal(log.entries[1]._task, 'x"\27[31m\u{FFFD}\u{9B} #2')
    equal(text:find "[\0-\9\11-\31\127]", nil)
    equal(text:find("\u{9B}", 1, true), nil)
  end)

  it("counts what the trace has lost", function()
    equal(export(nil, { kind = "lost", count = 12 })._lost, 12)
  end)

  it("a peer without an address of the network has none", function()
    local list = entries(attempt { ref = 1, peer = "unix:/run/x.sock" },
      attempt { ref = 2, peer = "[::1]:80" }, attempt { ref = 3, peer = "1.2.3.4" })
    equal({ list[1].serverIPAddress, list[2].serverIPAddress, list[3].serverIPAddress },
      { nil, "::1", "1.2.3.4" })
  end)
end)
