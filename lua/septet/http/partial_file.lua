-- SPDX-License-Identifier: MIT
-- The partial file of a save: PATH.part has the bytes that were received. PATH.part.meta says of
-- which body they are: {address =, validator =, total =}. If it matches, an interrupted save
-- resumes.
local core = require "septet.core"
local blocks = require "septet.task.blocks"
local json = require "septet.json"
local retry = require "septet.http.retry"

local STRONG = '^"[^"%c]*"$' -- a strong ETag

---@class septet.PartialFile
---@field path string of the part
---@field file septet.Writer
---@field size integer bytes received
---@field kept integer those of them that an earlier save received
---@field address string digest of the URL, which may contain secrets
---@field resume boolean|nil true if a later save may resume
---@field raw boolean|nil true if the file gets the body as it came
---@field coding string|nil the coding that its bytes are left in
---@field validator string|nil what identifies the state of the body
---@field total integer|nil size of the whole, as far as it is known
---@field meta table|nil the meta file's contents; nil if there is none
---@field meta_file userdata|nil
local PartialFile = {}
PartialFile.__index = PartialFile

-- Opens a private file, shielded: after a cancelled open, the next save could find it in use.
local function open_private(path, make)
  return blocks.shield(core.file_open_private, path, make)
end

local function is_encoded(headers)
  return (headers["content-encoding"] or "identity"):lower() ~= "identity"
end

-- Returns what identifies this state of the body: a strong ETag, or a date at least a minute before
-- the server's Date (RFC 9110, 8.8.2.2). Returns nil if there is none, or if the body is decoded.
local function validator_of(self, headers)
  if is_encoded(headers) and not self.raw then return nil end
  local etag, modified, date = headers.etag, headers["last-modified"], headers.date
  if etag and etag:find(STRONG) then return etag end
  local since, now = modified and retry.date(modified), date and retry.date(date)
  return since and now and now - since >= 60 and modified or nil
end

-- --- the meta file ---

-- Returns the parsed meta, an empty table if it is malformed, or nil if there is none. Without
-- `resume`, a name that is too long counts as no meta.
local function read_meta(self)
  local ok, file = pcall(open_private, self.path .. ".meta", false)
  if not ok then
    local code = core.is(file, "IoError") and file.code
    if code == "ENOENT" or code == "ENAMETOOLONG" and not self.resume then return nil end
    error(file, 0)
  end
  self.meta_file = file -- closed on every exit path
  local text = file:contents()
  file:close()
  local understood, meta = pcall(json.decode, text)
  return understood and type(meta) == "table" and meta or {}
end

-- Opens the meta file and empties it.
local function open_meta(self)
  self.meta_file = open_private(self.path .. ".meta", true)
  self.meta_file:truncate()
  return self.meta_file
end

-- Writes the meta file and closes it.
local function write_meta(self, validator)
  self.meta_file:write(json.encode { address = self.address, validator = validator,
    total = self.total, coding = self.coding })
  self.meta_file:close()
end

local function drop_meta(self)
  if not self.meta then return end
  open_meta(self):remove()
  self.meta_file:close()
  self.meta = nil
end

-- Returns the validator of the part's contents if they can be resumed, else nil.
local function known_validator(self)
  local meta = self.meta
  local fits = self.resume and self.size > 0 and meta and meta.address == self.address
    and (self.raw or meta.coding == nil)
  if not fits then return nil end
  local text = meta.validator
  return type(text) == "string" and (text:find(STRONG) or retry.date(text)) and text or nil
end

-- --- the part ---

--- Opens the part of a path, shielded: after a cancelled open, the next save of the path could find
--- it in use. A link at the path is followed.
---@async
---@param path string
---@param resume boolean|nil
---@param raw boolean|nil
---@return septet.PartialFile
function PartialFile.open(path, resume, raw)
  local file, size, final = blocks.shield(core.file_open_part, path)
  return setmetatable({ path = final .. ".part", file = file, size = size, resume = resume,
    raw = raw }, PartialFile)
end

--- Reads what the meta file says of the part, for a body at `address`.
---@async
---@param address string
function PartialFile:recall(address)
  self.address = core.digest("sha256", address)
  self.meta = read_meta(self)
  self.validator = known_validator(self)
  self.total = self.validator and math.tointeger(self.meta.total) or nil
  self.coding = self.validator and type(self.meta.coding) == "string" and self.meta.coding or nil
  self.kept = self.validator and self.size or 0
