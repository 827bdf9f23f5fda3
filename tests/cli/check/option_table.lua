-- SPDX-License-Identifier: MIT
-- Planted: options in a table of their own, and of a function that another one calls.
local http, task = require "septet.http", require "septet.task"
local options = { tiemout = 1 } -- 4:19 unknown-option
http.get("http://127.0.0.1/", options)
http.post("http://127.0.0.1/", options)
pcall(http.get, "http://127.0.0.1/", { tiemout = 1 }) -- 7:40 unknown-option
xpcall(http.get, print, "http://127.0.0.1/", { tiemout = 1 }) -- 8:48 unknown-option
task.spawn(http.get, "http://127.0.0.1/", { tiemout = 1 }) -- 9:45 unknown-option
task.timeout(1, http.get, "http://127.0.0.1/", { limt = 1 }) -- 10:50 unknown-option
local s <close> = http.session()
pcall(s.get, s, "http://127.0.0.1/", { tiemout = 1 }) -- 12:40 unknown-option
task.group(function(g)
  g:spawn(http.get, "http://127.0.0.1/", { tiemout = "1" }) -- 14:44 unknown-option
end)

-- A table that something else may change, or that another function reads as well.
local changed, shared = { url = "http://127.0.0.1/" }, { note = "x" }
changed.url = nil
http.get("http://127.0.0.1/", changed)
print(shared)
http.get("http://127.0.0.1/", shared)
pcall(print, "http://127.0.0.1/", { tiemout = 1 })
