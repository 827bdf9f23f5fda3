-- SPDX-License-Identifier: MIT
--- Values in words for people: tables with what is in them, responses, tasks and errors by what
--- they are. Nothing here waits, unless a __tostring or a __pairs does.
---@class septet.pretty
local pretty = {}

local args = require "septet.internal.args"
local layout = require "septet.pretty.layout"
local tree = require "septet.pretty.tree"

local DEPTH, DEPTH_MAX = 5, 150
local WIDTH, ITEMS, TEXT = 80, 100, 1000

local format_options = { depth = "count", width = "count", colour = "boolean", items = "count",
  text = "count" }

---@class septet.PrettyOptions
---@field depth integer|nil nested tables that are opened, at most 150; 5
---@field width integer|nil columns of a line, which a single value may exceed; 80
---@field colour boolean|nil with the escape sequences of a terminal; false
---@field items integer|nil items of each table, of which the rest is counted; 100
---@field text integer|nil bytes of each string, of which the rest is counted; 1000

--- Returns a value in words. The keys of a table are in an order that is always the same: its list
--- part, then numbers, names and the rest. A table that occurs twice, or in itself, is shown once
--- and then by its number.
---@param value any
---@param options septet.PrettyOptions|nil
---@return string
function pretty.format(value, options)
  options = args.options(options, format_options, "format")
  local depth = math.min(options.depth or DEPTH, DEPTH_MAX)
  local node = tree.of(value, depth, options.items or ITEMS, options.text or TEXT)
  return layout.text(node, options.width or WIDTH, options.colour or false)
end

--- Prints values as format() shows them, each on lines of its own.
---@param ... any
function pretty.print(...)
  for i = 1, select("#", ...) do
    print(pretty.format((select(i, ...))))
  end
end

return args.module(pretty, "septet.pretty")
