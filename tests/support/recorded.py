# SPDX-License-Identifier: MIT
"""Scripts that record what they do, and write it by an exporter that runs in the same process."""

HEAD = """
local private = debug.getregistry()["septet.require"]
local task, http, trace = require "septet.task", require "septet.http", require "septet.trace"
local recorded = private "septet.trace.model".new { version = "0.1.0", pid = 1, script = "s.lua" }
recorded:add { kind = "clock", time = task.now(), unix_ns = 1766426787123456789 }
trace.subscribe(function(event) recorded:add(event) end)
local origin = os.getenv "SEPTET_ORIGIN"
local function export()
  task.sleep(0.01) -- so that all has been read
  recorded:finish()
  %s
end
"""


def head(statements):
    """Returns the beginning of a script. Its function export() runs the statements, which see the
    model as `recorded`."""
    return HEAD % statements
