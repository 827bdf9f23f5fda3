-- SPDX-License-Identifier: MIT
-- The report for people: a dot for each test on a terminal, else a line; then what failed, and how
-- many.
local report_text = {}

local printed = require "septet.test.printed"
local escape = require("septet.trace.terminal").escape

local DOTS_A_LINE <const> = 72
local NOT_RUN_SHOWN <const> = 20
local SLOW <const> = 0.1 -- seconds; faster tests are not named as slow

local colours = { red = "31", green = "32", yellow = "33", dim = "2", bold = "1" }

local function painter(is_coloured)
  return function(colour, text)
    return is_coloured and ("\27[%sm%s\27[0m"):format(colours[colour], text) or text
  end
end

local function indent(text, by)
  return by .. printed.lines(text):gsub("\n$", ""):gsub("\n", "\n" .. by)
end

local marks = { passed = { "green", "." }, failed = { "red", "F" }, skipped = { "yellow", "s" },
  not_run = { "yellow", "-" } }
local words = { passed = { "green", "ok" }, failed = { "red", "not ok" },
  skipped = { "yellow", "skipped" }, not_run = { "yellow", "not run" } }

local headlines = { timeout = "too slow: ", error = "error: ", crash = "crash: ",
  broken = "error: " }

local function write_failure(out, paint, i, result)
  local failure = result.failure
  out:write(paint("bold", ("%d. %s"):format(i, escape(result.title))), "\n   ",
    paint("dim", escape(result.place or result.file)), "\n")
  local headline = headlines[failure.kind]
  out:write("   ", headline and paint("red", headline) or "",
    indent(failure.message, "   "):sub(4), "\n")
  if failure.traceback and failure.traceback:find "%S" then
    out:write(indent(failure.traceback:gsub("^\n", ""), "   "), "\n")
  end
  if result.output:find "%S" then
    out:write(paint("dim", "   --- it printed:"), "\n", indent(result.output, "   "), "\n")
  end
  out:write "\n"
end

local function write_slowest(out, paint, list, most)
  local slow = {}
  for _, result in ipairs(list) do
    if result.seconds >= SLOW then slow[#slow + 1] = result end
  end
  if #slow == 0 or most == 0 then return end
  table.sort(slow, function(a, b)
    if a.seconds ~= b.seconds then return a.seconds > b.seconds end
    return a.title < b.title
  end)
  out:write(paint("dim", "slowest:"), "\n")
  for i = 1, math.min(most, #slow) do
    out:write(paint("dim", ("  %6.2f s  %s"):format(slow[i].seconds, escape(slow[i].title))), "\n")
  end
end

local function write_not_run(out, paint, list)
  local n = 0
  for _, result in ipairs(list) do
    if result.status == "not_run" then
      n = n + 1
      if n == 1 then out:write(paint("yellow", "not run:"), "\n") end
      if n <= NOT_RUN_SHOWN then
        local place = paint("dim", "(" .. escape(result.place or result.file) .. ")")
        out:write("  ", escape(result.title), " ", place, "\n")
      end
    end
  end
  if n > NOT_RUN_SHOWN then out:write("  and ", n - NOT_RUN_SHOWN, " others\n") end
end

--- Returns a reporter.
---@param out file*
---@param options { dots: boolean, colours: boolean, slowest: integer, seed: integer|nil }
function report_text.new(out, options)
  local paint, column = painter(options.colours), 0
  local reporter = {}
  function reporter.result(result)
    if options.dots then
      out:write(paint(table.unpack(marks[result.status])))
      column = column + 1
      if column % DOTS_A_LINE == 0 then out:write "\n" end
    else
      local word = words[result.status]
      out:write(paint(word[1], word[2]), " ", escape(result.title), "\n")
    end
    out:flush()
  end
  function reporter.finish(results)
    if options.dots and column % DOTS_A_LINE ~= 0 then out:write "\n" end
    local n = 0
    for _, result in ipairs(results.list) do
      if result.status == "failed" then
        n = n + 1
        if n == 1 then out:write "\n" end
        write_failure(out, paint, n, result)
      end
    end
    if options.dots then write_not_run(out, paint, results.list) end
    write_slowest(out, paint, results.list, options.slowest)
    if options.seed then out:write(("order: --shuffle=%d\n"):format(options.seed)) end
    out:write(paint("green", ("%d passed"):format(results.passed)), ", ",
      paint(results.failed > 0 and "red" or "green", ("%d failed"):format(results.failed)))
    if results.skipped > 0 then
      out:write(", ", paint("yellow", ("%d skipped"):format(results.skipped)))
    end
    if results.not_run > 0 then
      out:write(", ", paint("yellow", ("%d not run"):format(results.not_run)))
    end
    out:write "\n"
    out:flush()
  end
  return reporter
end

return report_text
