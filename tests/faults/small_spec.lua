-- SPDX-License-Identifier: MIT
-- Small faults and their variants.
-- peers: tls
local http, sio = require "septet.http", require "septet.io"
local files, origin = require "files", require "origin"

local URL, DIR = origin.url, os.getenv "SEPTET_TLS"

local function get(...) return http.get(origin.raw { ... }) end

local function fails(expected, words, ...)
  expected.kind = "HttpError"
  local err = raises_error(expected, get, ...)
  equal(err.message:find(words, 1, true) ~= nil, true, err.message)
end

describe("H-22: an error names", function()
  it("an error names the codings that cannot be decoded", function()
    for _, lines in ipairs { "Content-Encoding: foo\r\n", "Content-Encoding: gzip, foo\r\n",
      "Content-Encoding: gzip\r\nContent-Encoding: foo\r\n", "content-encoding:foo\r\n" } do
      fails({ code = "decode", reason = "content_encoding" }, "foo",
        "HTTP/1.1 200 OK\r\n" .. lines .. "Content-Length: 2\r\n\r\nok", "keep")
    end
  end)

  it("an error quotes an invalid status line", function()
    for _, line in ipairs {
      "http/1.1 200 OK", "Http/1.1 200 OK", "HTTP 200 OK", "HTTP/1.1 20 OK",
    } do
      raises_error({ kind = "HttpError", code = "protocol", reason = "status_line" }, get,
        line .. "\r\nContent-Length: 2\r\n\r\nok")
    end
  end)

  it("an error names a trailer that is too large", function()
    for _, size in ipairs { 5000, 20000 } do
      fails({ code = "headers_too_large" }, "trailer",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok" .. "\r\n0\r\nX-T: "
        .. ("x"):rep(size) .. "\r\n\r\n")
    end
    equal(get("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: "
      .. ("x"):rep(1000) .. "\r\n\r\n").body, "ok")
  end)

  it("an error names the URL of a closed response", function()
    local session <close> = http.session()
    for _, read in ipairs { function(r) return r:read(1) end, function(r) return r:read() end,
      function(r) return r:lines()() end, function(r) return r:chunks()() end } do
      local r = session:stream("GET", URL .. "/bytes/10?q=1")
      r:close()
      local err = raises_error({ kind = "HttpError", code = "closed", method = "GET" }, read, r)
      local url = URL .. "/bytes/10?q=1"
      equal({ err.url, err.message }, { url, "GET " .. url .. ": the response was closed" })
    end
  end)
end)

