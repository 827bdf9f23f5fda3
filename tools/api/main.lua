-- SPDX-License-Identifier: MIT
-- main.lua ROOT OUT LIBRARY: reads the annotations of the files that OUT/sources lists, which are
-- of the tree ROOT, and its docs/api.md, and writes
--
--   OUT/septet/doc/*.lua                 the index of the API: see tools/api/index.lua
--   LIBRARY/*.lua, LIBRARY/septet/*.lua  definitions for editors: see tools/api/library.lua
--
-- An annotation that is wrong is left out. With the word `check` in the place of LIBRARY, prints
-- what is wrong with them, ends with 1 if there is anything, and writes nothing.
local index = require "index"
local library = require "library"
local pages = require "pages"
local sources = require "sources"

local root, out, target = ...
local api = sources.read(root, out)
if target == "check" then
  io.stderr:write(table.concat(api.faults, "\n"), #api.faults > 0 and "\n" or "")
  os.exit(#api.faults == 0)
end
local short = dofile(root .. "/lua/septet/doc/short.lua")
index.write(out .. "/septet/doc", api, pages.read(root .. "/docs/api.md"), short, root)
library.write(target, api)
