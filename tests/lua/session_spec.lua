-- SPDX-License-Identifier: MIT
-- septet.http: options of a session and a request beyond the URL: bases, parameters, bodies,
-- credentials, time limits, redirects, retries and rates.
local private = debug.getregistry()["septet.require"] -- of private modules
local task, http = require "septet.task", require "septet.http"
local base64, retry = require "septet.hash".base64, private "septet.http.retry"
local origin = require "origin"

local URL, echo = origin.url, origin.echo

describe("a base URL", function()
  it("a base URL is the base of relative URLs", function()
    local session <close> = http.session { base_url = URL .. "/redirect/0" }
    equal(session:get("/bytes/1").url, URL .. "/bytes/1")
    equal(session:get("0?a=b#c").url, URL .. "/redirect/0?a=b#c")
    equal(session:get("../bytes/2").url, URL .. "/bytes/2")
    equal(session:get(URL .. "/bytes/3").url, URL .. "/bytes/3")
  end)

  it("a base URL leads to http and https alone", function()
    local session <close> = http.session { base_url = URL }
    raises_error({ kind = "HttpError", code = "url", reason = "scheme" },
      session.get, session, "file:///etc/passwd")
    raises_error({ kind = "HttpError", code = "url" }, session.get, session, "http://")
    for _, url in ipairs { "//127.0.0.1:1/", "http:/127.0.0.1:1/", "\\\\a/", "mailto:a" } do
      raises_error({ code = "url", reason = "no_scheme" }, session.get, session, url)
    end
    raises_error({ code = "url", reason = "characters" }, session.get, session, "/bytes/1\0/2")
    equal(session:get("/bytes/1?q=\u{e4}\u{f6}\u{fc}").status, 200)
  end)
end)

