-- SPDX-License-Identifier: MIT
-- Checks the links of a site: check_links.lua URL
-- Follows those within the site, and asks only for the heads of others.
local task, http, url = require "septet.task", require "septet.http", require "septet.url"

local start = arg[1]
local session <close> = http.session { limit = 32, limit_per_host = 8, timeout = 20 }
local seen, broken = {}, 0

local function check(group, address, found_on)
  if not (address or ""):lower():find "^https?:" then return end -- nil if it is no URL
  address = url.normalize(address)
  if seen[address] then return end
  seen[address] = true
  group:spawn(function()
    local inside = url.same_origin(address, start)
    local ok, response = task.pcall(session.request, session, inside and "GET" or "HEAD", address)
    local fault = not ok and response.code or response.status >= 400 and response.status
    if fault then
      broken = broken + 1
      print(("%s %s (on %s)"):format(fault, address, found_on))
    elseif inside and (response.headers["content-type"] or ""):find "^text/html" then
      for _, link in ipairs(response:html():links()) do check(group, link.url, address) end
    end
  end)
end

task.group(function(group) check(group, start, "the command line") end)
os.exit(broken == 0)
