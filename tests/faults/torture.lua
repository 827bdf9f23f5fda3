-- SPDX-License-Identifier: MIT
-- Uses HTTP in many ways, and counts the completed requests. `bad` keeps the first unexpected
-- result. No URL has a query, because libcurl silently drops one that it has no memory for. TLS is
-- left out, because libcurl frees a TLS session twice if it had no memory to record it.
-- check: globals origin, port, tls, ca, codes
-- check: allow global-in-function
local task, http = require "septet.task", require "septet.http"
local origin, port, tls, ca, codes = origin, port, tls, ca, codes

local function is_expected(e)
  if task.is(e, "HttpError") then
    return codes[e.code]
  elseif task.is(e, "Cancelled") then
    return true -- of what is gathered, another failed
  end
  local text = tostring(e)
  return text:find "not enough memory" or text:find "out of memory"
end

local function judge(what, ok, e)
  if ok then
    done = (done or 0) + 1
  elseif not is_expected(e) then
    bad = bad or ("%s: %s %s"):format(what, e, type(e) == "table" and e.code)
  end
end

local function expect(what, size, fn, ...)
  local ok, r = pcall(fn, ...)
  if ok and #r.body ~= size then
    ok, r = false, what .. " gave " .. #r.body .. " bytes"
  end
  judge(what, ok, r)
end

local session <close> = http.session {
  cookies = true,
  tls = { ca_file = ca },
  limit_per_host = 4,
  resolve = { ["given.test:" .. port] = "127.0.0.1" },
  headers = { ["X-Torture"] = "1" },
  timeout = { connect = 30, first_byte = 30, idle = 30, total = 60 },
}

expect("small", 16, session.get, session, origin .. "/bytes/16")
expect("large", 50000, session.get, session, origin .. "/bytes/50000")
expect("form", 3, session.post, session, origin .. "/mirror", { form = { a = 1 } })
expect("redirect", 2, session.get, session, origin .. "/redirect/2")
expect("gzip", 1024, session.get, session, origin .. "/gzip")
expect("chunked", 1024, session.get, session, origin .. "/chunked")
expect("given", 1, session.get, session, "http://given.test:" .. port .. "/bytes/1")
expect("name", 1, session.get, session, "http://localhost:" .. port .. "/bytes/1")
if tls then
  expect("tls", 100, session.get, session, tls .. "/bytes/100")
end
expect("close", 2, session.get, session, origin .. "/close")

judge("stream", pcall(function()
  local r <close> = session:stream("GET", origin .. "/bytes/100000")
  local n = 0
  for chunk in r:chunks() do
    n = n + #chunk
  end
  if n ~= 100000 then
    error("a stream of " .. n .. " bytes")
  end
end))

judge("upload", pcall(function()
  local left = 3
  local function body()
    left = left - 1
    if left >= 0 then
      return ("x"):rep(1000)
    end
  end
  local r = session:post(origin .. "/mirror", { body = body })
  if #r.body ~= 3000 then
    error("an upload came back as " .. #r.body .. " bytes")
  end
end))

judge("expectation", pcall(function()
  local r = session:post(origin .. "/refuse", { body = "x", headers = { Expect = "100-continue" } })
  if r.status ~= 200 then
    error("an expectation that is refused was " .. r.status)
  end
end))

judge("move_on", pcall(task.move_on_after, 0.005, session.get, session, origin .. "/stall"))

local many = {}
for i = 1, 6 do
  many[i] = function()
    expect("many", i, session.get, session, origin .. "/bytes/" .. i)
  end
end
judge("gather", pcall(task.gather, many))

-- Hooks that count, without memory of their own. A start is followed by its end, unless an event is
-- counted as lost.
local open, started, ended, lost = 0, 0, 0, false
local function begin() open = open + 1 end
local function finish() open = open - 1 end
local function last(_, event)
  ended = ended + 1
  lost = lost or event.lost ~= nil
end
local function ignore() end
local hooks = {
  request_start = function() started = started + 1 end,
  connection_queued_start = begin, connection_queued_end = finish,
  connection_create_start = begin, connection_create_end = finish,
  dns_resolvehost_start = begin, dns_resolvehost_end = finish,
  connection_attempt = ignore, request_headers_sent = ignore, request_chunk_sent = ignore,
  response_headers = ignore, response_chunk_received = ignore,
  request_end = last, request_exception = last,
}
expect("hooked", 1, session.get, session, "http://localhost:" .. port .. "/bytes/1",
  { trace = hooks })
expect("hooked upload", 5, session.post, session, origin .. "/mirror",
  { body = "hello", trace = hooks })
if ended == started and open ~= 0 and not lost then
  bad = bad or ("%d connections or lookups have no end"):format(open)
end
