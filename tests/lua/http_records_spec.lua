-- SPDX-License-Identifier: MIT
-- Records of HTTP attempts in the trace: which attempt of which request, over which connection, its
-- phases and its heads.
local task, http, trace = require "septet.task", require "septet.http", require "septet.trace"
local origin = require "origin"

local URL = origin.url

-- Calls fn in a task of its own, and returns the events of that task, by kind.
local function recorded(level, fn, kept)
  local by_kind, ended = {}, false
  local t
  local unsubscribe = trace.subscribe(function(event)
    if not t or event.task ~= t.id then return end
    by_kind[event.kind] = by_kind[event.kind] or {}
    table.insert(by_kind[event.kind], event)
    ended = ended or event.kind == "end"
  end, { level = level, bodies = kept })
  t = task.spawn(fn)
  task.wait { t }
  t:result()
  origin.eventually(function() return ended end)
  unsubscribe()
  return by_kind
end

local function pick(events, ...)
  local rows = {}
  for i, event in ipairs(events) do
    local row = {}
    for j, name in ipairs { ... } do row[j] = event[name] or false end
    rows[i] = row
  end
  return rows
end

describe("records of attempts:", function()
  it("redirects and retries are attempts of one request", function()
    local failing = origin.failing(1)
    local kinds = recorded(1, function()
      local session <close> = http.session()
      session:get(URL .. "/redirect/2")
      session:get(failing, { retries = { attempts = 2, backoff = 0.001 } })
      session:get(URL .. "/redirect/1", { trace = { request_end = function() end } })
    end)
    local xfers = kinds.xfer
    equal(pick(xfers, "resend", "status"), { { 0, 302 }, { 1, 302 }, { 2, 200 }, { 0, 503 },
      { 1, 200 }, { 0, 302 }, { 1, 200 } })
    local groups = {}
    for i, xfer in ipairs(xfers) do groups[i] = xfer.request end
    equal({ groups[1] == groups[2] and groups[2] == groups[3], groups[3] == groups[4],
      groups[4] == groups[5], groups[5] == groups[6], groups[6] == groups[7] },
      { true, false, true, false, true })
  end)

  it("the number of a request is that of its hooks", function()
    local number
    local kinds = recorded(1, function()
      http.get(URL .. "/bytes/1", { trace = { request_end = function(_, ev)
        number = ev.request
      end } })
    end)
    equal(kinds.xfer[1].request, number)
  end)

  it("connections have numbers, the same while they are reused", function()
    local kinds = recorded(1, function()
      local session <close> = http.session()
      session:get(URL .. "/bytes/1")
      session:get(URL .. "/bytes/1")
      task.gather { function() session:get(URL .. "/bytes/1") end,
        function() session:get(URL .. "/bytes/1") end }
      pcall(session.get, session, origin.refused)
      local other <close> = http.session()
      other:get(URL .. "/bytes/1")
    end)
    local xfers = kinds.xfer
    local first, second = xfers[1].connection, xfers[2].connection
    equal({ math.type(first), first == second }, { "integer", true })
    equal({ xfers[1].reused, xfers[2].reused }, { false, true })
    equal(xfers[3].connection, nil) -- refused
    equal(xfers[4].connection ~= first, true, "another session")
    equal(xfers[1].peer, origin.authority)
    equal(xfers[3].peer, nil)
  end)

  it("many connections are told apart", function()
    local kinds = {}
    local unsubscribe = trace.subscribe(function(event)
      if event.kind == "xfer" then kinds[#kinds + 1] = event end
    end)
    do
      local session <close> = http.session { limit_per_host = 40 }
      for _ = 1, 2 do
        local list = {}
        for i = 1, 40 do list[i] = function() session:get(URL .. "/delay/0.02") end end
        task.gather(list)
      end
      origin.eventually(function() return #kinds == 80 end)
    end
    unsubscribe()
    local seen, n = {}, 0
    for i, xfer in ipairs(kinds) do
      equal(i <= 40 or seen[xfer.connection], true)
      n = n + (seen[xfer.connection] and 0 or 1)
      seen[xfer.connection] = true
    end
    equal(n, 40)
  end)

  it("bytes of bodies that are sent", function()
    local kinds = recorded(1, function()
      local session <close> = http.session()
      session:get(URL .. "/bytes/1")
      session:post(URL .. "/mirror", { body = ("x"):rep(1000) })
    end)
    equal(pick(kinds.xfer, "sent", "bytes"), { { 0, 1 }, { 1000, 1000 } })
  end)
end)

describe("phases of attempts:", function()
  local function phases(fn, level)
    local words = {}
    for i, event in ipairs(recorded(level or 2, fn).phase or {}) do words[i] = event.phase end
    return table.concat(words, " ")
  end

  it("a new connection, a reused one, and a body", function()
    equal(phases(function()
      local session <close> = http.session()
      session:get(URL .. "/bytes/1")
    end), "admitted connect wait receive")
    equal(phases(function()
      local session <close> = http.session()
      session:get(URL .. "/bytes/1")
      session:post(URL .. "/mirror", { body = "x" })
    end), "admitted connect wait receive admitted send receive")
  end)

  it("there are none at level 1", function()
    equal(phases(function() http.get(URL .. "/bytes/1") end, 1), "")
  end)

  it("a request that fails or waits in the queue", function()
    equal(phases(function() pcall(http.get, origin.refused) end), "admitted connect")
    equal(phases(function()
      local session <close> = http.session { limit = 1 }
      local first = task.spawn(session.get, session, URL .. "/stall")
      task.checkpoint()
      pcall(session.get, session, URL, { timeout = 0.01 })
      first:cancel()
    end), "")
  end)
end)

describe("URLs of records:", function()
  it("have no signature or token of a query, nor has the name of a task", function()
    local url = origin.refused .. "/?a=1&X-Amz-Signature=secret&access_token=secret"
    local events = {}
    local unsubscribe = trace.subscribe(function(event) events[#events + 1] = event end)
    pcall(function()
      task.gather(task.map(function(item) http.get(item) end, { url }))
    end)
    local found = {}
    origin.eventually(function()
      for _, event in ipairs(events) do
        if event.kind == "xfer" and event.url:find("X-Amz", 1, true) then
          found.xfer = event.url
        end
        found[event.kind] = found[event.kind] or event.what or event.name
      end
      return found.xfer
    end)
    unsubscribe()
    for _, event in ipairs(events) do
      for _, value in pairs(event) do
        equal(tostring(value):find("secret", 1, true), nil, value)
      end
    end
    equal(found.xfer, origin.refused .. "/?a=1&X-Amz-Signature=REDACTED&access_token=REDACTED")
    equal(found.name:sub(-8), "REDACTED")
  end)
end)

describe("heads of attempts:", function()
  it("are recorded at level 3, without secrets", function()
    local answer = "HTTP/1.1 200 Fine\r\nSet-Cookie: secret=1\r\n folded: secret\r\n"
      .. "Content-Length: 2\r\nX-Own: yes\r\nLocation: http://user:secret@a.test/?sig=secret\r\n"
      .. "Set-Cookie : secret\r\nLink: <http://a.test/?token=secret>; rel=next\r\n\r\nok"
    local url = origin.raw { answer, "keep" }
    local kinds = recorded(3, function()
      local session <close> = http.session { auth = { user = "u", password = "secret" },
        headers = { ["X-Api-Key"] = "secret", ["Private-Token"] = "secret",
          ["X-Plain"] = "shown" } }
      session:get(url .. "?X-Amz-Signature=secret&plain=1")
    end)
    local heads = kinds.head
    equal(pick(heads, "which"), { { "request" }, { "response" } })
    equal({ heads[1].ref, heads[2].ref }, { kinds.xfer[1].ref, kinds.xfer[1].ref })
    for _, head in ipairs(heads) do equal(head.text:find "secret", nil, head.text) end
    local sent, received = heads[1].text, heads[2].text
    equal(sent:match "^GET /raw/%S+%?X%-Amz%-Signature=REDACTED&plain=1 HTTP/1.1\r\n" ~= nil, true,
      sent)
    for _, line in ipairs { "\r\nHost: " .. origin.authority .. "\r\n", "\r\nX-Plain: shown\r\n",
      "\r\nAuthorization: REDACTED\r\n", "\r\nX-Api-Key: REDACTED\r\n" } do
      equal(sent:find(line, 1, true) ~= nil, true, sent)
    end
    for _, line in ipairs { "HTTP/1.1 200 Fine\r\n", "\r\nSet-Cookie: REDACTED\r\n",
      "\r\nX-Own: yes\r\n", "a.test/",
      "\r\nLink: <http://a.test/?token=REDACTED>; rel=next" } do
      equal(received:find(line, 1, true) ~= nil, true, received)
    end
  end)

  it("are not recorded below level 3", function()
    equal(recorded(2, function() http.get(URL .. "/bytes/1") end).head, nil)
  end)
end)

describe("bodies of attempts:", function()
  local function bodies(max, fn)
    local kinds = recorded(3, fn, max)
    local by_way, cut = { request = "", response = "" }, {}
    for _, body in ipairs(kinds.body or {}) do
      equal(cut[body.which], nil, "a piece after the last one")
      by_way[body.which] = by_way[body.which] .. (body.text or "")
      cut[body.which] = body.cut or nil
    end
    return by_way.request, by_way.response, cut
  end

  local function mirror(body)
    return function() http.post(URL .. "/mirror", { body = body }) end
  end

  it("are recorded at level 3 if they are asked for", function()
    local large = origin.pattern(200000)
    for _, body in ipairs { "hello", large } do
      local sent, received, cut = bodies(math.maxinteger, mirror(body))
      equal(sent == body, true, #sent)
      equal(received == body, true, #received)
      equal(cut, {})
    end
    equal({ bodies(nil, mirror "hello") }, { "", "", {} })
  end)

  it("are cut at their maximum", function()
    local sent, received, cut = bodies(40000, mirror(origin.pattern(100000)))
    equal({ sent == origin.pattern(40000), received == origin.pattern(40000) }, { true, true })
    equal(cut, { request = true, response = true })
    sent, received, cut = bodies(5, mirror "hello")
    equal({ sent, received, cut }, { "hello", "hello", {} })
  end)
end)
