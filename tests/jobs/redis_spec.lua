-- SPDX-License-Identifier: MIT
-- Queues on a Redis server: its faults, and what of them passes.
local children = require "children"
local fs = require "septet.fs"
local jobs = require "septet.jobs"
local net = require "septet.net"
local proxy = require "proxy"
local queues = require "redis_queues"
local redis = require "redis"
local task = require "septet.task"
local ticker = require "ticker"

local core = debug.getregistry()["septet.core"]

local it = children.it

local DURABLE <const>, KEPT <const> = queues.DURABLE, queues.KEPT
local open, take, fails, put, finish = queues.open, queues.take, queues.fails, queues.put,
  queues.finish

describe("opening a queue on Redis", function()
  it("fault_no_server: there is none", function()
    local folder <close> = fs.temp_dir()
    fails("unreachable", jobs.open, "unix://" .. folder.path .. "/none")
    local closed = net.listen()
    local port = closed.port
    closed:close()
    local err = fails("unreachable", jobs.open, ("redis://127.0.0.1:%d/"):format(port))
    equal(err.queue, ("redis://127.0.0.1:%d/"):format(port))
    fails("unreachable", jobs.open, "redis://name.invalid/")
  end)

  it("fault_no_server: what listens there is no Redis", function()
    local server <close> = net.listen()
    local t = task.spawn(function()
      server:serve(function(c)
        c:read(100)
        c:write "HTTP/1.1 400 Bad Request\r\n\r\n"
      end)
    end)
    fails("open", jobs.open, ("redis://127.0.0.1:%d/"):format(server.port))
    t:cancel()
    task.wait { t }
  end)

  it("fault_no_server: what listens there answers as no queue does", function()
    local id, answer = ":7\r\n", nil
    local server <close> = net.listen()
    local function serve(c)
      for line in c:lines() do
        local words = {}
        for i = 1, tonumber(line:match "^%*(%d+)") do
          c:read_line()
          words[i] = c:read_line():match "^[^\r]*"
        end
        c:write(words[1] == "INFO" and "$19\r\nredis_version:7.2.0\r\n" or
          words[1] == "EVALSHA" and (answer or id) or "+OK\r\n")
      end
    end
    local t = task.spawn(server.serve, server, serve)
    local url = ("redis://127.0.0.1:%d/"):format(server.port)
    fails("open", open, url)
    id = "+id\r\n"
    local d = open(url)
    for _, text in ipairs { ":7", "$-1", "+x", "*3\r\n*1\r\n:1\r\n$-1\r\n+x" } do
      answer = text .. "\r\n"
      for _, call in ipairs { { "put", { { key = "k" } } }, { "stats" }, { "dead", nil, 10 },
        { "take", 1, { lease = 1, attempts = 1, token = "t" } }, { "results", nil, 10 },
        { "finish", { { key = "k", token = "t", how = "back" } } } } do
        local ok, err = pcall(d[call[1]], d, table.unpack(call, 2, 3))
        if not ok and not task.is(err, "JobsError") then error(err, 0) end
      end
    end
    answer = ":7\r\n"
    fails("corrupt", take, d, 1, "t")
    d:crash()
    t:cancel()
    task.wait { t }
  end)

  it("fault_silent: a server that answers nothing is a broken connection", function()
    local server <close> = net.listen()
    local t = task.spawn(function() server:serve(function(c) c:read_all() end) end)
    ticker.waits(function()
      fails("timeout", open, ("redis://127.0.0.1:%d/"):format(server.port), { silence = 0.3 })
    end)
    t:cancel()
    task.wait { t }
  end)

  it("fault_password: it is wrong, or missing, and no message has it", function()
    local server <close> = redis.start { requirepass = "secret", appendonly = "yes" }
    local err = fails("auth", open, server:url("q", "wrong-one"))
    equal(tostring(err):find("wrong-one", 1, true), nil)
    fails("auth", open, server:url "q")
    open(server:url("q", "secret")):close()
    local d = open(server:url("q", "secret"))
    put(d, "k")
    d:close()
  end)

  it("fault_password: a user of an ACL that may not ask for INFO can use a queue", function()
    local server <close> = redis.start(KEPT)
    server:command("ACL", "SETUSER", "worker", "on", ">word", "~septet:*", "+@all", "-info",
      "-config")
    local d = open(server:url("q", "word") .. "&user=worker")
    equal(put(d, "k"), 1)
    d:close()
    server:command("ACL", "SETUSER", "worker", "-evalsha")
    fails("auth", open, server:url("q", "word") .. "&user=worker")
    server:command("ACL", "SETUSER", "worker", "+evalsha", "-@all")
    fails("auth", open, server:url("q", "word") .. "&user=worker")
  end)

  it("fault_wrong_type: a key of another kind is no queue, at open and later", function()
    for _, key in ipairs { "meta", "jobs", "results", "leases" } do
      local server <close> = redis.start(KEPT)
      server:command("SET", "septet:{q}:" .. key, "of another program")
      fails("not_a_queue", open, server:url "q")
      equal(server:command("GET", "septet:{q}:" .. key), "of another program")
      local d = open(server:url "other")
      server:command("DEL", "septet:{other}:" .. key)
      server:command("SET", "septet:{other}:" .. key, "x")
      local err = fails("not_a_queue", function()
        put(d, "k")
        take(d, 1, "t")
        finish(d, "k", "t")
      end)
      equal(err.queue, server:url "other")
      d:close()
    end
  end)

  it("law_11_newer: a queue of a newer version is refused", function()
    local server <close> = redis.start(KEPT)
    open(server:url "q"):close()
    server:command("HSET", "septet:{q}:meta", "format", "999")
    fails("newer", open, server:url "q")
    equal(server:command("HGET", "septet:{q}:meta", "format"), "999")
  end)

  it("law_11_newer: a queue of an older version is refused", function()
    local server <close> = redis.start(KEPT)
    open(server:url "q"):close()
    for _, format in ipairs { "1", "of another program" } do
      server:command("HSET", "septet:{q}:meta", "format", format)
      local err = fails("not_a_queue", open, server:url "q")
      equal(tostring(err):find("the queue has the unknown format " .. format, 1, true) ~= nil, true)
      equal(server:command("HGET", "septet:{q}:meta", "format"), format)
    end
  end)

  it("law_11_version: a server before Redis 7 is refused", function()
    local server <close> = redis.start(KEPT)
    local way <close> = proxy.start(server.folder .. "/p", server.path)
    way.edit = function(direction, bytes)
      return direction == "down" and bytes:gsub("redis_version:%d", "redis_version:6") or bytes
    end
    local err = fails("open", open, ("unix://%s?queue=q"):format(way.path))
    equal(tostring(err):find("7.0 or later", 1, true) ~= nil, true)
  end)

  it("fault_evicts: a server that may throw jobs away is refused", function()
    local server <close> = redis.start(KEPT)
    for _, policy in ipairs { "allkeys-lru", "allkeys-random", "allkeys-lfu" } do
      server:command("CONFIG", "SET", "maxmemory-policy", policy)
      fails("evicts", open, server:url "q")
    end
    for _, policy in ipairs { "volatile-lru", "noeviction" } do -- no key of a queue is volatile
      server:command("CONFIG", "SET", "maxmemory-policy", policy)
      open(server:url "q"):close()
    end
  end)
end)

