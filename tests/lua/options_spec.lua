-- SPDX-License-Identifier: MIT
-- septet.http: sockets of the file system, credentials, and what a request may have of its own.
-- check: allow blocks
local private = debug.getregistry()["septet.require"] -- of private modules
local task, http = require "septet.task", require "septet.http"
local origin = require "origin"

local URL, echo = origin.url, origin.echo
local SOCKET = os.getenv "SEPTET_ORIGIN_UNIX"

describe("a socket of the file system", function()
  it("http.38 a socket's session connects to it, whatever host the URL names", function()
    local session <close> = http.session { unix_socket = SOCKET,
      base_url = "http://nowhere.invalid:1/a/" }
    local mark = origin.mark()
    local r = session:get "/echo?q"
    equal({ r.status, origin.decode(r.body).headers.host, r.url },
      { 200, "nowhere.invalid:1", "http://nowhere.invalid:1/echo?q" })
    equal(#session:get("/bytes/100000").body, 100000)
    equal(session:get("/redirect/2").status, 200)
    equal(session:post("/echo", { body = ("x"):rep(100000) }).status, 200)
    local requests = origin.requests(mark)
    equal({ #requests, origin.connections(requests) }, { 6, 1 })
    raises_error({ code = "reset" }, session.get, session, "/empty")
    equal(session:get("/bytes/1").status, 200)
  end)

  it("one request may have a socket, whose connection no other one uses", function()
    local session <close> = http.session()
    local mark = origin.mark()
    equal(session:get(URL .. "/bytes/1").status, 200)
    equal(session:get(URL .. "/bytes/1", { unix_socket = SOCKET }).status, 200)
    equal(origin.connections(origin.requests(mark)), 2)
    local local_one <close> = http.session { unix_socket = SOCKET }
    equal(local_one:get(URL .. "/bytes/1", { unix_socket = false }).status, 200)
    raises_error({ code = "dns" }, local_one.get, local_one,
      "http://nowhere.invalid/", { unix_socket = false })
  end)

  it("a socket comes before a proxy", function()
    local session <close> = http.session { unix_socket = SOCKET, proxy = origin.refused }
    equal(session:get("http://nowhere.invalid/bytes/1").status, 200)
  end)

  it("a socket is the script's choice, and no address to be denied", function()
    local session <close> = http.session { unix_socket = SOCKET, deny = "private",
      allow = "a.invalid" }
    equal(session:get("http://a.invalid/bytes/1").status, 200)
    raises_error({ code = "denied" }, session.get, session, "http://b.invalid/bytes/1")
  end)

  it("a missing socket is an error", function()
    local session <close> = http.session { unix_socket = SOCKET .. ".none" }
    raises_error({ code = "connect", reason = "not_found", phase = "connect" },
      session.get, session, URL)
    local file <close> = http.session { unix_socket = origin.log_path }
    raises_error({ code = "connect", reason = "refused" }, file.get, file, URL)
    for _, bad in ipairs { "", ("x"):rep(108), "a\0b", 5 } do
      misuse("bad option 'unix_socket' to 'session'", function()
        http.session { unix_socket = bad }
      end)
    end
    misuse("did you mean 'unix_socket'", function() http.session { unix_sockets = "/a" } end)
  end)

  it("a socket's path is one origin to the limits, and another path is another", function()
    local other = SOCKET .. ".other"
    os.execute(("ln -s %q %q"):format(SOCKET, other))
    local session <close> = http.session { unix_socket = SOCKET, limit_per_host = 1 }
    task.group(function(g)
      g:spawn(session.get, session, "http://a.invalid/stall")
      task.checkpoint()
      raises_error({ reason = "queue" }, session.get, session, "http://b.invalid/bytes/1",
        { timeout = { queue = 0.01 } })
      equal(session:get("http://a.invalid/bytes/1", { unix_socket = other }).status, 200)
      g:cancel()
    end)
    os.remove(other)
  end)
end)

describe("a request's credentials", function()
  local url, user, password = URL .. "/digest", "lion", "Circle of Life"

  it("a request's credentials replace its session's, whatever the scheme", function()
    local session <close> = http.session {
      auth = { user = user, password = password, digest = true },
    }
    equal(session:get(url).status, 200)
    equal(session:get(url, { auth = { user = user, password = "x", digest = true } }).status, 401)
    equal(session:get(url, { auth = { user = user, password = password } }).status, 401)
    equal(echo(session, "GET", { auth = { bearer = "t" } }).headers.authorization, "Bearer t")
    local basic <close> = http.session { auth = { user = user, password = password } }
    equal(basic:get(url, { auth = { user = user, password = password, digest = true } }).status,
      200)
    equal(basic:get(url).status, 401)
  end)

  it("credentials of false are none", function()
    local session <close> = http.session {
      auth = { user = user, password = password, digest = true },
    }
    local mark = origin.mark()
    equal(session:get(url, { auth = false }).status, 401)
    equal(#origin.requests(mark), 1)
    local basic <close> = http.session { auth = { user = "u" } }
    equal(echo(basic, "GET", { auth = false }).headers.authorization, nil)
    equal(echo(basic, "GET",
      { auth = false, headers = { Authorization = "x y" } }).headers.authorization, "x y")
    equal(echo(basic, "GET").headers.authorization, "Basic dTo=")
  end)
end)

describe("a request's cookies", function()
  it("cookies of false are neither sent nor kept", function()
    local session <close> = http.session { cookies = true }
    local function sent(options) return echo(session, "GET", options).headers.cookie end
    session:get(URL .. "/headers?Set-Cookie=a=1")
    equal({ sent(), sent { cookies = false } or "none", sent { cookies = true } },
      { "a=1", "none", "a=1" })
    session:get(URL .. "/headers?Set-Cookie=b=2", { cookies = false })
    equal(sent(), "a=1")
  end)

  it("a request's cookies need a session that keeps them", function()
    local session <close> = http.session()
    misuse("the session keeps no cookies", function() session:get(URL, { cookies = true }) end)
    equal(session:get(URL .. "/bytes/1", { cookies = false }).status, 200)
  end)
end)

describe("a request's hooks", function()
  local function hooks(name, seen)
    return {
      request_start = function(ctx, ev)
        ctx.name = name
        ev.headers["X-" .. name] = "told"
        seen[#seen + 1] = name .. " start"
      end,
      request_end = function(ctx, ev) seen[#seen + 1] = ("%s %d"):format(ctx.name, ev.status) end,
      request_exception = function(ctx, ev)
        seen[#seen + 1] = ("%s %s"):format(ctx.name,
          ev.cancelled and "cancelled" or ev.exception.code or ev.exception)
      end,
    }
  end

  it("a request's hooks are called beside its session's", function()
    local seen = {}
    local session <close> = http.session { trace = hooks("session", seen) }
    local said = echo(session, "GET", { trace = hooks("own", seen) })
    equal({ said.headers["x-session"], said.headers["x-own"] }, { "told", "told" })
    pcall(session.get, session, URL .. "/empty", { trace = hooks("own", seen) })
    session:get(URL .. "/bytes/1")
    equal(seen, { "session start", "own start", "session 200",
      "own 200", "session start", "own start", "session reset",
      "own reset", "session start", "session 200" })
  end)

  it("a request's hooks need no hooks of the session", function()
    local seen = {}
    local session <close> = http.session()
    session:get(URL .. "/redirect/1", { trace = hooks("own", seen) })
    task.move_on_after(0.01, session.get, session, URL .. "/stall", { trace = hooks("own", seen) })
    equal(seen, { "own start", "own 200", "own start", "own cancelled" })
    misuse("did you mean 'request_start'", function()
      session:get(URL, { trace = { request_starts = print } })
    end)
  end)

  it("a request's hook may refuse the request, which the session's hooks see", function()
    local seen = {}
    local session <close> = http.session { trace = hooks("session", seen) }
    local mark = origin.mark()
    equal(pcall(session.get, session, URL .. "/bytes/1", { trace = { request_start = function()
      error("no", 0)
    end } }),
      false)
    equal({ seen, #origin.requests(mark) }, { { "session start", "session no" }, 0 })
  end)
end)

describe("a response", function()
  it("a response describes its connection", function()
    local session <close> = http.session()
    local first, second = session:get(URL .. "/bytes/1"), session:get(URL .. "/bytes/1")
    equal({ first.reused, second.reused, first.insecure }, { false, true, false })
    equal(second.peer, { address = "127.0.0.1", port = origin.port })
    equal(session:get(URL .. "/bytes/1", { unix_socket = SOCKET }).peer, nil)
    local stream <close> = session:stream("GET", URL .. "/bytes/1")
    equal({ stream.reused, stream.peer.port }, { true, origin.port })
  end)
end)

describe("statistics", function()
  local function check(session, expected)
    local stats = session:stats()
    for name, n in pairs(expected) do equal(stats[name], n, name) end
  end

  it("statistics count what a session does, each hop and each attempt", function()
    local session <close> = http.session { retries = { backoff = 0 } }
    for name, n in pairs(session:stats()) do equal(n, 0, name) end
    session:get(URL .. "/bytes/100")
    session:post(URL .. "/bytes/10", { body = "12345" })
    check(session,
      { requests = 2, bytes_received = 110, bytes_sent = 5, connections = 1, connections_made = 1,
      connections_reused = 1 })
    session:get(URL .. "/redirect/2")
    session:get(URL .. "/fail/1?key=stats")
    check(session, { requests = 7, redirects = 2, retries = 1, failed = 0 })
    pcall(session.get, session, origin.refused, { retries = false })
    check(session,
      { requests = 8, failed = 1, cancelled = 0, connections_made = 1, connections = 1 })
    pcall(session.get, session, "no URL")
    check(session, { requests = 8, failed = 1 })
  end)

  it("statistics say what is in progress", function()
    local session <close> = http.session { limit_per_host = 2 }
    local tasks = task.map(function(n) session:get(URL .. "/stall?n=" .. n) end, { 1, 2, 3 })
    origin.eventually(function() return session:stats().connections_made == 2 end)
    check(session, { active = 2, queued = 1, requests = 3, connections = 2 })
    for _, t in ipairs(tasks) do t:cancel() end
    task.wait(tasks)
    check(session, { active = 0, queued = 0, cancelled = 3, failed = 0, connections = 0 })
  end)

  it("statistics know of idle connections that ended", function()
    local session <close> = http.session()
    session:get(URL .. "/idle-close")
    origin.eventually(function() return session:stats().connections_dropped == 1 end)
    session:get(URL .. "/bytes/1")
    check(session, { connections = 1, connections_made = 2, connections_reused = 0 })
  end)

  it("statistics belong to a session, and end with it", function()
    local session, other = http.session(), http.session()
    session:get(URL .. "/bytes/1")
    check(other, { requests = 0, connections = 0 })
    session:close()
    misuse("the session is closed", function() session:stats() end)
    other:close()
  end)

  it("a digest counts as one request in the statistics", function()
    local session <close> = http.session {
      auth = { user = "lion", password = "Circle of Life", digest = true },
    }
    session:post(URL .. "/digest", { body = "12345" })
    check(session, { requests = 1, connections_made = 1, connections_reused = 0, bytes_sent = 5 })
    session:post(URL .. "/digest", { body = "12345" })
    check(session, { requests = 2, connections_made = 1, connections_reused = 1, bytes_sent = 10 })
  end)
end)

describe("a text", function()
  local text = private "septet.internal.text"

  -- A response with these bytes.
  local function response(session, bytes, content_type)
    local types = content_type and { ["Content-Type"] = content_type } or nil
    return session:post(URL .. "/mirror", { body = bytes, headers = types })
  end

  it("a text is in the charset of its Content-Type, or in UTF-8", function()
    local session <close> = http.session()
    local expected = {
      ["text/html; charset=iso-8859-1"] = { "\xE4\x80", "ä€" },
      ["text/plain;CHARSET=\"UTF-8\""] = { "ä", "ä" },
      ["text/plain; a=b; charset = 'ISO-8859-15' ; c"] = { "\xA4", "€" },
      ["text/plain; charset=utf-16"] = { "a\0\xE4\0", "aä" },
      ["text/plain"] = { "\xE4ä", "\u{FFFD}ä" },
      ["text/plain; charset=us-ascii"] = { "\x93a\x94", "“a”" },
    }
    for content_type, pair in pairs(expected) do
      equal(response(session, pair[1], content_type):text(), pair[2], content_type)
    end
    equal(session:get(URL .. "/bytes/3"):text(), "012")
    local r = response(session, "\xA4", "text/plain")
    equal({ r:text(), r:text "iso-8859-15", r.body }, { "\u{FFFD}", "€", "\xA4" })
    local stream <close> = session:stream("POST", URL .. "/mirror", { body = "\xE4", headers = {
      ["Content-Type"] = "a/b; charset=latin1" } })
    equal(stream:text(), "ä")
  end)

  it("a byte order mark counts more than the Content-Type, and is no part of the text", function()
    equal(text.decode("\xEF\xBB\xBFä", "iso-8859-1"), "ä")
    equal(text.decode("\xFF\xFEa\0", "utf-8"), "a")
    equal(text.decode("\xFE\xFF\0a\xD8\x3D\xDE\x00", "utf-8"), "a\u{1F600}")
    equal({ text.decode "\xEF\xBB\xBF", text.decode "" }, { "", "" })
  end)

  it("a text has U+FFFD for invalid bytes", function()
    local replaced = {
      ["\x80"] = "\u{FFFD}", ["a\xC3"] = "a\u{FFFD}", ["\xC0\x80"] = "\u{FFFD}\u{FFFD}",
      ["\xE2\x82a"] = "\u{FFFD}a",
      ["\xED\xA0\x80"] = ("\u{FFFD}"):rep(3), ["\xF0\x9F\x98"] = "\u{FFFD}",
      ["\xF4\x90\x80\x80"] = ("\u{FFFD}"):rep(4),
      ["\xF0\x9F\x98\x80\xFF"] = "\u{1F600}\u{FFFD}", ["\xE0\x80"] = "\u{FFFD}\u{FFFD}",
      ["\xF5"] = "\u{FFFD}",
    }
    for bytes, expected in pairs(replaced) do
      equal(text.decode(bytes), expected, ("%q"):format(bytes))
    end
    equal(text.decode("a\0\0\xDCb\0c", "utf-16"), "a\u{FFFD}b\u{FFFD}")
    equal(text.decode(("\x81"):rep(100000) .. "a", "cp1252"), ("\u{81}"):rep(100000) .. "a")
    equal(text.decode(("\xA5"):rep(100000) .. "a", "iso-8859-3"), ("\u{FFFD}"):rep(100000) .. "a")
    equal(text.decode(("\xE4"):rep(100000), "cp1252"), ("ä"):rep(100000))
  end)

  it("a text in an unknown charset is an error", function()
    local session <close> = http.session()
    for _, name in ipairs { "x-klingon", "utf-8//IGNORE", "a/b" } do
      local r = response(session, "a", "text/plain; charset=" .. name)
      raises_error({ kind = "HttpError", code = "decode",
        reason = "charset", url = r.url, method = "POST" }, r.text, r)
    end
    misuse("bad argument #1 to 'text'", function() session:get(URL .. "/bytes/1"):text(5) end)
  end)
end)
