-- SPDX-License-Identifier: MIT
-- The origin server as specs see it: its URLs, the log of what it received, and JSON as it writes
-- it.
local task = require "septet.task"

local origin = {
  url = assert(os.getenv "SEPTET_ORIGIN",
    "run this beside an origin: with_origin.py septet test --in-process FILE"),
  log_path = assert(os.getenv "SEPTET_ORIGIN_LOG", "there is no log of the origin"),
}

--- "127.0.0.1:PORT", as a Host header has it.
origin.authority = origin.url:match "^http://(.+)$"
origin.port = tonumber(origin.authority:match ":(%d+)$")

local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function unescape(text)
  return (text:gsub("\\(.)(%x?%x?%x?%x?)", function(letter, digits)
    if letter == "u" then return utf8.char(tonumber(digits, 16)) end
    return (escapes[letter] or letter) .. digits
  end))
end

local value -- a value at a position: returns it, and where it ends

local function text(s, at)
  local finish = at + 1
  while s:byte(finish) ~= 34 do
    finish = finish + (s:byte(finish) == 92 and 2 or 1)
    if finish > #s then error("no end of a string", 0) end
  end
  return unescape(s:sub(at + 1, finish - 1)), finish + 1
end

local function items(s, at, close, add)
  at = s:match("^%s*()", at + 1)
  while s:sub(at, at) ~= close do
    at = add(at)
    at = s:match("^%s*,?%s*()", at)
    if at > #s then error("no end of a list", 0) end
  end
  return at + 1
end

function value(s, at)
  local letter = s:sub(at, at)
  if letter == '"' then return text(s, at) end
  local list = {}
  if letter == "[" then
    return list, items(s, at, "]", function(here)
      local item, after = value(s, here)
      list[#list + 1] = item
      return after
    end)
  elseif letter == "{" then
    return list, items(s, at, "}", function(here)
      local key, after = text(s, here)
      local item, finish = value(s, s:match("^%s*:%s*()", after))
      list[key] = item
      return finish
    end)
  end
  local word, after = s:match("^([%w%.+-]+)()", at)
  if word == "true" or word == "false" then return word == "true", after end
  if word == "null" then return nil, after end
  return assert(tonumber(word), "no JSON"), after
end

--- Reads JSON.
function origin.decode(s)
  return (value(s, s:match "^%s*()"))
end

--- What the origin saw of a request, as /echo says it.
function origin.echo(session, method, options)
  return origin.decode(session:request(method, origin.url .. "/echo", options).body)
end

--- How much of the log there is: what comes after it can be read with origin.since.
function origin.mark()
  local file <close> = assert(io.open(origin.log_path))
  return file:seek "end"
end

--- The events of the log since a mark, of one kind ("open", "request", "close") if given. A request
--- is there before its answer is; an open before its first request; a close may come later than the
--- client's own.
function origin.since(mark, kind)
  local file <close> = assert(io.open(origin.log_path))
  file:seek("set", mark)
  local events = {}
  for line in file:lines() do
    local ok, event = pcall(origin.decode, line)
    -- the mark may stand in a line that was being written
    local whole = ok and type(event) == "table"
    if whole and (not kind or event.event == kind) then events[#events + 1] = event end
  end
  return events
end

--- The requests since a mark for a path, or for a path with its query. What an earlier spec
--- cancelled may still come in, so a spec that cares asks for a target of its own.
function origin.requests(mark, target)
  local found = {}
  for _, event in ipairs(origin.since(mark, "request")) do
    if not target or event.path == target or event.path .. "?" .. event.query == target then
      found[#found + 1] = event
    end
  end
  return found
end

--- How many connections these requests came over.
function origin.connections(requests)
  local seen, n = {}, 0
  for _, request in ipairs(requests) do
    n = n + (seen[request.connection] and 0 or 1)
    seen[request.connection] = true
  end
  return n
end

--- How a connection was closed: the event, once it is there.
function origin.closed(mark, connection)
  return origin.eventually(function()
    for _, event in ipairs(origin.since(mark, "close")) do
      if event.connection == connection then return event end
    end
  end)
end

--- Waits until fn() returns a value, and returns it. It is for what another process does unseen.
function origin.eventually(fn)
  while true do
    local got = fn()
    if got then return got end
    task.sleep(0.002)
  end
end

--- Waits until so many requests for a path are in the log since a mark. Reads each line once: a
--- thousand lines that are read again and again would be all that a slow machine does.
function origin.await_requests(mark, path, n)
  local file <close> = assert(io.open(origin.log_path))
  local seen, wanted = 0, ('"path": "%s"'):format(path)
  origin.eventually(function()
    file:seek("set", mark)
    local whole = file:read("a"):match "^.*\n" or ""
    mark = mark + #whole
    for line in whole:gmatch "[^\n]+" do
      if line:find('"event": "request"', 1, true) and line:find(wanted, 1, true) then
        seen = seen + 1
      end
    end
    return seen >= n
  end)
end

--- Calls fn(seconds), whose request has to reach that limit, but not before the origin has answered
--- so far as it does. Where the machine stood still until then, fn fails: a longer limit is tried.
function origin.with_limit(seconds, fn)
  while seconds < 10 do
    if task.pcall(fn, seconds) then return end
    seconds = 2 * seconds
  end
  fn(seconds)
end

local scripts = 0

--- The bytes in hexadecimal digits.
function origin.hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

--- A URL whose answer is what `steps` say: strings are sent, numbers are seconds to wait, { bytes,
--- times } is sent so often (a multiple of 100), "eof" is the end of the sending alone, and the
--- last may be "fin" (the default), "rst", "stall" or "keep". What stands behind "next" is the
--- answer to the next request, and the last one that to all others.
--- With the URL of an earlier script, replaces that one. The script is sent on a connection of its
--- own, as the origin may have closed those of the caller's session.
function origin.raw(steps, url)
  local endings, lines = { eof = true, fin = true, rst = true, stall = true, keep = true,
    next = true }, {}
  for _, step in ipairs(steps) do
    if type(step) == "number" then
      lines[#lines + 1] = "sleep " .. step
    elseif type(step) == "table" then
      lines[#lines + 1] = ("repeat %d %s"):format(step[2], origin.hex(step[1]))
    else
      lines[#lines + 1] = endings[step] and step or "send " .. origin.hex(step)
    end
  end
  scripts = scripts + 1
  local key = url and url:match "/raw/(.*)$"
    or ("%s-%d"):format(arg[0]:match("[^/]*$"):gsub("%W", ""), scripts)
  local http <close> = require "septet.http".session()
  http:post(origin.url .. "/script/" .. key, { body = table.concat(lines, "\n") })
  return origin.url .. "/raw/" .. key
end

local keys = 0

--- A URL that answers with 503 to its first `n` requests, and with `more` behind its query.
function origin.failing(n, more)
  keys = keys + 1
  return ("%s/fail/%d?key=failing-%d%s"):format(origin.url, n, keys, more or "")
end

--- N bytes as /bytes/N gives them.
function origin.pattern(n)
  return (("0123456789abcdef"):rep(n // 16 + 1)):sub(1, n)
end

--- A URL on loopback where nothing listens.
origin.refused = "http://127.0.0.1:1/"

--- A function that gives a body of `size` bytes in pieces.
function origin.pieces(size)
  return function()
    if size <= 0 then return nil end
    local n = math.min(size, 50000)
    size = size - n
    return ("x"):rep(n)
  end
end

return origin
