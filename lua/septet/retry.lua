-- When a request is tried again, and how long after: full jitter, Retry-After, and a budget for each origin, so that
-- a server in trouble does not get its load multiplied.
local args = require "septet.args"
local url = require "septet.url"

local retry = {}

local BACKOFF, MAX_BACKOFF, MAX_WAIT = 0.25, 10, 60 -- seconds
local BUDGET, BURST = 0.1, 10                       -- retries a request, and those allowed before any request
local ORIGINS = 512                                 -- budgets that are kept, and as many older ones
local METHODS = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE" } -- doing them twice is doing them once
local STATUSES = { 408, 429, 502, 503, 504 }

local spec = {
  attempts = "count", backoff = "seconds", max_backoff = "seconds", max_wait = "seconds", methods = "table",
  statuses = "table", budget = "seconds",
}

local function set_of(list)
  local set = {}
  for _, item in ipairs(list) do set[item] = true end
  return set
end

--- What the option `retries` says.
---@param value integer|septet.Retries|false|nil how many more attempts, or more to say
---@return table|nil policy nil for none
function retry.policy(value, what)
  if not value then return nil end
  if math.type(value) == "integer" and value >= 0 then value = value > 0 and { attempts = value + 1 } or nil end
  if not value then return nil end
  if type(value) ~= "table" then
    args.usage("bad option 'retries' to '%s' (a whole number or a table expected, got %s)", what, type(value))
  end
  args.options(value, spec, "retries")
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

-- Nothing of an answer had come, so nothing of it was lost.
local function is_transient(err)
  if err.code == "connect" or err.code == "dns" then return err.reason ~= "proxy" end
  if err.code == "timeout" then return err.reason == "connect" end
  return err.code == "reset" and err.phase ~= "receive"
end

--- Is this end of an attempt one after which to try again?
---@param method string
---@param response septet.Response|nil
---@param err table|nil an HttpError
---@return boolean
function retry.wants(policy, method, response, err)
  if not policy.methods[method] then return false end
  if err then return is_transient(err) end
  return policy.statuses[response.status] or false
end

local MONTHS = {
  Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12,
}

-- Days from 1970-01-01 to a day of the Gregorian calendar.
local function days(year, month, day)
  if month <= 2 then year, month = year - 1, month + 12 end
  return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719469
end

--- The Unix time of an HTTP date, of which there are three forms (RFC 9110, 5.6.7); nil where it is none.
---@param text string
---@return integer|nil
local function date(text)
  local day, month, year, h, m, s = text:match("^%a+, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$")
  if not day then
    day, month, year, h, m, s = text:match("^%a+, (%d%d)%-(%a%a%a)%-(%d%d) (%d%d):(%d%d):(%d%d) GMT$")
    if year then -- of this century, unless that is more than 50 years off
      year = 2000 + tonumber(year)
      if year > tonumber(os.date("!%Y")) + 50 then year = year - 100 end
    end
  end
  if not day then month, day, h, m, s, year = text:match("^%a+ (%a%a%a) +(%d+) (%d%d):(%d%d):(%d%d) (%d%d%d%d)$") end
  if not day or not MONTHS[month] then return nil end
  local seconds = tonumber(h) * 3600 + tonumber(m) * 60 + tonumber(s)
  return days(tonumber(year), MONTHS[month], tonumber(day)) * 86400 + seconds
end

retry.date = date

--- The seconds that a Retry-After asks for: a number, or a date.
---@param text string|nil
---@param now integer|nil Unix time
---@return number|nil nil where it says nothing that can be understood
function retry.after(text, now)
  if not text then return nil end
  if text:match("^%d+$") then return tonumber(text) end
  local at = date(text)
  return at and math.max(0, at - (now or os.time()))
end

--- How long to wait before the next attempt; nil: there is none.
---@param attempts integer so far
---@return number|nil seconds
function retry.delay(policy, attempts, response)
  if attempts >= policy.attempts then return nil end
  local asked = response and retry.after(response.headers["retry-after"])
  if asked then return asked <= policy.max_wait and asked or nil end
  return math.random() * math.min(policy.max_backoff, policy.backoff * 2 ^ (attempts - 1))
end

--- A budget: so many retries for each request to an origin, once the first ones are used up. Of many origins, those
--- that needed it lately are remembered; the budget of one that is forgotten is full.
function retry.new_budget()
  local left, older, n = {}, {}, 0 -- by origin, of those that ever needed it; n of them in `left`
  local budget = {}

  local function set(origin, tokens)
    n = n + (left[origin] and -1 or 0) + (tokens and 1 or 0)
    if n > ORIGINS then left, older, n = {}, left, 1 end
    left[origin], older[origin] = tokens, nil
  end

  --- A request to a URL begins.
  function budget.earn(target, policy)
    if not (next(left) or next(older)) then return end -- most sessions never look at the URL for this
    local origin = url.origin(target)
    local tokens = left[origin] or older[origin]
    if tokens then set(origin, tokens + policy.budget < BURST and tokens + policy.budget or nil) end
  end

  --- May one be tried again?
  function budget.spend(target)
    local origin = url.origin(target)
    local tokens = left[origin] or older[origin] or BURST
    if tokens < 1 then return false end
    set(origin, tokens - 1)
    return true
  end

  return budget
end

return retry
