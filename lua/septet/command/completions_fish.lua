-- SPDX-License-Identifier: MIT
-- The script for fish 3.
local fish = {}

local head = [==[
# fish completion for septet, made by `septet completions fish`

# Prints where the word at the cursor stands: "start" for the first one, the name of a command,
# "options" before the script, or "script" behind it.
function __septet_place
    set -l words (commandline -opc)
    set -e words[1]
    if test (count $words) = 0
        echo start
        return
    end
    if contains -- $words[1] $__septet_commands
        __septet_place_in $words
        return
    end
    while test (count $words) != 0
        switch $words[1]
            case -e -l
                set -e words[1]
            case -- '-*'
            case '*'
                echo script
                return
        end
        set -e words[1]
    end
    echo options
end

# Prints the place within a command: its name, and the number of words that are no options, at most
# 3. Behind the first word of a command that passes the others on, prints "script".
function __septet_place_in
    set -l name $argv[1]
    set -e argv[1]
    set -l words (string match -v -- '-*' $argv)
    if test (count $words) -gt 0; and contains -- $name $__septet_passing
        echo script
        return
    end
    echo $name
    echo $name:(math min 3, (count $words))
end

function __septet_at
    for place in (__septet_place)
        contains -- $place $argv; and return
    end
    return 1
end

# Prints the numbers of the processes that run the command.
function __septet_processes
    set -l program (realpath (command -s septet))
    for pid in (string match -r '[0-9]+$' /proc/*)
        set -l found (realpath /proc/$pid/exe 2>/dev/null)
        test "$found" = "$program"; and echo $pid
    end
end

# Prints the folders, and the files that match one of the patterns.
function __septet_files
    set -l word (commandline -ct | string replace -r '^--[^=]*=' '' | string unescape)
    for path in $word*
        if test -d $path
            echo $path/
            continue
        end
        for pattern in $argv
            string match -q -- $pattern $path; and echo $path
        end
    end
end

function __septet_names
    septet doc --names 2>/dev/null
end

function __septet_modules
    __septet_names | string match -r '^septet(?:\.[a-z_]+)?$'
end

complete -c septet -f
complete -c septet -n '__septet_at script' -F
]==]

local function quoted(text) return "'" .. text:gsub("[\\']", "\\%0") .. "'" end

-- Returns the arguments of `complete` for a kind.
local function value(kind, model)
  local kinds, allowed, patterns = model.parts(kind)
  local words, force = {}, false
  table.move(allowed, 1, #allowed, 1, words)
  if #patterns > 0 and not kinds.file then
    words[#words + 1] = "(__septet_files \"" .. table.concat(patterns, '" "') .. "\")"
  end
  if kinds.file then force = true end
  if kinds.folder then words[#words + 1] = "(__fish_complete_directories (commandline -ct) '')" end
  if kinds.pid then words[#words + 1] = "(__septet_processes)" end
  if kinds.name then words[#words + 1] = "(__septet_names)" end
  if kinds.module then words[#words + 1] = "(__septet_modules)" end
  if kinds.command then words[#words + 1] = "$__septet_commands" end
  return (#words > 0 and " -a " .. quoted(table.concat(words, " ")) or "")
    .. (force and " -F" or "")
end

local function add_option(lines, where, option, model)
  local name, is_long = option.name:match "^%-+(.*)$", option.name:sub(1, 2) == "--"
  local line = ("complete -c septet -n '%s' -%s %s -d %s"):format(where, is_long and "l" or "s",
    name, quoted(option.help))
  if option.takes ~= "none" then
    local more = value(option.kind, model)
    local has_files = more:find " %-F$"
    -- A value that may be left out is never the next word.
    local needed = option.takes == "optional" and (has_files and "" or " -f")
      or has_files and " -r" or " -x"
    line = line .. needed .. more
  end
  lines[#lines + 1] = line
end

--- Returns the script.
---@param places septet.CompletedPlace[]
---@param model table the module septet.command.completions
---@return string
function fish.script(places, model)
  local lines, commands, passing = { head }, {}, {}
  for _, place in ipairs(places) do
    local where = place.name == "" and "__septet_at start options" or "__septet_at " .. place.name
    if place.name ~= "" then
      commands[#commands + 1] = place.name
      if place.first then passing[#passing + 1] = place.name end
    end
    for _, option in ipairs(place.options) do add_option(lines, where, option, model) end
    for i, kind in ipairs(place.takes) do
      local more, at = value(kind, model), { where }
      if place.name ~= "" then
        at[1] = ("__septet_at %s:%d"):format(place.name, i - 1)
        for n = i, i == #place.takes and 3 or 0 do at[#at + 1] = place.name .. ":" .. n end
      end
      if more ~= "" then
        lines[#lines + 1] = ("complete -c septet -n '%s'%s"):format(table.concat(at, " "), more)
      end
    end
    local first = place.name == "" and "__septet_at start" or where
    local has_words = place.name == "" or (place.takes[1] or ""):find "command"
    for _, word in ipairs(has_words and place.words or {}) do
      lines[#lines + 1] = ("complete -c septet -n '%s' -a %s -d %s"):format(first, word[1],
        quoted(word[2]))
    end
  end
  table.insert(lines, 2, ("set -g __septet_commands %s\nset -g __septet_passing %s"):format(
    table.concat(commands, " "), table.concat(passing, " ")))
  return table.concat(lines, "\n") .. "\n"
end

return fish
