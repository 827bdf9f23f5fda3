-- SPDX-License-Identifier: MIT
-- main.lua ROOT OUT: reads the annotations of the files that OUT/sources lists, which are of the
-- tree ROOT, and its docs/api.md, and writes below the folder OUT
--
--   septet/doc/entries.lua, septet/doc/texts.lua   the index of the API: see tools/api/index.lua
--
-- An annotation that is wrong is left out: tests/cli/test_api.py reports it.
local index = require "index"
local model = require "model"
local pages = require "pages"

local root, out = ...
local lua, meta = {}, {}
for path in io.lines(out .. "/sources") do
  local below = path:sub(#root + 2)
  local list = below:find "^lua/" and lua or meta
  list[#list + 1] = below:match "^%a+/(.*)$"
end
table.sort(lua)
table.sort(meta)
local api = model.read(root, lua, meta)
local page, _, codes = pages.read(root .. "/docs/api.md")
index.write(out .. "/septet/doc", api, page, codes)