it("H-22: headers named all and each can be read, and pairs gives everything", function()
  local r = get("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nAll: 1\r\neach: 2\r\nX: 3\r\n\r\nok",
    "keep")
  equal({ r.headers.all, r.headers.each, r.headers["ALL"], r.headers.x }, { "1", "2", "1", "3" })
  local names = {}
  for name in pairs(r.headers) do names[#names + 1] = name end
  equal(names, { "Content-Length", "All", "each", "X" })
  local plain = get("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: 3\r\nX: 4\r\n\r\nok", "keep")
  equal(plain.headers:all "x", { "3", "4" })
end)

describe("H-22: a resumed save", function()
  local function folder()
    local path = os.tmpname()
    os.remove(path)
    return path
  end

  local HEAD = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nETag: \"e\"\r\n\r\n" .. ("x"):rep(600)

  it("a save does not take a 416 of another size for complete", function()
    for _, unit in ipairs { "bytes", "Bytes" } do
      local path = folder()
      local broken = origin.raw { HEAD }
      local session <close> = http.session()
      raises_error({ code = "partial" }, session.save, session, broken, path, { resume = true })
      equal(#files.contents(path .. ".part"), 600)
      -- The same URL responds with 416, for a body of 600 bytes, and then with the whole of another
      -- one.
      origin.raw({
        "HTTP/1.1 416 No\r\nContent-Length: 0\r\nContent-Range: " .. unit .. " */600\r\n\r\n",
        "keep", "next", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: \"f\"\r\n\r\nnew", "keep",
      }, broken)
      equal(session:save(broken, path, { resume = true }).bytes, 3)
      equal(files.contents(path), "new")
      os.remove(path)
    end
  end)

  it("a save reads the unit of a range in any case", function()
    for _, unit in ipairs { "bytes", "Bytes", "BYTES" } do
      local path = folder()
      local broken = origin.raw { HEAD }
      local session <close> = http.session()
      raises_error({ code = "partial" }, session.save, session, broken, path, { resume = true })
      local rest = "HTTP/1.1 206 Partial\r\nContent-Length: 400\r\nETag: \"e\"\r\nContent-Range: "
        .. unit
        .. " 600-999/1000\r\n\r\n" .. ("y"):rep(400)
      origin.raw({ rest, "keep" }, broken)
      local saved = session:save(broken, path, { resume = true })
      equal({ saved.resumed, saved.bytes, files.contents(path) },
        { 600, 1000, ("x"):rep(600) .. ("y"):rep(400) })
      os.remove(path)
    end
  end)
end)

it("H-22: the scheme of a proxy, and of a URL, may be written in any case", function()
  for _, scheme in ipairs {
    "http", "HTTP", "Http", "socks5h", "SOCKS5H", "Socks4", "SOCKS4A", "socks5",
  } do
    local session <close> = http.session { proxy = scheme .. "://127.0.0.1:1" }
    raises_error({ code = "connect" }, session.get, session, "HTTP://127.0.0.1/")
  end
  equal(http.get("HTTP" .. URL:sub(5) .. "/bytes/2").body, "01")
end)

it("H-22: a path with a NUL is refused, by every option and function that takes one", function()
  for _, name in ipairs { "ca_file", "cert_file", "key_file" } do
    local tls = { cert_file = DIR .. "/client.pem", [name] = DIR .. "/client.pem\0x" }
    misuse("NUL", function() http.session { tls = tls } end)
    misuse("NUL", function() http.get(URL, { tls = tls }) end)
  end
  misuse("path", function() http.session { unix_socket = "a\0b" } end)
  misuse("path", function() http.get(URL, { unix_socket = "a\0b" }) end)
  misuse("NUL", function() http.save(URL .. "/bytes/1", os.tmpname() .. "\0x") end)
  for _, name in ipairs { "open", "create" } do
    misuse("NUL", function() sio[name](os.tmpname() .. "\0x") end)
  end
end)

describe("H-22: a header", function()
  local function refused(name, value)
    local words = "header '" .. name:gsub("%-", "%%-") .. "'"
    misuse(words, function() http.session { headers = { [name] = value } } end)
    misuse(words, function() http.get(URL, { headers = { [name] = value } }) end)
  end

  it("the header Host is a host, with or without a port", function()
    for _, host in ipairs {
      "a b", " a", "", "a/b", "a?b", "a#b", "u@h", "a\\b", "a\t", "a,b c", "h\u{e9}", "<h>", "a|b",
      "a`b", "{a}", "a\"b", "a^b",
    } do
      refused("Host", host)
    end
    for _, host in ipairs { "a", "a.test:80", "[::1]:80", "a_b", "127.0.0.1", "xn--a", "A-b.c." } do
      equal(origin.echo(http.default(), "GET", { headers = { host = host } }).headers.host, host)
    end
  end)

  it("a header's value has no control character but tabs", function()
    for c = 0, 127 do
      if (c < 32 or c == 127) and c ~= 9 then refused("X-A", "a" .. string.char(c) .. "b") end
    end
    local echoed = origin.echo(http.default(), "GET",
      { headers = { ["X-A"] = "a\tb", ["X-B"] = "caf\u{e9}" } })
    equal(echoed.headers["x-a"], "a\tb")
  end)
end)
