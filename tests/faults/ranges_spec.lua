-- SPDX-License-Identifier: MIT
-- A resumed save: the total size, the range of a 206 and the received bytes are compared. The
-- target is replaced by the whole file or not at all.
-- check: allow blocks
local http = require "septet.http"
local files, origin = require "files", require "origin"

local URL = origin.url
local WHOLE = "0123456789"

local name, contents = files.temporary, files.contents

-- Returns a response with a body: with a length, until the end of the connection, or in chunks.
local function response(status, fields, body, is_chunked)
  local head = ("HTTP/1.1 %s\r\nETag: \"e\"\r\n%s"):format(status, fields)
  if is_chunked then
    local chunk = body == "" and "" or ("%x\r\n%s\r\n"):format(#body, body)
    return head .. "Transfer-Encoding: chunked\r\n\r\n" .. chunk .. "0\r\n\r\n"
  end
  return head .. ("Content-Length: %d\r\n\r\n%s"):format(#body, body)
end

-- The first response, of whose body five bytes arrive: its size is known, or it is not.
local KNOWN = "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 10\r\n\r\n01234"
local UNKNOWN = "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n"

local function part_of(range, body, is_chunked)
  return response("206 Partial Content", ("Content-Range: bytes %s\r\n"):format(range), body,
    is_chunked)
end

local ALL = response("200 OK", "", "abc")
local NO_MORE = response("416 Range Not Satisfiable", "Content-Range: bytes */10\r\n", "")

-- Returns the URL of a server whose connections each get the next of the responses.
local function serve(list)
  local steps = {}
  for i, text in ipairs(list) do
    steps[#steps + 1] = text
    steps[#steps + 1] = i < #list and "next" or "eof"
  end
  return origin.raw(steps)
end

-- Saves in one process, with retries. Returns true and the result, or false and the error, and the
-- requests.
local function save(f, list, attempts)
  local session <close> = http.session { headers = { Connection = "close" } }
  local target, mark = serve(list), origin.mark()
  local ok, result = pcall(session.save, session, target, f.path,
    { resume = true, retries = { attempts = attempts, backoff = 0.001 } })
  local requested = {}
  for i, request in ipairs(origin.requests(mark)) do
    requested[i] = request.headers.range or "all"
  end
  return ok, result, requested
end

-- Each row has a range, a body, the saved file if the total is known and if it is not ("partial":
-- the error), and the part.
local RANGES = {
  { "5-9/*", "56789", WHOLE, WHOLE },
  { "5-9/10", "56789", WHOLE, WHOLE },
  { "5-6/*", "56", "partial", "0123456", part = "0123456" },
  { "5-6/10", "56", "partial", "partial", part = "0123456" },
  { "5-5/10", "5", "partial", "partial", part = "012345" },
  { "5-9/*", "567", "partial", "partial", part = "01234567" },
  { "5-9/10", "", "partial", "partial", part = "01234" },
  { "5-9/*", "56789XX", "partial", "partial", part = WHOLE },
  { "5-9/10", "56789X", "partial", "partial", part = WHOLE },
  { "5-6/*", "567", "partial", "partial", part = "0123456" },
  { "5-6/10", "56789", "partial", "partial", part = "0123456" },
}

-- Ranges that cannot resume a save, after which the whole is requested.
local USELESS = {
  "5-10/*", "5-10/10", "5-11/12", "5-9/9", "6-9/10", "4-9/10", "5-4/10", "5-9/", "5-9", "5-9/1*",
  "5-9/x", "5-/10", "*/10", "5-99999999999999999999/*", "99999999999999999999-9/10",
}

describe("H-4: a resumed save", function()
  for _, is_chunked in ipairs { false, true } do
    local how = is_chunked and ", in chunks" or ""
    for _, case in ipairs(RANGES) do
      local range, body = case[1], case[2]
      for i, first in ipairs { KNOWN, UNKNOWN } do
        local expected = case[2 + i]
        it(("holds 'bytes %s' and %d bytes%s against a size that is %s"):format(range, #body, how,
          i == 1 and "known" or "unknown"), function()
          local f <close> = name()
          local ok, result = save(f, { first, part_of(range, body, is_chunked) }, 2)
          if expected == "partial" then
            equal({ ok, result.code, result.phase, result.attempts },
              { false, "partial", "receive", 2 })
            equal({ contents(f.path) or false, contents(f.part) }, { false, case.part })
          else
            equal({ ok, result.bytes, contents(f.path) }, { true, #expected, expected })
          end
        end)
      end
    end
  end

  it("a save continues until it is complete, as often as its attempts allow", function()
    local parts = {
      KNOWN, part_of("5-6/*", "56"), part_of("7-7/10", "7", true), part_of("8-9/*", "89"),
    }
    local f <close> = name()
    local ok, result, requested = save(f, parts, 4)
    equal({ ok, result.bytes, result.attempts, contents(f.path) }, { true, 10, 4, WHOLE })
    equal(requested, { "all", "bytes=5-", "bytes=7-", "bytes=8-" })
    local g <close> = name()
    ok, result, requested = save(g, parts, 3)
    equal({ ok, result.code, result.reason, contents(g.path) or false },
      { false, "partial", "truncated", false })
    equal({ #requested, contents(g.part) }, { 3, "01234567" })
  end)

  it("a save keeps a size that only an earlier 206 had", function()
    local f <close> = name()
    local ok, result = save(f, { UNKNOWN, part_of("5-6/10", "56"), part_of("7-8/*", "78") }, 3)
    equal({ ok, result.code, contents(f.part) }, { false, "partial", "012345678" })
    local g <close> = name()
    ok, result = save(g, { UNKNOWN, part_of("5-6/10", "56"), part_of("7-8/*", "78"), NO_MORE, ALL },
      5)
    equal({ ok, result.bytes, contents(g.path) }, { true, 3, "abc" })
  end)

  it("a save keeps the size that an earlier one got, from a 200 or a 206", function()
    for _, earlier in ipairs { { KNOWN }, { UNKNOWN, part_of("5-5/10", "5") } } do
      local f <close> = name()
      local session <close> = http.session { headers = { Connection = "close" } }
      local target = serve(earlier)
      local options = { resume = true, retries = { attempts = #earlier, backoff = 0.001 } }
      raises_error({ code = "partial" }, session.save, session, target, f.path, options)
      local size = #contents(f.part)
      local rest = part_of(("%d-%d/*"):format(size, size), WHOLE:sub(size + 1, size + 1))
      origin.raw({ rest, "eof" }, target)
      raises_error({ code = "partial" }, session.save, session, target, f.path, { resume = true })
      equal({ contents(f.path) or false, contents(f.part) }, { false, WHOLE:sub(1, size + 1) })
    end
  end)

  it("a save does not take the smaller of two sizes for the whole", function()
    for range, body in pairs { ["5-8/9"] = "5678", ["5-9/11"] = "56789" } do
      local f <close> = name()
      local ok, result = save(f, { KNOWN, part_of(range, body) }, 2)
      equal({ ok, result.code, contents(f.path) or false }, { false, "partial", false })
      local g <close> = name()
      ok, result = save(g, { KNOWN, part_of(range, body), NO_MORE, ALL }, 3)
      local bytes = range == "5-8/9" and "abc" or WHOLE
      equal({ range, ok, result.bytes, contents(g.path) }, { range, true, #bytes, bytes })
    end
  end)

  it("a save requests the whole if a 206 contradicts what is known", function()
    for _, range in ipairs(USELESS) do
      local f <close> = name()
      local ok, result, requested = save(f, { KNOWN, part_of(range, "56789"), ALL }, 2)
      equal({ range, ok, result.bytes, contents(f.path) }, { range, true, 3, "abc" })
      equal(requested, { "all", "bytes=5-", "all" })
    end
  end)
end)

it("H-4: a name leaves room for its part, and for a meta if a save may be resumed", function()
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute(("mkdir -m 700 '%s'"):format(folder)))
  for _, length in ipairs { 245, 246, 250 } do
    local path = folder .. "/" .. ("n"):rep(length)
    equal(http.save(URL .. "/bytes/10", path).bytes, 10)
    equal(#contents(path), 10)
    local ok, err = pcall(http.save, URL .. "/bytes/10", path, { resume = true })
    equal({ ok, not ok and err.code }, { length == 245, length > 245 and "ENAMETOOLONG" })
  end
  raises_error({ kind = "IoError", code = "ENAMETOOLONG" }, http.save, URL .. "/bytes/10",
    folder .. "/" .. ("n"):rep(251))
  os.execute(("rm -rf '%s'"):format(folder))
end)
