-- SPDX-License-Identifier: MIT
-- The report as JUnit's XML, by the schema that Jenkins reads.
local report_junit = {}

local MARKUP <const> = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

-- Returns true for a character that XML 1.0 allows.
local function is_allowed(code)
  return code == 9 or code == 10 or code == 13 or (code >= 0x20 and code <= 0xD7FF)
    or (code >= 0xE000 and code <= 0xFFFD) or (code >= 0x10000 and code <= 0x10FFFF)
end

local function byte_text(bytes)
  return (bytes:gsub(".", function(c) return ("\\x%02x"):format(c:byte()) end))
end

-- Returns a text as XML may hold it: other characters, and bytes that are no UTF-8, are written as
-- \xNN.
local function escape(text)
  local pieces, at = {}, 1
  while at <= #text do
    local good, bad = utf8.len(text, at)
    local stop = good and #text or bad - 1
    for _, code in utf8.codes(text:sub(at, stop)) do
      local char = utf8.char(code)
      pieces[#pieces + 1] = is_allowed(code) and (MARKUP[char] or char) or byte_text(char)
    end
    if not good then pieces[#pieces + 1] = byte_text(text:sub(bad, bad)) end
    at = stop + (good and 1 or 2)
  end
  return table.concat(pieces)
end

-- Returns a text as the value of an attribute, in which a line break would become a space.
local function attribute(text)
  return (escape(text):gsub("[\t\n\r]", function(c) return ("&#%d;"):format(c:byte()) end))
end

local function element(name, attributes)
  local words = { "<" .. name }
  for i = 1, #attributes, 2 do
    words[#words + 1] = ('%s="%s"'):format(attributes[i], attribute(tostring(attributes[i + 1])))
  end
  return table.concat(words, " ")
end

local function seconds(value) return ("%.3f"):format(value) end

-- Kinds of failures that are errors: no statement about a value was wrong.
local is_error = { error = true, crash = true, broken = true, timeout = true, unseen = true }

local is_skipped = { skipped = true, not_run = true }

local function case_lines(result)
  local lines = { "    " .. element("testcase", { "name", result.title, "classname",
    result.file:gsub("%.lua$", ""):gsub("/", "."), "time", seconds(result.seconds) }) .. ">" }
  local failure = result.failure
  if is_skipped[result.status] then
    local word = result.status == "not_run" and "not run: " or ""
    lines[2] = "      " .. element("skipped", { "message", word .. failure.message }) .. "/>"
  elseif failure then
    local name = is_error[failure.kind] and "error" or "failure"
    local text = failure.message .. "\n" .. (failure.traceback or "")
    lines[2] = ("      %s>%s</%s>"):format(element(name, { "type", failure.kind, "message",
      failure.message:match "^[^\n]*" }), escape(text), name)
  end
  if result.output ~= "" then
    lines[#lines + 1] = "      <system-out>" .. escape(result.output) .. "</system-out>"
  end
  lines[#lines + 1] = "    </testcase>"
  return table.concat(lines, "\n")
end

-- Returns the results by their files, in the order of their first results.
local function by_file(list)
  local suites, of = {}, {}
  for _, result in ipairs(list) do
    local suite = of[result.file]
    if not suite then
      suite = { file = result.file, cases = {}, tests = 0, failures = 0, errors = 0, skipped = 0,
        seconds = 0 }
      of[result.file], suites[#suites + 1] = suite, suite
    end
    suite.cases[#suite.cases + 1] = case_lines(result)
    suite.tests = suite.tests + 1
    suite.seconds = suite.seconds + result.seconds
    if is_skipped[result.status] then
      suite.skipped = suite.skipped + 1
    elseif result.failure then
      local name = is_error[result.failure.kind] and "errors" or "failures"
      suite[name] = suite[name] + 1
    end
  end
  return suites
end

local function host_name()
  local file = io.open "/proc/sys/kernel/hostname"
  local name = file and file:read "l"
  if file then file:close() end
  return name or "localhost"
end

-- Returns the text of the file.
local function text_of(list, stamp)
  local suites, lines = by_file(list), { '<?xml version="1.0" encoding="UTF-8"?>' }
  local tests, failures, errors, time = 0, 0, 0, 0
  for _, suite in ipairs(suites) do
    tests, failures = tests + suite.tests, failures + suite.failures
    errors, time = errors + suite.errors, time + suite.seconds
  end
  lines[2] = element("testsuites", { "name", "septet", "tests", tests, "failures", failures,
    "errors", errors, "time", seconds(time) }) .. ">"
  for i, suite in ipairs(suites) do
    lines[#lines + 1] = "  " .. element("testsuite", { "name", suite.file, "id", i - 1, "tests",
      suite.tests, "failures", suite.failures, "errors", suite.errors, "skipped", suite.skipped,
      "time", seconds(suite.seconds), "timestamp", stamp, "hostname", host_name() }) .. ">"
    table.move(suite.cases, 1, #suite.cases, #lines + 1, lines)
    lines[#lines + 1] = "  </testsuite>"
  end
  lines[#lines + 1] = "</testsuites>\n"
  return table.concat(lines, "\n")
end

--- Returns a reporter, which writes the file at the end.
---@param path string
function report_junit.new(path)
  local stamp = os.date "%Y-%m-%dT%H:%M:%S"
  return { finish = function(results)
    require "septet.fs".write(path, text_of(results.list, stamp))
  end }
end

return report_junit
