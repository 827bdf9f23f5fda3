-- SPDX-License-Identifier: MIT
-- TLS faults: bad certificates, handshakes that do not end, and connections that end without a
-- notice.
-- peers: tls faulty
local task, http = require "septet.task", require "septet.http"
local faulty, origin = require "faulty", require "origin"

local DIR = os.getenv "SEPTET_TLS"
local TRUST = { ca_file = DIR .. "/ca.pem" }

local function session_with(options)
  options = options or {}
  options.tls = options.tls or TRUST
  return http.session(options)
end

-- Makes a request to a faulty server that must fail as expected, during another one that must
-- succeed. The server receives no byte of it.
local function refused(name, expected, options)
  local session <close> = session_with(options)
  local other = task.spawn(session.get, session, origin.url .. "/delay/0.02")
  local mark = faulty.mark()
  expected.kind, expected.code = "HttpError", "tls"
  local err = raises_error(expected, session.get, session, faulty.url(name) .. "/secret?token=1")
  equal(other:await().status, 200)
  equal(session:get(faulty.url "good").body, "ok")
  return err, faulty.logged(mark, name)[1]
end

describe("a certificate is refused, with a word of its own, before a byte is sent:", function()
  for _, reason in ipairs { "expired", "not_yet_valid", "host", "self_signed", "unknown_ca" } do
    it("fault.13 http.36 " .. reason, function()
      local err, seen = refused(reason, { reason = reason, phase = "tls" })
      equal(seen.received, 0)
      equal(#err.text > 0, true)
    end)
  end

  it("fault.13 a certificate that was accepted insecurely is not trusted afterwards", function()
    for _, reason in ipairs { "expired", "self_signed", "unknown_ca" } do
      local session <close> = session_with()
      equal(session:get(faulty.url(reason), { tls = { insecure = true } }).body, "ok")
      raises_error({ code = "tls", reason = reason }, session.get, session, faulty.url(reason))
    end
  end)

  it("http.36 a certificate of an unknown CA is refused without options of TLS", function()
    local session <close> = http.session()
    raises_error({ code = "tls", reason = "unknown_ca" }, session.get, session, faulty.url "good")
    equal(session:get(faulty.url "good", { tls = { insecure = true } }).body, "ok")
  end)
end)

describe("a handshake", function()
  it("fault.12 a handshake that ends after the ClientHello is an error", function()
    local _, seen = refused("eof", { reason = "handshake", phase = "tls" })
    equal(seen.received > 0, true)
  end)

  it("fault.15 a handshake at one byte a second runs into the connect timeout", function()
    local session <close> = session_with { timeout = { connect = 0.3 } }
    local mark, t0 = faulty.mark(), task.now()
    with_ticker(raises_error,
      { kind = "HttpError", code = "timeout", reason = "connect", phase = "tls" }, session.get,
      session, faulty.url "slow_handshake")
    equal(task.now() - t0 >= 0.3, true)
    equal(faulty.logged(mark, "slow_handshake")[1].sent > 0, true)
    session:close()
  end)

  it("http.36 a server with TLS 1.0 and 1.1 alone is refused", function()
    local _, seen = refused("old", { reason = "handshake", phase = "tls" })
    equal(seen.received, 0)
  end)

  it("http.36 a server may require a client certificate", function()
    refused("demanding", { reason = "handshake" })
    local session <close> = session_with {
      tls = { ca_file = TRUST.ca_file, cert_file = DIR .. "/client.pem" },
    }
    equal(session:get(faulty.url "demanding").body, "ok")
  end)
end)

describe("a TLS session", function()
  it("http.36 a TLS session is resumed on the second connection", function()
    local session <close> = session_with()
    local mark = faulty.mark()
    -- Each request has a connection of its own.
    for _ = 1, 3 do equal(session:get(faulty.url "good").body, "ok") end
    local seen = origin.eventually(function()
      local found = faulty.since(mark, "good")
      return #found == 3 and found
    end)
    equal({ seen[1].resumed, seen[2].resumed, seen[3].resumed }, { false, true, true })
  end)

  it("http.36 a TLS session is not shared with another HTTP session", function()
    local one <close> = session_with()
    local other <close> = session_with()
    local mark = faulty.mark()
    equal(one:get(faulty.url "good").body, "ok")
    faulty.logged(mark, "good")
    mark = faulty.mark()
    equal(other:get(faulty.url "good").body, "ok")
    equal(faulty.logged(mark, "good")[1].resumed, false)
  end)
end)

describe("a close without close_notify", function()
  it("fault.14 a missing close_notify is no fault if the body is complete", function()
    local session <close> = session_with()
    equal(session:get(faulty.url "no_notify" .. "/framed").body, "body")
  end)

  -- Since 7.87 libcurl reads for OpenSSL, which before its own 3.2 takes that end for a good one.
  local major, minor = os.getenv "SEPTET_OPENSSL":match "(%d+)%.(%d+)"
  local tells = tonumber(major) * 100 + tonumber(minor) >= 302

  it("fault.14 a missing close_notify is one if it ends the body, if TLS reports it", function()
    local session <close> = session_with()
    local ok, result = pcall(session.get, session, faulty.url "no_notify" .. "/unframed")
    equal(ok, not tells)
    equal(ok and result.body or { result.code, result.phase },
      ok and "body" or { "reset", "receive" })
    equal(session:get(faulty.url "good").body, "ok")
  end)
end)
