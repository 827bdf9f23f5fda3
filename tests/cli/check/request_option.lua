-- SPDX-License-Identifier: MIT
-- Planted: options that a request does not have.
local http = require "septet.http"
local s <close> = http.session { limit = 4 }
s:get("http://127.0.0.1/", { tiemout = 3 }) -- 5:30 unknown-option
http.post("http://127.0.0.1/", { data = "x" }) -- 6:34 unknown-option
