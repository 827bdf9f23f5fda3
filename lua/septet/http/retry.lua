-- SPDX-License-Identifier: MIT
-- Retries: whether a request is retried, and after which delay. Uses full jitter, Retry-After, and
-- a budget per origin, so that a server in trouble does not get its load multiplied.
local args = require "septet.internal.args"
local url = require "septet.http.url"

local retry = {}

local MAX_LINE = 256 -- bytes of a Retry-After that are parsed
local BACKOFF, MAX_BACKOFF, MAX_WAIT = 0.25, 10, 60 -- seconds
local BUDGET, BURST = 0.1, 10                       -- retries a request, and those allowed at first
local ORIGINS = 512                                 -- budgets that are kept, and as many older ones
local METHODS = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE" } -- idempotent ones
local STATUSES = { 408, 429, 502, 503, 504 }

local spec = {
  attempts = "count", backoff = "seconds", max_backoff = "seconds", max_wait = "seconds",
  methods = "table", statuses = "table", budget = "seconds",
}

--- The methods that sessions have a function for.
retry.FUNCTIONS = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" }

local CAPITALS = {}
for _, method in ipairs(retry.FUNCTIONS) do CAPITALS[method] = true end

--- Returns a method as it is sent: in capitals if sessions have a function for it, else unchanged.
---@param method string
---@return string
function retry.method(method)
  if CAPITALS[method] then return method end
  local capitals = method:upper()
  return CAPITALS[capitals] and capitals or method
end

local function set_of(list)
  local set = {}
  for _, item in ipairs(list) do
    set[type(item) == "string" and retry.method(item) or item] = true
  end
  return set
end

--- Retry policy. A request is retried after a failure to connect, after one before any byte of the
--- response, and after some statuses. The delay is a random time up to `backoff` * 2 ^ (attempts so
--- far - 1), or as long as Retry-After says.
---@class septet.Retries
---@field attempts integer|nil number of attempts, including the first; 3
---@field backoff number|nil seconds; 0.25
---@field max_backoff number|nil seconds; 10
---@field max_wait number|nil longest Retry-After, in seconds, that is waited for; 60
---@field methods string[]|nil methods that are retried; GET, HEAD, PUT, DELETE, OPTIONS, TRACE
---@field statuses integer[]|nil statuses that are retried; 408, 429, 502, 503, 504
---@field budget number|nil retries for each request to an origin, after the first ten; 0.1

--- A checked retry policy: the same fields, and sets in place of lists.
---@class septet.RetryPolicy
---@field attempts integer
---@field backoff number
---@field max_backoff number
---@field max_wait number
---@field methods table<string, boolean>
---@field statuses table<integer, boolean>
---@field budget number

--- Returns the policy that the option `retries` describes.
---@param value integer|septet.Retries|false|nil number of retries, or a table
---@return septet.RetryPolicy|nil
function retry.policy(value, what)
  if not value then return nil end
  if math.type(value) == "integer" and value >= 0 then
    value = value > 0 and { attempts = value + 1 } or nil
  end
  if not value then return nil end
  if type(value) ~= "table" then
    args.usage("bad option 'retries' to '%s' (a whole number or a table expected, got %s)", what,
      type(value))
  end
  args.options(value, spec, "retries")
  if value.methods then args.list_option(value.methods, "methods", "retries") end
  if value.statuses then args.list_option(value.statuses, "statuses", "retries") end
  return {
    attempts = value.attempts or 3,
    backoff = value.backoff or BACKOFF,
    max_backoff = value.max_backoff or MAX_BACKOFF,
    max_wait = value.max_wait or MAX_WAIT,
    methods = set_of(value.methods or METHODS),
    statuses = set_of(value.statuses or STATUSES),
    budget = value.budget or BUDGET,
  }
end

-- Returns true if the request failed before any byte of it was sent.
local function is_unsent(err)
  if err.code == "connect" or err.code == "dns" then return err.reason ~= "proxy" end
  return err.code == "timeout" and err.reason == "connect"
