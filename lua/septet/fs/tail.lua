-- SPDX-License-Identifier: MIT
-- Tails: makes lines of what is found in a file. A watch of its folder says when to look again.
local tail = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local watch = require "septet.fs.watch"

local MAX_LINE = 1024 * 1024 -- bytes
local POLL = 1 -- seconds
local QUEUE = 64 -- events; more of them say no more than these
local FOLDER, FILE = 0, 1 -- tags

---@class septet.Tail
---@operator call: string|nil
---@field private path string
---@field private file userdata
---@field private watch userdata|nil while the folder can be watched
---@field private options septet.TailOptions
---@field private pieces string[] of the line that has no end yet
---@field private size integer bytes of them
---@field private text string bytes after the lines that were handed out
---@field private at integer where the next line begins in them
---@field private finish boolean|nil the last line is one without a newline
local Tail = {}
local tail_meta = { __index = Tail, __name = "septet.fs.Tail", __metatable = false }

local options_of_tail = { from = "string", follow = "boolean", max_line = "size", poll = "seconds" }

-- Watches the folder, and the file if a link leads to it. Leaves out what cannot be watched.
local function begin_watch(self)
  self.watch = nil
  local ok, err = pcall(function()
    local folder, name = watch.split(self.path)
    self.watch = core.fs_watch(self.path, QUEUE, true)
    self.watch:add(folder, name, FOLDER)
    if core.fs_stat(self.path, true).type == "link" then self.watch:add(self.path, "", FILE) end
  end)
  if ok then return end
  if not core.is(err, "IoError") or err.code == "denied" then error(err, 0) end
  if err.operation == "examine" or not self.watch then return end -- no file yet, or no watches
  self.watch:close()
  self.watch = nil
end

-- Waits until the file may have changed, or the tail is closed.
local function wait(self)
  if self.watch then
    local kind, _, name = self.watch:next()
    if self.ended then return end
    if kind and name ~= "" then
      self.watch:clear()
      return
    end
    self.watch:close() -- the folder is gone, or has another name
    begin_watch(self)
    if self.watch then return end
  end
  core.sleep(self.options.poll or POLL)
  if not self.ended then begin_watch(self) end
end

-- Takes the rest of the text as a piece of the line that has no end yet.
local function keep_rest(self)
  local rest = self.text:sub(self.at)
  self.text, self.at = "", 1
  if rest == "" then return end
  self.pieces[#self.pieces + 1] = rest
  self.size = self.size + #rest
end

local function too_long(self)
  local max = self.options.max_line or MAX_LINE
  error(core.error { kind = "IoError", code = "line_too_long", path = self.path, operation = "read",
    message = ("a line of '%s' is longer than %d bytes"):format(core.escape(self.path), max) }, 0)
end

-- Returns the line that ends with these bytes.
local function whole(self, ending)
  local size = self.size + #ending
  if size > (self.options.max_line or MAX_LINE) then too_long(self) end
  if self.size == 0 then return ending end
  self.pieces[#self.pieces + 1] = ending
  local line = table.concat(self.pieces)
  self.pieces, self.size = {}, 0
  return line
end

-- Returns the next line that has arrived, or nil.
local function take_line(self)
  local stop = self.text:find("\n", self.at, true)
  if stop then
    local ending = self.text:sub(self.at, stop - 1)
    self.at = stop + 1
    return whole(self, ending)
  end
  keep_rest(self)
  if self.size > (self.options.max_line or MAX_LINE) then too_long(self) end
  if self.finish then
    self.finish = nil
    if self.size > 0 then return whole(self, "") end
  end
end

function tail_meta:__call()
  while true do
    local line = take_line(self)
    if line then return line end
    if self.ended then return nil end
    local found, bytes = self.file:look()
    if found == "bytes" then
      self.text, self.at = bytes, 1
    elseif found == "truncated" or found == "replaced" or found == "removed" then
      self.finish = true
      if found == "replaced" and self.watch then
        self.watch:close()
        begin_watch(self)
      end
    elseif not found or self.options.follow == false then
      self.finish, self.ended = true, true
    else
      wait(self)
    end
  end
end

function Tail:close()
  self.ended = true
  self.file:close()
  if self.watch then self.watch:close() end
end
tail_meta.__close = Tail.close
args.methods(Tail, "tail", { [tail_meta] = true })

--- Returns an iterator over the lines, for a loop.
---@async
function tail.open(path, options)
  options = args.options(options, options_of_tail, "tail")
  local from = options.from or "end"
  if from ~= "end" and from ~= "start" then
    args.usage("bad option 'from' to 'tail' (\"start\" or \"end\" expected, got '%s')", from)
  end
  local self = setmetatable({ path = path, file = core.fs_tail(path, from == "end"),
    options = options, pieces = {}, size = 0, text = "", at = 1 }, tail_meta)
  local _ <close> = setmetatable({}, { __close = function(_, err)
    if err ~= nil then self:close() end
  end })
  if options.follow ~= false then begin_watch(self) end
  local found, bytes = self.file:look() -- the end is that of now
  if found == "bytes" then self.text = bytes end
  return self, nil, nil, self
end

return tail
