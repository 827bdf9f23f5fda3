-- SPDX-License-Identifier: MIT
-- Bodies of several parts (RFC 2046, RFC 7578). Parts that are made as they are sent make the whole
-- such a body.
local args = require "septet.internal.args"
local source = require "septet.http.source"

local multipart = {}

--- A part of a body. Its data is text, or is made as it is sent: by a function, as a `body`, or of
--- a reader.
---@class septet.Part
---@field name string of the field
---@field data string|(fun(): string|nil)|septet.Reader|septet.StreamedResponse its bytes
---@field length integer|nil bytes of data that is made; sent in chunks
---@field filename string|nil name of the file; none
---@field type string|nil its Content-Type; none

-- Quotes a name for Content-Disposition. Quotes and line ends are percent-encoded, as in browsers.
local function quoted(text)
  return '"' .. text:gsub('[\r\n"]', { ["\r"] = "%0D", ["\n"] = "%0A", ['"'] = "%22" }) .. '"'
end

local part_options = { name = "string", data = "body", length = "bytes", filename = "string",
  type = "string" }

-- Returns the header lines of a part. Raises Usage for what cannot be a part.
local function part_head(part, i)
  if type(part) ~= "table" then
    args.usage("bad part %d of 'multipart' (table expected, got %s)", i, type(part))
  end
  args.options(part, part_options, "multipart")
  if not (part.name and part.data) then
    args.usage("bad part %d of 'multipart' (it needs a 'name' and 'data')", i)
  end
  if part.length and type(part.data) == "string" then
    args.usage("bad part %d of 'multipart' (a 'length' is for data that is made as it is sent)", i)
  end
  local lines = { "Content-Disposition: form-data; name=" .. quoted(part.name) }
  if part.filename then lines[1] = lines[1] .. "; filename=" .. quoted(part.filename) end
  local kind = part.type or part.filename and "application/octet-stream"
  if kind then
    if kind:find("[\r\n]") then
      args.usage("bad part %d of 'multipart' (a line's end in its type)", i)
    end
    lines[2] = "Content-Type: " .. kind
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

local function occurs(boundary, texts)
  for _, text in ipairs(texts) do
    if text:find(boundary, 1, true) then return true end
  end
  return false
end

-- Returns a boundary that occurs in none of the parts.
local function new_boundary(texts)
  local boundary
  repeat
    boundary = ("septet-%016x%016x"):format(math.random(0), math.random(0))
  until not occurs(boundary, texts)
  return boundary
end

-- Returns the boundary in a Content-Type, or nil if there is none. Raises Usage if the type cannot
-- have one, or a receiver could not read it (RFC 2046, 5.1.1).
local function named_boundary(kind)
  local subtype, rest =
    kind:match "^%s*[Mm][Uu][Ll][Tt][Ii][Pp][Aa][Rr][Tt]/([%w!#$&^_.+-]+)%s*(.*)$"
  if not subtype or not (rest == "" or rest:find "^;") then
    args.usage "bad header 'Content-Type' (a multipart/... type expected for a body by 'multipart')"
  end
  local found
  while rest ~= "" do
    local name, value, behind = rest:match '^;%s*([%w!#$&^_.+-]+)="([^"\\]*)"%s*(.*)$'
    if not name then
      name, value, behind = rest:match "^;%s*([%w!#$&^_.+-]+)=([^%s;\"]*)%s*(.*)$"
    end
    if not name and rest:find "^;%s*$" then return found end
    if not name then
      args.usage("bad header 'Content-Type' (parameters, as '; name=value', expected)")
    end
    if name:lower() == "boundary" then
      if found or not value:find "^[%w'()+_,./:=? -]+$" or #value > 70 or value:find " $" then
        args.usage("bad header 'Content-Type' (one boundary of 1 to 70 letters, digits and "
          .. "\"'()+_,-./:=?\" expected)")
      end
      found = value
    end
    rest = behind
  end
  return found
end

-- Returns the function wrapped to raise if its pieces, put together, have the boundary in them.
local function without(boundary, next_piece, i)
  local tail = "\r\n" -- the end of what came before: a boundary begins a line
  return function()
    local piece = next_piece()
    if not piece then return nil end
    tail = tail .. piece
    if tail:find("\n--" .. boundary, 1, true) then
      error({ upload_fault = "boundary",
        why = ("the boundary occurs in part %d of 'multipart'"):format(i) }, 0)
    end
    tail = tail:sub(-#boundary - 2)
    return piece
  end
end

-- Returns the parts as a source, in the order of `pieces`: texts, and sources of parts.
local function joined(pieces)
  local length, at = 0, 1
  for _, piece in ipairs(pieces) do
    local n = type(piece) == "string" and #piece or piece.length
    length = length and n and length + n
  end
  return { length = length, next = function()
    while pieces[at] do
      local piece = pieces[at]
      local text = type(piece) == "string" and piece
      if not text then text = piece.next() end
      if not text or text == piece then at = at + 1 end
      if text then return text end
    end
  end }
end

-- Returns the texts of parts with text for data, and the heads of the others.
local function texts_of(parts)
  local texts = {}
  args.list_option(parts, "multipart", "request")
  for i, part in ipairs(parts) do
    texts[i] = part_head(part, i)
    if type(part.data) == "string" then texts[i] = texts[i] .. part.data end
  end
  return texts
end

--- Returns a multipart body and its Content-Type: multipart/form-data, or the request's own type.
--- The boundary is the one of that type, or else a new one. The body is a source if a part is made.
---@async
---@param parts septet.Part[]
---@param own string|nil the request's own Content-Type
---@return string|septet.BodySource body
---@return string content_type
function multipart.encode(parts, own)
  local texts = texts_of(parts)
  local boundary = own and named_boundary(own)
  local is_named = boundary ~= nil
  if boundary and occurs("--" .. boundary, texts) then
    args.usage("bad header 'Content-Type' (its boundary occurs in a part)")
  end
  local kind = own or "multipart/form-data"
  if not boundary then
    boundary = new_boundary(texts)
    kind = kind:gsub("[%s;]*$", "") .. "; boundary=" .. boundary
  end
  local pieces, is_made = {}, false
  for i, text in ipairs(texts) do
    pieces[#pieces + 1] = "--" .. boundary .. "\r\n" .. text
    local data = parts[i].data
    if type(data) ~= "string" then
      is_made = true
      local made = source.new(data, parts[i].length, ("part %d of 'multipart'"):format(i))
      if is_named then made.next = without(boundary, made.next, i) end
      pieces[#pieces + 1] = made
    end
    pieces[#pieces + 1] = "\r\n"
  end
  pieces[#pieces + 1] = "--" .. boundary .. "--\r\n"
  return is_made and joined(pieces) or table.concat(pieces), kind
end

return multipart
