-- SPDX-License-Identifier: MIT
-- Header blocks of responses: which of their lines is a status line, and what reading them costs.
local http = require "septet.http"
local origin = require "origin"

local OK = "HTTP/1.1 200 OK\r\n"

describe("H-11: a line that begins like a status line", function()
  local lines = {
    "HTTP/1.1: 404 Nope", "HTTP/: 404", "HTTP/2: 500 x", "HTTP/1.1 404: x", "HTTP/1.1 404 Nope: x",
    "HTTP/9999999999999: 1",
  }

  local function check(url, name)
    local session <close> = http.session()
    local function whole(r)
      equal({ r.status, r.reason, r.version, r.headers["x-first"], r.headers["x-second"] },
        { 200, "OK", "1.1", "1", "2" }, name)
    end
    local r = session:get(url)
    whole(r)
    equal(r.body, "ok")
    local stream <close> = session:stream("GET", url)
    whole(stream)
    equal(stream:read(), "ok")
    whole(session:get(url, { retries = 2 }))
  end

  it("a line like a status line is a header like any other", function()
    for _, line in ipairs(lines) do
      local rest = "X-Second: 2\r\n\r\nok"
      check(origin.raw {
        OK .. "Content-Length: 2\r\nX-First: 1\r\n" .. line .. "\r\n" .. rest, "keep",
      }, line)
      check(origin.raw { OK .. line .. "\r\nContent-Length: 2\r\nX-First: 1\r\n" .. rest, "keep" },
        line)
      check(origin.raw { "HTTP/1.1 103 Early Hints\r\n" .. line .. "\r\n\r\n" .. OK ..
        "Content-Length: 2\r\nX-First: 1\r\n" .. rest, "keep" }, line)
    end
  end)

  it("a line like a status line with a valid name has a value", function()
    local r = http.get(origin.raw {
      OK .. "Content-Length: 2\r\nHTTP/1.1: 404 Nope\r\n\r\nok", "keep",
    })
    equal({ r.status, r.headers["http/1.1"] }, { 200, "404 Nope" })
  end)

  it("a line like a status line resets neither the framing nor the codings", function()
    local session <close> = http.session()
    for _, line in ipairs(lines) do
      raises_error({ kind = "HttpError", code = "protocol", reason = "length" }, session.get,
        session, origin.raw {
        OK .. "Content-Length: 2\r\n" .. line .. "\r\nContent-Length: 3\r\n\r\nok", "fin",
      })
      raises_error({ kind = "HttpError", code = "decode" }, session.get, session,
        origin.raw { OK .. "Content-Encoding: gzip\r\n" .. line .. "\r\n\r\nok", "fin" })
    end
  end)

  it("a line like a status line without a colon is refused", function()
    local session <close> = http.session()
    raises_error({ kind = "HttpError", code = "protocol" }, session.get, session,
      origin.raw { OK .. "Content-Length: 2\r\nHTTP/1.1 404 Nope\r\n\r\nok", "fin" })
  end)
end)
