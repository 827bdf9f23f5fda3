-- SPDX-License-Identifier: MIT
-- A server that refuses "Expect: 100-continue" with 417: the request is sent once more, without it,
-- and never again.
local task, http = require "septet.task", require "septet.http"
local origin = require "origin"

local URL = origin.url
local EXPECT = { Expect = "100-continue" }
local SIZE = 300000 -- bytes: more than the sockets of both sides hold at once

local pieces = origin.pieces

-- Options that give a request a body, and a part of it.
local bodies = {
  none = function() return {}, "" end,
  text = function() return { body = "amount=5" }, "amount=5" end,
  long = function() return { body = ("x"):rep(SIZE) }, "xxxx" end,
  form = function() return { form = { amount = 5 } }, "amount=5" end,
  json = function() return { json = { amount = 5 } }, '"amount":5' end,
  multipart = function()
    return { multipart = { { name = "amount", data = "5", filename = "f" } } }, 'filename="f"'
  end,
  made = function() return { body = pieces(10) }, ("x"):rep(10) end,
  made_long = function() return { body = pieces(SIZE) }, "xxxx" end,
}

-- The lengths of a 417, and its times.
local refusals = {
  "?length=0", "?length=9", "?length=500", "?length=0&end=fin", "?length=9&end=fin",
}

local serial = 0

local function target_of(query)
  serial = serial + 1
  return ("/refuse%s%sserial=%d"):format(query, query == "" and "?" or "&", serial)
end

local function with_headers(options, headers)
  options.headers = headers
  return options
end

-- The Expect headers of the requests for a target, "" for one without.
local function expectations(mark, target)
  local seen = {}
  for i, request in ipairs(origin.requests(mark, target)) do
    seen[i] = request.headers.expect or ""
  end
  return seen
end

-- Sends a request, on a fresh connection or on one that was used before.
local function send(session, is_kept, method, query, options)
  if is_kept then equal(session:get(URL .. "/bytes/2").status, 200) end
  local target = target_of(query)
  local mark = origin.mark()
  local ok, response = pcall(session.request, session, method, URL .. target, options)
  return ok, response, expectations(mark, target)
end

local function check_repeat(method, query, kind, make, is_kept)
  local session <close> = http.session()
  local options, part = make()
  local ok, r, seen = send(session, is_kept, method, query, with_headers(options, EXPECT))
  local what = ("%s%s, body '%s', %s: %s"):format(method, query, kind, is_kept, tostring(r))
  equal({ ok, seen }, { true, { "100-continue", "" } }, what)
  local echoed = origin.decode(r.body)
  equal({ r.status, echoed.method, echoed.body:find(part, 1, true) ~= nil }, { 200, method, true },
    what)
  if kind:find "long" then equal(echoed.body_size, SIZE) end
end

