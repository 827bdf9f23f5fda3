-- SPDX-License-Identifier: MIT
-- A site of a few pages, which stands for those that documents name. It prints its URL, and ends
-- with its standard input.
local sio, testing = require "septet.io", require "septet.testing"

local pages = {
  ["/"] = [[<title>Home</title><a href="/a">a</a> <a href="/b">b</a>]],
  ["/a"] = [[<title>A</title><a href="/b">b</a> <a href="/gone">gone</a>]],
  ["/b"] = [[<title>B</title><a href="/#top">home</a>]],
}

local server <close> = testing.serve(function(request)
  local page = pages[request.path]
  if request.method == "POST" then return { json = {} } end -- as a collector of spans
  if request.path == "/robots.txt" or not page then return 404 end
  return { headers = { ["Content-Type"] = "text/html" }, body = page }
end)

io.stdout:write(server.url, "\n")
io.stdout:flush()
for _ in sio.stdin():lines() do end
