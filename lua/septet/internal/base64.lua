-- SPDX-License-Identifier: MIT
-- Base64, with padding.
local DIGITS <const> = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

--- Returns bytes in base64, with padding.
---@param bytes string
---@return string
return function(bytes)
  local out = {}
  for i = 1, #bytes, 3 do
    local a, b, c = bytes:byte(i, i + 2)
    local bits, taken = a << 16 | (b or 0) << 8 | (c or 0), c and 4 or b and 3 or 2
    for k = 1, 4 do
      local digit = (bits >> (24 - 6 * k) & 63) + 1
      out[#out + 1] = k <= taken and DIGITS:sub(digit, digit) or "="
    end
  end
  return table.concat(out)
end
