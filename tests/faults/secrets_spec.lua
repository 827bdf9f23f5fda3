-- SPDX-License-Identifier: MIT
-- Secrets: the headers that another origin gets, and messages without passwords and control bytes.
-- peers: tls
-- check: allow dropped-result
local http, trace = require "septet.http", require "septet.trace"
local core = debug.getregistry()["septet.core"]
local origin = require "origin"
local url = debug.getregistry()["septet.require"] "septet.http.url"

local URL = origin.url
local THERE = "http://localhost:" .. origin.port
local TLS_URL, DIR = os.getenv "SEPTET_TLS_ORIGIN", os.getenv "SEPTET_TLS"

local events = {}
trace.subscribe(function(event) events[#events + 1] = event end)

-- --- headers ---

local private = {
  "Authorization", "Cookie", "Proxy-Authorization", "Api_Key", "Private-Key", "X-Access-Key",
  "X-License-Key", "Authentication", "X-JWT", "X-Jwt-Assertion", "X-Passwd", "X-Session-Id",
  "X-Signature", "x-key", "X-Functions-Key", "Fastly-Key", "X-Master-Key", "X-Api-Key",
  "X-Auth-Token", "Referer", "From", "X-Anything", "Acceptance", "Contents", "Iffy", "X-Accept-Key",
}
local harmless = {
  "Accept", "Accept-Language", "Accept-Charset", "User-Agent", "Content-Type", "Content-Language",
  "If-None-Match", "If-Modified-Since", "Range", "Cache-Control", "Pragma", "Traceparent",
  "Tracestate", "Prefer", "Priority",
}

local function table_of(names)
  local made = {}
  for _, name in ipairs(names) do made[name] = "v-" .. name end
  return made
end

local function add(into, from)
  for name, value in pairs(from) do into[name] = value end
  return into
end

-- Each way by which a script sets headers: a session's options and a request's.
local ways = {
  session = function(given) return { headers = given }, {} end,
  request = function(given) return {}, { headers = given } end,
  hook = function(given)
    return { trace = { request_start = function(_, ev) add(ev.headers, given) end } }, {}
  end,
  own_hook = function(given)
    return {}, { trace = { request_start = function(_, ev) add(ev.headers, given) end } }
  end,
}

local methods = {
  get = function(session, target, options) return session:get(target, options).status end,
  post = function(session, target, options)
    options.body = "b"
    return session:post(target, options).status
  end,
  stream = function(session, target, options)
    local r <close> = session:stream("GET", target, options)
    r:read()
    return r.status
  end,
}

-- Returns the headers that the target of a redirect received.
local function last_hop(way, method, status, target, given, more)
  local session_options, options = ways[way](given)
  for name, value in pairs(more or {}) do session_options[name] = value end
  local session <close> = http.session(session_options)
  local mark = origin.mark()
  equal(methods[method](session,
    ("%s/redirect-to?status=%d&url=%s/bytes/4"):format(URL, status, target), options), 200)
  local found = origin.requests(mark, "/bytes/4")
  equal(#found, 1)
  return found[1].headers
end

describe("H-9: another origin", function()
  for way in pairs(ways) do
    for method in pairs(methods) do
      for _, status in ipairs { 302, 307 } do
        local case = ("of a %s, by %s, %d"):format(way, method, status)
        it("another origin gets no header but the harmless ones: " .. case, function()
          local got = last_hop(way, method, status, THERE, table_of(private))
          for _, name in ipairs(private) do equal({ name, got[name:lower()] }, { name }) end
          got = last_hop(way, method, status, THERE, table_of(harmless))
          for _, name in ipairs(harmless) do
            if not (name:find "^Content" and method == "post" and status == 302) then
              equal(got[name:lower()], "v-" .. name)
            end
          end
        end)
      end
    end
  end

  it("another origin gets no header of a save", function()
    local session <close> = http.session { headers = { ["X-Key"] = "k", Pragma = "p" } }
    local path, mark = os.tmpname(), origin.mark()
    session:save(("%s/redirect-to?url=%s/bytes/4"):format(URL, THERE), path,
      { headers = { Authentication = "a" } })
    os.remove(path)
    local got = origin.requests(mark, "/bytes/4")[1].headers
    equal({ got["x-key"], got.authentication, got.pragma }, { nil, nil, "p" })
  end)

  it("another origin gets the headers that the session, or the request instead, names", function()
    local given = { ["X-Tenant"] = "t", ["X-Key"] = "k" }
    local got = last_hop("session", "get", 302, THERE, given, { redirect_headers = { "x-TENANT" } })
    equal({ got["x-tenant"], got["x-key"] }, { "t", nil })
    local session <close> = http.session { headers = given, redirect_headers = { "X-Tenant" } }
    local function get(options)
      local mark = origin.mark()
      session:get(("%s/redirect-to?url=%s/bytes/4"):format(URL, THERE), options)
      return origin.requests(mark, "/bytes/4")[1].headers
    end
    got = get { redirect_headers = { "X-Key" } }
    equal({ got["x-tenant"], got["x-key"] }, { nil, "k" })
    got = get { redirect_headers = {} }
    equal({ got["x-tenant"], got["x-key"] }, { nil, nil })
  end)

  it("'redirect_headers' must be names of headers, or it is Usage", function()
    for _, names in ipairs {
      { "" }, { "a b" }, { "Host" }, { "host" }, { 1 }, { "x", nil, "y" }, { X = true }, { "x\n" },
      { "x:" },
    } do
      misuse("redirect_headers", function() http.session { redirect_headers = names } end)
      misuse("redirect_headers", function() http.get(URL, { redirect_headers = names }) end)
    end
    misuse("redirect_headers", function() http.session { redirect_headers = "X-Key" } end)
  end)

  it("another origin has another scheme, host or port", function()
    for _, text in ipairs {
      "http://host", "HTTP://HOST/", "http://host:80/x", "http://host:?q", "http://Host#f",
    } do
      equal(url.origin(text), "http://host")
    end
    equal(url.origin "https://h:443/", "https://h")
    equal(url.origin "https://h:80/", "https://h:80")
    equal(url.origin "http://[::1]:80/", "http://[::1]")
    equal(url.origin "http://[::1]/", "http://[::1]")
  end)

  it("another origin gets no client certificate", function()
    local tls = { ca_file = DIR .. "/ca.pem", cert_file = DIR .. "/client.pem" }
    local there = TLS_URL:gsub("127.0.0.1", "localhost")
    for _, way in ipairs { "session", "request" } do
      local session <close> = http.session { tls = way == "session" and tls or nil }
      local mark = origin.mark()
      session:get(("%s/redirect-to?url=%s/bytes/4"):format(TLS_URL, there),
        { tls = way == "request" and tls or nil })
      local opened = origin.since(mark, "open")
      equal({ #opened, opened[1].client, opened[2].client }, { 2, "the client" })
    end
  end)
end)

it("H-9: within one origin all headers go on", function()
  for _, way in ipairs { "session", "request", "hook" } do
    local given = add(table_of(private), table_of(harmless))
    local got = last_hop(way, "get", 302, URL, given)
    for name, value in pairs(given) do equal(got[name:lower()], value) end
    got = last_hop(way, "get", 302, "", given)
    for name, value in pairs(given) do equal(got[name:lower()], value) end
  end
end)

-- --- messages ---

-- Returns all strings in a value, also those in tables and their metatables.
local function texts(value, into, seen)
  into, seen = into or {}, seen or {}
  if type(value) == "string" then into[#into + 1] = value end
  if type(value) ~= "table" or seen[value] then return into end
  seen[value] = true
  for k, v in next, value do
    texts(k, into, seen)
    texts(v, into, seen)
  end
  return into
end

local function clean(what, value)
  for _, text in ipairs(texts(value)) do
    if text:find "hunter2" then error(("%s: %q has the password"):format(what, text), 0) end
    if text:find "[%c\127]" or not utf8.len(text) then
      error(("%s: %q has odd bytes"):format(what, text), 0)
    end
  end
end

local bad_urls = {
  "http://me:hunter2@127.0.0.1:1/", "//me:hunter2@h/", "me:hunter2@h", "http:me:hunter2@h",
  "http:/me:hunter2@h/", "http:\\\\me:hunter2@h", "http://me:hunter2#x@h/",
  "http://me:hunter2/x@h/", "http://me:hunter2?x@h/", "http://me:hunter2\\x@h/",
  "http://me:x@hunter2@h/", "http:// me:hunter2@h/", "http://me:hunter2@h:99999/",
  "http://me:hunter2@[::1/", "http://hunter2@h/", "ftp://me:hunter2@h/", "HTTP://me:hunter2@h/",
  "http:///me:hunter2@h", "http://me:hunter2@h/\27[31m", "http://me:hunter2@h/\255",
  "http://me:hunter2@h\n/", "http://me:hunter2@", "http://[me:hunter2@::1]/",
  "http://m\u{e9}:hunter2@h\u{e9}.test/", "http://h:1:hunter2@x/", "http://me:hunter2%40h/",
  "http://me:hunter2%40h", "http://me:hunter2", "http://me:hunter2/", "http://me:hunter2?x",
  "HTTPS://me:hunter2%40h:80/x", "http:///me:hunter2%40h/", "http:me:hunter2%40h/",
  "me:hunter2%40h/", "//me:hunter2%40h/", "ftp://me:hunter2%40h/", "http://me:80:hunter2/",
  "http://[::1]:hunter2/", "http://[::1]hunter2/", "http://[me:hunter2/",
  "http://x@me:hunter2%40h/", "http://:hunter2/", "http:\\\\me:hunter2%40h/", "http://me:1hunter2/",
}

-- Returns the errors of all functions of a session for a URL, with what hooks and traces saw.
local function shown(target, options)
  local seen = {}
  local function note(_, ev) seen[#seen + 1] = ev end
  options = options or {}
  options.trace = { request_start = note, request_end = note, request_exception = note }
  events = {}
  local session <close> = http.session(options)
  for _, call in ipairs {
    function() return session:get(target) end,
    function() return session:post(target, { body = "b", retries = 1 }) end,
    function() return session:stream("GET", target) end,
    function() return session:request(target, "GET") end,
    function() return session:request(target, URL) end,
    function() return session:get(target, { params = { a = 1 } }) end,
    function() return http.get(target) end,
    function() return session:save(target, os.tmpname()) end,
  } do
    local ok, err = pcall(call)
    if not ok then seen[#seen + 1], seen[#seen + 2] = err, tostring(err) end
  end
  core.sleep(0)
  core.sleep(0)
  return seen
end

describe("H-9: no message has a password", function()
  it("no message has the password of a URL, however malformed", function()
    for _, target in ipairs(bad_urls) do
      clean(target, shown(target))
      clean(target, events)
      clean(target, shown(target, { base_url = URL .. "/v1/" }))
      clean(target, events)
    end
  end)

  it("no message has the password of a base URL", function()
    for _, base in ipairs(bad_urls) do
      local ok, result = pcall(shown, "x", { base_url = base })
      clean(base, ok and result or { result, tostring(result) })
      clean(base, events)
    end
  end)

  it("no message has the password of an option that is no URL", function()
    local options = {
      allow = function(u) http.session { allow = { "a", u } } end,
      deny = function(u) http.session { deny = u } end,
      rules = function(u) http.session { deny = { [u] = 1 } } end,
      resolve = function(u) http.session { resolve = { [u] = "127.0.0.1" } } end,
      addresses = function(u) http.session { resolve = { ["h:80"] = u } } end,
      resolver = function(u) http.session { resolver = u } end,
      rate = function(u) http.session { rate = u } end,
      http2 = function(u) http.session { http2 = u } end,
      redirects = function(u) http.session { redirects = u } end,
      retries = function(u) http.session { retries = { methods = { u }, attempts = u } } end,
      unknown = function(u) http.session { [u] = 1 } end,
      timeout = function(u) http.session { timeout = { [u] = 1 } } end,
      params = function(u) http.get(URL, { params = { [u] = {} } }) end,
      header = function(u) http.get(URL, { headers = { [u] = "x" } }) end,
      form = function(u) http.post(URL, { form = { [u] = print } }) end,
      multipart = function(u) http.post(URL, { multipart = { { name = u, data = {} } } }) end,
      ca_file = function(u) http.session { tls = { ca_file = u } } end,
      key_file = function(u) http.get(URL, { tls = { key_file = u } }) end,
      min_version = function(u) http.session { tls = { min_version = u } } end,
      digest = function(u) http.save(URL, "/nowhere/x", { sha256 = u }) end,
      path = function(u) http.save(URL, u .. "/") end,
      field = function(u) return http[u] end,
      option = function(u) http.get(URL, { [u] = true }) end,
    }
    for _, target in ipairs(bad_urls) do
      for name, way in pairs(options) do
        local ok, err = pcall(way, target)
        equal({ name, target, ok }, { name, target, false })
        clean(name .. " " .. target, { err, tostring(err) })
      end
    end
  end)

  it("messages still quote the other parts", function()
    for target, word in pairs {
      ["http://h:1/a@b"] = "h:1/a@b", ["ftp://h:1/x"] = "ftp", ["http://a b/"] = "a b",
      ["foo:bar"] = "foo", ["http://[::1]:8x/"] = "port", ["h:80/a:b"] = "h:80/a:b",
    } do
      local err = raises_error({ code = "url" }, http.get,
        target == "http://h:1/a@b" and target .. "\\" or target)
      equal({ target, (err.message .. err.url):find(word, 1, true) ~= nil }, { target, true })
    end
    misuse("%(/nowhere/ca.pem: No such file", function()
      http.session { tls = { ca_file = "/nowhere/ca.pem" } }
    end)
    misuse("%(/nowhere//ca.pem: No such file", function()
      http.session { tls = { ca_file = "/nowhere//ca.pem" } }
    end)
  end)

  it("of a Location", function()
    for _, target in ipairs(bad_urls) do
      local head = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " .. target:gsub("\n", "")
        .. "\r\n\r\n"
      local moved = origin.raw { head, "keep" }
      local ok, err = pcall(http.get, moved)
      if not ok then clean(target, { err, tostring(err) }) end
    end
  end)

  it("no message has the password of an invalid proxy, which is Usage", function()
    for _, proxy in ipairs {
      "http://bob:hunter2@x@127.0.0.1:1", "http://bob:hunter2#@127.0.0.1:1",
      "http://bob:hunter2/@127.0.0.1:1", "http://bob:hunter2?@127.0.0.1:1",
      "http://bob:hunter2\\@127.0.0.1:1", "http://bob:hunter2@127.0.0.1:99999",
      "http://bob:hunter2@127.0.0.1:0", "http://bob:hunter2@", "http://bob:hunter2@:1",
      "http://bob:hunter2 @h:1", "http://bob:hunter2\0@h:1", "http://bob:hunter2%00@h:1",
      "http://bob:hunter2%0A@h:1", "http://bob:hunter2%7f@h", "http://bob:hunter2@h:x",
      "http://bob:hunter2@h:1/path", "http://bob:hunter2@[::1", "bob:hunter2@h:1", "hunter2",
      "ftp://bob:hunter2@h:1", "http://bob:hunter2@h:1?x", "http:///bob:hunter2@h",
      "https://bob:hunter2@h:1",
    } do
      for _, way in ipairs { http.session, function(options) http.get(URL, options) end } do
        local err = raises_error({ kind = "Usage" }, way, { proxy = proxy })
        clean(proxy, { err, tostring(err) })
      end
    end
  end)

  it("no message has the password of a proxy that does not answer", function()
    for _, proxy in ipairs {
      "http://bob:hunter2@127.0.0.1:1", "HTTP://bob:hunter2@127.0.0.1:1/",
      "socks5h://bob:hunter2@127.0.0.1:1", "SOCKS5://bob:hunter2@127.0.0.1:1",
      "http://bob:hunter2%40x@[::1]:1",
    } do
      clean(proxy, shown("http://example.test/", { proxy = proxy }))
      clean(proxy, events)
    end
  end)

  it("no message has the passwords of options", function()
    for _, options in ipairs {
      { auth = { user = "a:b", password = "hunter2" } },
      { auth = { user = "u", password = "hunter2\0" } },
      { auth = { bearer = "hunter2", digest = true } }, { auth = "me:hunter2" },
      { headers = { ["X-A"] = "hunter2\n" } }, { headers = { Authorization = function() end } },
      { auth = { user = "hunter2\n" } }, { auth = { bearer = "hunter2\n" } },
      { headers = { ["a\27b"] = "x" } }, { headers = { ["a\nb"] = "x" } },
    } do
      for _, way in ipairs { http.session, function(given) http.get(URL, given) end } do
        local ok, err = pcall(way, options)
        equal(ok, false)
        clean("options", { err, tostring(err) })
      end
    end
    local numbers = raises_error({ kind = "Usage" }, http.session,
      { auth = { user = "u", password = 31337 } })
    equal(tostring(numbers):find "31337", nil)
  end)
end)

describe("H-9: messages have no byte that a terminal would obey", function()
  it("control bytes of a Location are escaped in messages", function()
    for bytes, words in pairs { ["\27[31mred"] = "\\x1b[31mred", ["\255\254"] = "\\xff\\xfe",
      ["\194\155"] = "\\xc2\\x9b", ["\127"] = "\\x7f", ["\8"] = "\\x08" } do
      local head = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: foo:" .. bytes
        .. "\r\n\r\n"
      local moved = origin.raw { head, "keep" }
      for _, call in ipairs { http.get, function(target)
        http.default():stream("GET", target)
      end } do
        local err = raises_error({ kind = "HttpError", code = "redirect" }, call, moved)
        clean(words, { err, tostring(err) })
        equal(err.message:find(words, 1, true) ~= nil, true, err.message)
      end
    end
  end)

  it("control bytes of a method or a URL are escaped in messages", function()
    for _, bytes in ipairs { "\27[31m", "\n", "\r", "\t", "\127", "\194\155", "\255", "\1" } do
      clean("method", shown("http://127.0.0.1:1/" .. bytes))
      clean("url", events)
      local ok, err = pcall(http.default().request, http.default(), "GET" .. bytes, URL)
      equal(ok, false)
      clean("method", { err, tostring(err) })
    end
  end)

  it("other characters are kept in messages", function()
    local err = raises_error({ kind = "HttpError" }, http.get, "http://127.0.0.1:1/caf\u{e9}?q=a@b")
    equal(err.url, "http://127.0.0.1:1/caf%C3%A9?q=a@b")
  end)
end)
