-- SPDX-License-Identifier: MIT
-- Bad input: a typed error says what is wrong and where, before anything is sent. All other tasks
-- go on.
-- check: allow cannot-wait
local task, http = require "septet.task", require "septet.http"
local origin = require "origin"

local URL = origin.url

local function works(session)
  equal(session:get(URL .. "/bytes/3").body, "012")
end

-- Checks that requests for these URLs fail by `reason`, and that none reaches the origin.
local function bad_urls(reason, urls)
  local session <close> = http.session()
  local mark = origin.mark()
  for _, url in ipairs(urls) do
    local err = raises_error({ kind = "HttpError", code = "url", reason = reason }, session.get,
      session, url)
    equal(err.method, "GET")
    equal(math.type(err.attempts), "integer")
  end
  equal(#origin.requests(mark), 0)
  works(session)
end

describe("a URL is refused:", function()
  it("a URL without a scheme is refused", function()
    bad_urls("no_scheme", {
      "", "/", "/bytes/1", origin.authority .. "/bytes/1", "//" .. origin.authority .. "/",
      "localhost:80", "://127.0.0.1/", "1http://127.0.0.1/", "mailto:a", "?", "#",
    })
  end)

  it("a URL with an unknown scheme is refused", function()
    bad_urls("scheme", {
      "ftp://127.0.0.1/", "file:///etc/passwd", "htp://127.0.0.1/", "httpss://127.0.0.1/",
      "gopher://127.0.0.1/", "ws://127.0.0.1/", "http+unix://x/", "dict://127.0.0.1/",
    })
  end)

  it("http.33 a URL with control characters, or with blanks around it, is refused", function()
    local urls = {}
    for code = 1, 31 do
      urls[#urls + 1] = ("%s/a%sb"):format(URL, string.char(code))
    end
    urls[#urls + 1] = URL .. "/a\127b"
    urls[#urls + 1] = " " .. URL
    urls[#urls + 1] = URL .. "/ "
    urls[#urls + 1] = URL .. "/\r\nEvil: 1"
    bad_urls("characters", urls)
  end)

  it("a URL with a NUL is refused", function()
    local session <close> = http.session()
    misuse("a NUL in the URL", function() session:get(URL .. "/\0") end)
    misuse("a NUL in the URL", function() session:get(URL .. "/bytes/1\0evil", { timeout = 1 }) end)
    misuse("a NUL in the URL", function() http.get("http://127.0.0.1\0.example.test/") end)
    works(session)
  end)

  it("a URL without a valid host is refused", function()
    bad_urls("host", { "http://", "http:///", "http:///bytes/1", "http://:80/", "http://[::1/" })
  end)

  it("a URL with an invalid port is refused", function()
    bad_urls("port", { "http://127.0.0.1:99999/", "http://127.0.0.1:x/", "http://127.0.0.1:-1/" })
  end)

  it("a URL with a name and a password is refused, and the error does not quote them", function()
    local session <close> = http.session()
    local err = raises_error({ kind = "HttpError", code = "url", reason = "userinfo" }, session.get,
      session, "http://name:hidden@127.0.0.1/")
    equal(tostring(err):find("hidden", 1, true), nil)
    equal(err.url:find("hidden", 1, true), nil)
    works(session)
  end)

  it("each verb refuses a bad URL", function()
    local session <close> = http.session()
    for _, verb in ipairs { "get", "head", "post", "put", "patch", "delete", "options" } do
      raises_error({ code = "url", reason = "no_scheme", method = verb:upper() }, session[verb],
        session, "nothing")
      raises_error({ code = "url", reason = "no_scheme", method = verb:upper() }, http[verb],
        "nothing")
    end
  end)

  it("a bad URL may be refused a thousand times while other tasks go on", function()
    local session <close> = http.session()
    local other = task.spawn(session.get, session, URL .. "/delay/0.02")
    for _ = 1, 1000 do
      raises_error({ code = "url" }, session.get, session, "nothing")
    end
    equal(other:await().status, 200)
  end)
end)

describe("a URL is taken", function()
  it("a URL may have its scheme and host in any case", function()
    local session <close> = http.session()
    equal(session:get("HTTP://LOCALHOST:" .. origin.port .. "/bytes/2").body, "01")
  end)

  it("a URL may have no path, a query alone, and a fragment, which is not sent", function()
    local session <close> = http.session()
    equal(session:get(URL).status, 404)
    local echoed = origin.decode(session:get(URL .. "/echo?a=%20b#part").body)
    equal({ echoed.path, echoed.query }, { "/echo", "a=%20b" })
  end)

  it("a URL may be very long", function()
    local session <close> = http.session()
    local echoed = origin.decode(session:get(URL .. "/echo?" .. ("x"):rep(100000)).body)
    equal(#echoed.query, 100000)
  end)

  it("a URL may have bytes beyond ASCII", function()
    local session <close> = http.session()
    for _, bytes in ipairs { "\xff", "\xc3\xa9", "\xed\xa0\x80" } do
      local ok, result = pcall(session.get, session, URL .. "/echo?" .. bytes)
      equal(ok and result.status == 200 or task.is(result, "HttpError"), true)
    end
    works(session)
  end)
end)

describe("fault.39 http.33 a header is refused:", function()
  local session = http.session()

  it("a header with a line break or NUL in its value is refused", function()
    local mark = origin.mark()
    misuse("header 'X%-Bad': the value has a line break, NUL", function()
      session:get(URL .. "/echo?spec=value", { headers = { ["X-Bad"] = "a\r\nEvil: 1" } })
    end)
    misuse("X%-Bad", function()
      session:get(URL .. "/echo?spec=value", { headers = { ["X-Bad"] = "a\nEvil: 1" } })
    end)
    misuse("X%-Bad", function()
      session:get(URL .. "/echo?spec=value", { headers = { ["X-Bad"] = "a\rEvil: 1" } })
    end)
    misuse("X%-Bad", function()
      session:get(URL .. "/echo?spec=value", { headers = { ["X-Bad"] = "a\0b" } })
    end)
    misuse("X%-Bad", function()
      session:get(URL .. "/echo?spec=value", { headers = { ["X-Bad"] = "a\n" } })
    end)
    misuse("X%-Bad", function() http.session({ headers = { ["X-Bad"] = "a\r\nEvil: 1" } }) end)
    equal(#origin.requests(mark, "/echo?spec=value"), 0)
    works(session)
  end)

  it("a header with an invalid name is refused", function()
    local names = {
      "", "X\r\nEvil: 1", "X\n", "X Y", "X:", ":authority", "X\0", "X\tY", "Ü", "(X)", "X\127",
    }
    for _, name in ipairs(names) do
      misuse("the name is not a token", function()
        session:get(URL .. "/echo?spec=name", { headers = { [name] = "v" } })
      end)
      misuse("the name is not a token", function() http.session({ headers = { [name] = "v" } }) end)
    end
    equal(#origin.requests(0, "/echo?spec=name"), 0)
    works(session)
  end)

  it("a header that the body decides is refused, in any case", function()
    misuse("the body decides this header", function()
      session:get(URL .. "/echo", { headers = { ["Content-Length"] = "5" } })
    end)
    misuse("the body decides this header", function()
      session:post(URL .. "/echo", { body = "x", headers = { ["transfer-ENCODING"] = "chunked" } })
    end)
    works(session)
  end)

  it("a header of the wrong type is refused", function()
    misuse("bad header name in 'get' %(string expected, got number%)", function()
      session:get(URL, { headers = { "X: y" } })
    end)
    misuse("bad header 'X' in 'get' %(a list without a value%)", function()
      session:get(URL, { headers = { X = {} } })
    end)
    misuse("bad header 'X' in 'get' %(item 1: string expected, got table%)", function()
      session:get(URL, { headers = { X = { {} } } })
    end)
    misuse("bad header 'X' in 'post' %(string expected, got boolean%)", function()
      session:post(URL, { headers = { X = true } })
    end)
    misuse("bad header 'X' in 'session'", function() http.session({ headers = { X = print } }) end)
    works(session)
  end)

  it("the session of refused headers can be closed", function()
    session:close()
  end)
end)

describe("fault.39 http.33 a method is refused:", function()
  it("a method that is no token is refused", function()
    local session <close> = http.session()
    for _, method in ipairs {
      "", "GET\r\nEvil: 1", "GET /evil HTTP/1.1\r\nX: y", "G T", "GET\n", "Ü", "G/T",
    } do
      raises_error({ kind = "HttpError", code = "protocol", reason = "method" }, session.request,
        session, method, URL .. "/echo?spec=method")
    end
    misuse("a NUL in the URL or the method", function()
      session:request("GET\0", URL .. "/echo?spec=method")
    end)
    misuse("a NUL in the URL or the method", function()
      session:request("\0", URL .. "/echo?spec=method")
    end)
    equal(#origin.requests(0, "/echo?spec=method"), 0)
    works(session)
  end)

  it("CONNECT is refused, and HEAD with a body", function()
    local session <close> = http.session()
    raises_error({ code = "protocol", reason = "method" }, session.request, session, "CONNECT", URL)
    raises_error({ code = "protocol", reason = "method" }, session.head, session, URL,
      { body = "x" })
    works(session)
  end)
end)

describe("arguments are refused:", function()
  it("a URL of the wrong type is refused", function()
    local session <close> = http.session()
    misuse("bad argument #1 to 'get' %(string expected, got nil%)", function() session:get() end)
    misuse("bad argument #1 to 'get' %(string expected, got number%)", function()
      session:get(7)
    end)
    misuse("bad argument #1 to 'post' %(string expected, got table%)", function()
      session:post({ URL })
    end)
    misuse("bad argument #1 to 'request' %(string expected, got nil%)", function()
      session:request()
    end)
    misuse("bad argument #2 to 'request' %(string expected, got nil%)", function()
      session:request("GET")
    end)
    misuse("bad argument #1 to 'get' %(string expected, got boolean%)", function()
      http.get(true)
    end)
    works(session)
  end)

  it("options of the wrong type, and unknown ones, are refused", function()
    local session <close> = http.session()
    misuse("bad options to 'get' %(table expected, got string%)", function()
      session:get(URL, "x")
    end)
    misuse("bad options to 'get' %(table expected, got boolean%)", function()
      session:get(URL, true)
    end)
    misuse("unknown option 'header' to 'get', did you mean 'headers'%?", function()
      session:get(URL, { header = {} })
    end)
    misuse("unknown option 'bdoy' to 'post', did you mean 'body'%?", function()
      session:post(URL, { bdoy = "x" })
    end)
    misuse("unknown option 'Timeout' to 'put', did you mean 'timeout'%?", function()
      session:put(URL, { Timeout = 1 })
    end)
    misuse("unknown option 'parms' to 'get', did you mean 'params'%?", function()
      session:get(URL, { parms = {} })
    end)
    misuse("bad option 'headers' to 'get' %(a table expected, got string%)", function()
      session:get(URL, { headers = "X: y" })
    end)
    local body = "bad option 'body' to 'post' %(a string, a function or a reader expected, got "
    misuse(body .. "table%)", function()
      session:post(URL, { body = {} })
    end)
    misuse(body .. "7%)", function()
      session:post(URL, { body = 7 })
    end)
    misuse("bad option 'timeout' to 'get'", function() session:get(URL, { timeout = "1" }) end)
    local expected = "%(seconds, or a table of them, expected, got %-1%)"
    misuse("bad option 'timeout' to 'get' " .. expected, function()
      session:get(URL, { timeout = -1 })
    end)
    misuse("bad option 'timeout' to 'get'", function() session:get(URL, { timeout = 0 / 0 }) end)
    misuse("bad option 'timeout' to 'get'", function() http.get(URL, { timeout = -math.huge }) end)
    works(session)
  end)

  it("a request in a function that cannot wait is refused", function()
    local session <close> = http.session()
    local mark = origin.mark()
    misuse("cannot wait here: called from 'table.sort'", function()
      table.sort({ 2, 1 }, function() session:get(URL .. "/bytes/1?spec=sort") end)
    end)
    misuse("cannot wait here: called from 'string.gsub'", function()
      string.gsub("a", ".", function() session:get(URL .. "/bytes/1?spec=sort") end)
    end)
    works(session)
    equal(#origin.requests(mark, "/bytes/1?spec=sort"), 0)
  end)

  it("a request in a finalizer is refused", function()
    local session <close> = http.session()
    local refused
    setmetatable({}, { __gc = function()
      refused = select(2, pcall(session.get, session, URL .. "/bytes/1"))
    end })
    collectgarbage()
    collectgarbage()
    equal(task.is(refused, "Usage"), true)
    equal(refused.message:find "a finalizer" ~= nil, true, refused.message)
    works(session)
  end)
end)

describe("an error in a task", function()
  it("an error in a task of a group ends the group alone", function()
    local others = 0
    local bystander = task.spawn(function()
      while true do
        task.checkpoint()
        others = others + 1
      end
    end)
    local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
      g:spawn(function()
        turns(2)
        local none = nil
        return none.field -- luacheck: ignore
      end)
      g:spawn(task.sleep, math.huge)
    end)
    equal(#err.errors, 1)
    equal(err.errors[1]:find "attempt to index a nil value" ~= nil, true)
    equal(bystander:status(), "suspended")
    equal(others > 0, true)
    bystander:cancel()
    task.wait { bystander }
  end)

  it("an awaiting task gets nil, false, a table, an object whose __tostring fails", function()
    local hostile = setmetatable({}, { __tostring = function() error "no words" end })
    local t = task.spawn(error, hostile)
    equal(rawequal(select(2, pcall(t.await, t)), hostile), true)
    local nothing = task.spawn(error)
    equal(tostring(select(2, pcall(nothing.await, nothing))), "nil error")
    local no = task.spawn(error, false)
    equal(select(2, pcall(no.await, no)), false)
  end)

  it("an error whose __tostring fails still makes an ErrorGroup", function()
    local hostile = setmetatable({}, { __tostring = function() error "no words" end })
    local ok, err = pcall(task.group, function(g) g:spawn(error, hostile) end)
    equal(ok, false)
    equal(task.is(err, "ErrorGroup"), true, tostring(err))
    equal(rawequal(err.errors[1], hostile), true)
  end)
end)
