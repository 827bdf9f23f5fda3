-- SPDX-License-Identifier: MIT
-- `septet test --watch`: runs the files that a change concerns, again and again. The process of
-- each file reports the Lua files that it loads into a file in a temporary folder.
local watch = {}

local core = require "septet.core"
local fs = require "septet.fs"
local task = require "septet.task"
local terminal = require "septet.trace.terminal"
local watch_changes = require "septet.command.watch_changes"
local watch_files = require "septet.command.watch_files"
local files_of = require "septet.test.files"

local NO_TESTS <const> = 2 -- a status

local function say(format, ...)
  io.stdout:flush()
  io.stderr:write("septet: ", terminal.escape(format:format(...)), "\n")
end

---@class septet.test.Watch
---@field paths string[] the files and folders that were named
---@field logs string a folder for what the processes report
---@field files septet.WatchFiles
---@field helpers table<string, boolean> files that every file of tests loads
---@field list string[] the files of tests
---@field loaded table<string, table<string, boolean>> by file of tests, what it loaded, and itself
---@field due table<string, boolean> files of tests that have not passed since a change of theirs
---@field log_of table<string, string> by file of tests
---@field count integer number of logs
local Watch = {}
Watch.__index = Watch

-- Returns the files of tests that are there now, each once.
---@async
local function find(paths)
  local list, seen = {}, {}
  for i = 1, math.max(#paths, 1) do
    local ok, found = pcall(files_of.find, { paths[i] })
    if not ok and not core.is(found, "IoError") then error(found, 0) end
    for _, file in ipairs(ok and found or {}) do
      if not seen[file] and (fs.stat(file) or {}).type then list[#list + 1] = file end
      seen[file] = true
    end
  end
  return list
end

-- Watches the files that were not there before.
---@async
function Watch:look_for_files()
  self.list = find(self.paths)
  for _, file in ipairs(self.list) do
    if not self.loaded[file] then
      self.loaded[file] = { [self.files:add(file)] = true }
      self.due[file] = true
    end
  end
end

-- Watches the folders for files that may come.
---@async
function Watch:follow_folders()
  for _, folder in ipairs(#self.paths > 0 and self.paths or files_of.folders()) do
    if not folder:find "[*?]" and fs.stat(folder).type == "directory" then
      local within = folder == "." and "" or folder:gsub("/+$", "") .. "/"
      self.files:add_also(within .. "**_spec.lua")
      self.files:add_also(within .. "**_test.lua")
    end
  end
end

-- Returns the path to which the process of a file is to report, and begins a new one.
---@async
function Watch:log(file)
  if not self.log_of[file] then
    self.count = self.count + 1
    self.log_of[file] = ("%s/%d"):format(self.logs, self.count)
    fs.write(self.log_of[file], "", { sync = false })
  end
  return self.log_of[file]
end

-- Watches what the files loaded in this run.
---@async
function Watch:read_logs()
  for file, log in pairs(self.log_of) do
    for path, mark in fs.read(log):gmatch "([^\0]*)\0([^\0]*)\0" do
      self.loaded[file][self.files:add(path, mark)] = true
    end
  end
end

-- Runs the files that are due. Returns the status.
---@async
function Watch:run(run)
  local list = {}
  if #self.list == 0 then return NO_TESTS end
  for _, file in ipairs(self.list) do
    if self.due[file] then list[#list + 1] = file end
  end
  self.log_of = {}
  local results, status = run(list, function(file) return self:log(file) end)
  for file in pairs(self.log_of) do self.due[file] = nil end
  for _, result in ipairs(results.list) do
    if result.status == "failed" or result.status == "not_run" then
      self.due[result.file] = true
    end
  end
  self:read_logs()
  return status
end

-- Marks the files of tests that changes concern as due. Returns whether there are any.
function Watch:concern(changed)
  local any = false
  for _, file in ipairs(self.list) do
    for _, path in ipairs(changed) do
      if self.helpers[path] or self.loaded[file][path] then
        self.due[file], any = true, true
      end
    end
  end
  return any
end

-- Waits for a change that concerns a file of tests. Returns what changed.
---@async
function Watch:await(changes)
  while true do
    local changed, removed = changes:await(self.files)
    if #changed + #removed > 0 then self:look_for_files() end
    for _, path in ipairs(removed) do
      if self.loaded[path] then say("'%s' was removed", path) end
    end
    if self:concern(changed) then return changed end
  end
end

local function count_due(self)
  local n, last = 0, nil
  for _, file in ipairs(self.list) do
    if self.due[file] then n, last = n + 1, file end
  end
  return n == 1 and ("'%s'"):format(last) or ("%d files"):format(n)
end

-- Runs the tests until the command is ended. `ended(status)` is called after each run.
---@async
local function go_on(paths, options, run, ended)
  local folder <close> = fs.temp_dir()
  local changes = watch_changes.new()
  task.group(function(group)
    local files = watch_files.new(group, function(path) changes:note(path) end)
    local self = setmetatable({ paths = paths, logs = folder.path, files = files, helpers = {},
      list = {}, loaded = {}, due = {}, log_of = {}, count = 0 }, Watch)
    for _, path in ipairs(options.helper or {}) do self.helpers[files:add(path)] = true end
    self:follow_folders()
    self:look_for_files()
    while true do
      ended(self:run(run))
      say "waiting for a change"
      local changed = self:await(changes)
      say("%s: running %s again", watch_changes.describe(changed), count_due(self))
    end
  end)
end

--- Runs the tests until the command is ended. Returns the status of the last run that was complete.
--- Raises if there was none.
---@async
---@param paths string[] files and folders; empty: the usual folders
---@param options { helper: string[]|nil }
---@param run async fun(list: string[], log: fun(file: string): string): table, integer
---@return integer
function watch.run(paths, options, run)
  local status
  local ok, err = pcall(go_on, paths, options, run, function(result) status = result end)
  if ok or not status or not core.is(err, "Cancelled") then error(err, 0) end
  return status
end

return watch
