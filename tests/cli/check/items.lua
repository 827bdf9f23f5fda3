-- SPDX-License-Identifier: MIT
-- Planted: methods that the items of a list do not have.
local html = require "septet.html"

local doc = html.parse(arg[1])
for _, link in ipairs(doc:select "a") do print(link:attrs "rel") end -- 6:53 unknown-name
print(doc:select "p"[1]:texts()) -- 7:25 unknown-name
