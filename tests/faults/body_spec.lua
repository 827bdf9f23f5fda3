-- SPDX-License-Identifier: MIT
-- Bodies with a slow side: their memory, compressed or not, bombs of each encoding, and races with
-- a reader that resumes.
local task, http = require "septet.task", require "septet.http"
local origin, process = require "origin", require "process"

local URL = origin.url
local MB = 1024 * 1024

local function bytes_of(hex)
  return (hex:gsub("%s+", ""):gsub("%x%x", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

-- 64 MiB of the origin's pattern, by Brotli.
local BROTLI = bytes_of [[
  cbffff3f003c0e70733c70554b5ba3b0d4da0cfb222cd6833bcac5e1d718f6ac0b800008003d18c6bc8b16054000c00d
  d8581f150001100001103001100fc6a0eafd1f28a7b3f7d8ceffff3f003c0e70733c70554b5ba3b0d4da0cfb222cd683
  3bcac5e1d718f6ac0b80000880000880000880000880000880000880382c00ddfb3ffeffff01e071809be381ab5ada1a
  85a5d666d81761b11edc512e0ebfc6b0675d00044000044000044000044000044000044000c46101e8defff1ffff0f00
  8f03dc1c0f5cd5d2d6282cb536c3be088bf5e08e7271f835863deb02200002200002200002200002200002200002200e
  0b40f7fe8fffff7f00781ce0e678e0aa96b64661a9b519f64558ac0777948bc3af31ec59170001100001100001100001
  1000011000011000715800baf77ffcffff03c0e30037c70357b5b4350a4badcdb02fc2623db8a35c1c7e8d61cfba0008
  800008800008800008800008800008800088c302d0bdffe3ffff1f001e07b8391eb8aaa5ad51586a6d867d1116ebc11d
  e5e2f06b0c7bd605400004400004400004400004400004400004401c1680eefd5ffeffff01f038c0cdf1c0552d6d8dc2
  526b33ec8bb0580fee2817875f63d8b32e00022000022000022000022000022000022000e2b00074efff00]]

local ZSTD_HEAD, ZSTD_BLOCK = "\x28\xb5\x2f\xfd\x00\x58", 128 * 1024 -- no size; a window of 2 MiB

-- Returns Zstandard of `size` bytes: blocks of one kind (0: stored; 1: one byte, repeated) and one
-- content.
local function zstd(kind, content, size)
  local parts = { ZSTD_HEAD }
  for at = ZSTD_BLOCK, size, ZSTD_BLOCK do
    parts[#parts + 1] = ("<I3"):pack(ZSTD_BLOCK << 3 | kind << 1 | (at == size and 1 or 0))
    parts[#parts + 1] = content
  end
  return table.concat(parts)
end

-- The pattern by Brotli, stored in blocks of 64 KiB.
local function brotli_stored(size)
  local block = origin.pattern(65536)
  return "\x83\xff\xff" .. block .. ("\xf8\xff\x0f" .. block):rep(size // #block - 1) .. "\x03"
end

-- Checks that fn() takes less memory than so many bytes.
local function takes_less(bytes, fn)
  collectgarbage()
  local before = process.resident()
  fn()
  equal((process.resident() - before) * 1024 < bytes, true, "memory")
end

-- Reads the pattern to its end, and checks every byte of it.
local function read_pattern(stream, size, at)
  at = at or 0
  local pattern = origin.pattern(MB)
  for piece in stream:chunks() do
    equal(piece == pattern:sub(at % 16 + 1, at % 16 + #piece), true, "the bytes at " .. at)
    at = at + #piece
  end
  equal(at, size)
end

-- The body that a request has to send to get one in this encoding back. The bombs are of 64 MiB.
local function bounced(encoding, body)
  return { "POST", URL .. "/mirror?Content-Encoding=" .. encoding, body }
end

local bombs = {
  gzip = { "GET", URL .. "/gzip?bytes=" .. 64 * MB },
  br = bounced("br", BROTLI),
  zstd = bounced("zstd", zstd(1, "\0", 64 * MB)),
}

local packed = { -- the pattern
  gzip = { "GET", URL .. "/gzip?bytes=" .. 8 * MB },
  br = bounced("br", brotli_stored(8 * MB)),
  zstd = bounced("zstd", zstd(0, origin.pattern(ZSTD_BLOCK), 8 * MB)),
}

-- Like it(), for each encoding that `cases` has.
local function of_each_encoding(cases, title, fn)
  for _, name in ipairs { "gzip", "deflate", "br", "zstd" } do
    if cases[name] then it(title:format(name), function() fn(name) end) end
  end
end

describe("http.25 a reader that stalls", function()
  it("a stalled reader holds the sender up in little memory, and then gets every byte", function()
    local session <close> = http.session()
    local r <close> = session:stream("GET", URL .. "/bytes/" .. 50 * MB)
    takes_less(8 * MB, function()
      equal(r:read(1), "0")
      for _ = 1, 50 do equal(session:get(URL .. "/bytes/3").body, "012") end
      task.sleep(0.1)
      for at = 1, 30 do equal(r:read(1), origin.pattern(at + 1):sub(-1)) end
    end)
    read_pattern(r, 50 * MB, 31)
  end)
end)

describe("http.26", function()
  of_each_encoding(packed, "a stalled reader of %s holds the sender up", function(name)
    local session <close> = http.session()
    local method, url, body = table.unpack(packed[name])
    local r <close> = session:stream(method, url, { body = body })
    takes_less(6 * MB, function()
      equal(r:read(1), "0")
      task.sleep(0.1)
    end)
    read_pattern(r, 8 * MB, 1)
  end)

  of_each_encoding(bombs, "fault.26 a stalled reader of a bomb of %s holds it up", function(name)
    local session <close> = http.session()
    local method, url, body = table.unpack(bombs[name])
    local r <close> = session:stream(method, url, { body = body })
    local size = 1
    takes_less(12 * MB, function() -- Brotli wants a window of its own
      equal(#r:read(1), 1)
      task.sleep(0.1)
    end)
    for piece in r:chunks() do size = size + #piece end
    equal(size, 64 * MB)
  end)

  of_each_encoding(bombs, "fault.26 a bomb of %s stops at the limit", function(name)
    local session <close> = http.session()
    local limit, size = 4 * MB, 0
    local method, url, body = table.unpack(bombs[name])
    local options = { body = body, max_body = limit }
    takes_less(limit + 8 * MB, function()
      local r <close> = session:stream(method, url, options)
      raises_error({ kind = "HttpError", code = "body_too_large", phase = "receive" }, function()
        for piece in r:chunks() do size = size + #piece end
      end)
    end)
    equal(size <= limit, true, "what was read")
    takes_less(limit + 8 * MB, function()
      raises_error({ kind = "HttpError", code = "body_too_large", phase = "receive" },
        session.request, session, method, url, options)
    end)
    equal(session:get(URL .. "/bytes/3").body, "012")
  end)
end)

describe("fault.27 a packed body", function()
  local whole = {
    -- "hello " twenty times, by zlib
    gzip = bytes_of "1f8b0800000000000203cb48cdc9c957c8a03b09002ffaf84878000000",
    deflate = bytes_of "78dacb48cdc9c957c8a03b090077ba2c11",
    br = brotli_stored(65536),
    zstd = zstd(0, ("x"):rep(ZSTD_BLOCK), ZSTD_BLOCK),
  }

  local function fails(name, body)
    local session <close> = http.session()
    local url, expected = URL .. "/mirror?Content-Encoding=" .. name,
      { kind = "HttpError", code = "decode" }
    raises_error(expected, session.post, session, url, { body = body })
    local r <close> = session:stream("POST", url, { body = body })
    raises_error(expected, r.read, r)
    equal(session:get(URL .. "/bytes/3").body, "012")
  end

  of_each_encoding(whole, "a body of %s cut short anywhere is whole or an error", function(name)
    local body = whole[name]
    equal(#http.post(URL .. "/mirror?Content-Encoding=" .. name, { body = body }).body > 0, true)
    for n = 1, #body - 1, math.max(1, #body // 20) do fails(name, body:sub(1, n)) end
    fails(name, body:sub(1, -2))
  end)

  of_each_encoding(whole, "a body of %s with junk after it is an error", function(name)
    fails(name, whole[name] .. "junk")
    fails(name, "junk" .. whole[name])
  end)

  it("a damaged compressed body is an error", function()
    for _, name in ipairs { "gzip", "deflate" } do
      for at = 3, #whole[name] do
        local byte = string.char(whole[name]:byte(at) ~ 0x55)
        local body = whole[name]:sub(1, at - 1) .. byte .. whole[name]:sub(at + 1)
        -- The header of gzip has bytes without a meaning.
        if name ~= "gzip" or at > 10 then fails(name, body) end
      end
    end
  end)

  it("a compressed body may have several members, and be empty", function()
    local function get(name, body)
      return http.post(URL .. "/mirror?Content-Encoding=" .. name, { body = body }).body
    end
    equal(get("gzip", whole.gzip .. whole.gzip), ("hello "):rep(40))
    equal(#get("zstd", whole.zstd .. whole.zstd), 2 * ZSTD_BLOCK)
    equal({
      get("gzip", ""), get("br", ""), get("identity", "plain"), get("x-gzip", whole.gzip):sub(1, 5),
    }, { "", "", "plain", "hello" })
    -- Some servers send it without its header.
    equal(get("deflate", whole.deflate:sub(3, -5)), ("hello "):rep(20))
  end)

  it("a body in an unknown coding, or in two, is an error", function()
    fails("rot13", "abc")
    fails("gzip,%20br", "abc")
  end)
end)

describe("http.28", function()
  it("a reader may resume just as it is cancelled, or as its stream is closed", function()
    local session <close> = http.session()
    for passes = 0, 12 do
      local r <close> = session:stream("GET", URL .. "/bytes/3000000")
      task.sleep(0.002) -- paused by now, or about to be
      local size = 0
      local reader = task.spawn(function()
        for piece in r:chunks(65536) do
          size = size + #piece
          task.checkpoint()
        end
      end)
      turns(passes)
      if passes % 2 == 0 then r:close() end
      reader:cancel()
      pcall(reader.await, reader) -- cancelled, or failed before as the stream was closed
      if passes % 2 == 1 then
        local rest = r:read() -- a read that was cancelled took nothing
        equal({ size + #rest, rest == origin.pattern(3000000):sub(size + 1) }, { 3000000, true })
      end
    end
    equal(session:get(URL .. "/bytes/3").body, "012")
    equal(session:stats().active, 0)
  end)

  it("a stream may resume just as its session or scope ends", function()
    for passes = 0, 8 do
      local session = http.session()
      local kept
      task.group(function(g)
        kept = session:stream("GET", URL .. "/bytes/3000000")
        task.sleep(0.002)
        local reader = g:spawn(function()
          while kept:read(65536) do task.checkpoint() end
        end)
        turns(passes)
        if passes % 2 == 0 then session:close() end
        reader:cancel()
        pcall(reader.await, reader)
        g:cancel()
      end)
      raises_error({ kind = "HttpError", code = "closed" }, kept.read, kept)
      session:close()
    end
    equal(http.get(URL .. "/bytes/3").body, "012")
  end)

  it("a waiting request body may be cancelled before the response's header block", function()
    local session <close> = http.session { timeout = { idle = 0.1, first_byte = 2 } }
    local go_on = gate()
    local mark, sent = origin.mark(), false
    local t = task.spawn(function()
      return session:post(URL .. "/echo?spec=before", { body = function()
        if sent then return nil end
        go_on.wait()
        sent = true
        return "late"
      end }):json().body
    end)
    task.sleep(0.3) -- connected, paused, and no byte of a head yet
    equal({ t:status(), #origin.requests(mark, "/echo?spec=before") }, { "suspended", 0 })
    go_on.open()
    equal(t:await(), "late")
    -- The same, cancelled as it waits.
    local stuck = task.spawn(session.post, session, URL .. "/echo", {
      body = function() task.sleep(math.huge) end,
    })
    task.sleep(0.02)
    stuck:cancel()
    raises_error({ kind = "TaskCancelled" }, stuck.await, stuck)
    equal(session:get(URL .. "/bytes/3").body, "012")
  end)

  it("a header block may arrive while the request body waits", function()
    local session <close> = http.session()
    local go_on, n = gate(), 0
    local r <close> = session:stream("POST", URL .. "/early/200?read=7", { body = function()
      n = n + 1
      if n > 1 then go_on.wait() end
      return n == 1 and "xx" or nil -- as a chunk: seven bytes
    end })
    equal(r.status, 200)
    go_on.open()
    equal(r.body, "enough\n")
  end)
end)
