-- SPDX-License-Identifier: MIT
-- The script of fuzz_charset. The input is a label, or the number of one, in a line of its own, and
-- the bytes.
local private = debug.getregistry()["septet.require"] -- of private modules
local charsets, text = private "septet.internal.charsets", private "septet.internal.text"
local planted = ...

local labels = {
  "utf-8", "866", "latin1", "latin2", "arabic", "greek", "hebrew", "koi8-u", "mac", "tis-620",
  "cp1255", "cp1258", "x-mac-cyrillic", "gbk", "big5", "euc-jp", "iso-2022-jp", "sjis", "korean",
  "utf-16", "utf-16be", "x-user-defined",
}

return function(input)
  local label, bytes = input:match "^([^\n]*)\n?(.*)$"
  label = #label == 1 and labels[label:byte() % #labels + 1] or label
  local decoded = text.decode(bytes, label)
  if planted and charsets.name(label) == "utf-8" then decoded = bytes end
  if not decoded then return end
  assert(utf8.len(decoded), "not UTF-8")
  assert(#decoded <= 8 * #bytes + 16, "longer than any charset makes it")
  assert(text.decode(bytes, label:upper()) == decoded or planted, "the case of a label counts")
end
