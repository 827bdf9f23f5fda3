-- SPDX-License-Identifier: MIT
--- robots.txt (RFC 9309): what a site asks crawlers to leave out.
---@class septet.robots
local robots = {}

local args = require "septet.internal.args"

local MAX = 512 * 1024 -- bytes that are read; the RFC asks for 500 KiB
local BOM = "^\u{feff}"

-- --- paths ---

local function unescape(hex)
  local byte = tonumber(hex, 16)
  local char = string.char(byte)
  return char:find "[%w%-._~]" and char or ("%%%02X"):format(byte)
end

-- Returns the path in the form in which paths are compared: only what must be is percent-encoded,
-- in upper case.
local function normalised(path)
  path = path:gsub("%%(%x%x)", unescape)
  return (path:gsub("[^!-~]", function(char) return ("%%%02X"):format(char:byte()) end))
end

-- Splits the pattern at its "*". "$" counts at its end only.
local function compile(pattern)
  local anchored = pattern:sub(-1) == "$"
  local text = normalised(anchored and pattern:sub(1, -2) or pattern)
  local rule = { length = #text + (anchored and 1 or 0), anchored = anchored }
  for piece in (text .. "*"):gmatch "([^*]*)%*" do rule[#rule + 1] = piece end
  return rule
end

-- Returns true if the rule matches the beginning of the path, or all of it if it is anchored. Each
-- piece is taken where it occurs first, so the time does not grow with the number of "*" but with
-- the two lengths.
local function matches(rule, path)
  if path:sub(1, #rule[1]) ~= rule[1] then return false end
  local at, last = #rule[1] + 1, #rule
  if last == 1 then return not rule.anchored or at > #path end
  for i = 2, rule.anchored and last - 1 or last do
    local first, final = path:find(rule[i], at, true)
    if not first then return false end
    at = final + 1
  end
  if not rule.anchored then return true end
  return #path - #rule[last] + 1 >= at and path:sub(#path - #rule[last] + 1) == rule[last]
end

-- --- the file ---

---@class septet.RobotsRules
---@field sitemaps string[] the URLs of its Sitemap lines, as written
local Rules = {}
local rules_meta = { __index = Rules, __name = "septet.RobotsRules", __metatable = false }

-- A group of the file: the rules behind some User-agent lines. A crawler may have several.
local function new_group() return { names = {}, allow = {}, disallow = {} } end

-- The product token of a crawler's name: its letters up to a "/" or a blank.
local function token(name)
  return name:match "^[%a_%-]*":lower()
end

local function add_name(of_name, group, value)
  local name = value == "*" and "*" or token(value)
  if name == "" or group.names[name] then return end
  group.names[name] = true
  of_name[name] = of_name[name] or {}
  table.insert(of_name[name], group)
end

local function add_rule(group, key, value)
  if key == "crawl-delay" then
    group.delay = value:find "^%d+%.?%d*$" and tonumber(value) or group.delay
  elseif value ~= "" then
    table.insert(group[key], compile(value))
  end
end

local RULES = { allow = true, disallow = true, ["crawl-delay"] = true }

-- Returns rules. `all` is true or false if a file is not what decides.
local function new_rules(all)
  return setmetatable({ sitemaps = {}, groups = {}, all = all }, rules_meta)
end

--- Reads the text of a robots.txt. Lines that it does not know have no effect, so any text is
--- valid. At most the first 512 KiB count.
---@param text string
---@return septet.RobotsRules
function robots.parse(text)
  args.string(text, 1, "parse")
  local self = new_rules()
  local group, names_go_on = new_group(), false
  for line in text:sub(1, MAX):gsub(BOM, ""):gmatch "[^\r\n]+" do
    local key, value = line:gsub("#.*", ""):match "^%s*([%a%-]+)%s*:%s*(.-)%s*$"
    key = key and key:lower()
    if key == "user-agent" then
      if not names_go_on then group = new_group() end
      names_go_on = true
      add_name(self.groups, group, value)
    elseif RULES[key] then
      names_go_on = false
      add_rule(group, key, value)
    elseif key == "sitemap" and value ~= "" then
      self.sitemaps[#self.sitemaps + 1] = value
    end
  end
  return self
end

local function groups_of(self, agent, what)
  args.string(agent, 1, what)
  return self.groups[token(agent)] or self.groups["*"] or {}
end

local function longest(rules, path, length)
  for _, rule in ipairs(rules) do
    if rule.length > length and matches(rule, path) then length = rule.length end
  end
  return length
end

--- Returns true if the crawler may get the path. The longest matching rule decides, and of two that
--- are as long, the one that allows. /robots.txt itself is always allowed.
---@param agent string name of the crawler: "my-crawler" or "my-crawler/1.0"
---@param path string path with the query, as of a URL: "/a?b=c"
---@return boolean
function Rules:allows(agent, path)
  local groups = groups_of(self, agent, "allows")
  args.string(path, 2, "allows")
  if self.all ~= nil then return self.all end
  if path == "/robots.txt" then return true end
  path = normalised(path == "" and "/" or path)
  local allow, disallow = -1, -1
  for _, group in ipairs(groups) do
    allow = longest(group.allow, path, allow)
    disallow = longest(group.disallow, path, disallow)
  end
  return allow >= disallow
end

--- Returns the seconds that the crawler is asked to leave between two requests, or nil. This line
--- is not in the RFC, and few crawlers support it.
---@param agent string
---@return number|nil
function Rules:crawl_delay(agent)
  local delay
  for _, group in ipairs(groups_of(self, agent, "crawl_delay")) do
    if group.delay then delay = math.max(delay or 0, group.delay) end
  end
  return delay
end

args.methods(Rules, "rules", { [rules_meta] = true })
args.fields(Rules, "rules", "sitemaps", "all")

-- --- fetching it ---

local function read(session, address)
  local stream <close> = session:stream("GET", address)
  if stream.status >= 500 then return new_rules(false) end
  if stream.status >= 300 then return new_rules(true) end
  local pieces, size = {}, 0
  for chunk in stream:chunks() do
    pieces[#pieces + 1], size = chunk, size + #chunk
    if size >= MAX then break end
  end
  return robots.parse(table.concat(pieces))
end

--- Gets the robots.txt of a URL's origin. All is allowed if there is none (a status of 3xx or 4xx).
--- Nothing is if the server fails (5xx, or no response), because it may have one.
---@async
---@param session septet.Session
---@param address string any URL of the site
---@return septet.RobotsRules
function robots.fetch(session, address)
  args.string(address, 2, "fetch")
  local url, task = require "septet.url", require "septet.task"
  local ok, result = task.pcall(read, session, url.resolve(address, "/robots.txt"))
  if ok then return result end
  if not task.is(result, "HttpError") then error(result, 0) end
  return new_rules(false)
end

return args.module(robots, "septet.robots")
