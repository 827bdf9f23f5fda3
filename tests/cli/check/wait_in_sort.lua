-- SPDX-License-Identifier: MIT
-- Planted: a comparison that waits.
local http = require "septet.http"
local urls = { "http://127.0.0.1/a", "http://127.0.0.1/b" }
table.sort(urls, function(a, b)
  return #http.get(a).body < #http.get(b).body -- 6:11 cannot-wait
end)