end

--- Forgets what is known of the part: the next response is for the whole body.
function PartialFile:forget()
  self.validator = nil
end

--- Empties the part for this response. After a power failure, a meta must not lie beside bytes of
--- another body. So old contents are removed from the disk before new ones can reach it.
---@async
---@param headers septet.Headers
function PartialFile:start_over(headers)
  self.validator = validator_of(self, headers)
  self.coding = self.raw and is_encoded(headers) and headers["content-encoding"] or nil
  self.total = math.tointeger(headers["content-length"])
  local names = self.resume and self.validator
  if self.meta or names then open_meta(self) end
  if self.meta then self.meta_file:sync() end
  if self.size > 0 then
    self.file:truncate()
    self.file:sync()
  end
  self.size, self.kept = 0, 0
  if self.meta or names then
    self.meta = {}
    if names then write_meta(self, names) else self.meta_file:close() end
  end
end

--- Appends what a stream holds of the body, up to `stop` bytes in all. Returns true if that is not
--- all of it.
---@async
---@param stream userdata
---@param stop integer|nil bytes
---@return boolean
function PartialFile:write_held(stream, stop)
  local room = stop and stop - self.size
  local held = self.file:write_held(stream, room)
  local is_excess = room ~= nil and held > room
  self.size = self.size + (is_excess and room or held)
  return is_excess
end

-- Returns true if the response is for the part's body. Some servers know Range, but not If-Range.
local function is_same(self, headers)
  local name = self.validator:find '^"' and "etag" or "last-modified"
  return (headers[name] or self.validator) == self.validator
end

-- Returns true if a 206 has bytes of the part's coding. It need not repeat the header.
local function has_coding(self, headers)
  if not headers["content-encoding"] then return true end
  return (is_encoded(headers) and headers["content-encoding"] or nil) == self.coding
end

-- Returns first and last byte of a Content-Range and the size, if known, or nil if it is malformed.
local function range_of(headers)
  local first, last, total =
    (headers["content-range"] or ""):match "^[Bb][Yy][Tt][Ee][Ss] (%d+)%-(%d+)/([%d*]+)$"
  first, last = math.tointeger(first), math.tointeger(last)
  local size = math.tointeger(total)
  local is_sound = first and last and first <= last and (size and last < size or total == "*")
  if is_sound then return first, last, size end
end

-- Keeps the size of the whole that a 206 was the first to report, also for a later save.
local function learn_total(self, total)
  self.total = total
  if self.resume and self.meta then
    open_meta(self)
    write_meta(self, self.validator)
  end
end

--- Returns the size of the part after a 206, and the largest size reported for the whole. Returns
--- nil if the 206 does not start at the part's end, exceeds the known size, or is for another body.
---@async
---@param headers septet.Headers
---@return integer|nil stop
---@return integer|nil whole
function PartialFile:continues(headers)
  local first, last, total = range_of(headers)
  if first ~= self.size or not (is_same(self, headers) and has_coding(self, headers)) then
    return nil
  end
  if self.total and last >= self.total then return nil end
  if total and not self.total then learn_total(self, total) end
  return last + 1, math.max(last + 1, self.total or 0, total or 0)
end

--- Returns true if a 416 shows that the part is complete: it reports the size of the whole.
---@param headers septet.Headers
---@return boolean
function PartialFile:is_complete(headers)
  local total =
    math.tointeger((headers["content-range"] or ""):match "^[Bb][Yy][Tt][Ee][Ss] %*/(%d+)$")
  return total == self.size and (self.total or total) == total and is_same(self, headers)
end

--- Makes the part the file at its path.
---@async
function PartialFile:commit()
  self.file:commit()
  drop_meta(self)
  self.file:close()
end

--- Closes the part after a failure. Removes it if it is empty or of no use.
---@async
---@param useless boolean
function PartialFile:abandon(useless)
  if self.meta_file then self.meta_file:close() end
  if useless or self.file:size() == 0 then
    self.file:remove()
    drop_meta(self)
  end
  self.file:close()
end

return PartialFile
