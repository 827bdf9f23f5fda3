-- SPDX-License-Identifier: MIT
-- Reads recordings and calls exporters with what they hold. Needs no host: what fails is returned.
local decode = require "septet.trace.decode"
local lines = require "septet.trace.lines"
local model = require "septet.trace.model"

local export = {}

-- How often a damaged recording is searched for its next block: more is no damage, but malice.
local MOST_SEARCHES = 1000

-- The exporters by name. Each is a private module, except that of lines, which reads events.
local modules = { "chrome", "har", "html", "lines", "otlp", "summary" }
export.names = modules

local by_extension = { json = "chrome", har = "har", html = "html" }

--- Returns the format that the extension of a path stands for, or nil.
function export.format_of(path)
  return by_extension[path:match "%.([^./]+)$"]
end

--- Returns the exporter with a name, loading its module; nil if there is none.
function export.find(name)
  for _, known in ipairs(modules) do
    if known == name then
      if name == "lines" then return "lines" end
      local found = require("septet.trace." .. name)
      return type(found) == "table" and found.export or found
    end
  end
end

-- --- reading ---

-- Opens a file. Returns nil and why if that fails.
local function open(path, mode)
  if not io then return nil, "the host has no library io" end
  local file, problem = io.open(path, mode)
  return file, problem and problem:gsub("^.-: ", "", 1)
end

local function read_file(path)
  local file, problem = open(path, "rb")
  if not file then return nil, problem end
  local bytes, failure = file:read "a"
  file:close()
  return bytes, failure
end

-- Returns the text of what was wrong with a recording, or nil.
local function note_of(path, missing, skipped)
  if skipped > 0 then return ("'%s' is damaged: %d bytes were skipped"):format(path, skipped) end
  if missing > 0 then return ("'%s' is cut off: %d bytes at its end"):format(path, missing) end
end

-- Calls fn(event) for each event of the blocks from `at` on. Skips what is damaged. Returns the
-- number of bytes of an incomplete block at the end, and of those that were skipped elsewhere.
local function each_event(bytes, at, fn)
  local skipped, searches = 0, 0
  while at <= #bytes do
    local following = decode.block(bytes, at, fn)
    if not following then
      searches = searches + 1
      following = searches <= MOST_SEARCHES and bytes:find("SPTB", at + 4, true)
      if not following then return #bytes - at + 1, skipped end
      skipped = skipped + following - at
    end
    at = following
  end
  return 0, skipped
end

--- Opens a recording. Returns its meta data and a function that calls fn(event) for each event and
--- returns a note on what of the file was damaged, or nil. Returns nil and a message if it is no
--- recording.
function export.open(path)
  local bytes, problem = read_file(path)
  if not bytes then return nil, ("cannot read '%s': %s"):format(path, problem) end
  local meta, at = decode.head(bytes)
  if not meta then return nil, ("cannot read '%s': %s"):format(path, at) end
  meta.pid, meta.started = math.tointeger(tonumber(meta.pid)), tonumber(meta.started)
  return meta, function(fn)
    local missing, skipped = each_event(bytes, at, fn)
    return note_of(path, missing, skipped)
  end
end

--- Returns the model of a recording and a note on damage, or nil; or nil and a message.
function export.load(path)
  local meta, each = export.open(path)
  if not meta then return nil, each end
  local m = model.new(meta)
  local note = each(function(event) m:add(event) end)
  return m:finish(), note
end

-- --- writing ---

-- Reads what an exporter needs. Returns a function (write, options) that exports it and returns
-- true, and a note on damage or nil. Returns nil and a message if there is nothing to export.
local function prepare(exporter, source)
  if exporter == "lines" then
    if type(source) ~= "string" then return nil, "lines need the path of a recording" end
    local meta, each = export.open(source)
    if not meta then return nil, each end
    return function(write, options)
      local add, done = lines.new(write, options)
      local note = each(add)
      done()
      return true, note
    end
  end
  local m, note = source, nil
  if type(source) == "string" then
    m, note = export.load(source)
    if not m then return nil, note end
  end
  return function(write, options)
    exporter(m, write, options)
    return true, note
  end
end

--- Calls an exporter, a function or the name of one, with a finished model or the path of a
--- recording. Returns true and a note on damage, or nil; or nil and a message. Raises what `write`
--- and the exporter raise.
function export.run(exporter, source, write, options)
  local prepared, problem = prepare(exporter, source)
  if not prepared then return nil, problem end
  return prepared(write, options)
end

-- What a write raises. Errors of exporters have no such metatable.
local Failure = {}
Failure.__index = Failure
function Failure:__tostring() return self.message end

--- Returns a function that writes to an open file, and raises a Failure if it cannot.
function export.writer(file, name)
  return function(text)
    local ok, problem = file:write(text)
    if ok then return end
    error(setmetatable({ message = ("cannot write %s: %s"):format(name, problem) }, Failure), 0)
  end
end

--- Calls fn(), and returns what it returns; or nil and a message if a write failed.
function export.with_failures(fn)
  local results = table.pack(pcall(fn))
  if results[1] then return table.unpack(results, 2, results.n) end
  if getmetatable(results[2]) == Failure then return nil, results[2].message end
  error(results[2], 0)
end

--- Like export.run(), but writes to the file at `target`, which may be the source. It is left alone
--- if the source cannot be read.
function export.to_file(exporter, source, target, options)
  local prepared, unread = prepare(exporter, source)
  if not prepared then return nil, unread end
  local file, problem = open(target, "wb")
  if not file then return nil, ("cannot write '%s': %s"):format(target, problem) end
  file:setvbuf("full", 65536)
  local write = export.writer(file, ("'%s'"):format(target))
  local ok, note = export.with_failures(function() return prepared(write, options) end)
  local closed, failure = file:close()
  if ok and not closed then
    return nil, ("cannot write '%s': %s"):format(target, failure)
  end
  return ok, note
end

return export
