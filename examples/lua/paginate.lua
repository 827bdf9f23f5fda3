-- SPDX-License-Identifier: MIT
-- Reads all the pages of an API into a file of JSON lines: paginate.lua URL FILE
-- The next page is named by the response's Link header. The file appears once it is whole.
local http, json, sio = require "septet.http", require "septet.json", require "septet.io"

local address, path = table.unpack(arg)
local session <close> = http.session { retries = 3, timeout = 30 }
local out <close> = sio.create(path .. ".part")
local count = 0

while address do
  local response = session:get(address):raise_for_status()
  for _, item in ipairs(response:json()) do
    out:write(json.encode(item), "\n")
    count = count + 1
  end
  local following = response:links().next
  address = following and following.url
end

out:commit(path)
print(count .. " items")
