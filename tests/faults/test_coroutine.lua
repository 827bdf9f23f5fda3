-- SPDX-License-Identifier: MIT
-- The scripts of test_coroutine.c, by name. Each runs in stock Lua and in a task.
local scripts = {}

log = {}

local function word(v)
  local t = type(v)
  return (t == "string" or t == "number" or t == "boolean") and tostring(v) or t
end

-- Logs the words of everything that it gets.
local function say(...)
  local line = table.pack(...)
  for i = 1, line.n do
    line[i] = word(line[i])
  end
  log[#log + 1] = table.concat(line, " ")
end

-- Each function of a coroutine in each state, called from C, from Lua, and as a method.
function scripts.each_function_in_each_state()
  local names = { "resume", "close", "status", "isyieldable", "running", "wrap", "create" }
  local function try(state, co)
    say(state, coroutine.status(co), coroutine.isyieldable(co))
    for _, name in ipairs(names) do
      local f = coroutine[name]
      if not (state:find "live" and (name == "resume" or name == "close")) then
        say(name, pcall(f, co))
        say(name, pcall(f, co, 1, nil))
        say(
          name,
          pcall(function()
            return f(co)
          end)
        )
        say(
          name,
          pcall(function()
            local r = f(co)
            return r
          end)
        )
      end
    end
  end
  local closer = setmetatable({}, {
    __close = function(_, e)
      say("closed", e)
    end,
  })
  local function dead(f)
    local co = coroutine.create(f)
    coroutine.resume(co)
    return co
  end
  local function fails()
    local _ <close> = closer
    error "why"
  end
  local function waits()
    local _ <close> = closer
    coroutine.yield(1)
    error { 2 }
  end
  local main = coroutine.running()
  local function all(where)
    try(
      where .. " new",
      coroutine.create(function(...)
        return ...
      end)
    )
    try(where .. " new in C", coroutine.create(math.max))
    try(where .. " suspended", dead(waits))
    try(
      where .. " ended",
      dead(function()
        return 1
      end)
    )
    try(where .. " failed", dead(fails))
    try(where .. " failed in C", dead(error))
    local closed = dead(waits)
    coroutine.close(closed)
    try(where .. " closed", closed)
    try(where .. " main", main)
    try(where .. " running", (coroutine.running()))
    say(coroutine.running())
    say(coroutine.isyieldable())
  end
  all "main"
  coroutine.wrap(all) "wrapped"
  coroutine.wrap(function()
    coroutine.wrap(all) "twice"
  end)()
  say(coroutine.resume(coroutine.create(all), "created"))
  local outer = coroutine.create(function(co)
    coroutine.wrap(try)("normal", co)
  end)
  say(coroutine.resume(outer, outer))
end

-- Wrong arguments.
function scripts.wrong_arguments()
  for _, name in ipairs { "create", "wrap", "resume", "close", "status", "isyieldable" } do
    local f = coroutine[name]
    for _, v in ipairs { 42, "x", true, {}, io.stdout } do
      say(name, pcall(f, v))
      say(
        name,
        pcall(function()
          return (f(v))
        end)
      )
      say(
        name,
        pcall(function()
          coroutine[name](v)
        end)
      )
    end
    if name ~= "isyieldable" then
      say(name, pcall(f))
    end
    say(name, pcall(f, nil))
  end
  say(pcall(coroutine.running, 42))
  say(pcall(coroutine.isyieldable))
end

-- Yields out of the outermost coroutine, and across C.
function scripts.yields()
  local function over(sort)
    return pcall(table.sort, { 2, 1 }, sort)
  end
  local function less()
    coroutine.yield()
  end
  say(pcall(coroutine.yield))
  say(pcall(function()
    coroutine.yield(1, 2)
  end))
  say(pcall(pcall, coroutine.yield))
  say(coroutine.wrap(function()
    return over(less)
  end)())
  say(coroutine.resume(coroutine.create(function()
    return over(less)
  end)))
  say(coroutine.wrap(function()
    return over(coroutine.isyieldable)
  end)())
end

-- Wrapped ones: values, errors and their places, ends.
function scripts.wrapped()
  local closer = setmetatable({}, {
    __close = function(_, e)
      say("closed", e)
    end,
  })
  local function try(name, f, ...)
    local g = coroutine.wrap(f)
    for i = 1, 3 do
      say(name, i, pcall(g, ...))
      say(
        name,
        i,
        pcall(function()
          return (g())
        end)
      )
      say(
        name,
        i,
        pcall(function()
          for x in g do
            say(x)
            break
          end
        end)
      )
    end
  end
  try("returns", function(...)
    return ...
  end, 1, nil, "x", nil)
  try("yields", function(...)
    return coroutine.yield(coroutine.yield(...))
  end, 1, nil, nil)
  try("no arguments", function()
    local a <const> = 1
    return a
  end)
  for level = 0, 3 do
    try("fails", function()
      local _ <close> = closer
      error("why", level)
    end)
  end
  try("fails later", function()
    local _ <close> = closer
    coroutine.yield(1)
    error "why"
  end)
  try("fails with", function()
    error { 1 }
  end)
  try("fails with", function()
    error(nil)
  end)
  try("fails with", function()
    error(42)
  end)
  try("fails while closing", function()
    local _ <close> = setmetatable({}, {
      __close = function()
        error "closing"
      end,
    })
    error "why"
  end)
  try("is in C", math.max, 1, 3, 2)
  try("is in C", error, "why")
  try("is in C", pcall, error, "why")
  try("is in C", coroutine.yield, 1, 2)
  try("is in C", pcall, coroutine.yield, 1)
  try("sorts", table.sort, { 3, 1, 2 }, function(a, b)
    return a < b
  end)
  local itself
  itself = coroutine.wrap(function()
    return itself()
  end)
  say(pcall(itself))
  local again
  again = coroutine.wrap(function()
    return pcall(again)
  end)
  say(again())
  local own
  own = coroutine.wrap(function()
    return coroutine.close(coroutine.running())
  end)
  say(pcall(own))
  local co
  local f = coroutine.wrap(function()
    co = coroutine.running()
    coroutine.yield()
  end)
  f()
  say(coroutine.status(co), coroutine.resume(co))
  say(coroutine.status(co))
  say(coroutine.close(co))
  say(pcall(f))
  f = coroutine.wrap(function()
    co = coroutine.running()
    coroutine.yield()
  end)
  f()
  say(coroutine.close(co))
  say(pcall(f))
  say(coroutine.status(co))
end

-- Levels of the stack of a wrapped one.
function scripts.levels()
  local function look(n)
    if n > 0 then
      local r = look(n - 1)
      return r
    end
    for level = -1, 40 do
      local i = debug.getinfo(level, "nSlt")
      say(level, i and i.what, i and i.name, i and i.currentline, i and i.istailcall)
      say(pcall(debug.getlocal, level, 1))
      say(pcall(debug.setlocal, level, 1))
      say((pcall(debug.getlocal, level, 100)))
      say(debug.traceback("at", level))
      say(debug.traceback(nil, level))
      say(debug.traceback({}, level))
      say(pcall(error, "why", level))
    end
    say(debug.traceback())
    say(debug.traceback(12))
    say(debug.traceback "x\ny")
    say(pcall(debug.traceback, "x", {}))
    say(pcall(debug.getinfo, 1, "X"))
    say(pcall(debug.getinfo))
    say(pcall(debug.getlocal))
    say(pcall(debug.setlocal, 1))
    say(pcall(debug.getinfo, 1.5))
  end
  local function tail(n)
    return look(n)
  end
  for n = 0, 30 do
    coroutine.wrap(look)(n)
    coroutine.wrap(tail)(n)
    coroutine.wrap(pcall)(look, n)
  end
  local co
  local function stay(n)
    co = coroutine.running()
    if n > 0 then
      stay(n - 1)
    else
      coroutine.yield()
    end
  end
  for n = 0, 30 do
    local f = coroutine.wrap(stay)
    f(n)
    for level = 0, 35 do
      local i = debug.getinfo(co, level, "nSl")
      say(level, i and i.what, i and i.currentline, pcall(debug.getlocal, co, level, 1))
      say(debug.traceback(co, "at", level))
    end
    say(debug.traceback(co))
    f()
    say(debug.traceback(co))
  end
end

return scripts
