-- SPDX-License-Identifier: MIT
-- gzip as specs write it: blocks that are stored, so that each piece of a text is in bytes of its
-- own.
local pack = {}

local TABLE = {}
for i = 0, 255 do
  local c = i
  for _ = 1, 8 do c = c & 1 == 1 and 0xEDB88320 ~ (c >> 1) or c >> 1 end
  TABLE[i] = c
end

local function crc32(crc, text)
  crc = ~crc & 0xFFFFFFFF
  for i = 1, #text do crc = TABLE[(crc ~ text:byte(i)) & 0xFF] ~ (crc >> 8) end
  return ~crc & 0xFFFFFFFF
end

local HEAD = "\x1f\x8b\8\0\0\0\0\0\2\3"

--- A member: write(piece) returns the bytes for a piece, and finish() the last ones.
function pack.gzip()
  local crc, size, head = 0, 0, HEAD
  local function write(piece)
    local out = { head }
    head = ""
    crc, size = crc32(crc, piece), size + #piece
    for at = 1, #piece, 65535 do
      local block = piece:sub(at, at + 65534)
      out[#out + 1] = string.pack("<BI2I2", 0, #block, ~#block & 0xFFFF) .. block
    end
    return table.concat(out)
  end
  local function finish()
    return head .. "\1\0\0\xff\xff" .. string.pack("<I4I4", crc, size & 0xFFFFFFFF)
  end
  return write, finish
end

--- A text as one member.
function pack.member(text)
  local write, finish = pack.gzip()
  return write(text) .. finish()
end

return pack
