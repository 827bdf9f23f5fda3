-- SPDX-License-Identifier: MIT
-- The script of fuzz_lua: a program of calls. The bytes of the input choose for each step a value
-- of the pool, one of its fields, a self and some arguments. The results go into the pool.
local input = ...
local http, sio, json = require "septet.http", require "septet.io", require "septet.json"
local sync, task, trace, testing =
  require "septet.sync", require "septet.task", require "septet.trace", require "septet.testing"

local STEPS = 60

testing.autojump(true) -- whatever an earlier input left

-- No file name here leads out of the folder of the run.
local pool = {
  task, sync, http, sio, json, trace, testing, coroutine, false, true, 0, 1, -1, 2.5, 0 / 0,
  1 << 62, "", "x", "a\0b", {},
  { 1, 2, 3 }, { limit = 1 }, { timeout = 0.01 }, { a = { b = {} } }, print, error, io.stdout,
  function() end,
  function(...)
    task.sleep(0.01)
    return ...
  end,
  function() error "no" end,
  setmetatable({}, { __call = function() end }),
  coroutine.create(function() task.sleep(1) end), "http://127.0.0.1:1/", "fuzz.file",
  task.current(), json.null, (coroutine.running()), 1 / 0, -0.5,
}

-- One object of each type.
local channel, group <close> = sync.channel(1), task.group()
local writer <close> = sio.create "fuzz.file"
local session <close> = http.session { limit = 2 }
local reader <close> = sio.open "fuzz.file"
for _, object in ipairs {
  channel, group, writer, session, reader, channel:sender(), sync.event(), sync.lock(),
  sync.semaphore(1), task.var(1),
  task.generator(function(emit) emit(1) end), task.spawn(task.sleep, 1),
  select(2, pcall(task.sleep, "x")),
} do
  pool[#pool + 1] = object
end
local objects = 13
local given = #pool -- the values of the beginning stay

local METAFIELDS = {
  "__gc", "__close", "__index", "__newindex", "__call", "__len", "__tostring", "__metatable",
  "__pairs", "__eq", "__name",
}
local FIELDS = {
  "await", "cancel", "status", "result", "traceback", "waits_for", "name", "spawn", "start",
  "is_cancelled", "extend", "deadline", "expired", "set", "is_set", "wait", "acquire",
  "try_acquire", "release", "with", "value", "locked", "send", "recv", "try_send", "try_recv",
  "close", "iter", "sender", "read", "read_line", "lines", "write", "truncate", "sync", "commit",
  "remove", "digest", "keep_digest", "size", "contents", "get", "post", "stream", "save", "stats",
  "request", "headers", "body", "times", "all", "each", "text", "json", "leaves", "split", "errors",
  "message", "kind", "sleep", "gather", "map", "as_completed", "group", "timeout", "move_on_after",
  "shield", "cleanup", "race", "generator", "var", "pcall", "try", "scope", "current", "tree",
  "now", "event", "semaphore", "lock", "channel", "open", "create", "encode", "decode", "array",
  "null", "is_array", "session", "subscribe", "records", "create", "resume", "wrap", "yield",
}
local MODULES = 7

local at = 0
local function byte()
  at = at + 1
  return input:byte(at) or 0
end

local function value() return pool[byte() % #pool + 1] end

local function keep(...)
  for i = 1, math.min(select("#", ...), 4) do
    local v = select(i, ...)
    if v ~= nil then pool[given + (#pool - given) % 40 + 1] = v end
  end
end

-- Returns a field of a value: of a module the nth of its own, else one by name.
local function field(of)
  local n = byte()
  if type(of) == "table" and n >= 64 then
    local names = {}
    for name in pairs(of) do if type(name) == "string" then names[#names + 1] = name end end
    table.sort(names)
    local name = names[n % math.max(#names, 1) + 1]
    if name then return of[name] end
  end
  return of[FIELDS[n % #FIELDS + 1]]
end

-- Returns the function of a call and its self: a module's function, a value's method, or a method
-- or metamethod of an object with any self.
local function target()
  local kind, self = byte() % 4, value()
  if kind == 0 then return field(pool[byte() % MODULES + 1]), self end
  if kind == 1 then return field(self), self end
  local object = pool[given - objects + byte() % objects + 1]
  if kind == 2 then return object[METAFIELDS[byte() % #METAFIELDS + 1]], self end
  return field(object), self
end

-- These wait for the whole run, or end it.
local refused = { [sio.stdin] = true }

local function step()
  local fn, self = target()
  if fn == nil or refused[fn] then return end
  local shape, arguments = byte(), {}
  local n = shape % 4
  for i = 1, n do arguments[i] = value() end
  if shape & 64 ~= 0 then
    keep(fn, fn(table.unpack(arguments, 1, n)))
  else
    keep(fn(self, table.unpack(arguments, 1, n)))
  end
end

for _ = 1, STEPS do
  if at >= #input then break end
  local t = task.spawn(task.pcall, step)
  task.move_on_after(5, task.pcall, t.await, t)
end