describe("H-2: a request whose expectation is refused", function()
  for _, method in ipairs { "POST", "PUT", "MERGE" } do
    it("a request refused with 417 is repeated without the expectation: " .. method, function()
      for _, is_kept in ipairs { false, true } do
        for _, query in ipairs(refusals) do
          for kind, make in pairs(bodies) do
            if not kind:find "long" or query == "?length=9" then
              check_repeat(method, query, kind, make, is_kept)
            end
          end
        end
      end
    end)

    it("a request refused twice gets the second 417, with its body: " .. method, function()
      for _, is_kept in ipairs { false, true } do
        for _, query in ipairs(refusals) do
          local session <close> = http.session()
          local ok, r, seen = send(session, is_kept, method, query .. "&all=1",
            { body = "amount=5", headers = EXPECT })
          equal({ ok, seen }, { true, { "100-continue", "" } })
          equal({ r.status, #r.body }, { 417, tonumber(query:match "%d+") })
        end
      end
    end)
  end

  it("the 417 may come after a 100, and after some of the body or all of it", function()
    for _, read in ipairs { "1", "5", "all" } do
      for kind, make in pairs(bodies) do
        local session <close> = http.session()
        for _, is_kept in ipairs { false, true } do
          local query = "?read=" .. (kind == "none" and "0" or read)
          local ok, r, seen = send(session, is_kept, "POST", query, with_headers(make(), EXPECT))
          equal({ ok, seen, ok and r.status }, { true, { "100-continue", "" }, 200 },
            kind .. query .. tostring(r))
        end
      end
    end
  end)

  it("the body is sent without a 100 after a second, and the 417 repeats it", function()
    local session <close> = http.session()
    local ok, r, seen = send(session, true, "POST", "?read=all&mute=1",
      { body = "amount=5", headers = EXPECT })
    equal({ ok, seen, r.status }, { true, { "100-continue", "" }, 200 })
  end)

  it("a body that cannot be repeated is sent once, and gives the 417 or an error", function()
    for _, query in ipairs {
      "?read=200000", "?read=all", "?read=200000&end=fin", "?read=all&end=fin",
    } do
      for _, is_kept in ipairs { false, true } do
        local session <close> = http.session()
        local ok, r, seen = send(session, is_kept, "POST", query,
          { body = pieces(10 * SIZE), headers = EXPECT })
        equal(seen, { "100-continue" }, query)
        if ok then
          equal({ r.status, r.body }, { 417, ("r"):rep(9) })
        else
          equal({ r.code, r.reason, r.text:find("417", 1, true) ~= nil },
            { "protocol", "rewind", true }, tostring(r))
        end
      end
    end
  end)

  it("the expectation may be a session's, in any case, and beside others", function()
    for _, headers in ipairs {
      { expect = "100-CONTINUE" }, { EXPECT = "  100-continue" },
      { Expect = "100-continue, 100-continue" }, { Expect = "100-continue", Accept = "a/b" },
    } do
      local session <close> = http.session { headers = headers }
      local url = origin.raw {
        "HTTP/1.1 417 No\r\nContent-Length: 4\r\n\r\nnope", "keep", "next",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "keep",
      }
      local mark = origin.mark()
      equal(session:post(url, { body = "b" }).body, "ok")
      local seen = origin.requests(mark, url:sub(#URL + 1))
      equal({ #seen, seen[1].headers.expect ~= nil, seen[2].headers.expect }, { 2, true })
      equal({ seen[2].headers.accept, seen[2].body_size }, { seen[1].headers.accept, 1 })
    end
  end)

  it("the repeated request keeps its cookies, credentials and type", function()
    local session <close> = http.session { cookies = true, auth = { user = "u", password = "p" } }
    session:get(URL .. "/headers?Set-Cookie=" .. "a%3Db")
    local _, r, seen = send(session, true, "POST", "", {
      json = { 1 }, headers = { Expect = "100-continue", ["X-Own"] = "o" },
    })
    local headers = origin.decode(r.body).headers
    equal({ seen, headers.cookie, headers["x-own"], headers["content-type"],
      headers.authorization ~= nil },
      { { "100-continue", "" }, "a=b", "o", "application/json", true })
  end)

  it("a session with digests sends the body after the challenge", function()
    local session <close> = http.session {
      auth = { user = "lion", password = "Circle of Life", digest = true },
    }
    local ok, r, seen = send(session, false, "POST", "", { body = "b", headers = EXPECT })
    equal({ ok, ok and r.status, seen }, { true, 200, { "100-continue", "", "" } })
    ok, r, seen = send(session, false, "POST", "?all=1", { body = "b", headers = EXPECT })
    equal({ ok, ok and r.status, seen }, { true, 417, { "100-continue", "" } })
  end)

  it("each retry expects a 100 once", function()
    local session <close> = http.session {
      retries = { attempts = 2, backoff = 0, methods = { "POST" }, statuses = { 417 } },
    }
    local _, r, seen = send(session, true, "POST", "?all=1", { body = "b", headers = EXPECT })
    equal({ r.status, seen }, { 417, { "100-continue", "", "100-continue", "" } })
  end)

  it("a stream and a save are repeated without the expectation", function()
    local session <close> = http.session()
    for _, query in ipairs { "?length=0", "?length=200000", "?length=9&end=fin" } do
      local target = target_of(query)
      local mark = origin.mark()
      local r <close> = session:stream("POST", URL .. target,
        { body = "amount=5", headers = EXPECT })
      equal({ r.status, origin.decode(r.body).body }, { 200, "amount=5" })
      equal(expectations(mark, target), { "100-continue", "" })
    end
    local path = os.tmpname()
    os.remove(path)
    local target = target_of ""
    local mark = origin.mark()
    equal(session:save(URL .. target, path, { headers = EXPECT }).status, 200)
    os.remove(path)
    equal(expectations(mark, target), { "100-continue", "" })
  end)

  it("a timeout ends a 417 that never ends", function()
    local session <close> = http.session()
    local endless = origin.raw { "HTTP/1.1 417 No\r\nContent-Length: 9\r\n\r\nno", "stall" }
    local mark = origin.mark()
    raises_error({ kind = "HttpError", code = "timeout" }, session.post, session, endless,
      { body = "b", headers = EXPECT, timeout = { idle = 0.3 } })
    equal(#origin.requests(mark, endless:sub(#URL + 1)), 2)
  end)

  it("the repeated request may be cancelled, or its session closed", function()
    local refusal = "HTTP/1.1 417 No\r\nContent-Length: 4\r\n\r\nnope"
    for _, finish in ipairs { "cancel", "close" } do
      local session <close> = http.session()
      local url = origin.raw { refusal, "keep", "next", "stall" }
      local mark = origin.mark()
      local t = task.spawn(session.post, session, url, { body = "b", headers = EXPECT })
      origin.eventually(function() return #origin.requests(mark, url:sub(#URL + 1)) == 2 end)
      if finish == "cancel" then t:cancel() else session:close() end
      raises_error({ kind = finish == "cancel" and "TaskCancelled" or "HttpError" }, t.await, t)
      if finish == "cancel" then equal(session:get(URL .. "/bytes/1").status, 200) end
    end
  end)

  it("a request without this expectation gets the 417", function()
    local session <close> = http.session()
    for _, headers in ipairs {
      {}, { Expect = "200-ok" }, { Expect = "" }, { ["X-Expect"] = "100-continue" },
    } do
      local _, r, seen = send(session, true, "POST", "?all=1", { body = "b", headers = headers })
      equal({ r.status, r.body, #seen }, { 417, ("r"):rep(9), 1 })
    end
  end)
end)
