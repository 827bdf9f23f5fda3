-- SPDX-License-Identifier: MIT
--- robots.txt (RFC 9309): what a site asks crawlers to leave out.
---@class septet.robots
local robots = {}

local args = require "septet.internal.args"
local core = require "septet.core"

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

local DAY <const> = 24 * 3600 -- seconds: longer than that no rules are kept (RFC 9309, 2.4)
local MINUTE <const> = 60 -- seconds: for less it is not asked again
local FAILED <const> = 30 -- seconds for which a server that failed is not asked again

-- Returns the seconds for which a response may be kept.
local function time_of(headers)
  local control = (headers["cache-control"] or ""):lower()
  local age = tonumber(control:match "max%-age%s*=%s*\"?(%d+)") or DAY
  if control:find "no%-store" or control:find "no%-cache" then age = 0 end
  return math.max(MINUTE, math.min(age, DAY))
end

local function read(session, address)
  local stream <close> = session:stream("GET", address)
  if stream.status >= 500 then return new_rules(false), FAILED end
  local seconds = time_of(stream.headers)
  if stream.status >= 300 then return new_rules(true), seconds end
  local pieces, size = {}, 0
  for chunk in stream:chunks() do
    pieces[#pieces + 1], size = chunk, size + #chunk
    if size >= MAX then break end
  end
  return robots.parse(table.concat(pieces)), seconds
end

local function fetch(session, address)
  local url, task = require "septet.url", require "septet.task"
  local ok, rules, seconds = task.pcall(read, session, url.resolve(address, "/robots.txt"))
  if ok then return rules, seconds end
  if not task.is(rules, "HttpError") then error(rules, 0) end
  return new_rules(false), FAILED
end

--- Gets the robots.txt of a URL's origin. All is allowed if there is none (a status of 3xx or 4xx).
--- Nothing is if the server fails (5xx, or no response), because it may have one.
---@async
---@param session septet.Session
---@param address string any URL of the site
---@return septet.RobotsRules
function robots.fetch(session, address)
  args.string(address, 2, "fetch")
  return (fetch(session, address))
end

-- --- the sites that a crawler visits ---

local MOST <const> = 5000 -- sites of a generation

---@class septet.RobotsCache
local Cache = {}
local cache_meta = { __index = Cache, __name = "septet.RobotsCache", __metatable = false }

--- Keeps the rules of the sites that a crawler visits, and when each may be asked again.
---@param session septet.Session with which each robots.txt is fetched
---@param agent string name of the crawler
---@return septet.RobotsCache
function robots.cache(session, agent)
  args.string(agent, 2, "cache")
  return setmetatable({ session = session, agent = agent, sites = {}, older = {}, count = 0 },
    cache_meta)
end

-- Returns what is known of a URL's site. Those that were asked for longest ago are forgotten.
local function site_of(self, address)
  local origin = require "septet.url".origin(address) or address
  local sync, site = require "septet.sync", self.sites[origin]
  if site then return site end
  if self.count >= MOST then self.sites, self.older, self.count = {}, self.sites, 0 end
  site = self.older[origin]
    or { expires = -math.huge, next_at = -math.huge, lock = sync.lock(), turn = sync.lock() }
  self.sites[origin], self.count = site, self.count + 1
  return site
end

-- Returns the rules of a site, for which one task asks at a time.
local function rules_of(self, site, address)
  if core.now() < site.expires then return site.rules end
  return site.lock:with(function()
    if core.now() >= site.expires then
      local rules, seconds = fetch(self.session, address)
      site.rules, site.expires = rules, core.now() + seconds
    end
    return site.rules
  end)
end

--- Returns the rules of a URL's site. Its robots.txt is fetched once for all tasks that ask, and
--- kept for the time of its Cache-Control: a day by default and at most, and a minute at least.
--- That a server failed is kept for 30 s.
---@async
---@param address string any URL of the site
---@return septet.RobotsRules
function Cache:rules(address)
  args.string(address, 1, "rules")
  return rules_of(self, site_of(self, address), address)
end

--- Returns true if the crawler may get a URL, and false if it may not. Returns nil if that is not
--- known, because the site's server failed.
---@async
---@param address string
---@return boolean|nil
function Cache:allows(address)
  args.string(address, 1, "allows")
  local parts = require "septet.url".parse(address)
  local rules = rules_of(self, site_of(self, address), address)
  if rules.all == false then return nil end
  return rules:allows(self.agent, parts.path .. (parts.query and "?" .. parts.query or ""))
end

--- Waits until a URL's site may be asked again: when its Crawl-delay has passed since the last task
--- was let through, and the time that postpone() was given.
---@async
---@param address string any URL of the site
function Cache:wait(address)
  args.string(address, 1, "wait")
  local site = site_of(self, address)
  local delay = rules_of(self, site, address):crawl_delay(self.agent)
  if not delay and core.now() >= site.next_at then return end
  site.turn:with(function()
    while core.now() < site.next_at do core.sleep_until(site.next_at) end
    if delay then site.next_at = core.now() + delay end
  end)
end

--- Lets nothing through to a URL's site for so many seconds, as a Retry-After asks for.
---@param address string any URL of the site
---@param seconds number
function Cache:postpone(address, seconds)
  args.string(address, 1, "postpone")
  args.seconds(seconds, 2, "postpone")
  local site = site_of(self, address)
  site.next_at = math.max(site.next_at, core.now() + (seconds or 0))
end

args.methods(Cache, "cache", { [cache_meta] = true })
args.fields(Cache, "cache", "agent", "session sites older count")

return args.module(robots, "septet.robots")
