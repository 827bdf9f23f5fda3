-- SPDX-License-Identifier: MIT
-- Queues in files: what is wrong with a file, what others do to it, and what a process that died
-- has left. Disks that are full are in test_sqlite_disk.py.
local fs = require "septet.fs"
local jobs = require "septet.jobs"
local process = require "septet.process"
local task = require "septet.task"
local ticker = require "ticker"

local private = debug.getregistry()["septet.require"]
local core = debug.getregistry()["septet.core"]

local dir, path

-- Adds a spec that has a folder of its own.
local function case(title, fn)
  it(title, function()
    local folder <close> = fs.temp_dir()
    dir, path = folder.path, folder.path .. "/queue.db"
    fn()
  end)
end

-- Returns the command that runs a script, with the path of the queue as its argument.
local function program(text)
  fs.write(dir .. "/script.lua", text)
  return { os.getenv "SEPTET", dir .. "/script.lua", path }
end

-- Runs statements of SQL on a file by another program: Python's sqlite3.
local function by_python(file, sql)
  local r = process.run { "python3", "-c", [[
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.executescript(sys.argv[2])
db.close()]], file, sql }
  equal({ r.code, r.stderr }, { 0, "" })
end

-- Starts a program that holds the lock of a file until its input ends.
local function stranger(file)
  local p = process.spawn { "python3", "-c", [[
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
db.execute("ROLLBACK")]], file }
  equal(p.stdout:read_line(), "locked")
  return p
end

-- Returns the JobsError that fn raises.
local function failure_of(fn, ...)
  local ok, err = task.pcall(fn, ...)
  equal(ok, false)
  if not task.is(err, "JobsError") then error(err, 0) end
  return err
end

local function code_of(fn, ...) return failure_of(fn, ...).code end

local function make(...)
  local q <close> = jobs.open(path, { patience = 5 })
  for _, key in ipairs { ... } do q:put { key = key } end
end

local function take(driver, n, token)
  return driver:take(n, { lease = 60, attempts = 5, token = token or "t" })
end

