-- SPDX-License-Identifier: MIT
-- The report as TAP, version 14: the plan stands at the end, since files run at once.
local report_tap = {}

-- Returns a title as TAP may hold it: in one line, with its marks escaped.
local function escape(title)
  return (title:gsub("[\\#]", "\\%0"):gsub("%c", " "))
end

-- Returns a text as lines of a YAML block.
local function block(name, text)
  text = text:gsub("[\0-\8\11-\31\127]", function(c) return ("\\x%02x"):format(c:byte()) end)
  return ("  %s: |\n    %s\n"):format(name, (text:gsub("\n+$", ""):gsub("\n", "\n    ")))
end

local function quoted(text)
  return "'" .. text:gsub("'", "''"):gsub("%c", " ") .. "'"
end

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