describe("a queue on Redis", function()
  it("runs jobs over TCP, in a database and by a name", function()
    local probe = net.listen()
    local port = probe.port
    probe:close()
    local server <close> = redis.start { port = port, appendonly = "yes" }
    local q <close> = jobs.open(("redis://localhost:%d/3?queue=crawl"):format(port))
    q:put { key = "a", data = { depth = 0 } }
    local counts = q:run({ workers = 4 }, function(job)
      if job.data.depth < 2 then
        for i = 1, 2 do job:put { key = job.key .. i, data = { depth = job.data.depth + 1 } } end
      end
      return { depth = job.data.depth }
    end)
    equal(counts.done, 7)
    local n = 0
    for key, result in q:results() do
      equal(result.depth, #key - 1)
      n = n + 1
    end
    equal(n, 7)
    equal(server:commands({ { "SELECT", "3" }, { "HLEN", "septet:{crawl}:jobs" } })[2], 7)
  end)

  it("law_9_loop: the loop is not blocked by many jobs, nor by large ones", function()
    local server <close> = redis.start(KEPT)
    local d = open(server:url "q")
    local list = {}
    for i = 1, 20 do
      list[i] = { key = "large " .. i, data = '"' .. ("x"):rep(1000000) .. '"' }
    end
    ticker.laps(50, function()
      for _ = 1, 3 do
        for i, job in ipairs(list) do d:put { { key = job.key .. i, data = job.data } } end
      end
      local n = 0
      repeat
        local got = take(d, 64, "t" .. n)
        n = n + #got
        for _, job in ipairs(got) do finish(d, job.key, "t" .. n - #got) end
      until #got == 0
      equal(n, 20)
    end)
    d:close()
  end)

  it("law_1_put: a large put happens whole", function()
    local server <close> = redis.start(KEPT)
    local d = open(server:url "q")
    local list = {}
    for i = 1, 1201 do list[i] = { key = "k" .. i } end
    local n, new = d:put(list)
    equal({ n, #new }, { 1201, 1201 })
    list[1202] = { key = "one more" }
    n, new = d:put(list)
    equal({ n, new }, { 1, { [1202] = true } })
    local got = take(d, 2000, "t")
    equal({ #got, got[1000].key }, { 1000, "k1000" })
    d:close()
  end)

  it("law_1_put: a put that keeps the server at work for long is no broken connection", function()
    local server <close> = redis.start(KEPT)
    local d, connect, work = open(server:url "q"), core.redis_connect, {}
    function core.redis_connect(...) -- luacheck: ignore 122
      local conn <const> = connect(...)
      local function commands(_, list, seconds)
        work[list[1][1]] = seconds
        return conn:commands(list, seconds)
      end
      local function close() conn:close() end
      return setmetatable({ commands = commands, close = close }, { __close = close })
    end
    local list = {}
    for i = 1, 30000 do list[i] = { key = "k" .. i } end
    local ok, n = pcall(d.put, d, list)
    core.redis_connect = connect -- luacheck: ignore 122
    equal({ ok, n }, { true, 30000 })
    equal({ work.EXEC >= 3, work.EVALSHA > 0 }, { true, true })
    d:close()
  end)

  it("law_1_put: a server has the time for its work besides that for an answer", function()
    local server <close> = net.listen()
    local answers = false
    local t = task.spawn(server.serve, server, function(c)
      c:read_line()
      task.sleep(0.1)
      if answers then c:write "+OK\r\n" end
      c:read_all()
    end)
    for work, expected in pairs { [0] = "timeout", [1000] = "OK" } do
      answers = expected == "OK"
      local conn <close> = core.redis_connect("127.0.0.1", server.port, nil, 60, 0.05, 1000)
      local replies, code = conn:commands({ { "PING" } }, work)
      equal(replies and replies[1] or code, expected)
    end
    t:cancel()
    task.wait { t }
  end)

  it("law_12_cluster: all keys of a queue have its hash tag, and a cluster takes them", function()
    local server <close> = redis.start { ["cluster-enabled"] = "yes", appendonly = "yes",
      ["cluster-port"] = redis.free_port() }
    server:command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    for _ = 1, 1000 do
      if server:command("CLUSTER", "INFO"):find "cluster_state:ok" then break end
      task.sleep(0.01)
    end
    local d = open(server:url "q")
    d:put { { key = "{x}a", group = "{y}" }, { key = "b", group = "{y}" }, { key = "c", delay = 9 },
      { key = "d", priority = -3 }, { key = "e", priority = 9 } }
    local got = d:take(3, { lease = 60, attempts = 5, token = "t", limit = 1 })
    equal(#got, 3)
    finish(d, "e", "t")
    d:finish { { key = "d", token = "t", how = "dead", error = "x" } }
    for _, key in ipairs(server:command("KEYS", "*")) do
      equal(key:match "^septet:{q}:" ~= nil, true, key)
    end
    equal(d:check(), {})
    d:clear()
    d:close()
    equal(server:command("KEYS", "*"), { "septet:{q}:meta" })
  end)

  it("refuses data and results that are too large to be taken", function()
    local server <close> = redis.start(KEPT)
    local d = open(server:url "q", { max_text = 1000 })
    local text = '"' .. ("x"):rep(999) .. '"'
    fails("data", d.put, d, { { key = "k", data = text } })
    equal((d:put { { key = "k", data = text:sub(2) } }), 1)
    take(d, 1, "t")
    fails("data", finish, d, "k", "t", text)
    fails("data", d.finish, d, { { key = "k", token = "t", how = "dropped",
      puts = { { key = "l", data = text } } } })
    equal(finish(d, "k", "t"), true)
    equal(d:stats().done, 1)
    d:close()
  end)

  it("data that are too large for a record lie apart, as long as they are needed", function()
    local server <close> = redis.start(KEPT)
    local d = open(server:url "q")
    local large, larger, small = ("x"):rep(513), ("y"):rep(5000), ("z"):rep(512)
    local function apart() return server:command("HLEN", "septet:{q}:data") end
    local function put_one(key, data)
      return (d:put { { key = key, data = data, again = true } })
    end
    local function finish_as(how, mark, key)
      return d:finish { { key = key, token = mark, how = how, error = "x", delay = 0 } }
    end
    put_one("k", large)
    put_one("l", small)
    equal(apart(), 1)
    equal(take(d, 1, "t1")[1].data, large)
    finish_as("retry", "t1", "k")
    equal(take(d, 1, "t2")[1].data, large)
    finish_as("dead", "t2", "k")
    equal(d:dead(nil, 10)[1].data, large)
    equal({ put_one("k", larger), apart(), d:check() }, { 1, 1, {} })
    local got = take(d, 2, "t3")
    equal({ got[1].data, got[2].data }, { small, larger })
    finish_as("done", "t3", "k")
    equal(apart(), 0)
    equal({ put_one("k", large), put_one("k", large), apart() }, { 1, 0, 1 })
    equal({ d:remove "k", apart(), d:check() }, { true, 0, {} })
    local _, _, list = d:exchange({ { key = "l", token = "t3", how = "done",
      puts = { { key = "m", data = large } } } }, 1, { lease = 60, attempts = 5, token = "t4" })
    equal({ list[1].data, apart() }, { large, 1 })
    d:close()
    equal(server:command("HKEYS", "septet:{q}:data"), { "m" })
  end)

  it("jobs that were removed are read over, and not counted", function()
    local server <close> = redis.start(KEPT)
    local d = open(server:url "q")
    local list = {}
    for i = 1, 100 do list[i] = { key = "k" .. i, priority = i == 50 and 1 or 0 } end
    d:put(list)
    for i = 1, 99 do
      if i ~= 40 then equal(d:remove("k" .. i), true) end
    end
    put(d, "k7")
    equal({ d:stats().pending, d:check() }, { 3, {} })
    local got = take(d, 2, "t")
    equal({ #got, got[1].key, got[2].key }, { 2, "k40", "k100" })
    equal({ take(d, 9, "u")[1].key, #take(d, 9, "v") }, { "k7", 0 })
    equal(server:command("HLEN", "septet:{q}:classes"), 0)
    d:close()
  end)

  it("the oldest pending job is found behind those that were removed", function()
    local server <close> = redis.start(KEPT)
    local d = open(server:url "q")
    local list = {}
    for i = 1, 200 do list[i] = { key = "k" .. i } end
    d:put(list)
    for i = 1, 128 do equal(d:remove("k" .. i), true) end
    local stats = d:stats()
    equal({ stats.pending, stats.oldest ~= nil and stats.oldest < 60 }, { 72, true })
    d:close()
  end)

  it("nothing stays of jobs that were put and removed", function()
    local server <close> = redis.start(KEPT)
    local d = open(server:url "q")
    for i = 1, 1000 do
      equal({ put(d, "k" .. i), d:remove("k" .. i) }, { 1, true })
    end
    equal(server:command("KEYS", "septet:{q}:ready:*"), {})
    equal(server:command("EXISTS", "septet:{q}:classes"), 0)
    put(d, "a", "b")
    d:remove "a"
    equal({ d:check(), #take(d, 9, "t"), d:stats().leased }, { {}, 1, 1 })
    d:close()
  end)

  it("a take reads over many removed jobs, some thousands a call", function()
    local server <close> = redis.start(KEPT)
    local d = open(server:url "q")
    local list, gone = {}, {}
    for i = 1, 25000 do list[i], gone[i] = { key = "k" .. i }, "k" .. i end
    list[25001] = { key = "last" }
    d:put(list)
    for first = 1, #gone, 5000 do -- as if by remove()
      server:command("HDEL", "septet:{q}:jobs", table.unpack(gone, first, first + 4999))
    end
    server:command("HSET", "septet:{q}:meta", "pending", "1")
    server:command("CONFIG", "RESETSTAT")
    equal(take(d, 1, "t")[1].key, "last")
    local calls = server:command("INFO", "commandstats"):match "evalsha:calls=(%d+)"
    equal(tonumber(calls) >= 3 and tonumber(calls) <= 4, true, calls) -- one may lack the script
    equal({ d:stats().pending, d:check() }, { 0, {} })
    d:close()
  end)

  it("takes of few jobs leave the rest of an entry in its place", function()
    local server <close> = redis.start(KEPT)
    local d = open(server:url "q")
    local list = {}
    for i = 1, 64 do list[i] = { key = "k" .. i } end
    d:put(list)
    local taken = {}
    for i = 1, 64 // 8 do
      for _, job in ipairs(take(d, 8, "t" .. i)) do taken[#taken + 1] = job.key end
      equal(d:check(), {})
    end
    for i = 1, 64 do equal(taken[i], "k" .. i) end
    equal(#take(d, 8, "u"), 0)
    d:close()
  end)

  it("check finds a job that is not where its record says", function()
    local server <close> = redis.start(KEPT)
    local d = open(server:url "q")
    put(d, "a", "b")
    take(d, 1, "t")
    server:command("ZREM", "septet:{q}:leases", "a")
    local found = d:check()
    equal({ #found, found[1]:find("'a'", 1, true) ~= nil }, { 1, true })
    d:close()
  end)
end)

describe("a fault of Redis", function()
  it("fault_restart: a queue rides out a restart, and goes on where it was", function()
    local server <close> = redis.start(DURABLE)
    local d = open(server:url "q")
    put(d, "a", "b")
    take(d, 1, "t")
    server:stop()
    local t = task.spawn(function() return finish(d, "a", "t"), put(d, "c") end)
    task.sleep(0.05)
    server:restart()
    local held, n = t:await()
    equal({ held, n }, { true, 1 })
    equal(queues.results(d), { a = "1" })
    local got = take(d, 10, "t2")
    equal({ got[1].key, got[2].key, #got }, { "b", "c", 2 })
    d:close()
  end)

  it("fault_restart: past its patience it raises, and works again later", function()
    local server <close> = redis.start(DURABLE)
    local d = open(server:url "q", { patience = 0.3 })
    put(d, "a")
    server:stop()
    fails("unreachable", put, d, "b")
    fails("unreachable", take, d, 1, "t")
    server:restart()
    equal(put(d, "a", "b"), 1)
    d:close()
  end)

  it("fault_kill: kill -9 with appendonly loses nothing, and doubles nothing", function()
    local server <close> = redis.start(DURABLE)
    local d = open(server:url "q")
    local N <const> = 60
    local t = task.spawn(function()
      for i = 1, N do put(d, "k" .. i) end
      local runs = 0
      repeat
        runs = runs + 1
        local got = take(d, 7, "t" .. runs)
        local ends = {}
        for i, job in ipairs(got) do
          ends[i] = { key = job.key, token = "t" .. runs, how = "done",
            result = '"' .. job.key .. '"' }
        end
        for _, held in ipairs(d:finish(ends)) do equal(held, true) end
      until #got == 0
    end)
    local kills = 0
    while t:status() == "pending" or t:status() == "running" or t:status() == "suspended" do
      task.wait({ t }, { timeout = 0.02 + 0.03 * (kills % 3) })
      if kills < 5 then
        kills = kills + 1
        server:kill()
        server:restart()
      end
    end
    t:await()
    local found, n = queues.results(d)
    equal(n, N)
    for i = 1, N do equal(found["k" .. i], ('"k%d"'):format(i)) end
    d:close()
  end)

  it("fault_stopped: SIGSTOP is ridden out, and counts no owner dead", function()
    local server <close> = redis.start(DURABLE)
    local limits = { dead_after = 4 }
    local a, b = open(server:url "q", limits), open(server:url "q", limits)
    put(a, "k", "l")
    equal(#take(a, 1, "t"), 1)
    a.link.silence = 0.1
    a.link.conn:close() -- the next one is broken after so many seconds
    server:freeze()
    local t, asked, connect = task.spawn(put, a, "m"), 0, core.redis_connect
    function core.redis_connect(...) -- luacheck: ignore 122
      asked = asked + 1
      return connect(...)
    end
    while asked < 3 do task.sleep(0.01) end -- twice in vain
    core.redis_connect = connect -- luacheck: ignore 122
    equal(t:status(), "suspended")
    server:thaw()
    equal(t:await(), 1)
    a.link.silence = 60
    server:command("HINCRBYFLOAT", "septet:{q}:meta", "beat", -3600) -- as if it had been stopped
    local got = take(b, 10, "u")
    equal({ #got, got[1].key, got[1].attempt }, { 2, "l", 1 })
    equal(finish(a, "k", "t"), true)
    a:close()
    b:close()
  end)

  it("fault_oom: a full server takes no more, and can be emptied", function()
    local server <close> = redis.start(KEPT)
    local d = open(server:url "q")
    put(d, "a", "b")
    equal(#take(d, 1, "t"), 1)
    server:command("CONFIG", "SET", "maxmemory", "1")
    fails("full", put, d, "c")
    fails("full", finish, d, "a", "t")
    local list = {}
    for i = 1, 1100 do list[i] = { key = "many " .. i } end
    fails("full", d.put, d, list)
    equal(d:renew({ { key = "a", token = "t" } }, 60), { true })
    equal(#take(d, 1, "u"), 1)
    equal(d:stats().leased, 2)
    equal(d:remove "b", true)
    server:command("CONFIG", "SET", "maxmemory", "0")
    equal(finish(d, "a", "t"), true)
    equal(put(d, "c"), 1)
    equal(d:stats().pending, 1)
    d:close()
  end)

  it("fault_oom: a transaction that no longer fits is no fault that passes", function()
    local server <close> = redis.start(KEPT)
    local way <close> = proxy.start(server.folder .. "/p", server.path)
    local d = open(("unix://%s?queue=q"):format(way.path), { patience = 60 })
    local list = {}
    for i = 1, 1100 do list[i] = { key = "many " .. i } end
    way.edit = function(direction, bytes)
      if direction == "up" and bytes:find("EXEC\r\n", 1, true) then
        server:command("CONFIG", "SET", "maxmemory", "1")
      end
      return bytes
    end
    local err = fails("full", d.put, d, list)
    equal(err.reason:find "^EXECABORT" ~= nil, true)
    way.edit = nil
    server:command("CONFIG", "SET", "maxmemory", "0")
    equal({ d:stats().pending, (d:put(list)) }, { 0, 1100 })
    d:close()
  end)

  it("fault_flushall: it is told, and never taken for an empty queue", function()
    local server <close> = redis.start(KEPT)
    local d = open(server:url "q")
    put(d, "a", "b")
    equal(#take(d, 1, "t"), 1)
    server:command "FLUSHALL"
    local names = { "take", "finish", "renew", "stats", "put", "results", "retry", "clear" }
    for _, name in ipairs(names) do
      local given = { take = { 1, { lease = 1, attempts = 5, token = "u" } },
        finish = { { { key = "a", token = "t", how = "done" } } },
        renew = { { { key = "a", token = "t" } }, 60 }, put = { { { key = "x" } } },
        results = { nil, 10 } }
      fails("gone", d[name], d, table.unpack(given[name] or {}, 1, 2))
    end
    local other = open(server:url "q") -- another queue, though of the same name
    fails("gone", put, d, "a")
    equal(put(other, "a"), 1)
    d:close()
    equal(other:stats().pending, 1)
    other:close()
  end)

  it("fault_noscript: SCRIPT FLUSH is not noticed", function()
    local server <close> = redis.start(KEPT)
    local d = open(server:url "q")
    for i = 1, 3 do
      server:command("SCRIPT", "FLUSH")
      equal(put(d, "k" .. i), 1)
      server:command("SCRIPT", "FLUSH")
      equal(#take(d, 1, "t" .. i), 1)
      server:command("SCRIPT", "FLUSH")
      equal(finish(d, "k" .. i, "t" .. i), true)
    end
    local list = {}
    for i = 1, 1100 do list[i] = { key = "many " .. i } end
    server:command("SCRIPT", "FLUSH")
    equal((d:put(list)), 1100)
    d:close()
  end)

  it("fault_readonly: a server that became a replica is waited for", function()
    local server <close> = redis.start(KEPT)
    local d = open(server:url "q", { patience = 0.2 })
    server:command("REPLICAOF", "127.0.0.1", "1")
    fails("readonly", put, d, "a")
    server:command("CONFIG", "SET", "replica-serve-stale-data", "no")
    fails("unreachable", put, d, "a")
    fails("unreachable", open, server:url "q")
    d.link.patience = 20
    local t = task.spawn(put, d, "a")
    task.sleep(0.02)
    equal(t:status(), "suspended")
    server:command("REPLICAOF", "NO", "ONE")
    equal(t:await(), 1)
    d:close()
  end)

  it("fault_clients: a server with too many clients is waited for", function()
    local server <close> = redis.start(KEPT)
    local d = open(server:url "q")
    server:command("CONFIG", "SET", "maxclients", "1")
    fails("unreachable", open, server:url "q")
    d:close()
  end)
end)

describe("a long queue on Redis", function()
  it("law_9: no script moves more than a thousand jobs into a full group", function()
    local server <close> = redis.start(KEPT)
    local d, list = open(server:url "q"), {}
    for i = 1, 3500 do list[i] = { key = "a" .. i, group = "a" } end
    list[#list + 1] = { key = "b", group = "b" }
    d:put(list)
    local function take_one(mark)
      return d:take(1, { lease = 60, attempts = 5, limit = 1, token = mark })[1].key
    end
    equal(take_one "t1", "a1")
    server:command("CONFIG", "RESETSTAT")
    equal(take_one "t2", "b")
    local calls = server:command("INFO", "commandstats"):match "evalsha:calls=(%d+)"
    equal(tonumber(calls), 4)
    d:close()
  end)
end)

describe("owners on Redis", function()
  it("law_4_death: the jobs of a silent owner come back, and those of a live one do not", function()
    local server <close> = redis.start(KEPT)
    local limits = { dead_after = 4 } -- longer than a machine stands still
    local a, b, c = open(server:url "q", limits), open(server:url "q", limits),
      open(server:url "q", limits)
    put(a, "of a", "of b")
    equal(take(a, 1, "ta")[1].key, "of a")
    equal(take(b, 1, "tb")[1].key, "of b")
    a:crash()
    local got
    for i = 1, 1000 do
      got = take(c, 10, "tc" .. i)
      if #got > 0 then break end
      task.sleep(0.05)
    end
    equal({ #got, got[1].key, got[1].attempt }, { 1, "of a", 2 })
    equal(finish(b, "of b", "tb"), true)
    b:close()
    c:close()
  end)
end)