describe("parameters", function()
  it("parameters go into the query, by name or in the order given", function()
    local session <close> = http.session()
    local function query(url, params)
      return session:get(url, { params = params }).url:sub(#URL + 1)
    end
    equal(query(URL .. "/bytes/1", { b = 2, a = "x y", c = true }), "/bytes/1?a=x%20y&b=2&c=true")
    equal(query(URL .. "/bytes/1", { { "b", 1 }, { "a", 2 }, { "b", 3 } }), "/bytes/1?b=1&a=2&b=3")
    equal(query(URL .. "/bytes/1?z=0#f", { a = { 1, 2 } }), "/bytes/1?z=0&a=1&a=2#f")
    equal(query(URL .. "/bytes/1?", { a = "&=?#/ä" }), "/bytes/1?a=%26%3D%3F%23%2F%C3%A4")
    equal(query(URL .. "/bytes/1", {}), "/bytes/1")
  end)

  it("parameters that are no text are refused", function()
    local session <close> = http.session()
    local words = "bad value of 'a' in 'params' "
      .. "%(string, number or boolean expected, got function%)"
    misuse(words, function()
      session:get(URL, { params = { a = print } })
    end)
    misuse("bad item 1 of 'params'", function() session:get(URL, { params = { "a" } }) end)
  end)
end)

describe("a body", function()
  it("a body may be a form", function()
    local session <close> = http.session()
    local said = echo(session, "POST", { form = { name = "a b&c", n = 3 } })
    equal(said.body, "n=3&name=a+b%26c")
    equal(said.headers["content-type"], "application/x-www-form-urlencoded")
  end)

  it("a body may be JSON", function()
    local session <close> = http.session()
    local said = echo(session, "POST", { json = { id = 9007199254740993 } })
    equal(said.body, '{"id":9007199254740993}')
    equal(said.headers["content-type"], "application/json")
    equal(echo(session, "PUT", { json = false }).body, "false")
    equal(echo(session, "POST",
      { json = {}, headers = { ["Content-Type"] = "a/b" } }).headers["content-type"], "a/b")
  end)

  it("a body may have several parts, whose names cannot break out", function()
    local session <close> = http.session()
    local said = echo(session, "POST", { multipart = {
      { name = 'a"\r\nX: y', data = "1" }, { name = "f", data = "\0\r\n--", filename = "x.bin" },
    } })
    local boundary = said.headers["content-type"]:match("^multipart/form%-data; boundary=(.+)$")
    equal(said.body, table.concat({
      "--" .. boundary, 'Content-Disposition: form-data; name="a%22%0D%0AX: y"', "", "1",
      "--" .. boundary, 'Content-Disposition: form-data; name="f"; filename="x.bin"',
      "Content-Type: application/octet-stream", "", "\0\r\n--", "--" .. boundary .. "--", "",
    }, "\r\n"))
    misuse("bad part 1 of 'multipart'", function()
      session:post(URL, { multipart = { { name = "a" } } })
    end)
    misuse("a line's end in its type", function()
      session:post(URL, { multipart = { { name = "a", data = "b", type = "c\r\nd" } } })
    end)
  end)

  it("a request has only one body", function()
    local session <close> = http.session()
    misuse("are its body%)", function() session:post(URL, { form = {}, body = "x" }) end)
  end)
end)

describe("credentials", function()
  it("credentials are a user and a password, or a token", function()
    local session <close> = http.session { auth = { user = "Aladdin", password = "open sesame" } }
    equal(echo(session, "GET").headers.authorization, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    equal(echo(session, "GET", { auth = { bearer = "t" } }).headers.authorization, "Bearer t")
    equal(echo(session, "GET", { headers = { Authorization = false } }).headers.authorization, nil)
  end)

  it("credentials that are not valid are refused", function()
    misuse("a colon in the user's name", function() http.session { auth = { user = "a:b" } } end)
    misuse("either 'user' or 'bearer' expected", function() http.session { auth = {} } end)
    local session <close> = http.session()
    misuse("header 'Authorization'", function()
      session:get(URL, { auth = { bearer = "a\r\nb" } })
    end)
  end)

  it("credentials are in base64", function()
    local texts = { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", ["\255\254\253"] = "//79" }
    for text, expected in pairs(texts) do equal(base64(text), expected) end
  end)
end)

describe("limits", function()
  it("a request's limits replace those of its session", function()
    local session <close> = http.session { timeout = { total = 60, first_byte = 0.02 },
      max_body = 10 }
    raises_error({ code = "timeout", reason = "first_byte", phase = "wait" },
      session.get, session, URL .. "/stall")
    raises_error({ code = "timeout", reason = "total" }, session.get, session, URL .. "/stall",
      { timeout = { total = 0.02, first_byte = 60 } })
    raises_error({ code = "timeout", reason = "idle", phase = "receive" }, session.get, session,
      URL .. "/stall?after=1&length=5", { timeout = { idle = 0.02, first_byte = 60 } })
    raises_error({ code = "body_too_large" }, session.get, session, URL .. "/bytes/11")
    equal(#session:get(URL .. "/bytes/11", { max_body = 11 }).body, 11)
    raises_error({ code = "body_too_large" }, session.get,
      session, URL .. "/bytes/1", { max_body = 0 })
  end)

  it("a limit on the queue ends only the wait for a place", function()
    local session <close> = http.session { limit = 1, timeout = { queue = 0.02 } }
    task.group(function(g)
      g:spawn(session.get, session, URL .. "/stall")
      task.checkpoint()
      raises_error({ code = "timeout", reason = "queue", phase = "queue" },
        session.get, session, URL .. "/bytes/1")
      g:cancel()
    end)
    equal(session:get(URL .. "/bytes/1").status, 200)
  end)

  it("a limit of 0 on the queue means a place now or never", function()
    local session <close> = http.session { limit = 1, timeout = { queue = 0 } }
    task.group(function(g)
      g:spawn(session.get, session, URL .. "/stall")
      task.checkpoint()
      raises_error({ code = "timeout", reason = "queue" }, session.get, session, URL .. "/bytes/1")
      g:cancel()
    end)
  end)

  it("a limit on redirects may be 0", function()
    local session <close> = http.session { redirects = 1 }
    equal(session:get(URL .. "/redirect/1").status, 200)
    raises_error({ code = "redirect", reason = "limit" },
      session.get, session, URL .. "/redirect/2")
    equal(session:get(URL .. "/redirect/2", { redirects = 2 }).status, 200)
    local r = session:get(URL .. "/redirect/2", { redirects = false })
    equal({ r.status, r.headers.location, #r.history }, { 302, "/redirect/1", 0 })
    misuse("bad option 'redirects'", function() http.session { redirects = "all" } end)
  end)
end)

describe("retries", function()
  local quick = { attempts = 4, backoff = 0.001 }

  it("retries follow temporary statuses, and connections that break", function()
    for _, how in ipairs { "", "&status=429", "&how=reset", "&retry-after=0" } do
      -- a connection used again has a retry of its own
      local session <close> = http.session { retries = quick }
      local r = session:get(origin.failing(2, how))
      equal({ r.status, r.attempts }, { 200, 3 }, how)
    end
    local session <close> = http.session { retries = quick }
    equal(session:get(URL .. "/bytes/1").attempts, 1)
  end)

  it("retries come to an end, and the last result is returned", function()
    local session <close> = http.session { retries = quick }
    local r = session:get(origin.failing(9))
    equal({ r.status, r.attempts }, { 503, 4 })
    raises_error({ code = "status", attempts = 4 }, r.raise_for_status, r)
    raises_error({ code = "reset", attempts = 4 },
      session.get, session, origin.failing(9, "&how=reset"))
    raises_error({ code = "connect", attempts = 2 }, session.get, session, origin.refused,
      { retries = { attempts = 2, backoff = 0 } })
  end)

  it("retries are for methods that are harmless to repeat", function()
    local session <close> = http.session { retries = quick }
    equal(session:post(origin.failing(1)).status, 503)
    equal(session:post(origin.failing(1),
      { retries = { methods = { "POST" }, backoff = 0 } }).status, 200)
    equal(session:get(origin.failing(1, "&status=500")).status, 500)
    equal(session:get(origin.failing(1), { retries = false }).status, 503)
    raises_error({ code = "partial" }, session.get, session, URL .. "/truncate")
  end)

  it("retries wait as long as the server says, up to a limit", function()
    local session <close> = http.session { retries = { backoff = 0 } }
    local t0 = task.now()
    equal(session:get(origin.failing(1, "&retry-after=1")).status, 200)
    equal(task.now() - t0 >= 1, true)
    equal(session:get(origin.failing(1, "&retry-after=61")).attempts, 1)
    equal(session:get(origin.failing(1, "&retry-after=soon")).attempts, 2)
  end)

  it("retries do not outlast the request's time", function()
    local session <close> = http.session { retries = { backoff = 0 }, timeout = 5 }
    equal(session:get(origin.failing(1, "&retry-after=10")).attempts, 1)
  end)

  it("retries have a budget for each origin", function()
    local session <close> = http.session { retries = { attempts = 20, backoff = 0 } }
    equal(session:get(origin.failing(99)).attempts, 11)
    equal(session:get(origin.failing(99)).attempts, 1)
    for _ = 1, 10 do session:get(URL .. "/bytes/1") end
    equal(session:get(origin.failing(99)).attempts, 2)
  end)

  it("retries read the three forms of a date", function()
    for _, text in ipairs {
      "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
    } do
      equal(retry.after(text, 784111767), 10, text)
    end
    equal({ retry.after "120", retry.after("Sunday, 06-Nov-30 08:49:37 GMT", 0) },
      { 120, 1920185377 })
    equal(retry.after("Thu, 29 Feb 2024 23:59:59 GMT", 1709251190), 9)
    equal(retry.after("Sun, 06 Nov 1994 08:49:37 GMT", 784111900), 0)
    for _, text in ipairs { "tomorrow", "-1", "", "Sun, 06 Foo 1994 08:49:37 GMT" } do
      equal(retry.after(text), nil)
    end
    equal(retry.after(nil), nil)
  end)

  it("hooks see retries as one request", function()
    local seen = {}
    local session <close> = http.session { retries = quick, trace = {
      request_end = function(_, ev) seen[#seen + 1] = ev.status end,
      request_exception = function(_, ev) seen[#seen + 1] = ev.exception.code end,
    } }
    session:get(origin.failing(2))
    raises_error({ code = "reset" }, session.get, session, origin.failing(9, "&how=reset"))
    equal(seen, { 200, "reset" })
  end)

  it("retries that are not valid are refused", function()
    misuse("unknown option 'atempts' to 'retries'", function()
      http.session { retries = { atempts = 1 } }
    end)
    misuse("bad option 'retries'", function() http.session { retries = "3" } end)
    misuse("bad option 'retries'", function() http.session { retries = -1 } end)
  end)
end)

describe("a rate", function()
  it("a rate delays what would be too much in any window", function()
    local session <close> = http.session { rate = "3/s" }
    local t0, ended = task.now(), {}
    task.gather(task.map(function(i)
      session:get(URL .. "/bytes/" .. i)
      ended[#ended + 1] = task.now() - t0
    end, { 1, 2, 3, 4 }))
    equal(ended[4] >= 1, true)
  end)

  it("each host may have a rate of its own", function()
    local session <close> = http.session { rate = { "1/h", per = "host" } }
    session:get(URL .. "/bytes/1")
    session:get(URL:gsub("127%.0%.0%.1", "localhost") .. "/bytes/1")
    equal(task.move_on_after(0.01, session.get, session, URL .. "/bytes/1"), false)
  end)

  it("each key may have a rate of its own, which a function gives", function()
    local session <close> = http.session { rate = { "1/h", per = function(url)
      return url:match "key=(%w+)"
    end } }
    for _, query in ipairs { "key=a", "key=b", "none", "none" } do
      session:get(URL .. "/bytes/1?" .. query)
    end
    equal(task.move_on_after(0.01, session.get, session, URL .. "/bytes/2?key=a"), false)
  end)

  it("a rate remembers only the keys that it may delay", function()
    local rate, core = private "septet.http.rate", debug.getregistry()["septet.core"]
    local pace = rate.pacer({ "1/s", per = function(url) return url end }, nil)
    collectgarbage()
    local before = collectgarbage "count"
    local now, at = core.now, 0
    core.now = function() return at end -- no one waits here: each key is new
    for i = 1, 20000 do
      at = at + 0.01
      pace("key" .. i)
    end
    core.now = now
    collectgarbage()
    equal(collectgarbage "count" - before < 4000, true) -- kilobytes; 20 000 windows have 15 MB
  end)

  it("a rate that is not valid is refused", function()
    for _, bad in ipairs { "10", "0/s", "1/0s", "x/s", { per = "host" }, { "1/s", per = "url" },
      5 } do
      misuse("rate", function() http.session { rate = bad } end)
    end
  end)
end)

describe("cookies", function()
  local function set(what) return URL .. "/headers?Set-Cookie=" .. what end
  local function sent(session) return echo(session, "GET").headers.cookie end

  it("cookies are kept for the session that asks for it, and sent where they belong", function()
    local site = "site.invalid:" .. origin.port -- on loopback itself, Secure would be no matter
    local session <close> = http.session { cookies = true, resolve = { [site] = "127.0.0.1" } }
    local function get(path) return session:get("http://" .. site .. path) end
    for _, cookie in ipairs { "a=1", "b=2;%20Path=/elsewhere", "c=3;%20Secure",
      "d=4;%20Domain=example.com" } do
      get("/headers?Set-Cookie=" .. cookie)
    end
    equal(origin.decode(get "/echo".body).headers.cookie, "a=1")
    equal(sent(session), nil)
    get "/headers?Set-Cookie=a=;%20Max-Age=0"
    equal(origin.decode(get "/echo".body).headers.cookie, nil)
  end)

  it("cookies go along with redirects", function()
    local session <close> = http.session { cookies = true }
    session:get(set "a=1" .. "&Location=/echo") -- a 200: not followed
    local r = session:get(URL .. "/redirect-to?url=/echo")
    equal(origin.decode(r.body).headers.cookie, "a=1")
  end)

  it("cookies stay with their session, even if its handle is used again", function()
    local jar <close> = http.session { cookies = true }
    local other <close> = http.session { cookies = true }
    local none <close> = http.session()
    for _ = 1, 3 do
      jar:get(set "a=1")
      equal({ sent(jar), sent(other), sent(none) }, { "a=1" })
      none:get(set "b=2")
      equal({ sent(jar), sent(none) }, { "a=1" })
    end
  end)
end)

describe("a proxy", function()
  it("a proxy gets the whole URL, and that of the environment is not used unasked", function()
    local session <close> = http.session { proxy = URL }
    local mark = origin.mark()
    equal(session:get("http://nowhere.invalid/a?b").status, 404)
    equal(origin.requests(mark)[1].path, "http://nowhere.invalid/a")
    raises_error({ code = "connect", reason = "proxy" },
      session.get, session, "https://nowhere.invalid/")
    local dead <close> = http.session { proxy = "socks5h://127.0.0.1:1" }
    raises_error({ code = "connect" }, dead.get, dead, "http://nowhere.invalid/")
  end)

  it("a proxy that is not valid is refused", function()
    for _, bad in ipairs { "localhost:3128", "ftp://a:1", "http://a b", 5 } do
      misuse("bad option 'proxy'", function() http.session { proxy = bad } end)
    end
  end)
end)

describe("addresses", function()
  it("addresses may be given and not looked up", function()
    local session <close> = http.session {
      resolve = { ["nowhere.invalid:" .. origin.port] = "127.0.0.1" },
    }
    equal(session:get("http://nowhere.invalid:" .. origin.port .. "/bytes/1").status, 200)
    do
      local wrong <close> = http.session { resolve = { ["a.invalid:80"] = "1.2.3" } }
      raises_error({ kind = "HttpError" }, wrong.get, wrong, "http://a.invalid/")
    end
    equal(http.get(URL .. "/bytes/1").status, 200) -- the handle is at rest, the list is gone
    misuse("bad option 'resolve'", function()
      http.session { resolve = { ["nowhere.invalid"] = "127.0.0.1" } }
    end)
    misuse("bad option 'resolve'", function()
      http.session { resolve = { ["a:1"] = "b.invalid" } }
    end)
  end)
end)

describe("a task that waits for a response", function()
  it("a task that waits for a response needs two kilobytes and no larger stack", function()
    local session <close> = http.session { limit = 1 }
    local n, waiting = 200, nil
    local function heap()
      collectgarbage()
      return collectgarbage("count") * 1024
    end
    task.group(function(g)
      g:spawn(session.get, session, URL .. "/stall")
      task.sleep(0)
      local before = heap()
      for _ = 1, n do
        g:spawn(function() return session:get(URL .. "/bytes/1").status end)
      end
      task.sleep(0)
      equal(session:stats().queued, n)
      waiting = (heap() - before) / n
      g:cancel()
    end)
    equal(waiting < 2200 or waiting, true)
  end)
end)
