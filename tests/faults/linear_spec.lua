-- SPDX-License-Identifier: MIT
-- Each parser of a header block, a URL or a body takes time in proportion to the length of its
-- input. Each gets 64 KiB of one fill, within what it looks for. A quadratic parser takes many
-- seconds.
-- check: allow dropped-result
local private = debug.getregistry()["septet.require"] -- of private modules
local http = require "septet.http"
local core = debug.getregistry()["septet.core"]
local json, sync = require "septet.json", require "septet.sync"
local encode, retry = private "septet.http.encode", private "septet.http.retry"
local text, url = private "septet.internal.text", private "septet.http.url"
local response_meta = private("septet.http.response").meta
local origin = require "origin"

local SIZE = 64 * 1024 -- bytes
local LIMIT = 2        -- seconds of the processor, a hundred times what any of them takes

local fills = {
  " ", "\t", "1", "a", ":", ";", "=", ",", "/", "\\", '"', "'", "-", "@", "#", "?", "%", "[", "*",
  ".", "&", "+", "{", "\xc3", "\xff", "\xe9", "a ", "; ", ", ", " ,", "a=", "=;", "%2", "a:", "\t;",
  "\\\\", '\\"', '""', "//", "/..", "xn--", "[[", "é", "1-", "1:",
}

local function measure(what, fn, ...)
  local before = os.clock()
  pcall(fn, ...)
  local took = os.clock() - before
  if took > LIMIT then error(("%s took %.1f s"):format(what, took), 0) end
end

