-- SPDX-License-Identifier: MIT
-- The script for bash. It needs bash 4.4 and no other package.
local bash = {}

local head = [==[
# bash completion for septet, made by `septet completions bash`

# Completes the word $1 by the words that follow it.
_septet_words() {
    local word=$1 found
    shift
    while IFS= read -r found; do
        COMPREPLY+=("$found")
    done < <(compgen -W "$*" -- "$word")
}

# Completes the word $1 to files with names that match one of the patterns that follow, and to
# folders.
_septet_files() {
    local word=$1 found pattern
    shift
    while IFS= read -r found; do
        for pattern in "$@"; do
            if [[ -d $found || ${found##*/} == $pattern ]]; then
                COMPREPLY+=("$found")
                break
            fi
        done
    done < <(compgen -f -- "$word")
    compopt -o filenames 2>/dev/null
}

_septet_folders() {
    local found
    while IFS= read -r found; do
        COMPREPLY+=("$found")
    done < <(compgen -d -- "$1")
    compopt -o filenames 2>/dev/null
}

# Completes the word $1 to the names that the program $2 knows and the pattern $3 matches.
_septet_names() {
    local found
    while IFS= read -r found; do
        if [[ $found == "$1"* && $found =~ $3 ]]; then
            COMPREPLY+=("$found")
        fi
    done < <(command "$2" doc --names 2>/dev/null)
}

# Completes the word $1 to the numbers of the processes that run the program $2.
_septet_processes() {
    local folder program
    program=$(type -P -- "$2") || return
    for folder in /proc/[0-9]*; do
        if [[ $folder/exe -ef $program ]]; then
            _septet_words "$1" "${folder#/proc/}"
        fi
    done 2>/dev/null
}
]==]

local tail = [==[

_septet() {
    local -a words=()
    local i word command='' cur option
    COMPREPLY=()
    # Readline splits words at '=' and ':': they are joined again.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((i > 1)) && [[ $word == [=:] || ${COMP_WORDS[i - 1]} == : ||
            ${COMP_WORDS[i - 1]} == = && ${words[-1]} == --*= ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
    done
    cur=${words[-1]}
    local -i last=${#words[@]}-1 at=1 plain=0
    if ((last == 1)) && [[ $cur != -* ]]; then
        _septet_words "$cur" "$_septet_commands"
    fi
    if ((last > 1)) && _septet_is_command "${words[1]}"; then
        command=${words[1]}
        at=2
    fi
    for (( ; at < last; at++)); do
        word=${words[at]}
        if [[ $word == -- ]]; then
            plain+=$((last - at - 1))
            _septet_plain "$command" "$plain" "$cur" "${words[0]}"
            return
        elif [[ $word == -?* ]]; then
            # What the option takes is the next word.
            if _septet_takes_next "$command" "$word"; then
                at+=1
                if ((at == last)); then
                    _septet_value "$command" "$word" "$cur" "${words[0]}"
                    return
                fi
            fi
        else
            plain+=1
            if _septet_is_last "$command"; then
                _septet_files "$cur" '*'
                return
            fi
        fi
    done
    if [[ $cur == --*=* ]]; then
        option=${cur%%=*}
        _septet_value "$command" "$option" "${cur#*=}" "${words[0]}"
        if [[ $COMP_WORDBREAKS != *=* ]]; then
            COMPREPLY=("${COMPREPLY[@]/#/$option=}")
        fi
    elif [[ $cur == -* ]]; then
        _septet_words "$cur" "$(_septet_options "$command")"
        if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then
            compopt -o nospace 2>/dev/null
        fi
    else
        _septet_plain "$command" "$plain" "$cur" "${words[0]}"
    fi
    # Readline puts the offers in the place of what stands behind the ':'.
    if [[ $cur == *:* && $cur != --*=* && $COMP_WORDBREAKS == *:* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*:}"}"}")
    fi
}

complete -F _septet septet
]==]

-- Returns the statements that complete the word `word`, a parameter, to what a kind allows.
local function value(kind, word, model)
  local kinds, allowed, patterns = model.parts(kind)
  local lines = {}
  if #allowed > 0 then
    lines[#lines + 1] = ('_septet_words "%s" "%s"'):format(word, table.concat(allowed, " "))
  end
  if kinds.file then patterns = { "*" } end
  if #patterns > 0 then
    lines[#lines + 1] = ("_septet_files \"%s\" '%s'"):format(word, table.concat(patterns, "' '"))
  end
  if kinds.folder then lines[#lines + 1] = ('_septet_folders "%s"'):format(word) end
  if kinds.pid then lines[#lines + 1] = ('_septet_processes "%s" "$4"'):format(word) end
  if kinds.name then lines[#lines + 1] = ('_septet_names "%s" "$4" .'):format(word) end
  if kinds.module then
    lines[#lines + 1] = ([[_septet_names "%s" "$4" '^septet(\.[a-z_]+)?$']]):format(word)
  end
  if kinds.command then
    lines[#lines + 1] = ('_septet_words "%s" "$_septet_commands"'):format(word)
  end
  return #lines > 0 and table.concat(lines, "; ") or ":"
end

local function case(lines, name, subject, rows)
  lines[#lines + 1] = ("\n%s() {\n    case %s in"):format(name, subject)
  for _, row in ipairs(rows) do lines[#lines + 1] = ("    %s) %s ;;"):format(row[1], row[2]) end
  lines[#lines + 1] = "    esac\n}"
end

-- Returns the options of a place as they are offered.
local function offered(place)
  local names = {}
  for _, option in ipairs(place.options) do
    if option.takes ~= "equals" then names[#names + 1] = option.name end
    if option.takes == "equals" or option.takes == "optional" then
      names[#names + 1] = option.name .. "="
    end
  end
  return table.concat(names, " ")
end

-- Adds what completes the words of a place that are no options: `$2` of them stand before.
local function add_plain(rows, place, model)
  for i, kind in ipairs(place.takes) do
    local statements = value(kind, "$3", model)
    if i == 1 and #place.words > 0 then
      local names = {}
      for j, word in ipairs(place.words) do names[j] = word[1] end
      if kind:find "command" then -- others have them among their kinds
        statements = ('_septet_words "$3" "%s"; '):format(table.concat(names, " ")) .. statements
      end
    end
    rows[#rows + 1] = { ("%s:%s"):format(place.name,
      i == #place.takes and place.name ~= "" and "*" or i - 1), statements }
  end
end

--- Returns the script.
---@param places septet.CompletedPlace[]
---@param model table the module septet.command.completions
---@return string
function bash.script(places, model)
  local lines, commands = { head }, {}
  local options, next_words, values, plain, lasts = {}, {}, {}, {}, {}
  for _, place in ipairs(places) do
    if place.name ~= "" then commands[#commands + 1] = place.name end
    options[#options + 1] = { ("'%s'"):format(place.name), ("echo '%s'"):format(offered(place)) }
    if place.first then lasts[#lasts + 1] = { ("'%s'"):format(place.name), "return 0" } end
    for _, option in ipairs(place.options) do
      local pattern = ("%s:%s"):format(place.name, option.name)
      if option.takes == "next" then next_words[#next_words + 1] = { pattern, "return 0" } end
      if option.takes ~= "none" then
        values[#values + 1] = { pattern, value(option.kind, "$3", model) }
      end
    end
    add_plain(plain, place, model)
  end
  lines[#lines + 1] = ("_septet_commands='%s'"):format(table.concat(commands, " "))
  lasts[#lasts + 1], next_words[#next_words + 1] = { "*", "return 1" }, { "*", "return 1" }
  case(lines, "_septet_is_command", '"$1"', { { table.concat(commands, "|"), "return 0" },
    { "*", "return 1" } })
  lines[#lines + 1] = "\n# Returns true if what follows the first word belongs to it."
  case(lines, "_septet_is_last", '"$1"', lasts)
  lines[#lines + 1] = "\n# What a command, or the program itself, takes."
  case(lines, "_septet_options", '"$1"', options)
  case(lines, "_septet_takes_next", '"$1:$2"', next_words)
  case(lines, "_septet_value", '"$1:$2"', values)
  case(lines, "_septet_plain", '"$1:$2"', plain)
  return table.concat(lines, "\n") .. "\n" .. tail
end

return bash
