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

--- Returns a value in words. The keys of a table are in an order that is always the same: its list
--- part, then numbers, names and the rest. A table that occurs twice, or in itself, is shown once
--- and then by its number.
---@param value any
---@param options {depth: integer|nil, width: integer|nil, colour: boolean|nil, items: integer|nil,
--- text: integer|nil}|nil `depth`: nested tables that are opened, 5 by default and 150 at most.
--- `width`: columns of a line, 80 by default; a single value may need more. `colour`: with the
--- escape sequences of a terminal. `items`: items of each table, 100 by default. `text`: bytes of
--- each string, 1000 by default. What is left out is named
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