-- Calls fn with each fill, after each beginning, and before each end.
local function each_fill(name, beginnings, ends, fn)
  for _, fill in ipairs(fills) do
    local run = fill:rep(SIZE // #fill)
    for _, beginning in ipairs(beginnings) do
      for _, finish in ipairs(ends) do
        measure(("%s of '%s', %q and '%s'"):format(name, beginning, fill, finish), fn,
          beginning .. run .. finish)
      end
    end
  end
end

local parsers = {
  ["a Link header"] = {
    function(s) return private "septet.http.links".of({ s }, "http://h/") end,
    { "", "<", "<a>", "<a>;", "<a>;x=", '<a>;x="', "<a>;title*=UTF-8''" }, { "", "x", ">", '"' },
  },
  ["CSV"] = { require "septet.csv".parse, { "", 'a,"' }, { "" } },
  ["a query to take apart"] = { require "septet.url".query, { "" }, { "" } },
  ["a key of a URL"] = {
    require "septet.url".normalize, { "http://h/", "http://h/?" }, { "" },
  },
  ["base64"] = { require "septet.hash".unbase64, { "" }, { "" } },
  ["a charset"] = {
    text.charset, { "", "text/html;", "text/html; charset", "text/html; charset=", ';charset="' },
    { "", "x", "; charset" },
  },
  ["a date"] = {
    retry.date, { "", "Sun, ", "Sun, 06 ", "Sun Nov ", "Sunday, 06-Nov-94 " }, { "", "x", " GMT" },
  },
  ["a Retry-After"] = { retry.after, { "", "1", "1,", "Sun, " }, { "", "x", " GMT" } },
  ["an origin"] = {
    url.origin, { "", "a", "http://", "http://h:", "http://u@" }, { "", "x", ":1", "/" },
  },
  ["an IDN"] = { url.ascii, { "", "http://", "http://é", "*.", "http://h/" }, { "", "x", "é" } },
  ["a public URL"] = {
    url.public, { "", "http://", "http://u:p@", "http://h/" }, { "", "x", "@h" },
  },
  ["a reference"] = { function(s) return url.join("http://h/a/b", s) end,
    { "", "/", "../", "?", "#", "http://h/", "x" }, { "", "x" } },
  ["a base"] = {
    function(s) return url.join(s, "c") end,
    { "http://", "http://h/", "http://h/?" }, { "", "x", "/" },
  },
  ["a query"] = {
    function(s) return encode.query(s, { a = 1 }) end,
    { "", "http://h/", "http://h/?", "#" }, { "", "?" },
  },
  ["an unknown option"] = {
    function(s) http.session { [s] = 1 } end, { "", "limit" }, { "", "x" },
  },
  ["an unknown field"] = { function(s) return http[s] end, { "", "get" }, { "", "x" } },
  ["an unknown method"] = { function(s) return sync.event()[s] end, { "", "set" }, { "", "x" } },
  ["JSON"] = { json.decode, { "", "[", '{"a":', '"', "[1,", "-", "1e" }, { "", "]", '"', "x" } },
  ["a response's text"] = { function(s) return text.decode(s) end, { "" }, { "", "x" } },
}

for name, parser in pairs(parsers) do
  it("H-7: " .. name .. " is read in linear time", function()
    each_fill(name, parser[2], parser[3], parser[1])
  end)
end

it("H-7: a text in any charset is read in linear time", function()
  for _, charset in ipairs {
    "utf-8", "utf-16", "latin1", "gbk", "gb18030", "big5", "euc-jp", "shift_jis", "euc-kr",
    "iso-2022-jp", "utf-7", "koi8-r",
  } do
    each_fill(charset, { "\x1b$B" }, { "\xff" }, function(s) return text.decode(s, charset) end)
  end
end)

it("H-7: a body's lines are read in linear time", function()
  local session <close> = http.session()
  for _, fill in ipairs { "\r", "\n", "a", "\r\n", "a\n" } do
    local steps = { "HTTP/1.1 200 OK\r\n\r\n", { fill:rep(100), 40 * SIZE // 4096 }, "fin" }
    local r <close> = session:stream("GET", origin.raw(steps))
    measure(("lines of %q"):format(fill), function()
      for _ in r:lines() do end -- luacheck: ignore
    end)
  end
end)

describe("H-7: a head", function()
  -- Reads a header block in every way.
  local function look(raw)
    local r = setmetatable({
      url = "http://h/", status = 200, body = "x",
      head = { lines = function() return raw end, method = function() return "GET" end },
    }, response_meta)
    for _, name in ipairs { "x-a", "content-type", "etag", "retry-after", "location", "link" } do
      measure("a header", function() return r.headers[name], r.headers:all(name) end)
    end
    for _, field in ipairs { "headers", "reason", "history" } do
      measure(field, function() return r[field] end)
    end
    measure("all headers", function()
      for _ in pairs(r.headers) do end -- luacheck: ignore
    end)
    for _, method in ipairs { "text", "json", "raise_for_status" } do
      measure(method, r[method], r)
    end
  end

  it("a header block of one line is read in linear time", function()
    each_fill("a head", {
      "", "HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.1 ", "HTTP/1.1 200 OK\r\nX-A: ",
      "HTTP/1.1 200 OK\r\nX-A: a", "HTTP/1.1 200 OK\r\n",
      "HTTP/1.1 200 OK\r\nContent-Type: a; charset=",
    }, { "", "b", "\r\nX-A: b" }, look)
  end)

  it("a header block of many lines is read in linear time", function()
    for _, line in ipairs { "\r\n", "a\r\n", "X-A:\r\n", ":\r\n", "X-A: a \t \r\n" } do
      measure("lines", look, "HTTP/1.1 200 OK\r\n" .. line:rep(SIZE // #line))
    end
  end)
end)

it("H-7: a server's bytes are read in linear time, and delay no other task", function()
  local session <close> = http.session {
    redirects = 1, cookies = true, retries = { backoff = 0.001, max_wait = 0.01 },
  }
  local names = {
    "X-A", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Content-Length", "Location",
    "Retry-After", "ETag", "Last-Modified", "Date", "Content-Range", "Set-Cookie",
    "WWW-Authenticate", "Link",
  }
  local path = os.tmpname()
  for _, name in ipairs(names) do
    for _, fill in ipairs { " ", "\t", "1", "a", ",", ";", "/", "a, ", "; " } do
      local run = "a" .. fill:rep(60000 // #fill) .. "b"
      local status = name == "Location" and "302 Found" or name == "Retry-After" and "503 No"
        or "200 OK"
      local target = origin.raw {
        ("HTTP/1.1 %s\r\n%s: %s\r\n\r\n[]"):format(status, name, run), "fin",
      }
      measure(name, function()
        local r = session:get(target)
        return r.headers[name], r:json(), r:text()
      end)
      measure(name, session.save, session, target, path, { resume = true })
    end
  end
  os.remove(path)
  os.remove(path .. ".part")
  os.remove(path .. ".part.meta")
end)

it("H-14: a challenge is parsed in linear time", function()
  for _, piece in ipairs {
    " ", ",", '"', "\\", "a", "=", '"\\', "a=", 'a="', "Digest ", "a,", "\t",
  } do
    local session <close> = http.session { auth = { user = "u", password = "p", digest = true } }
    measure("a challenge", session.get, session, origin.raw {
      "HTTP/1.1 401 No\r\nContent-Length: 4\r\nWWW-Authenticate: Digest realm=r, nonce="
        .. piece:rep(60000 // #piece) .. "\r\n\r\nbody", "keep",
    })
  end
end)

it("H-7: the words of a failure are cut or escaped in linear time", function()
  for _, fill in ipairs(fills) do
    local long = "http://h/" .. fill:rep(SIZE // #fill)
    measure("an error", function()
      http.get(long, { timeout = { connect = 0.001 }, proxy = "http://127.0.0.1:1" })
    end)
    measure("a digest", core.digest, "sha256", long)
  end
end)
