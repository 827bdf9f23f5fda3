-- SPDX-License-Identifier: MIT
-- Watches: makes events of what the watch in C hands out. A file is watched by its folder, so that
-- one that is replaced is still watched. Each folder of a recursive watch has a tag.
local watch = {}

local core = require "septet.core"
local args = require "septet.internal.args"

local QUEUE = 4096 -- events
local ROOT, LINKED = 0, 1 -- tags: of the path or its folder, and of the file that a link leads to

---@class septet.Watch
---@operator call: septet.WatchEvent|nil
---@field private root string
---@field private handle userdata
---@field private only string|nil name of the file that is watched
---@field private recursive boolean|nil
---@field private folders table<integer, string> path below the root, by tag
---@field private tags table<string, integer> the other way round
---@field private next_tag integer
---@field private pending table events to come before others
---@field private first integer index of the first of them
local Watch = {}
local watch_meta = { __index = Watch, __name = "septet.fs.Watch", __metatable = false }

local options_of_watch = { recursive = "boolean", queue = "count" }

local function join(folder, name)
  return folder == "" and name or folder:sub(-1) == "/" and folder .. name or folder .. "/" .. name
end

--- Returns the folder of a path, and its last name.
function watch.split(path)
  local folder, name = path:match "^(.*/)([^/]+)/*$"
  if folder then return folder, name end
  return ".", (path:gsub("/+$", ""))
end

-- Calls fn(...), and returns false if what it is for is gone.
local function unless_gone(fn, ...)
  local ok, err = pcall(fn, ...)
  if ok then return true end
  local code = core.is(err, "IoError") and err.code
  if code == "ENOENT" or code == "ENOTDIR" then return false end
  error(err, 0)
end

-- --- folders of a recursive watch ---

local function forget(self, folder)
  if not self.tags[folder] then return end
  local inside = folder .. "/"
  for known, tag in pairs(self.tags) do
    if known == folder or known:sub(1, #inside) == inside then
      self.tags[known], self.folders[tag] = nil, nil
    end
  end
end

-- Watches a folder. Returns false if it is gone.
local function add_folder(self, folder)
  local tag = self.next_tag
  self.next_tag = tag + 1
  if not unless_gone(self.handle.add, self.handle, join(self.root, folder), "", tag) then
    return false
  end
  self.folders[tag], self.tags[folder] = folder, tag
  return true
end

-- Watches the folders in a folder. If that is new, each entry in it is an event.
local function add_inside(self, folder, is_new)
  local root, events = join(self.root, folder), {}
  local walker <close> = core.fs_walk(root, 0, nil, true)
  local skip = #join(root, "")
  unless_gone(function()
    for path, entry in walker.next, walker do
      local name = join(folder, path:sub(skip + 1))
      if is_new then
        events[#events + 1] = { type = "rename", path = path, name = name }
      end
      if entry and entry.type == "directory" and not self.tags[name] then add_folder(self, name) end
    end
  end)
  self.pending, self.first = events, 1 -- those before them were handed out
end

-- --- events ---

-- Returns the event for what the handle returned, nil at the end, or false if there is none.
local function event_of(self, kind, tag, name, folder)
  if not kind or kind == "gone" and tag == ROOT then return nil end
  if kind == "overflow" then
    if self.recursive then add_inside(self, "", false) end
    return { type = kind }
  end
  if self.only then
    if kind == "gone" or tag == LINKED and kind ~= "change" or tag == ROOT and name == "" then
      return false
    end
    return { type = kind, path = self.root }
  end
  local below = self.folders[tag]
  if kind == "gone" then
    if below then forget(self, below) end
    return false
  end
  if not below or name == "" and tag ~= ROOT then return false end
  if name == "" then return { type = kind, path = self.root } end
  name = join(below, name)
  if self.recursive and folder and kind == "rename" then
    forget(self, name)
    if add_folder(self, name) then add_inside(self, name, true) end
  end
  return { type = kind, path = join(self.root, name), name = name }
end

local function take_pending(self)
  local event = self.pending[self.first]
  if event then self.first = self.first + 1 end
  return event
end

function watch_meta:__call()
  while true do
    local event = take_pending(self)
    if event == nil then event = event_of(self, self.handle:next()) end
    if event then return event end
    if event == nil then
      self.handle:close()
      return nil
    end
  end
end

function Watch:close()
  self.handle:close()
end
watch_meta.__close = Watch.close
args.methods(Watch, "watch", { [watch_meta] = true })

--- Returns an iterator over the events, for a loop.
---@async
function watch.open(path, options)
  options = args.options(options, options_of_watch, "watch")
  local is_folder = core.fs_stat(path).type == "directory"
  local self = setmetatable({ root = path, handle = core.fs_watch(path, options.queue or QUEUE),
    recursive = options.recursive, folders = { [ROOT] = "" }, tags = {}, next_tag = LINKED + 1,
    pending = {}, first = 1 }, watch_meta)
  local _ <close> = setmetatable({}, { __close = function(_, err)
    if err ~= nil then self:close() end
  end })
  if is_folder then
    self.handle:add(path, "", ROOT)
    if self.recursive then add_inside(self, "", false) end
  else
    local folder, name = watch.split(path)
    self.only = name
    self.handle:add(folder, name, ROOT)
    if core.fs_stat(path, true).type == "link" then self.handle:add(path, "", LINKED) end
  end
  return self, nil, nil, self
end

return watch