end

-- Returns true if the request failed before any byte of a response, so that nothing of one is lost.
local function is_transient(err)
  return is_unsent(err) or err.code == "reset" and err.phase ~= "receive"
end

--- Returns true if this outcome of an attempt is one to retry after.
---@param method string
---@param response septet.Response|nil
---@param err table|nil an HttpError
---@param once boolean|nil true: only if nothing of the attempt was sent
---@return boolean
function retry.wants(policy, method, response, err, once)
  if not policy.methods[method] then return false end
  if once then return err ~= nil and is_unsent(err) end
  if err then return is_transient(err) end
  return policy.statuses[response.status] or false
end

local MONTHS = {
  Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6,
  Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12,
}

local DAYS = { mon = true, tue = true, wed = true, thu = true, fri = true, sat = true, sun = true }

-- Returns the number of days from 1970-01-01 to a day of the Gregorian calendar.
local function days(year, month, day)
  if month <= 2 then year, month = year - 1, month + 12 end
  return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day
    - 719469
end

--- Returns the Unix time of an HTTP date in any of its three forms (RFC 9110, 5.6.7), or nil.
---@param text string
---@return integer|nil
local function date(text)
  local day, month, year, h, m, s =
    text:match("^%a+, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$")
  if not day then
    day, month, year, h, m, s =
      text:match("^%a+, (%d%d)%-(%a%a%a)%-(%d%d) (%d%d):(%d%d):(%d%d) GMT$")
    if year then -- in this century, unless that is more than 50 years ahead
      year = 2000 + tonumber(year)
      if year > tonumber(os.date("!%Y")) + 50 then year = year - 100 end
    end
  end
  if not day then
    month, day, h, m, s, year =
      text:match("^%a+ (%a%a%a) +(%d+) (%d%d):(%d%d):(%d%d) (%d%d%d%d)$")
  end
  if not day or not MONTHS[month] then return nil end
  local seconds = tonumber(h) * 3600 + tonumber(m) * 60 + tonumber(s)
  return days(tonumber(year), MONTHS[month], tonumber(day)) * 86400 + seconds
end

retry.date = date

-- Returns the seconds that a zone is ahead of UTC, or nil if the zone is not known.
local function offset(zone)
  if zone == "gmt" or zone == "utc" or zone == "ut" or zone == "z" then return 0 end
  local sign, hours, minutes = zone:gsub("^gmt", ""):gsub("^utc", ""):match "^([+-])(%d%d):?(%d%d)$"
  if not sign then return nil end
  local seconds = tonumber(hours) * 3600 + tonumber(minutes) * 60
  return sign == "-" and -seconds or seconds
end

-- Returns the Unix time of a date with a zone that is not in HTTP's form. It is in the order of
-- mails or of ISO 8601. Case and blanks are ignored.
local function free_date(text)
  local lower = text:lower():gsub("^%a+%.?,?%s+", "")
  local day, month, year, h, m, s, zone = lower:match
    "^(%d%d?)[%s-]+(%a%a%a)%a*[%s-]+(%d%d%d%d)%s+(%d%d?):(%d%d):?(%d*)%s*(%S+)$"
  if day then
    month = MONTHS[month:sub(1, 1):upper() .. month:sub(2)]
  else
    year, month, day, h, m, s, zone = text:lower():match
      "^(%d%d%d%d)-(%d%d)-(%d%d)[t%s]+(%d%d):(%d%d):?(%d*%.?%d*)%s*(%S+)$"
    month = tonumber(month)
  end
  local ahead = zone and offset(zone)
  if not (day and month and ahead) then return nil end
  local seconds = tonumber(h) * 3600 + tonumber(m) * 60 + math.ceil(tonumber(s) or 0)
  return days(tonumber(year), month, tonumber(day)) * 86400 + seconds - ahead
end

