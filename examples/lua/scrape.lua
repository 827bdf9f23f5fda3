-- SPDX-License-Identifier: MIT
-- Scrapes the products of a shop's pages into a CSV file: scrape.lua URL FILE
local http, csv, sio = require "septet.http", require "septet.csv", require "septet.io"
local url = require "septet.url"

local page, path = table.unpack(arg)
local session <close> = http.session { retries = 2, rate = "5/s" }
local out <close> = sio.create(path .. ".part")
local rows = csv.writer(out, { header = { "name", "price", "url" } })

while page do
  local document = session:get(page):raise_for_status():html()
  for _, product in ipairs(document:select ".product") do
    local link = product:first "a[href]"
    rows:row { link:text(), product:first ".price":text(), url.resolve(page, link:attr "href") }
  end
  local following = document:first "a[rel~=next]"
  page = following and url.resolve(page, following:attr "href")
end
out:commit(path)
