-- SPDX-License-Identifier: MIT
-- Connections: which are kept, how many there are at once, and the requests that wait for one.
local task, http = require "septet.task", require "septet.http"
local origin = require "origin"

local URL = origin.url

-- Returns the largest number of requests that the origin had at once, each for the time of its
-- delay.
local function most_at_once(requests, seconds)
  local edges, now, most = {}, 0, 0
  for _, request in ipairs(requests) do
    edges[#edges + 1] = { request.time, 1 }
    edges[#edges + 1] = { request.time + 0.9 * seconds, -1 } -- two clocks may differ a little
  end
  table.sort(edges, function(a, b)
    if a[1] == b[1] then return a[2] < b[2] end
    return a[1] < b[1]
  end)
  for _, edge in ipairs(edges) do
    now = now + edge[2]
    most = math.max(most, now)
  end
  return most
end

local function at_once(session, n, url)
  local list = {}
  for i = 1, n do
    list[i] = function()
      local status = session:get(url).status
      return status
    end
  end
  local mark = origin.mark()
  local results = task.gather(list)
  for i = 1, n do equal(results[i], 200) end
  local requests = origin.requests(mark, url:sub(#URL + 1))
  equal(#requests, n)
  return requests, origin.connections(requests)
end

describe("http.17 limits", function()
  it("no more than limit requests are in flight", function()
    local session <close> = http.session { limit = 3, limit_per_host = 100 }
    local requests, connections = at_once(session, 15, URL .. "/delay/0.02?spec=limit0")
    equal(connections <= 3, true)
    equal(most_at_once(requests, 0.02) <= 3, true)
    equal(most_at_once(requests, 0.02) > 1, true)
  end)

  it("no more than limit_per_host requests to a host are in flight", function()
    local session <close> = http.session { limit = 100, limit_per_host = 2 }
    local requests, connections = at_once(session, 10, URL .. "/delay/0.02?spec=limit1")
    equal(most_at_once(requests, 0.02) <= 2, true)
    equal(connections <= 2, true)
    local blocked = {}
    for i = 1, 2 do blocked[i] = task.spawn(session.get, session, URL .. "/stall") end
    turns(2)
    equal(session:get("http://localhost:" .. origin.port .. "/bytes/1").status, 200)
    for i = 1, 2 do blocked[i]:cancel() end
    task.wait(blocked)
  end)

  it("a limit of one keeps the order", function()
    local session <close> = http.session { limit = 1 }
    local mark, tasks = origin.mark(), {}
    for i = 1, 10 do
      tasks[i] = task.spawn(session.get, session, ("%s/bytes/%d?spec=order"):format(URL, i))
    end
    task.wait(tasks)
    local order = {}
    for _, request in ipairs(origin.since(mark, "request")) do
      if request.query == "spec=order" then order[#order + 1] = request.path end
    end
    equal(#order, 10)
    for i = 1, 10 do equal(order[i], "/bytes/" .. i) end
  end)

  it("the default is 8 requests per host", function()
    local session <close> = http.session()
    local requests, connections = at_once(session, 24, URL .. "/delay/0.02?spec=limit2")
    equal(most_at_once(requests, 0.02) <= 8, true)
    equal(connections <= 8, true)
  end)

  it("a limit of two hundred allows as many at once", function()
    local session <close> = http.session { limit = 200, limit_per_host = 200 }
    at_once(session, 200, URL .. "/delay/0.1")
  end)

  it("a cancelled or failed request no longer counts", function()
    local session <close> = http.session { limit = 2 }
    for round = 1, 5 do
      local stuck = task.map(function() session:get(URL .. "/stall") end, { 1, 2 })
      turns(round)
      for _, t in ipairs(stuck) do t:cancel() end
      task.wait(stuck)
      pcall(session.get, session, origin.refused)
      equal(session:get(URL .. "/bytes/1").status, 200)
    end
  end)
end)

describe("http.17", function()
  it("a slow origin does not delay a fast one", function()
    local session <close> = http.session { limit = 4, limit_per_host = 2 }
    local stuck = task.map(function() session:get(URL .. "/stall") end, { 1, 2, 3, 4, 5, 6, 7, 8 })
    turns(2)
    for _ = 1, 10 do
      equal(session:get("http://localhost:" .. origin.port .. "/bytes/1").status, 200)
    end
    for _, t in ipairs(stuck) do t:cancel() end
    task.wait(stuck)
  end)
end)

it("http.16 a queue timeout ends the wait for a slot, and the next one gets it", function()
  local session <close> = http.session { limit = 1 }
  local blocker = task.spawn(session.get, session, URL .. "/stall")
  turns(2)
  local t0 = task.now()
  with_ticker(raises_error,
    { kind = "HttpError", code = "timeout", reason = "queue", phase = "queue" }, session.get,
    session, URL .. "/bytes/1", { timeout = { queue = 0.03 } })
  equal(task.now() - t0 >= 0.03, true)
  local next_one = task.spawn(session.get, session, URL .. "/bytes/2")
  turns(2)
  blocker:cancel()
  equal(next_one:await().body, "01")
  task.wait { blocker }
end)

describe("http.6 fault.32 a dozen idle connections that the server dropped", function()
  for _, how in ipairs { "close", "reset" } do
    it("do no harm to the next request: " .. how, function()
      local session <close> = http.session { limit = 12, limit_per_host = 12 }
      for round = 1, 3 do
        local url = ("%s/idle-%s?after=0.02&round=%d"):format(URL, how, round)
        local urls = {}
        for i = 1, 12 do urls[i] = url end
        local mark = origin.mark()
        task.gather(task.map(function(u) return session:get(u) end, urls))
        for _, request in ipairs(origin.requests(mark, url:sub(#URL + 1))) do
          origin.closed(mark, request.connection)
        end
        equal(session:get(URL .. "/bytes/3").body, "012")
        equal(session:post(URL .. "/mirror", { body = "x" }).body, "x")
      end
    end)
  end
end)

describe("fault.32 a connection that is dropped just as it is used again", function()
  it("a connection dropped on reuse is replaced once, without a retry", function()
    local session <close> = http.session()
    for _ = 1, 10 do
      session:get(URL .. "/idle-close")
      local r = session:get(URL .. "/bytes/1")
      equal({ r.status, r.attempts }, { 200, 1 })
      session:get(URL .. "/idle-reset")
      equal(session:put(URL .. "/mirror", { body = "again" }).body, "again")
    end
  end)
end)

it("fault.33 http.7 unsolicited bytes end the connection, and are no response", function()
  local session <close> = http.session()
  local ok, evil = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
  for _, steps in ipairs {
    { ok .. evil, "stall" }, { ok, 0.01, evil, "stall" }, { ok, 0.01, "x", "stall" },
  } do
    local url, mark = origin.raw(steps), origin.mark()
    equal(session:get(url).body, "ab")
    -- The origin stays: that it is closed is the client's doing.
    origin.closed(mark, origin.requests(mark, url:sub(#URL + 1))[1].connection)
    equal(session:get(URL .. "/bytes/3").body, "012")
  end
end)

describe("http.15", function()
  it("a request may be cancelled by a task of the same pass, twice, and after its end", function()
    local session <close> = http.session()
    local first, second
    first = task.spawn(function() return session:get(URL .. "/hold/15?n=2").status end)
    second = task.spawn(function()
      session:get(URL .. "/hold/15?n=2")
      first:cancel() -- done by now, or about to be
      first:cancel()
    end)
    task.wait { first, second }
    equal(second:status(), "done")
    local ok, result = first:result()
    equal(ok and result == 200 or first:status() == "cancelled", true)
    first:cancel()
    equal(session:get(URL .. "/bytes/1").status, 200)
  end)
end)

describe("http.23", function()
  it("a request may begin at the end of another", function()
    local session <close> = http.session { limit = 1 }
    local n = 0
    local function chain(left)
      n = n + 1
      if left > 0 then
        local r = session:get(URL .. "/bytes/1")
        equal(r.status, 200)
        return chain(left - 1)
      end
    end
    chain(200)
    equal(n, 201)
  end)

  it("ten thousand requests start in one turn", function()
    local session <close> = http.session { limit = 64, limit_per_host = 64 }
    local tasks = {}
    for i = 1, 10000 do tasks[i] = task.spawn(session.get, session, URL .. "/bytes/1") end
    equal(session:stats().queued + session:stats().active <= 10000, true)
    for _, t in ipairs(tasks) do t:cancel() end
    for _, t in ipairs(tasks) do pcall(t.await, t) end
    equal(session:get(URL .. "/bytes/1").status, 200)
    equal({ session:stats().queued, session:stats().active }, { 0, 0 })
  end)
end)

describe("http.39 cookies", function()
  local function site(name) return ("http://%s:%d"):format(name, origin.port) end
  local hosts = {}
  for _, name in ipairs { "a.test", "www.a.test", "b.test" } do
    hosts[name .. ":" .. origin.port] = "127.0.0.1"
  end

  it("cookies are sent where path, domain and time allow", function()
    local session <close> = http.session { cookies = true, resolve = hosts }
    local function set(text) session:get(site "a.test" .. "/headers?Set-Cookie=" .. text) end
    local function sent(url)
      local got, cookie = {}, origin.decode(session:get(url).body).headers.cookie or ""
      for pair in cookie:gmatch "[^; ]+" do got[#got + 1] = pair end
      table.sort(got)
      return table.concat(got, " ")
    end
    set "host=1"
    set "domain=1;%20Domain=a.test"
    set "path=1;%20Path=/elsewhere"
    set "secure=1;%20Secure"
    set "gone=1;%20Max-Age=0"
    set "other=1;%20Domain=b.test"
    set "old=1;%20Expires=Thu,%2001%20Jan%201970%2000:00:01%20GMT"
    equal(sent(site "a.test" .. "/echo"), "domain=1 host=1")
    equal(sent(site "www.a.test" .. "/echo"), "domain=1")
    equal(sent(site "b.test" .. "/echo"), "")
  end)

  it("cookies belong to one session, and leave no handle", function()
    local one <close> = http.session { cookies = true }
    local two <close> = http.session { cookies = true }
    local none <close> = http.session()
    one:get(URL .. "/headers?Set-Cookie=a=1")
    for _ = 1, 5 do
      equal(origin.echo(one, "GET").headers.cookie, "a=1")
      equal(origin.echo(two, "GET").headers.cookie, nil)
      equal(origin.echo(none, "GET").headers.cookie, nil)
    end
  end)
end)
