-- SPDX-License-Identifier: MIT
-- `septet jobs URL [VERB]`: shows a queue and mends it. This file reads the words.
local words_of = require "septet.command.words"
local args = require "septet.internal.args"
local output = require "septet.jobs.command_output"
local verbs = require "septet.jobs.command_verbs"

local command = {}

local FAILED, USAGE = 1, 2

-- What a verb takes: the names of its options, and the least and greatest number of further words.
local takes = {
  stats = { json = true, most = 0 },
  results = { json = true, most = 0 },
  dead = { json = true, text = true, most = 0 },
  retry = { all = true, most = math.huge },
  remove = { what = "a key", least = 1, most = math.huge },
  forget = { what = "an age", least = 1, most = 1 },
  clear = { yes = true, most = 0 },
  check = { json = true, most = 0 },
}

-- What other tools call them.
local aliases = { status = "stats", info = "stats", count = "stats", list = "results",
  failed = "dead", errors = "dead", requeue = "retry", restart = "retry", delete = "remove",
  rm = "remove", del = "remove", purge = "clear", flush = "clear", empty = "clear",
  expire = "forget", verify = "check", fsck = "check" }

local function bad_usage(format, ...)
  return words_of.refuse("jobs", format, ...)
end

-- Returns a hint at the verb that a word was meant to be, or "".
local function hint_of(word)
  return aliases[word] and (", did you mean '%s'?"):format(aliases[word]) or args.hint(word, takes)
end

local units = { [""] = 1, s = 1, m = 60, h = 3600, d = 86400 }

-- Returns the seconds of an age as "90", "1.5h" or "7d"; nil if it is none.
local function seconds_of(text)
  local number, unit = text:match "^(%d+%.?%d*)(%a?)$"
  return number and units[unit] and tonumber(number) * units[unit]
end

-- Returns true if the words behind the verb, and the options, are those that it takes.
local function check_words(verb, words, options)
  local rules = takes[verb]
  for name in pairs(options) do
    if not rules[name] then return bad_usage("'%s' takes no option '--%s'", verb, name) end
  end
  if #words < (rules.least or 0) then return bad_usage("'%s' needs %s", verb, rules.what) end
  if #words > rules.most then
    return bad_usage("a word too many for '%s': '%s'", verb, words[rules.most + 1])
  end
  if verb == "retry" and (#words == 0) == not options.all then
    return bad_usage(options.all and "'retry' takes keys or '--all', not both"
      or "'retry' needs a key, or '--all'")
  end
  if options.json and options.text then
    return bad_usage "'--json' and '--text' exclude each other"
  end
  if verb == "forget" and not seconds_of(words[1]) then
    return bad_usage("an age as 90s, 15m, 12h or 7d is expected, not '%s'", words[1])
  end
  return true
end

-- Returns the URL, the verb, its words and the options; or nil and a status.
local function parse(words)
  local options, plain = words_of.parse("jobs", words)
  if not options then return nil, plain end
  local url, verb = plain[1], plain[2] or "stats"
  if not url then return bad_usage "the URL of the queue is missing" end
  if takes[url] and not takes[plain[2]] then
    return bad_usage("the URL of the queue comes before '%s'", url)
  end
  if not takes[verb] then
    return bad_usage("unknown verb '%s'%s", output.public(verb), hint_of(verb))
  end
  local rest = table.move(plain, 3, #plain, 1, {})
  if not check_words(verb, rest, options) then return nil, USAGE end
  if verb == "forget" then rest[1] = seconds_of(rest[1]) end
  return url, verb, rest, options
end

--- Runs the command with the words behind its name. Returns its exit status.
---@async
function command.run(...)
  local url, verb, words, options = parse { ... }
  if not url then return verb end
  local ok, status = output.guard(verbs.run, url, verb, words, options)
  return ok and status or FAILED
end

return command
