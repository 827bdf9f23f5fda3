-- SPDX-License-Identifier: MIT
-- What pretty.format() shows of the objects of our modules, by the names of their metatables.
local core = require "septet.core"
local words = require "septet.pretty.words"

local objects = {}

local function leaf(text, style)
  return { text = text, style = style or "object" }
end

-- Returns where a task failed, as its traceback has it, or nil.
local function place_of(t)
  local ok, traceback = pcall(t.traceback, t)
  return ok and traceback:match "\n\t([^%[\n][^\n]-:%d+): in " or nil
end

local function task_node(t)
  local status, more = t:status(), ""
  if status == "suspended" then
    local what = t:waits_for()
    more = what ~= "" and ", waits for " .. words.safe(what) or ""
  elseif status == "failed" then
    local place = place_of(t)
    more = place and " at " .. words.safe(place) or ""
  end
  return leaf(("task '%s' (%s%s)"):format(words.safe(core.escape(t.name)), status, more),
    status == "failed" and "error" or "object")
end

local function response_node(response)
  local parts = { ("response %d"):format(response.status) }
  local reason = response.reason
  if reason ~= "" then parts[1] = parts[1] .. " " .. core.escape(reason) end
  local body = rawget(response, "body")
  parts[#parts + 1] = type(body) == "string" and words.size(#body) or nil
  local kind = response.headers["content-type"]
  if kind and kind ~= "" then parts[#parts + 1] = kind:match "^[^;]*" end
  local total = response.times.total
  if total then parts[#parts + 1] = words.duration(total) end
  parts[#parts + 1] = ("%s %s"):format(response.method, words.public_url(response.url))
  return leaf(words.safe(table.concat(parts, ", ")), response.ok and "object" or "error")
end

local function stream_node(stream)
  return leaf(words.safe(("streamed response %d, %s"):format(stream.status,
    words.public_url(stream.url))))
end

local function headers_node(headers, build)
  local items = {}
  for name, value in pairs(headers) do items[name] = value end
  return build.table(items, "headers")
end

-- Returns the node of an error that is no group. `message` of several lines is shown as it is.
local function error_node(err, build)
  local kind, message = rawget(err, "kind"), err.message
  kind = type(kind) == "string" and words.safe(kind) or "error"
  message = type(message) == "string" and message or ""
  if message:find("\n", 1, true) then
    return leaf(("%s: %s"):format(kind, words.safe(message):gsub("\n", "\n  ")), "error")
  end
  local fields = {}
  for key, value in next, err do
    local is_shown = key ~= "kind" and key ~= "message" and key ~= "text" and key ~= "origins"
    if is_shown then fields[key] = value end
  end
  local head = ("%s: %s"):format(kind, words.safe(message))
  if next(fields) == nil then return leaf(head, "error") end
  return build.table(fields, head, "error")
end

local function group_node(group, build)
  local items = {}
  for i, err in ipairs(group.errors) do
    local t, where = group.tasks[i], ""
    if t then
      where = (" in task '%s'"):format(core.escape(t.name))
      local place = place_of(t)
      if place then where = where .. " at " .. place end
    elseif group.tracebacks[i] then
      where = " in the group's body"
    end
    items[i] = { key = leaf(("%d%s"):format(i, words.safe(where)), "note"), separator = ": ",
      value = build.value(err) }
  end
  return { head = ("ErrorGroup of %s"):format(words.count(#group.errors, "error")),
    style = "error", items = items, flat = math.huge }
end

local nodes = {
  ["septet.task"] = task_node,
  ["septet.http.Response"] = response_node,
  ["septet.http.StreamedResponse"] = stream_node,
  ["septet.http.Headers"] = headers_node,
  ["septet.http.Session"] = function() return leaf "session" end,
  ["septet.channel"] = function(channel)
    return leaf(("channel (%s)"):format(words.count(#channel, "item")))
  end,
  ["septet.event"] = function(event)
    return leaf(event:is_set() and "event (set)" or "event (not set)")
  end,
  ["septet.lock"] = function(lock)
    return leaf(lock:locked() and "lock (held)" or "lock (free)")
  end,
  ["septet.semaphore"] = function(semaphore)
    return leaf(("semaphore (%d free)"):format(semaphore:value()))
  end,
  ["septet.future"] = function(future)
    return leaf(future:is_done() and "future (done)" or "future (pending)")
  end,
  ["septet.scope"] = function(group)
    return leaf(group.is_open and "group (open)" or "group (closed)")
  end,
}

-- Returns the node of an error, or of an object with that name of its metatable.
local function node_of(value, name, build)
  if name then return nodes[name](value, build) end
  if core.is(value, "ErrorGroup") and type(rawget(value, "errors")) == "table" then
    return group_node(value, build)
  end
  return error_node(value, build)
end

--- Returns the node of an object of ours, or nil if the value is none.
---@param value any
---@param meta table|nil its metatable
---@param build table `value(v)` and `table(t, head, style)` return nodes
---@return table|nil
function objects.node(value, meta, build)
  if rawequal(value, core.json_null) then return leaf("json.null", "constant") end
  if meta == nil then return nil end
  local is_error = rawequal(meta, core.error_meta)
  local name = words.type_name(meta)
  if is_error or nodes[name] then
    local ok, node = pcall(node_of, value, not is_error and name or nil, build)
    if ok then return node end
  end
  if not name or name:sub(1, 7) ~= "septet." or type(value) ~= "table" then return nil end
  if rawget(meta, "__tostring") ~= nil or rawget(meta, "__pairs") ~= nil then return nil end
  if is_error or name == "septet.json.array" then return nil end
  return leaf(name)
end

return objects
