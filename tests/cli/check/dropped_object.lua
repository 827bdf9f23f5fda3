-- SPDX-License-Identifier: MIT
-- Planted: what was opened is dropped, and an answer that nothing reads.
local http, io, task = require "septet.http", require "septet.io", require "septet.task"
io.create "out" -- 4:1 dropped-result
local s <close> = http.session()
s:stream("GET", "http://127.0.0.1/") -- 6:1 dropped-result
task.now() -- 7:1 dropped-result
