-- SPDX-License-Identifier: MIT
-- An option of a request is on the wire as the script wrote it, or it is a mistake.
local private = debug.getregistry()["septet.require"] -- of private modules
local task, http = require "septet.task", require "septet.http"
local retry = private "septet.http.retry"
local origin = require "origin"

local URL, echo = origin.url, origin.echo

local function refuses(options, ...)
  local err = raises_error({ kind = "Usage" }, http.default().request, http.default(), "POST",
    URL .. "/echo", options)
  for _, word in ipairs { ... } do
    equal(err.message:find(word, 1, true) ~= nil, true, err.message)
  end
  return err
end

-- All shapes of tables to a depth, as { shape =, fields = a list of "name=value", or false where it
-- is none }.
local LEAVES = { "a", 1, true, 0 / 0, math.huge, print }

local function text_of(value)
  if value ~= value or value == math.huge or value == print then return nil end
  return tostring(value)
end

-- Values of a field: the texts that go over the wire, or nil where they cannot.
local function values()
  local list = {}
  for _, leaf in ipairs(LEAVES) do
    list[#list + 1] = { leaf, text_of(leaf) and { text_of(leaf) } }
  end
  local shapes = { {}, { "a" }, { "a", 2 }, { x = "a" }, { "a", x = 1 }, { [2] = "a" }, { { "a" } },
    { {} },
    { "a", { "b" } }, { 0 / 0 }, { [0] = "a" }, { "a", print }, { a = {} }, table.pack("a", nil) }
  local texts = { nil, { "a" }, { "a", "2" } }
  for i, shape in ipairs(shapes) do list[#list + 1] = { shape, texts[i] } end
  list[#list + 1] = { table.pack("a", "b"), { "a", "b" } }
  return list
end

local function check(shape, expected)
  for _, option in ipairs { "params", "form" } do
    local ok, result = pcall(echo, http.default(), "POST", { [option] = shape })
    if not expected then
      equal({ ok, task.is(result, "Usage") }, { false, true }, option .. " " .. tostring(result))
    else
      if not ok then error(result, 0) end
      local wire = option == "form" and result.body or result.query or result.url:match "%?(.*)$"
        or ""
      local got = {}
      for pair in wire:gmatch "[^&]+" do got[#got + 1] = pair end
      table.sort(got)
      table.sort(expected)
      equal(got, expected, option)
    end
  end
end

describe("fields of params and form", function()
  it("H-12: a value of a name is on the wire, or refused", function()
    for _, case in ipairs(values()) do
      local expected = case[2] and { "z=9" }
      for i, text in ipairs(case[2] or {}) do expected[i + 1] = "k=" .. text end
      check({ k = case[1], z = 9 }, expected)
    end
  end)

  it("H-12: a value of a pair is on the wire, or refused", function()
    for _, case in ipairs(values()) do
      local expected = case[2] and { "z=9" }
      for i, text in ipairs(case[2] or {}) do expected[i + 1] = "k=" .. text end
      check({ { "z", 9 }, { "k", case[1] } }, expected)
      check({ { "k", case[1] }, key = "v" }, nil)
      check({ { "k", case[1] }, [3] = { "l", 1 } }, nil)
      check({ { "k", case[1], "more" } }, nil)
      check({ { "k", case[1], x = 1 } }, nil)
    end
  end)

  it("H-12: Usage names the value that is refused", function()
    refuses({ params = { q = "a", filter = { lang = "en" } } }, "'filter'", "'lang'")
    refuses({ params = { { "page", 1 }, key = "k" } }, "'key'")
    refuses({ params = { a = { 1, nil, 3 } } }, "'a'")
    refuses({ form = { a = 0 / 0 } }, "'a'", "nan")
    refuses({ form = { a = {} } }, "'a'", "empty")
    refuses({ params = { "a", "b" } }, "item 1")
    refuses({ params = { {} } }, "item 1")
  end)
end)

describe("the Content-Type of a multipart body", function()
  local parts = { { name = "a", data = "1" } }
  local function sent(content_type)
    return echo(http.default(), "POST",
      { multipart = parts, headers = { ["content-type"] = content_type } })
  end

  it("X-16: a Content-Type without a boundary gets one", function()
    for _, kind in ipairs { "multipart/mixed", "multipart/form-data", "multipart/related; type=a",
      "Multipart/Form-Data", "multipart/x-y ;", 'multipart/related; type="a;b"' } do
      local said = sent(kind)
      local boundary = said.headers["content-type"]:match "; boundary=(%S+)$"
      equal(said.headers["content-type"]:sub(1, 12), kind:sub(1, 12))
      equal(said.body:sub(1, #boundary + 4), "--" .. boundary .. "\r\n")
    end
  end)

  it("X-16: a multipart body uses the boundary that its Content-Type names", function()
    for kind, boundary in pairs {
      ["multipart/form-data; boundary=xyz"] = "xyz",
      ['multipart/mixed; BOUNDARY="a b"; charset=utf-8'] = "a b",
      ["multipart/mixed;charset=x;boundary=0"] = "0",
    } do
      local said = sent(kind)
      equal(said.headers["content-type"], kind)
      equal(said.body:sub(1, #boundary + 4), "--" .. boundary .. "\r\n")
      equal(said.body:sub(-#boundary - 6), "--" .. boundary .. "--\r\n")
    end
  end)

  it("X-16: a multipart body with another Content-Type is refused", function()
    for _, kind in ipairs { "text/plain", "", "multipart", "multipart/",
      "application/json; boundary=x",
      "multipart/mixed; boundary=", "multipart/mixed; boundary=" .. ("x"):rep(71),
      'multipart/mixed; boundary="a"b"',
      "multipart/mixed; boundary=a; boundary=b", "multipart/mixed boundary=a",
      'multipart/mixed; boundary="a "',
      "multipart/mixed; boundary=a\200" } do
      refuses({ multipart = parts, headers = { ["Content-Type"] = kind } }, "Content-Type")
    end
    refuses({ multipart = parts, headers = { ["Content-Type"] = false } }, "Content-Type")
    refuses({ multipart = parts,
      headers = { ["Content-Type"] = "multipart/a", ["content-type"] = "x" } }, "ontent-")
    local own = { ["Content-Type"] = "multipart/a; boundary=b" }
    refuses({ multipart = { { name = "a", data = "--b" } }, headers = own },
      "boundary occurs in a part")
    local function change(_, ev) ev.headers["Content-Type"] = "text/x" end
    refuses({ multipart = parts, trace = { request_start = change } }, "Content-Type")
  end)

  it("X-16: the session's Content-Type is for its other bodies", function()
    local session <close> = http.session { headers = { ["Content-Type"] = "text/plain" } }
    equal(echo(session, "POST", { multipart = parts }).headers["content-type"]:match "^[^;]+",
      "multipart/form-data")
  end)
end)

describe("a method in lower case", function()
  it("H-20: a known method in lower case is in capitals on the wire", function()
    local session <close> = http.session()
    for _, method in ipairs { "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" } do
      for _, written in ipairs { method, method:lower(),
        method:sub(1, 1) .. method:sub(2):lower() } do
        equal(session:request(written, URL .. "/echo"):json().method, method)
        local stream <close> = session:stream(written, URL .. "/echo")
        equal(stream:json().method, method)
        equal(stream.method, method)
      end
    end
    equal(session:request("head", URL .. "/bytes/10").body, "")
    equal(session:stream("Head", URL .. "/bytes/10"):read(), "")
  end)

  it("H-20: an unknown method is as it was written on the wire", function()
    for _, method in ipairs { "purge", "Purge", "PURGE", "trace-it", "query" } do
      equal(http.default():request(method, URL .. "/echo"):json().method, method)
    end
  end)

  it("H-20: redirects and retries know the method in lower case", function()
    local session <close> = http.session { retries = { attempts = 2, backoff = 0 } }
    local r = session:request("post", URL .. "/redirect-to?url=/echo&status=302", { body = "x" })
    equal({ r:json().method, r:json().body }, { "GET", "" })
    equal(session:request("get",
      URL .. "/fail/1?key=lower-" .. os.time() .. math.random(0)).attempts, 2)
    local listed <close> = http.session {
      retries = { attempts = 2, backoff = 0, methods = { "post" } },
    }
    equal(listed:post(URL .. "/fail/1?key=listed-" .. os.time() .. math.random(0)).attempts, 2)
  end)
end)

describe("a request for a range", function()
  local RANGE = { Range = "bytes=0-9" }
  local function encoding(session, options)
    return echo(session, "GET", options).headers["accept-encoding"]
  end

  it("H-19: a Range from any source removes Accept-Encoding", function()
    local plain <close> = http.session()
    local ranged <close> = http.session { headers = { range = "bytes=0-9" } }
    equal(encoding(plain, { headers = RANGE }), "identity")
    equal(encoding(ranged), "identity")
    equal(encoding(ranged, { headers = { A = "b" } }), "identity")
    local function add(_, ev) ev.headers.rAnge = "bytes=1-" end
    equal(encoding(plain, { trace = { request_start = add } }), "identity")
    local traced <close> = http.session { trace = { request_start = add } }
    equal(encoding(traced), "identity")
    equal(plain:get(URL .. "/redirect-to?url=/echo",
      { headers = RANGE }):json().headers["accept-encoding"], "identity")
  end)

  it("H-19: the script's own Accept-Encoding stays beside a Range", function()
    local plain <close> = http.session()
    local gzip <close> = http.session { headers = { ["accept-encoding"] = "gzip" } }
    equal(encoding(plain, { headers = { Range = "bytes=0-9", ["Accept-Encoding"] = "br" } }), "br")
    equal(encoding(gzip, { headers = RANGE }), "gzip")
    equal(encoding(plain, { headers = { Range = "bytes=0-9", ["Accept-Encoding"] = false } }), nil)
    equal(encoding(plain, { headers = RANGE, trace = { request_start = function(_, ev)
      ev.headers["Accept-Encoding"] = "br"
    end } }), "br")
  end)

  it("H-19: a request without a Range asks for codings", function()
    local ranged <close> = http.session { headers = RANGE }
    equal(encoding(ranged, { headers = { Range = false } }):find "gzip" ~= nil, true)
    equal(encoding(http.default(),
      { trace = { request_start = function() end } }):find "gzip" ~= nil, true)
  end)
end)

describe("a Retry-After", function()
  local NOW = 784111767 -- Sun, 06 Nov 1994 08:49:27 GMT

  it("H-18: a Retry-After is read in many forms", function()
    for text, seconds in pairs {
      ["1.5"] = 2, ["1.0"] = 1, ["0.1"] = 1, [".5"] = 1, ["3."] = 3, ["1, 2"] = 2, ["2,1"] = 2,
      ["0"] = 0, [" 7 "] = 7,
      ["Sun, 06 Nov 1994 08:49:37 GMT"] = 10, ["Sun, 06 Nov 1994 08:49:37 UTC"] = 10,
      ["Sun, 06 Nov 1994 08:49:37 +0000"] = 10, ["Sun, 06 Nov 1994 08:49:37 Z"] = 10,
      ["06 Nov 1994 08:49:37 UT"] = 10,
      ["Sun, 6 Nov 1994 8:49:37 utc"] = 10, ["sunday, 06 november 1994 08:49:37 gmt"] = 10,
      ["Sun, 06 Nov 1994 10:49:37 +0200"] = 10, ["Sun, 06 Nov 1994 08:49:37 UTC+00:00"] = 10,
      ["1994-11-06T08:49:37Z"] = 10, ["1994-11-06 08:49:37 UTC"] = 10,
      ["1994-11-06T08:49:36.5Z"] = 10,
      ["1994-11-06T07:49:37-01:00"] = 10, ["1994-11-06T08:50Z"] = 33,
      ["1994-11-06t08:49:37.000+00:00"] = 10,
      ["5, Sun, 06 Nov 1994 08:49:37 GMT"] = 10, ["Sun, 06 Nov 1994 08:49:37 GMT, 50"] = 50,
      ["Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:57 GMT"] = 30,
      ["Sun, 06 Nov 1994 08:49:07 GMT"] = 0,
      ["Sunday, 06-Nov-94 08:49:37 GMT"] = 10, ["Sun Nov  6 08:49:37 1994"] = 10,
    } do
      equal(retry.after(text, NOW, 99), seconds, text)
    end
    equal(retry.after({ "1", "2" }, NOW, 99), 2)
    equal(retry.after({ "abc", "1", "Sun, 06 Nov 1994 08:49:37 GMT" }, NOW, 99), 10)
  end)

  it("H-18: a Retry-After that looks like a bad date asks for the longest backoff", function()
    for _, text in ipairs { "Sun, 06 Nov 1994 08:49:37 PST", "1994-11-06T08:49:37", "1994-11-06",
      "06 Nov 1994",
      "Sun, 32 Foo 1994 08:49:37 GMT", "11/06/1994 08:49", "tomorrow at 10:30" } do
      equal(retry.after(text, NOW, 99), 99, text)
    end
  end)

  it("H-18: a Retry-After without a meaning is ignored", function()
    for _, text in ipairs { "-5", "abc", "", " ", ",", "soon", "5s", "1e3", "nan",
      "later, perhaps" } do
      equal(retry.after(text, NOW, 99), nil, text)
    end
  end)

  it("H-18: a Retry-After replaces the backoff, up to max_wait", function()
    local policy = retry.policy({ attempts = 9, backoff = 5, max_backoff = 5 }, "test")
    local unread = { headers = { all = function() return { "1994-11-06" } end } }
    equal(retry.delay(policy, 1, unread), 5)
    equal(retry.delay(policy, 1, { headers = { all = function() return { "1", "61" } end } }), nil)
    local long = retry.policy({ attempts = 9, backoff = 100, max_backoff = 100 }, "test")
    for _ = 1, 100 do -- never the random wait, also where that is longer (decision 0029)
      for _, asked in ipairs { 0, 1, 60 } do
        equal(retry.delay(long, 3,
          { headers = { all = function() return { tostring(asked) } end } }), asked)
      end
    end
    local waits = {} -- of one that says nothing: the random ones
    for _ = 1, 100 do
      waits[retry.delay(long, 3, { headers = { all = function() return { "abc" } end } })] = true
    end
    equal(next(waits, next(waits)) ~= nil, true)
  end)

  it("a response has the seconds of its own", function()
    local function of(value)
      local server <close> = require "septet.testing".serve(function()
        return { status = 429, headers = { ["Retry-After"] = value } }
      end)
      return http.get(server.url).retry_after
    end
    equal({ of "7", of { "1", "30" }, of "soon", of(nil) }, { 7, 30 })
    local seconds = of(os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + 100))
    equal(seconds > 0 and seconds <= 100, true)
  end)

  it("H-18: a Retry-After is a wait by the server's clock", function()
    for i, value in ipairs { "0.2", "0,%201" } do
      local session <close> = http.session { retries = { attempts = 2, backoff = 0 } }
      local start = task.now()
      local target = ("%s/fail/1?key=h18-%d-%x&retry-after=%s"):format(URL,
        i, math.random(0), value)
      equal(session:get(target).attempts, 2)
      equal(task.now() - start >= 1, true)
    end
  end)
end)

describe("a Host that is false", function()
  it("X-17: a Host that is false is refused, since each request has one", function()
    for _, name in ipairs { "Host", "host", "HOST" } do
      refuses({ headers = { [name] = false } }, name, "cannot be removed")
      raises_error({ kind = "Usage" }, http.session, { headers = { [name] = false } })
      raises_error({ kind = "Usage" }, http.get, URL .. "/echo", { trace = {
        request_start = function(_, ev) ev.headers[name] = false end,
      } })
    end
  end)

  it("X-17: a Host that is false removes that of the session", function()
    local session <close> = http.session { headers = { Host = "other.example" } }
    equal(echo(session, "GET").headers.host, "other.example")
    equal(echo(session, "GET", { headers = { host = false } }).headers.host, origin.authority)
  end)
end)

describe("a save that is tried again", function()
  it("X-11: a save that is tried again counts in the session's retries", function()
    local session <close> = http.session { retries = { attempts = 3, backoff = 0 } }
    local path = os.tmpname()
    local target = ("%s/fail/2?key=x11-%x"):format(URL, math.random(0))
    local saved = session:save(target, path)
    equal({ saved.attempts, session:stats().retries, session:stats().requests }, { 3, 2, 3 })
    local r = session:get(("%s/fail/1?key=x11-%x"):format(URL, math.random(0)))
    equal({ r.attempts, session:stats().retries }, { 2, 3 })
    local stream <close> = session:stream("GET",
      ("%s/fail/1?key=x11-%x"):format(URL, math.random(0)))
    equal({ stream.attempts, session:stats().retries }, { 2, 4 })
    os.remove(path)
  end)
end)
