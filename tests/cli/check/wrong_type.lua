-- SPDX-License-Identifier: MIT
-- Planted: literals of a wrong type.
local task, json = require "septet.task", require("septet.json")
task.sleep "soon" -- 4:12 wrong-arguments
task.gather("a", json.decode {}) -- 5:13 wrong-arguments 5:30 wrong-arguments
