-- SPDX-License-Identifier: MIT
-- The scripts of test_allocations.c, by name. Each ends by itself, whichever of its allocations
-- fail: what waits for a task that may fail is in one group with it.
local task, sync, testing = require "septet.task", require "septet.sync", require "septet.testing"
local fs = require "septet.fs"
local json, trace = require "septet.json", require "septet.trace"
local net = require "septet.net"
local scripts = {}

local function nap(n)
  task.sleep(n / 100)
  return n
end

local function forever()
  task.sleep(math.huge)
end

-- Runs a block, and then waits for a task that it spawned: for ever if the block left it alive.
local function run_block(block)
  local inside
  local ok, err = pcall(block, function(t)
    inside = t
  end)
  if inside then
    pcall(inside.await, inside)
  end
  return ok, err
end

function scripts.sequence()
  for n = 1, 3 do
    nap(n)
  end
end

function scripts.gather()
  local squares = task.gather(task.map(nap, { 3, 1, 2 }))
  assert(#squares == 3)
end

function scripts.gather_of_a_failure()
  local ok = run_block(function(keep)
    task.gather {
      task.spawn(nap, 1),
      function()
        keep(task.current())
        forever()
      end,
      function()
        nap(2)
        error "one fails"
      end,
    }
  end)
  assert(not ok)
end

function scripts.wait()
  task.group(function(g)
    local list = { g:spawn(nap, 1), g:spawn(nap, 2) }
    local done = task.wait(list, { return_when = "FIRST_COMPLETED", timeout = 1 })
    assert(#done > 0)
  end)
end

function scripts.as_completed()
  run_block(function(keep)
    task.group(function()
      local function stays()
        keep(task.current())
        forever()
      end
      for t in task.as_completed { stays, task.checkpoint } do
        error(t)
      end
    end)
  end)
  local n = 0
  for t in task.as_completed(task.map(nap, { 2, 1 })) do
    n = n + t:await()
  end
  assert(n == 3)
end

function scripts.race()
  run_block(function(keep)
    local first = task.race {
      function()
        keep(task.current())
        forever()
      end,
      function()
        return nap(1)
      end,
    }
    assert(first == 1)
  end)
  run_block(function(keep)
    task.gather({
      function()
        keep(task.current())
        forever()
      end,
      error,
    }, { limit = 2 })
  end)
end

function scripts.group_whose_body_fails()
  local ok, err = run_block(function(keep)
    task.group(function(g)
      keep(g:spawn(forever))
      g:spawn(forever)
      task.sleep(0.01)
      error "the body"
    end)
  end)
  assert(not ok and err)
end

function scripts.group_whose_task_fails()
  local ok, err = run_block(function(keep)
    task.group(function(g)
      keep(g:spawn(forever))
      g:spawn(error, "a task")
      forever()
    end)
  end)
  assert(not ok and err)
end

function scripts.group_in_a_variable()
  local ok, err = run_block(function(keep)
    local g <close> = task.group()
    keep(g:spawn(forever))
    task.sleep(0.01)
    error "the variable's block"
  end)
  assert(not ok and err)
end

function scripts.groups_in_groups()
  local ok = run_block(function(keep)
    task.group(function(outer)
      for _ = 1, 2 do
        outer:spawn(task.group, function(inner)
          keep(inner:spawn(forever))
          inner:spawn(nap, 1)
          task.sleep(0.02)
          error { code = 7 }
        end)
      end
    end)
  end)
  assert(not ok)
end

function scripts.timeouts()
  local ok, err = run_block(function(keep)
    task.timeout(0.01, function()
      keep(task.spawn(forever))
      forever()
    end)
  end)
  assert(not ok and err)
  run_block(function(keep)
    task.move_on_after(0.01, function()
      keep(task.spawn(forever))
      error "in time"
    end)
  end)
  task.timeout(1, task.shield, nap, 1)
  task.cleanup(0.5, nap, 1)
end

function scripts.cancels()
  local t = task.spawn(function()
    local _ <close> = setmetatable({}, { __close = function()
      task.cleanup(0.1, nap, 1)
    end })
    forever()
  end)
  task.checkpoint()
  t:cancel("because " .. tostring(1))
  pcall(t.await, t)
  assert(t:status() ~= "suspended")
end

function scripts.start()
  run_block(function(keep)
    task.group(function(g)
      keep(g:spawn(forever))
      local given = g:start(function(started)
        nap(1)
        started("ready")
        nap(1)
      end)
      assert(given == "ready")
      g:cancel()
    end)
  end)
end

function scripts.channel()
  task.group(function(g)
    local ch = sync.channel(1)
    g:spawn(function()
      for n = 1, 5 do
        ch:send { n }
      end
      ch:close()
    end)
    local sum = 0
    for item in ch.recv, ch do
      sum = sum + item[1]
    end
    assert(sum == 15)
  end)
end

function scripts.locks()
  local lock, semaphore = sync.lock(), sync.semaphore(2)
  task.group(function(g)
    for n = 1, 4 do
      g:spawn(function()
        lock:with(function()
          semaphore:with(nap, n)
        end)
      end)
    end
  end)
end

function scripts.future()
  task.group(function(g)
    local f, failing = task.future(), task.future()
    for _ = 1, 3 do
      g:spawn(function()
        local a, b = f:await()
        assert(a == 1 and b == 2)
      end)
    end
    g:spawn(pcall, failing.await, failing)
    task.sleep(0.01)
    f:set(1, 2)
    failing:fail "for a reason"
  end)
end

function scripts.pool()
  task.pool(2, function(pool)
    pool:map(nap, { 1, 2, 3, 4 })
    pool:spawn(nap, 1):cancel()
    pool:spawn(nap, 1)
  end)
end

function scripts.receive_in_time()
  task.group(function(g)
    local ch = sync.channel(1)
    g:spawn(function()
      nap(1)
      local out <close> = ch
      out:send(1)
    end)
    for _ = 1, 3 do
      pcall(ch.recv, ch, 0.01)
    end
  end)
end

function scripts.event()
  local event = sync.event()
  task.group(function(g)
    g:spawn(function()
      event:wait()
    end)
    nap(1)
    event:set()
  end)
end

function scripts.generator()
  run_block(function(keep)
    local gen <close> = task.generator(function(emit)
      emit(1)
      local g <close> = task.group()
      keep(g:spawn(forever))
      task.sleep(0.01)
      error "in a generator"
    end)
    gen()
    gen()
  end)
  run_block(function(keep)
    local lock = sync.lock()
    lock:with(function()
      task.timeout(0.01, function()
        keep(task.spawn(lock.acquire, lock))
        forever()
      end)
    end)
  end)
  local function count(yield)
    for n = 1, 3 do
      nap(1)
      yield(n)
    end
  end
  local sum = 0
  for n in task.generator(count) do
    sum = sum + n
    if n == 2 then
      break
    end
  end
  assert(sum == 3)
end

function scripts.coroutines()
  local co = coroutine.wrap(function(a)
    nap(1)
    local b = coroutine.yield(a + 1)
    nap(1)
    return b * 2
  end)
  assert(co(1) == 2)
  assert(co(4) == 8)
  run_block(function(keep)
    local died = coroutine.resume(coroutine.create(function()
      local g <close> = task.group()
      keep(g:spawn(forever))
      error "in a coroutine"
    end))
    assert(not died)
  end)
end

function scripts.background_and_locals()
  local var = task.var "outside"
  local seen = {}
  task.background(function()
    seen[#seen + 1] = var:get()
    forever()
  end)
  var:with("inside", function()
    task.spawn(function()
      seen[#seen + 1] = var:get()
    end):await()
  end)
  nap(1)
end

function scripts.recording()
  local path = os.tmpname()
  local _ <close> = setmetatable({}, { __close = function() os.remove(path) end })
  local _ <close> = trace.record(path, { level = 3 })
  local seen = 0
  local stop = trace.subscribe(function() seen = seen + 1 end)
  trace.span("a span", nap, 1)
  trace.mark("a mark", 1)
  trace.count("a counter", 2)
  nap(1)
  stop()
end

function scripts.sockets()
  local server <close> = net.listen()
  task.group(function(g)
    g:spawn(function()
      local c <close> = server:accept()
      for line in c:lines() do c:write(line, "\n") end
    end)
    local c <close> = net.connect { host = "localhost", port = server.port, timeout = 5 }
    c:write(("x"):rep(300000), "\n")
    assert(#c:read_line() == 300000)
    c:shutdown()
    assert(c:read_all() == "")
  end)
end

-- A request by a function, by a task of its own, and with options, each to a redirect.
function scripts.requests()
  local http = require "septet.http"
  local server <close> = net.listen()
  local url = ("http://127.0.0.1:%d/"):format(server.port)
  task.group(function(g)
    local serving = g:spawn(function()
      for c in server:connections() do
        g:spawn(function()
          local path
          for line in c:lines() do
            path = line:match "^GET (%S+)" or path
            if #line <= 1 then
              c:write(path == "/"
                and "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"
                or "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            end
          end
          c:close()
        end)
      end
    end)
    local session <close> = http.session { timeout = 5 }
    assert(session:get(url).body == "hello")
    local t = g:spawn(session.get, session, url)
    assert(t:await().body == "hello")
    assert(session:get(url, { headers = { A = "1" } }).body == "hello")
    session:close()
    serving:cancel()
  end)
end

function scripts.redis()
  local core = debug.getregistry()["septet.core"]
  local server <close> = net.listen()
  task.group(function(g)
    g:spawn(function()
      local c <close> = server:accept()
      for _ in c:lines() do
        c:read(4096)
        c:write "*3\r\n:1\r\n$3\r\nabc\r\n*2\r\n-ERR x\r\n$-1\r\n+OK\r\n"
      end
    end)
    local conn <close> = assert(core.redis_connect("localhost", server.port, nil, 5, 5, 1 << 20))
    for _ = 1, 3 do
      local list = assert(conn:commands { { "A", ("x"):rep(3000) }, { "B", 1 } })
      assert(list[1][2] == "abc" and list[1][3][1].error == "ERR x" and list[2] == "OK")
    end
  end)
end

function scripts.processes()
  local process = require "septet.process"
  local n = 0
  local r = process.run { "cat", stdin = function()
    n = n + 1
    return n < 3 and "text" or nil
  end }
  assert(r.stdout == "texttext" and r.code == 0)
  assert(not pcall(process.run, { "no-such-program-here" }))
  local p <close> = process.spawn { "cat", grace = 0.1 }
  p.stdin:write "line\n"
  assert(p.stdout:read_line() == "line")
end

-- A large page goes through the pool, with all that is done to it; a small one does not.
function scripts.pages()
  local html = require "septet.html"
  for _, n in ipairs { 3, 2000 } do
    local doc = html.parse("<title>t</title>" .. ("<p class='a b'>x<b id=c>y</b>"):rep(n))
    assert(#doc:select "p.a > b:nth-child(1), i" == n)
    assert(#doc:text() > 0 and #doc:html() > 0 and doc.title == "t")
  end
  assert(html.unescape "&lt;" == "<")
  nap(1)
end

function scripts.texts()
  local list = {}
  for n = 1, 20 do
    list[n] = { name = ("item %d"):format(n), value = n / 3 }
  end
  local copy = json.decode(json.encode { list = list })
  assert(#copy.list == 20)
  assert(#task.tree() > 0)
  testing.advance(0)
  nap(1)
end

function scripts.queue_in_a_file()
  local jobs = require "septet.jobs"
  local dir <close> = fs.temp_dir()
  local q <close> = jobs.open(dir.path .. "/queue.db")
  assert(q:put { key = "a", data = { n = 1 } })
  assert(q:put_many { { key = "b" }, { key = "c", delay = 100 } } == 2)
  assert(q:stats().pending == 2)
  assert(q:remove "b" and #q:check() == 0)
end

function scripts.files()
  local dir <close> = fs.temp_dir()
  local path = dir.path
  fs.mkdir(path .. "/a/b", { parents = true })
  fs.write(path .. "/a/f", ("line\n"):rep(60000), { sync = false })
  fs.append(path .. "/a/f", "last")
  assert(#fs.read(path .. "/a/f") == 300004)
  fs.copy(path .. "/a", path .. "/c", { recursive = true })
  local n = 0
  for _ in fs.walk(path, { stat = true, sort = true }) do n = n + 1 end
  assert(n == 6 and #fs.list(path) == 2)
  local watch <close> = fs.watch(path, { recursive = true })
  fs.append(path .. "/c/b/g", "x")
  assert(watch().name == "c/b/g")
  for line in fs.tail(path .. "/a/f", { from = "start", follow = false }) do assert(#line == 4) end
  fs.remove(path .. "/a", { recursive = true })
end

return scripts
