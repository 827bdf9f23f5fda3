-- SPDX-License-Identifier: MIT
-- Lists the pages that a site's sitemaps name and its robots.txt allows: sitemap.lua URL
local http, html, robots = require "septet.http", require "septet.html", require "septet.robots"
local url = require "septet.url"

local AGENT = "septet-example"
local site = arg[1]
local session <close> = http.session { headers = { ["User-Agent"] = AGENT .. "/1.0" } }
local rules = robots.fetch(session, site)

local function list(address)
  local document = html.parse(session:get(address):raise_for_status().body)
  for _, location in ipairs(document:select "sitemap > loc") do list(location:text()) end
  for _, location in ipairs(document:select "url > loc") do
    local page = url.parse(location:text())
    if rules:allows(AGENT, page.path .. (page.query and "?" .. page.query or "")) then
      print(location:text())
    end
  end
end

local sitemaps = #rules.sitemaps > 0 and rules.sitemaps or { url.resolve(site, "/sitemap.xml") }
for _, address in ipairs(sitemaps) do list(address) end
