-- SPDX-License-Identifier: MIT
-- Requests that complete, wait and fail, while the embedder draws frames.
-- check: globals origin
local task, http = require "septet.task", require "septet.http"
local s <close> = http.session()
assert(s:get(origin .. "/bytes/1").status == 200)
local t = task.spawn(s.get, s, origin .. "/delay/0.1?bytes=7")
assert(#s:get(origin .. "/bytes/3000000").body == 3000000)
assert(#t:await().body == 7)
local ok, e = pcall(s.get, s, origin .. "/stall", { timeout = 0.1 })
assert(not ok and e.code == "timeout")
ok, e = pcall(s.get, s, "http://127.0.0.1:1/")
assert(not ok and e.code == "connect")
local stream <close> = s:stream("GET", origin .. "/chunked?chunks=20")
local n = 0
for chunk in stream:chunks() do
  n = n + #chunk
end
assert(n == 20 * 256)
