-- SPDX-License-Identifier: MIT
-- The codings of a body, as its header block lists them: in one line or in several, known or not,
-- by every way in.
local http = require "septet.http"
local files, origin, pack = require "files", require "origin", require "pack"

local OK = "HTTP/1.1 200 OK\r\n"
local TEXT = "hello, hello"
local GZIP = pack.member(TEXT)

-- Returns a URL whose response has these lines of a field, and the bytes.
local function url_with(field, lines, bytes, more)
  local head = OK .. (more or "")
  for _, line in ipairs(lines) do head = head .. field .. ": " .. line .. "\r\n" end
  return origin.raw { head .. "\r\n" .. bytes, "fin" }
end

-- Each way in, as a function that returns the body.
local ways = {
  get = function(session, url) return session:get(url).body end,
  stream = function(session, url)
    local r <close> = session:stream("GET", url)
    return r:read()
  end,
  ["retried get"] = function(session, url) return session:get(url, { retries = 1 }).body end,
  save = function(session, url)
    local f <close> = files.temporary()
    local ok, result = pcall(session.save, session, url, f.path)
    local text = files.contents(f.path)
    if ok then return text end
    equal(text, nil, "a file of a body that was refused")
    error(result, 0)
  end,
}

-- Checks that by every way in, the body is the text, or an error with one of the codes.
local function gives(url, code)
  local session <close> = http.session { timeout = { idle = 5, first_byte = 5 } }
  for name, way in pairs(ways) do
    local ok, result = pcall(way, session, url)
    if code then
      equal({ name, ok, ok and #result or result.code }, { name, false, code })
    else
      equal({ name, ok, result }, { name, true, TEXT })
    end
  end
end

-- The lists of up to three lines over some words, in which words of one line are between commas.
local function each_list(words, fn)
  for _, a in ipairs(words) do
    fn { a }
    for _, b in ipairs(words) do
      fn { a, b }
      fn { a .. "," .. b }
      fn { a .. " ,\t" .. b, "" }
    end
    fn { "identity", a, "identity" }
    fn { "", "," .. a, "," }
  end
end

-- Returns how many codings of a list do something, and whether one is not known.
local function read_list(lines, known)
  local n, unknown = 0, false
  for item in table.concat(lines, ","):gmatch "[^,]+" do
    local word = item:match "^[ \t]*(.-)[ \t]*$":lower()
    if known[word] then n = n + known[word] elseif word ~= "" then unknown = true end
  end
  return n, unknown
end

describe("H-3: Content-Encoding", function()
  local known = { gzip = 1, ["x-gzip"] = 1, deflate = 1, br = 1, zstd = 1, identity = 0, none = 0 }

  it("the codings are one list, in any number of lines", function()
    each_list({
      "gzip", "identity", "GZip", "br", "gzip;q=1", '"gzip"', "gzip gzip", "aws-chunked",
    }, function(lines)
      local n, unknown = read_list(lines, known)
      if unknown or n > 1 then
        gives(url_with("Content-Encoding", lines, GZIP), "decode")
      elseif n == 0 then
        gives(url_with("Content-Encoding", lines, TEXT))
      elseif table.concat(lines):lower():find "gzip" then
        gives(url_with("content-encoding", lines, GZIP))
      end
    end)
  end)

  it("a folded Content-Encoding is read", function()
    gives(url_with("Content-Encoding", { "identity,\r\n gzip" }, GZIP))
    gives(url_with("Content-Encoding", { "gzip,\r\n\tgzip" }, GZIP), "decode")
  end)

  it("the Content-Encoding of an empty body, or of none, is ignored", function()
    local session <close> = http.session()
    local url = url_with("Content-Encoding", { "rot13", "gzip" }, "", "Content-Length: 0\r\n")
    equal({ session:get(url).body, session:head(url).body }, { "", "" })
  end)
end)

describe("H-3: Transfer-Encoding", function()
  local CHUNKS = ("%x\r\n%s\r\n0\r\n\r\n"):format(#TEXT, TEXT)
  local known = { chunked = 1, identity = 0 }

  it("the codings are one list, in any number of lines", function()
    each_list({
      "chunked", "identity", "Chunked", "gzip", "deflate", "xchunked", '"chunked"',
      "chunked;foo=bar", "chunked chunked",
    }, function(lines)
      local n, unknown = read_list(lines, known)
      local last = table.concat(lines, ","):lower():match "([%w ]+)[, \t]*$"
      if unknown or n > 1
        or n == 1 and table.concat(lines, ","):lower():find "chunked.*identity" then
        gives(url_with("Transfer-Encoding", lines, CHUNKS), "protocol")
      else
        gives(url_with("Transfer-Encoding", lines, last and n == 1 and CHUNKS or TEXT))
      end
    end)
  end)

  it("a Transfer-Encoding other than chunked is refused", function()
    local more = "Content-Length: 5\r\nContent-Encoding: gzip\r\n"
    gives(url_with("Transfer-Encoding", { "gzip" }, GZIP, more), "protocol")
    gives(url_with("Transfer-Encoding", { "gzip, chunked" },
      ("%x\r\n%s\r\n0\r\n\r\n"):format(#GZIP, GZIP)), "protocol")
  end)

  it("a folded Transfer-Encoding or length is refused: others frame it differently", function()
    gives(url_with("Transfer-Encoding", { "gzip,\r\n chunked" }, CHUNKS), "protocol")
    gives(url_with("Transfer-Encoding", { "\r\n chunked" }, CHUNKS), "protocol")
    gives(url_with("Content-Length", { "1\r\n 2" }, TEXT), "protocol")
  end)

  it("the Transfer-Encoding of a response without a body is ignored", function()
    local session <close> = http.session()
    equal(session:head(url_with("Transfer-Encoding", { "gzip, chunked" }, "")).status, 200)
    equal(session:get(origin.raw {
      "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: gzip\r\n\r\n", "fin",
    }).status, 304)
  end)
end)

it("H-3: a blank behind the name of a field that says how the body is read is refused", function()
  local chunks = ("%x\r\n%s\r\n0\r\n\r\n"):format(#TEXT, TEXT)
  for _, blank in ipairs { " ", "\t", " \t " } do
    gives(url_with("Transfer-Encoding" .. blank, { "chunked" }, chunks), "protocol")
    gives(url_with("transfer-encoding" .. blank, { "gzip" }, GZIP), "protocol")
    gives(url_with("Content-Encoding" .. blank, { "gzip" }, GZIP), "protocol")
    gives(url_with("Content-Length" .. blank, { "2" }, TEXT), "protocol")
    gives(url_with("X-Encoding" .. blank, { "gzip" }, TEXT))
  end
end)
