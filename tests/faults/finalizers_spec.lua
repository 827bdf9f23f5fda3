-- SPDX-License-Identifier: MIT
-- Finalizers that use or close a handle in the middle of one of its functions: they run whenever
-- one allocates.
local csv, fs, http = require "septet.csv", require "septet.fs", require "septet.http"
local sio = require "septet.io"

-- Calls fn(). Meanwhile a finalizer calls meddle(n) again and again.
local function with_finalizer(meddle, fn)
  local armed, ran = true, 0
  local function arm()
    setmetatable({}, { __gc = function()
      if not armed then return end
      ran = ran + 1
      meddle(ran)
      arm()
    end })
  end
  collectgarbage("incremental", 1, 1000, 1) -- a step at every allocation
  collectgarbage()
  arm()
  local ok, err = pcall(fn)
  armed = false
  collectgarbage("incremental", 400, 100, 13)
  collectgarbage()
  if not ok then error(err, 0) end
  equal(ran > 0, true)
end

-- Opens handles, most of them iterators, and calls use(handle) while a finalizer closes them.
local function each_handle(close, open, use)
  local current
  with_finalizer(function(n)
    if current and n % 7 == 0 then close(current) end
  end, function()
    for _ = 1, 200 do
      local handle = open()
      current = handle
      for _ = 1, 30 do
        if not use(handle) then break end
      end
      current = nil
      close(handle)
    end
  end)
end

local function close_handle(step)
  step:close()
end

local function next_of(step)
  return step()
end

it("a walk that a finalizer closes", function()
  local folder <close> = fs.temp_dir()
  for i = 1, 50 do fs.write(folder.path .. "/" .. i, "", { sync = false }) end
  for _, options in ipairs { {}, { stat = true } } do
    each_handle(close_handle, function() return fs.walk(folder.path, options) end, next_of)
  end
end)

it("a tail that a finalizer closes", function()
  local file <close> = fs.temp_file()
  fs.write(file.path, ("line\n"):rep(30), { sync = false })
  each_handle(close_handle, function()
    return fs.tail(file.path, { from = "start", follow = false })
  end, next_of)
end)

it("a watch that a finalizer closes", function()
  local folder <close> = fs.temp_dir()
  each_handle(close_handle, function() return fs.watch(folder.path) end, function(step)
    local path = folder.path .. "/" .. ("name"):rep(50)
    fs.append(path, "x")
    return pcall(step)
  end)
end)

it("a reader that a finalizer closes", function()
  local file <close> = fs.temp_file()
  fs.write(file.path, ("line\n"):rep(30), { sync = false })
  each_handle(close_handle, function() return sio.open(file.path) end, function(reader)
    return select(2, pcall(reader.read_line, reader)) == "line"
  end)
end)

it("a list of cookies that a finalizer clears", function()
  local session <close> = http.session { cookies = true }
  local ran = false
  local function fill()
    for i = 1, 20 do
      session:set_cookie { name = "n" .. i, value = ("v"):rep(i), domain = "a.test" }
    end
  end
  with_finalizer(function(n)
    if ran and n % 5 == 0 then session:clear_cookies() end
  end, function()
    for _ = 1, 20 do
      fill()
      ran = true
      local list = session:cookies()
      ran = false
      for i, cookie in ipairs(list) do equal({ cookie.name, #cookie.value }, { "n" .. i, i }) end
    end
  end)
end)

it("a reader of CSV that a finalizer reads", function()
  local rows = {}
  for i = 1, 50 do rows[i] = ("x%d,%s,y%d,z\n"):format(i, ("long"):rep(i), i) end
  local text, current = table.concat(rows), nil
  with_finalizer(function()
    if current then pcall(current.read_row, current) end
  end, function()
    for _ = 1, 50 do
      current = csv.reader(text)
      while true do
        local ok, row = pcall(current.read_row, current)
        if not ok or not row then break end
        for _, value in pairs(row) do equal(#value < 300, true) end
      end
      current = nil
    end
  end)
end)

it("a row of CSV that a finalizer empties", function()
  local row
  with_finalizer(function()
    if row then row[1] = false end
  end, function()
    for i = 1, 50 do
      row = { ('"x'):rep(5000) .. i, "b" }
      pcall(csv.format, { row })
      row = nil
    end
  end)
end)
