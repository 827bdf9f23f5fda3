-- SPDX-License-Identifier: MIT
-- The script of fuzz_links. The input is the text of header lines, and the title of a link.
local links = debug.getregistry()["septet.require"] "septet.http.links"
local url = require "septet.url"
local planted = ...

local PAGE = "http://a/b?c"

local function check(link)
  assert(not link.target:find(">", 1, true), "a target with its end")
  assert(not link.url or url.resolve("http://other/", link.url) == link.url, link.url)
  for name in pairs(link.params) do
    assert(name == name:lower() and not name:find "[%s=;,\"]" and name ~= "", name)
  end
  for _, rel in ipairs(link.rels) do assert(rel ~= "" and not rel:find "%s", rel) end
end

return function(input)
  local lines = {}
  for line in input:gmatch "[^\n]+" do lines[#lines + 1] = line end
  local list = links.of(lines, PAGE)
  local _, begins = input:gsub("<", "")
  assert(#list <= begins, "more links than '<'")
  local known = {}
  for _, link in ipairs(list) do
    check(link)
    known[link] = true
  end
  for rel, link in pairs(list) do assert(known[link] and (math.type(rel) or link.url), rel) end

  local title = input:gsub('[\\"]', planted and '%0' or '\\%0')
  local line = ('</x>; rel="next"; title="%s"; last=1, <y>'):format(title)
  local back = links.of({ line }, PAGE)
  assert(#back == 2 and back.next.title == input and back[1].params.last == "1", line)
end