-- Returns true if the text resembles a date: a time, joined numbers, or a month's name and a digit.
local function may_be_date(text)
  if text:find "%d:%d" or text:find "%d%d%d%d[-/.]%d" or text:find "%d[-/.]%d%d?[-/.]%d" then
    return true
  end
  for name in pairs(MONTHS) do
    if text:find "%d" and text:lower():find("%f[%a]" .. name:lower()) then return true end
  end
  return false
end

-- Returns the seconds that a value asks for, `otherwise` for an unreadable date, or nil for
-- neither.
local function asked_by(value, now, otherwise)
  if value:find "^%d+%.?%d*$" or value:find "^%.%d+$" then return math.ceil(tonumber(value)) end
  local at = date(value) or free_date(value)
  if at then return math.max(0, at - now) end
  return may_be_date(value) and otherwise or nil
end

--- Returns the seconds that the values of a Retry-After ask for: numbers, rounded up, or dates. Of
--- several values, in one or more lines, the longest counts. An overlong line counts as an
--- unreadable date, beside the values at its beginning.
---@param lines string|string[]|nil
---@param now integer|nil Unix time
---@param otherwise number|nil seconds that an unreadable date asks for
---@return number|nil nil if they ask for nothing
function retry.after(lines, now, otherwise)
  local longest
  now = now or os.time()
  for _, line in ipairs(type(lines) == "string" and { lines } or lines or {}) do
    if #line > MAX_LINE then -- the patterns below take quadratic time
      longest = math.max(longest or -1, otherwise or -1)
      line = line:sub(1, MAX_LINE)
    end
    -- The comma after the day of the week is part of a date.
    local joined = line:gsub("(%f[%a]%a+),(%s*%d)", function(word, rest)
      return DAYS[word:sub(1, 3):lower()] and word .. "\0" .. rest or nil
    end)
    for value in joined:gmatch "[^,]+" do
      value = value:gsub("%z", ","):match "^%s*(.-)%s*$"
      local asked = asked_by(value, now, otherwise)
      if asked and asked > (longest or -1) then longest = asked end
    end
  end
  return longest and longest >= 0 and longest or nil
end

--- Returns the delay before the next attempt, or nil if there is none.
---@param attempts integer so far
---@return number|nil seconds
function retry.delay(policy, attempts, response)
  if attempts >= policy.attempts then return nil end
  local backoff = math.random() * math.min(policy.max_backoff, policy.backoff * 2 ^ (attempts - 1))
  local lines = response and response.headers:all "retry-after"
  local asked = lines and retry.after(lines, nil, math.min(policy.max_backoff, policy.max_wait))
  if not asked then return backoff end
  return asked <= policy.max_wait and asked or nil
end

---@class septet.RetryBudget
---@field spent integer number of retries so far
---@field earn fun(target: string, policy: septet.RetryPolicy)
---@field spend fun(target: string): boolean

--- Creates a budget: a number of retries for each request to an origin, once the initial ones are
--- used up. Of many origins, those that retried lately are kept. One that was dropped has a full
--- budget again.
---@return septet.RetryBudget
function retry.new_budget()
  local left, older, n = {}, {}, 0 -- tokens by origin, if any were spent; `left` has n origins
  local budget = { spent = 0 }

  local function set(origin, tokens)
    n = n + (left[origin] and -1 or 0) + (tokens and 1 or 0)
    if n > ORIGINS then left, older, n = {}, left, 1 end
    left[origin], older[origin] = tokens, nil
  end

  --- Counts a request to a URL.
  function budget.earn(target, policy)
    if not (next(left) or next(older)) then return end -- most sessions never parse the URL here
    local origin = url.origin(target)
    local tokens = left[origin] or older[origin]
    if tokens then set(origin, tokens + policy.budget < BURST and tokens + policy.budget or nil) end
  end

  --- Takes a token for a retry; returns false if none is left.
  function budget.spend(target)
    local origin = url.origin(target)
    local tokens = left[origin] or older[origin] or BURST
    if tokens < 1 then return false end
    set(origin, tokens - 1)
    budget.spent = budget.spent + 1
    return true
  end

  return budget
end

return retry
