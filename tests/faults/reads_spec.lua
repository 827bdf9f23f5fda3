-- SPDX-License-Identifier: MIT
-- Reads of a streamed response share one position: each begins at the first byte that none before
-- it has returned, whatever ended the one before.
local task, http = require "septet.task", require "septet.http"
local origin = require "origin"
local pack = require "pack"

local OK = "HTTP/1.1 200 OK\r\n"
local PACKED = OK .. "Content-Encoding: gzip\r\n\r\n"

-- Returns a URL whose response comes in the given pieces, with a pause between them. If packed,
-- each piece is a block.
local function slow(pieces, packed, moment)
  local steps = { packed and PACKED or OK .. "\r\n" }
  local write, finish = pack.gzip()
  for _, piece in ipairs(pieces) do
    steps[#steps + 1] = packed and write(piece) or piece
    steps[#steps + 1] = moment
  end
  if packed then steps[#steps + 1] = finish() end
  return origin.raw(steps)
end

-- Calls fn with a timeout of some milliseconds until it returns. Returns its result, and the number
-- of timeouts.
local function in_the_end(fn, ...)
  for cuts = 0, 10000 do
    local result = table.pack(task.move_on_after(0.003, fn, ...))
    if result[1] then return result[2], cuts end
  end
  error "no read ever ended"
end

local function both(name, fn)
  for _, packed in ipairs { false, true } do
    it("H-1: " .. name .. (packed and ", packed" or ""), function()
      local session <close> = http.session()
      fn(session, packed)
    end)
  end
end

both("a loop over lines that ends takes nothing of what is behind them", function(session, packed)
  local url = slow({ "name: x\n\nBODYBODYBOD" }, packed)
  local function after_head()
    local r = session:stream("GET", url)
    for line in r:lines() do
      if line == "" then return r end
    end
  end
  for _, rest in ipairs {
    function(r) return r:read() end,
    function(r) return r.body end,
    function(r) return r:text() end,
    function(r) return r:lines()() end,
    function(r)
      local pieces = {}
      for piece in r:chunks() do pieces[#pieces + 1] = piece end
      return table.concat(pieces)
    end,
    function(r) return r:read(4) .. r:chunks(3)() .. r:text() end,
  } do
    local r <close> = after_head()
    equal(rest(r), "BODYBODYBOD")
    equal({ r:read(1), r:read(), r:lines()() }, { nil, "" })
  end
end)

both("a second loop over lines goes on where the first one ended", function(session, packed)
  local r <close> = session:stream("GET", slow({ "a\nb\r\nc\nd" }, packed))
  local lines = {}
  for _ = 1, 5 do
    for line in r:lines() do
      lines[#lines + 1] = line
      break
    end
  end
  equal(lines, { "a", "b", "c", "d" })
end)

-- Calls fn(delay) with longer delays of the server until a timeout has ended a read: on a busy
-- machine all bytes may have arrived before the first read.
local function until_cut(fn)
  for _, delay in ipairs { 0.01, 0.1, 1 } do
    if fn(delay) > 0 then return end
  end
  error "no read was ended by its limit"
end

both("a line that a timeout ended is whole when it is read again", function(session, packed)
  until_cut(function(delay)
    local r <close> = session:stream("GET", slow({ "first\nhel", "lo\n" }, packed, delay))
    local line = r:lines()
    equal(line(), "first")
    local got, cuts = in_the_end(line)
    equal({ got, line() }, { "hello", nil })
    return cuts
  end)
end)

both("lines are whole with a limit on each", function(session, packed)
  local r <close> = session:stream("GET",
    slow({ "ab\nc", "d\nab\nc", "d\nab\r", "\ncd\nab", "\ncd" }, packed, 0.01))
  local lines = {}
  for line in function() return (in_the_end(r:lines())) end do lines[#lines + 1] = line end
  equal(lines, { "ab", "cd", "ab", "cd", "ab", "cd", "ab", "cd" })
end)

for _, name in ipairs { "read", "body", "text", "json" } do
  both("a " .. name .. " that a limit ended loses nothing", function(session, packed)
    until_cut(function(delay)
      local r <close> = session:stream("GET", slow({ "[1,", "2,", "3]" }, packed, delay))
      local got, cuts = in_the_end(function()
        if name == "body" then return r.body end
        return r[name](r)
      end)
      equal(got, name == "json" and { 1, 2, 3 } or "[1,2,3]")
      equal(r:read(1), nil)
      return cuts
    end)
  end)
end

both("a read that loses a race loses nothing", function(session, packed)
  local r <close> = session:stream("GET", slow({ "he", "llo\nx" }, packed, 0.5))
  local line = r:lines()
  local function late()
    task.sleep(0.002)
    return "late"
  end
  equal(task.race { line, late }, "late")
  equal({ line(), r:read() }, { "hello", "x" })
end)

both("a text that cannot be decoded, and JSON that is none, are still there",
  function(session, packed)
  local url = slow({ "no", " JSON\n" }, packed)
  local r <close> = session:stream("GET", url)
  raises_error({ kind = "JsonError" }, r.json, r)
  raises_error({ kind = "HttpError", code = "decode" }, r.text, r, "no-such-charset")
  equal({ r:lines()(), r:read(1) }, { "no JSON" })
end)

both("a line that is too long is still there", function(session, packed)
  local r <close> = session:stream("GET", slow({ "ab\nabc", "def\n" }, packed, 0.01))
  local line = r:lines(3)
  equal(line(), "ab")
  for _ = 1, 2 do raises_error({ code = "body_too_large", reason = "line" }, line) end
  equal({ r:read(1), r:lines()() }, { "a", "bcdef" })
end)

it("H-1: a body that breaks off is read as far as it came", function()
  local session <close> = http.session()
  local head = OK .. "Content-Length: 100\r\n\r\n"
  local function reads(r)
    return { function() r:read() end, function() return r.body end, function() r:text() end,
      function() r:json() end,
      function() r:lines()() end }
  end
  local r <close> = session:stream("GET", origin.raw { head .. "a\nbc", "fin" })
  equal(r:lines()(), "a")
  for _, read in ipairs(reads(r)) do
    raises_error({ kind = "HttpError", code = "partial" }, read)
  end
  equal({ r:read(1), r:read(9) }, { "b", "c" })
  raises_error({ code = "partial" }, r.read, r, 1)
end)

it("H-1: lines longer than what is held for a slow reader are whole", function()
  local session <close> = http.session()
  local long = ("x"):rep(900000)
  for _, packed in ipairs { false, true } do
    local r <close> = session:stream("GET", slow({ "a\n", long, "\r\n", long, "\nb" }, packed))
    local lines = {}
    for line in r:lines() do lines[#lines + 1] = #line end
    equal(lines, { 1, 900000, 900000, 1 })
  end
end)

it("H-1: one task at a time reads, also of what is there already", function()
  local session <close> = http.session()
  local r <close> = session:stream("GET", slow({ "ab", "c\n" }, false, 0.03))
  local reader = task.spawn(r:lines())
  task.sleep(0.01)
  for _, read in ipairs { function() r:read(1) end, function() r:read() end,
    function() return r.body end,
    function() r:lines()() end, function() r:text() end } do
    misuse("another task reads the response", read)
  end
  equal(reader:await(), "abc")
  equal(r:read(1), nil)
end)

-- Returns a text of lines and other bytes, in pieces.
local function random_text()
  local ends = { "\n", "\r\n", "\r", "\n\n", "" }
  local words = {}
  for i = 1, math.random(5, 60) do
    -- No suffix of it is JSON. A number would be.
    local letter = string.char(97 + i % 26)
    words[i] = ("x"):rep(math.random(0, 9)) .. letter .. ends[math.random(#ends)]
  end
  local text, pieces, at = table.concat(words), {}, 1
  while at <= #text do
    local n = math.random(1, 30)
    pieces[#pieces + 1], at = text:sub(at, at + n - 1), at + n
  end
  return text, pieces
end

-- Returns the line at `at` of a text, and where the next one begins.
local function line_at(text, at)
  if at > #text then return nil, at end
  local finish = text:find("\n", at, true)
  if not finish then return text:sub(at), #text + 1 end
  return (text:sub(at, finish - 1):gsub("\r$", "")), finish + 1
end

-- Reads all of r by random reads, each with a timeout, and checks what each returns.
local function check_reads(r, text)
  local at = 1
  local function bytes(piece)
    if piece == nil then return equal(at, #text + 1) end
    equal(piece, text:sub(at, at + #piece - 1))
    at = at + #piece
  end
  local function line(got)
    local expected, after = line_at(text, at)
    equal(got, expected)
    at = after
  end
  local chunks, lines = r:chunks(), r:lines()
  local reads = {
    { function() return r:read(math.random(1, 20)) end, bytes }, { chunks, bytes }, { lines, line },
    { function() return r:lines()() end, line },
    { function() return r:chunks(math.random(1, 5))() end, bytes },
    { function() return r:read() end, bytes }, { function() return r.body end, bytes },
    { function() return r:text() end, bytes },
    { function() return r:json() end, function() error "no such text is JSON" end },
    { function() return r:text "no-such-charset" end, function() error "no such charset" end },
  }
  for _ = 1, 10000 do
    -- Reads of the whole body are rare, because they end the test.
    local read = reads[math.random(math.random(8) == 1 and #reads or 5)]
    local result = table.pack(pcall(task.move_on_after, math.random(0, 4) / 1000, read[1]))
    if result[1] and result[2] then read[2](result[3]) end
    if at > #text then return end
  end
  error "never came to the end"
end

for _, packed in ipairs { false, true } do
  it("H-1: what reads of every kind hand out is the body, however they are mixed"
    .. (packed and ", packed" or ""), function()
    local session <close> = http.session()
    for _ = 1, many(40) do
      local seed = math.random(math.maxinteger)
      math.randomseed(seed)
      local text, pieces = random_text()
      local r <close> = session:stream("GET", slow(pieces, packed, math.random(0, 2) / 1000))
      local ok, err = pcall(check_reads, r, text)
      if not ok then error(("with the seed %d: %s"):format(seed, tostring(err)), 0) end
    end
  end)
end
