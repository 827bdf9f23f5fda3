-- SPDX-License-Identifier: MIT
-- The report as TAP, version 14: the plan stands at the end, since files run at once.
local report_tap = {}

local printed = require "septet.test.printed"

local function in_hex(bytes)
  return (bytes:gsub(".", function(byte) return ("\\x%02x"):format(byte:byte()) end))
end

-- Returns a text as YAML may hold it: without bytes that are no UTF-8, control characters, and what
-- YAML may read as the end of a line.
local function clean(text)
  text = printed.lines(text):gsub("\u{2028}", in_hex):gsub("\u{2029}", in_hex)
  return (text:gsub("\u{FEFF}", in_hex):gsub("\u{FFFE}", in_hex):gsub("\u{FFFF}", in_hex))
end

-- Returns a text in one line.
local function line(text) return (clean(text):gsub("%c", " ")) end

-- Returns a title as TAP may hold it: in one line, with its marks escaped.
local function escape(title) return (line((title:gsub("[\\#]", "\\%0")))) end

-- Returns a text as lines of a YAML block, with its indentation, as the first line may have more.
local function block(name, text)
  text = clean(text):gsub("\n+$", ""):gsub("\n", "\n    ")
  return ("  %s: |2\n    %s\n"):format(name, text)
end

local function quoted(text) return "'" .. line(text):gsub("'", "''") .. "'" end

local function write_failure(out, result)
  local failure = result.failure
  out:write("  ---\n", block("message", failure.message))
  out:write("  severity: ", failure.kind == "failure" and "fail" or "error", "\n")
  out:write("  kind: ", failure.kind, "\n")
  out:write("  at: ", quoted(result.place or result.file), "\n")
  if failure.traceback and failure.traceback:find "%S" then
    out:write(block("traceback", (failure.traceback:gsub("^%s+", ""))))
  end
  if result.output:find "%S" then out:write(block("output", result.output)) end
  out:write "  ...\n"
end

--- Returns a reporter.
---@param out file*
function report_tap.new(out)
  local reporter, n = {}, 0
  out:write "TAP version 14\n"
  function reporter.result(result)
    n = n + 1
    out:write(result.status == "failed" and "not ok " or "ok ", n, " - ", escape(result.title))
    if result.status == "skipped" or result.status == "not_run" then
      local word = result.status == "not_run" and "not run: " or ""
      out:write(" # SKIP ", word, escape(result.failure.message))
    end
    out:write "\n"
    if result.status == "failed" then write_failure(out, result) end
    out:flush()
  end
  function reporter.finish()
    out:write("1..", n, "\n")
    out:flush()
  end
  return reporter
end

return report_tap
