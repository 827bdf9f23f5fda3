-- septet.http: sockets of the file system, credentials, and what a request may have of its own.
local task, http = require "septet.task", require "septet.http"
local origin = require "origin"

local URL, echo = origin.url, origin.echo
local SOCKET = os.getenv "SEPTET_ORIGIN_UNIX"

describe("a socket of the file system", function()
  it("http.38 is connected to, whatever host the URL names", function()
    local session <close> = http.session { unix_socket = SOCKET, base_url = "http://nowhere.invalid:1/a/" }
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

  it("may be one request's, whose connection is nobody else's", function()
    local session <close> = http.session()
    local mark = origin.mark()
    equal(session:get(URL .. "/bytes/1").status, 200)
    equal(session:get(URL .. "/bytes/1", { unix_socket = SOCKET }).status, 200)
    equal(origin.connections(origin.requests(mark)), 2)
    local local_one <close> = http.session { unix_socket = SOCKET }
    equal(local_one:get(URL .. "/bytes/1", { unix_socket = false }).status, 200)
    raises_error({ code = "dns" }, local_one.get, local_one, "http://nowhere.invalid/", { unix_socket = false })
  end)

  it("comes before a proxy", function()
    local session <close> = http.session { unix_socket = SOCKET, proxy = origin.refused }
    equal(session:get("http://nowhere.invalid/bytes/1").status, 200)
  end)

  it("that is not there is told", function()
    local session <close> = http.session { unix_socket = SOCKET .. ".none" }
    raises_error({ code = "connect", reason = "not_found", phase = "connect" }, session.get, session, URL)
    local file <close> = http.session { unix_socket = origin.log_path }
    raises_error({ code = "connect", reason = "refused" }, file.get, file, URL)
    for _, bad in ipairs { "", ("x"):rep(108), "a\0b", 5 } do
      misuse("bad option 'unix_socket' to 'session'", function() http.session { unix_socket = bad } end)
    end
    misuse("did you mean 'unix_socket'", function() http.session { unix_sockets = "/a" } end)
  end)

  it("is one origin to the limits, as its other name is another", function()
    local other = SOCKET .. ".other"
    os.execute(("ln -s %q %q"):format(SOCKET, other))
    local session <close> = http.session { unix_socket = SOCKET, limit_per_host = 1 }
    task.group(function(g)
      g:spawn(session.get, session, "http://a.invalid/stall")
      task.checkpoint()
      raises_error({ reason = "queue" }, session.get, session, "http://b.invalid/bytes/1", { timeout = { queue = 0.01 } })
      equal(session:get("http://a.invalid/bytes/1", { unix_socket = other }).status, 200)
      g:cancel()
    end)
    os.remove(other)
  end)
end)