describe("the file of a queue", function()
  case("law_11: a newer version is refused, and left as it is", function()
    make "a"
    by_python(path, "PRAGMA user_version = 99")
    local before = fs.read(path)
    local err = failure_of(jobs.open, path)
    equal(err.code, "newer")
    equal(err.message:find("version 99", 1, true) ~= nil, true)
    equal(fs.read(path) == before, true)
  end)

  case("law_11: an older version is brought up to date in one transaction", function()
    local schema = private "septet.jobs.sqlite.schema"
    local own = { VERSION = schema.VERSION, CREATE = schema.CREATE, migrations = {
      [0] = schema.CREATE .. "INSERT INTO jobs (key, state, rank, priority, turn, attempts, put_at)"
        .. " SELECT name, 0, 0, 0, rowid, 0, 0 FROM work; DROP TABLE work;" } }
    by_python(path, ("PRAGMA application_id = %d; CREATE TABLE work (name TEXT);"
      .. "INSERT INTO work VALUES ('first'), ('second')"):format(schema.APPLICATION))
    local broken = { VERSION = schema.VERSION, CREATE = schema.CREATE,
      migrations = { [0] = schema.CREATE .. "SELECT no_such_thing" } }
    local place = { path = path, shown = path }
    local open = private "septet.jobs.sqlite".open
    equal(code_of(open, place, { owner = "o", schema = broken }), "corrupt")
    for _ = 1, 2 do
      local driver = open(place, { owner = "o", schema = own })
      equal(driver:stats().pending, 2)
      equal(take(driver, 1)[1].key, "first")
      driver:close()
    end
  end)

  case("a version that is not known is refused", function()
    by_python(path, ("PRAGMA application_id = %d; CREATE TABLE t (x)")
      :format(private "septet.jobs.sqlite.schema".APPLICATION))
    equal(code_of(jobs.open, path), "not_a_queue")
  end)

  case("a file that is no database is refused, and left as it is", function()
    local text = ("This is a letter.\n"):rep(500)
    fs.write(path, text)
    equal(code_of(jobs.open, path), "not_a_queue")
    equal(fs.read(path), text)
    fs.write(path, "short")
    equal(code_of(jobs.open, path), "not_a_queue")
  end)

  case("a database of another program is refused, and left as it is", function()
    by_python(path, "CREATE TABLE letters (text); INSERT INTO letters VALUES ('dear')")
    local before = fs.read(path)
    equal(code_of(jobs.open, path), "not_a_queue")
    equal(fs.read(path) == before, true)
    equal(#fs.list(dir), 1)
  end)

  case("an empty file becomes a queue", function()
    fs.write(path, "")
    make "a"
    local q <close> = jobs.open(path)
    equal(q:stats().pending, 1)
  end)

  case("names that SQLite takes for others are those of files", function()
    local here = dir .. "/:memory:"
    do
      local q <close> = jobs.open(here)
      q:put { key = "a" }
    end
    equal(fs.exists(here), true)
  end)

  case("a folder, a pipe, and a folder that is not there are refused", function()
    equal(code_of(jobs.open, dir), "open")
    equal(code_of(jobs.open, dir .. "/none/queue.db"), "open")
    equal(process.run({ "mkfifo", path }).code, 0)
    equal(code_of(jobs.open, path), "open")
  end)

  case("a damaged file is told, and what is wrong with it", function()
    make "a"
    do
      local q <close> = jobs.open(path)
      for i = 1, 200 do q:put { key = ("key %d"):format(i), data = ("x"):rep(1000) } end
    end
    equal(fs.exists(path .. "-wal"), false)
    local bytes = fs.read(path)
    local page = 4096
    fs.write(path, bytes:sub(1, 16 * page) .. ("\xa5"):rep(#bytes - 17 * page) .. bytes:sub(-page))
    local q <close> = jobs.open(path)
    equal(code_of(function()
      for i = 1, 300 do q:put { key = ("key %d"):format(i * 7), again = true } end
      q:run({ workers = 1 }, function() end)
    end), "corrupt")
    local ok, found = pcall(q.check, q)
    equal(ok and #found > 0 or task.is(found, "JobsError"), true)
  end)

  case("tables that say what cannot be are found by check", function()
    make("a", "b", "c", "d", "e")
    by_python(path, [[
INSERT INTO leases SELECT id, 1, 't', 1, 0, 'h' FROM jobs WHERE key = 'a';
UPDATE jobs SET state = 3, rank = NULL WHERE key = 'b';
INSERT INTO leases SELECT id, 1, 't', 1, 0, NULL FROM jobs WHERE key = 'b';
UPDATE jobs SET ended = 7 WHERE key = 'c'; INSERT INTO results VALUES (9, 99, 0, 'null');
UPDATE jobs SET rank = NULL WHERE key = 'd';
UPDATE jobs SET grp = 'g', state = 1, rank = 'h' WHERE key = 'e']])
    local q <close> = jobs.open(path)
    local found = q:check()
    table.sort(found)
    equal(found, { "job a is leased in another group",
      "job b is done and would never be forgotten",
      "job b is leased and not pending", "job c has lost its result",
      "job d is pending without its rank", "job e waits in no group",
      "result 9 is that of no job" })
  end)
end)

describe("the row that a job was taken from", function()
  case("law_3: may be another job's by now, even under the same token", function()
    make "a"
    local d = private "septet.jobs.sqlite".open({ path = path, shown = path }, { owner = "o" })
    local old = take(d, 1)[1]
    old.token, old.how, old.result = "t", "done", '"of a"'
    equal(d:finish { old }, { true })
    d:remove "a"
    d:put { { key = "b" } }
    equal(take(d, 1)[1].key, "b")
    equal(d:finish { old }, { false })
    equal(d:stats().leased, 1)
    d:close()
  end)

  case("is not the way to one that has entered a group, as others wait for its place", function()
    make("a", "b")
    local d = private "septet.jobs.sqlite".open({ path = path, shown = path }, { owner = "o" })
    local list = take(d, 2)
    for _, job in ipairs(list) do job.token, job.group, job.how = "t", "g", "done" end
    equal(d:enter(list, 1), { true, false })
    list[1].group = nil
    equal(d:finish { list[1] }, { true })
    equal({ d:stats().pending, d:stats().waiting }, { 1, 0 })
    d:close()
  end)
end)

describe("a file that others use, too", function()
  case("law_10: a stranger's lock is waited for, and told when the patience has ended", function()
    make "a"
    local q <close> = jobs.open(path, { patience = 0.1 })
    local p <close> = stranger(path)
    local err = failure_of(q.put, q, { key = "b" })
    equal(err.code, "locked")
    equal(q:stats().pending, 1) -- a lock does not keep others from reading
    p.stdin:close()
    p:wait()
    equal(q:put { key = "b" }, true)
    equal(q:stats().pending, 2)
  end)

  case("law_9: the loop goes on while a lock is waited for", function()
    make "a"
    local q <close> = jobs.open(path)
    local p <close> = stranger(path)
    local put = task.spawn(q.put, q, { key = "b" })
    ticker.waits(function() task.sleep(0.1) end)
    equal(put:status(), "suspended")
    p.stdin:close()
    equal(put:await(), true)
  end)

  case("law_9: the loop goes on while very many jobs are put", function()
    local list = {}
    for i = 1, 60000 do list[i] = { key = "key " .. i } end
    local d = private "septet.jobs.sqlite".open({ path = path, shown = path }, { owner = "o" })
    ticker.laps(20, function() equal((d:put(list)), 60000) end)
    d:close()
  end)

  case("a cancelled put is done or not done, and the queue goes on", function()
    local q <close> = jobs.open(path)
    for i = 1, 50 do
      local t = task.spawn(q.put, q, { key = "key " .. i })
      if i % 2 == 0 then task.checkpoint() end
      t:cancel()
      task.pcall(t.await, t)
    end
    equal(q:put { key = "last" }, true)
    local n = q:stats().pending
    equal(n >= 1 and n <= 51, true)
    equal(q:check(), {})
  end)

  case("two queues of one file in a process, and another process, share it", function()
    local one <close> = jobs.open(path)
    local two <close> = jobs.open(path)
    equal(one:put { key = "a" }, true)
    equal(two:put { key = "a" }, false)
    local r = process.run(program([[
      local q <close> = require "septet.jobs".open(arg[1])
      print(q:put { key = "a" }, q:put { key = "b" })]]))
    equal({ r.code, r.stdout }, { 0, "false\ttrue\n" }, r.stderr)
    equal(two:stats().pending, 2)
  end)

  case("law_10_gone: a file that is removed is told, and no new one is made", function()
    local q = jobs.open(path)
    q:put { key = "a" }
    fs.remove(path)
    equal(code_of(q.put, q, { key = "b" }), "gone")
    equal(code_of(q.stats, q), "gone")
    equal(fs.exists(path), false)
    pcall(q.close, q)
  end)

  case("law_10_gone: a link to the file may be removed, and its log may not", function()
    path = dir .. "/real.db"
    process.run { "ln", "-s", "real.db", dir .. "/link" }
    local q = jobs.open(dir .. "/link")
    q:put { key = "a" }
    fs.remove(dir .. "/link")
    equal(q:put { key = "b" }, true)
    fs.remove(path .. "-wal")
    equal(code_of(q.put, q, { key = "c" }), "gone")
    pcall(q.close, q)
  end)

  case("law_10_gone: the log of a file that took its place is left alone", function()
    local q = jobs.open(path)
    q:put { key = "old" }
    for _, name in ipairs(fs.list(dir)) do fs.remove(dir .. "/" .. name) end
    local new <close> = jobs.open(path)
    new:put { key = "new" }
    equal(code_of(q.put, q, { key = "b" }), "gone")
    pcall(q.close, q)
    equal(fs.exists(path .. "-wal"), true)
    equal(new:put { key = "newer" }, true)
    equal(new:check(), {})
    equal(new:stats().pending, 2)
  end)
end)

describe("the owners of leases", function()
  local OWNER = [[
    local open = debug.getregistry()["septet.require"] "septet.jobs.sqlite".open
    local d = open({ path = arg[1], shown = arg[1] }, { owner = "child", patience = 5 })
    print(#d:take(10, { lease = 3600, attempts = 5, token = "child" }))
    io.stdout:flush()
    require "septet.task".sleep(3600)]]

  case("law_4: the jobs of a process that was killed come back at once", function()
    make("a", "b")
    local p <close> = process.spawn(program(OWNER))
    equal(p.stdout:read_line(), "2")
    local now = 1000
    local d = private "septet.jobs.sqlite".open({ path = path, shown = path },
      { owner = "o", clock = { wall = os.time, steady = function() return now end } })
    now = now + 2
    equal(#take(d, 10, "first"), 0)
    p:kill "KILL"
    p:wait()
    now = now + 2
    local list = take(d, 10, "second")
    equal({ #list, list[1].key, list[1].attempt }, { 2, "a", 2 })
    d:close()
  end)

  case("law_4: a process with the same number, that began later, is another one", function()
    make("a", "b")
    local d = private "septet.jobs.sqlite".open({ path = path, shown = path }, { owner = "old" })
    equal(#take(d, 1), 1)
    by_python(path, "UPDATE owners SET start = start - 1 WHERE name = 'old'")
    local open = private "septet.jobs.sqlite".open
    local new = open({ path = path, shown = path }, { owner = "new" })
    equal(#take(new, 10, "other"), 2)
    new:close()
    d:close()
  end)

  case("law_4: the leases of another boot have ended, those of another container go on", function()
    local open = private "septet.jobs.sqlite".open
    make("a", "b")
    local boot = open({ path = path, shown = path }, { owner = "boot" })
    local space = open({ path = path, shown = path }, { owner = "space" })
    equal(take(boot, 1)[1].key, "a")
    equal(take(space, 1, "u")[1].key, "b")
    by_python(path, [[
UPDATE owners SET boot = 'another' WHERE name = 'boot';
UPDATE owners SET space = 'another', process = 1 << 30 WHERE name = 'space']])
    local new = open({ path = path, shown = path }, { owner = "new" })
    local list = take(new, 10, "v")
    equal({ #list, list[1].key }, { 1, "a" })
    for _, d in ipairs { new, space, boot } do d:close() end
  end)
end)

describe("a long queue", function()
  -- Statements that read whole tables: what is done by hand, and rarely.
  local WHOLE = { invariants = true, integrity = true, owners = true, end_dead = true,
    forget_dead = true, counts = true, version = true, still = true }

  case("law_8: no statement of a run reads a whole table", function()
    make "a"
    local of_leases = { leased_by = true, lost = true, owned = true }
    local application = private "septet.jobs.sqlite.schema".APPLICATION
    local db = core.sqlite().open(path, application, true, 5, 100)
    local texts, names = private "septet.jobs.sqlite.statements", {}
    for name in pairs(texts) do names[#names + 1] = name end
    table.sort(names)
    for _, name in ipairs(names) do
      local id = db:statement("EXPLAIN QUERY PLAN " .. texts[name][3], 0, "begins rows reads")
      local changed, rows = db:run({ id }, 1, 0)
      if not changed then error(name .. ": " .. tostring(rows)) end
      for i = 4, #rows, 4 do
        local plan = rows[i]
        local of = plan:match "^SCAN (%w+)"
        local whole = (of == "jobs" or of == "results") and not plan:find "USING"
          or plan:find "TEMP B%-TREE FOR ORDER" and not of_leases[name]
        if whole and not WHOLE[name] then error(name .. ": " .. plan) end
      end
    end
    db:close()
  end)
end)
