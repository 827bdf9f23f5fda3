-- SPDX-License-Identifier: MIT
-- The report: one page of HTML with its style, its script and its data, which needs no network. All
-- figures in it are of the whole trace, but of a long one the lanes hold a part.
local core = require "septet.core"
local columns = require "septet.trace.report.columns"
local findings = require "septet.trace.findings"
local stats = require "septet.trace.report.stats"
local text = require "septet.trace.report.text"

-- Returns a file of the report, without the line of its licence. They are read now: the host of
-- this state may have ended when a page is made.
local function file(name)
  return (require("septet.trace.report." .. name):gsub("^[^\n]*\n", ""))
end

local page, style = file "page.html", file "page.css"
local script = "(() => {\n\"use strict\";\n" .. file "format.js" .. file "data.js"
  .. file "lanes.js" .. file "input.js" .. file "sections.js" .. "})();\n"

-- Returns the source expression by which the page's policy permits an inline text.
local function source_of(inline)
  local bytes = core.digest("sha256", inline):gsub("%x%x", function(hex)
    return string.char(tonumber(hex, 16))
  end)
  return "sha256-" .. core.base64(bytes)
end

local fixed = {
  style = style, script = script, style_hash = source_of(style), script_hash = source_of(script),
}

local function script_name(m)
  return (tostring(m.meta.script or "?"):match "[^/]*$")
end

-- Returns what the page says of the run as a whole, in microseconds.
local function about(m)
  local started = m.unix(m.from) // 1000000
  return {
    script = tostring(m.meta.script or "?"), version = tostring(m.meta.version or "?"),
    pid = math.tointeger(m.meta.pid) or 0, started = started,
    duration = text.microseconds(m.till - m.from), records = m.records or 0, lost = m.lost or 0,
  }
end

-- Returns what the trace says went wrong: { severity, text }.
local function found(m)
  local list = {}
  for i, finding in ipairs(findings.of(m)) do
    list[i] = { severity = finding.severity, text = finding.text }
  end
  return list
end

--- Writes the page. `options.spans` is the number of spans in the lanes, 200 000 by default: tasks,
--- their waits and turns, requests, and the script's own spans and marks.
---@param m table a finished model
---@param write fun(text: string)
---@param options { spans: integer? }|nil
return function(m, write, options)
  local limit = options and options.spans or 200000
  local data = { v = 1, about = about(m), stats = stats.of(m), findings = found(m) }
  columns.add(data, m, limit)
  local values = setmetatable({ title = text.html(script_name(m) .. " – Septet") },
    { __index = fixed })
  local from = 1
  while true do
    local at, till, name = page:find("@([a-z_]+)@", from)
    if not at then break end
    write(page:sub(from, at - 1))
    if name == "data" then
      text.json(data, write)
    else
      write(values[name])
    end
    from = till + 1
  end
  write(page:sub(from))
end
