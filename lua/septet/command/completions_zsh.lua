-- SPDX-License-Identifier: MIT
-- The script for zsh, for its own completion system.
local zsh = {}

local head = [==[
#compdef septet
# zsh completion for septet, made by `septet completions zsh`

# Completes the numbers of the processes that run the command.
_septet_processes() {
  local folder program=$(whence -p septet)
  local -a found
  for folder in /proc/<->(N/); do
    if [[ $folder/exe -ef $program ]]; then
      found+=("${folder:t}")
    fi
  done
  compadd -a found
}

# Completes the names that the program knows and the pattern $1 matches.
_septet_names() {
  local -a found=(${(f)"$(septet doc --names 2>/dev/null)"})
  compadd -- ${(M)found:#${~1}}
}

# Completes a script and, as the first word, also a command.
_septet_scripts() {
  if (( _septet_is_first )); then
    _septet_commands
  fi
  _files -g '*.lua'
}
]==]

local tail = [==[

# As a function of the completion system, the file completes at once.
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _septet "$@"
else
  compdef _septet septet
fi
]==]

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- Returns a text as it stands in a specification of _arguments or _describe.
local function escaped(text) return (text:gsub("[%[%]:\\]", "\\%0")) end

-- Returns words and their help as arguments of _septet_commands.
local function described(list)
  local rows = {}
  for i, word in ipairs(list) do rows[i] = quoted(escaped(word[1]) .. ":" .. escaped(word[2])) end
  return table.concat(rows, " ")
end

-- Writes the functions that complete kinds of values, one for each.
local Kinds = {}
Kinds.__index = Kinds

-- Returns the action for a kind. `words` have a meaning beside it.
function Kinds:action(kind, words)
  local kinds, allowed, patterns = self.model.parts(kind)
  local lines = {}
  if #allowed > 0 then lines[#lines + 1] = "compadd " .. table.concat(allowed, " ") end
  if kinds.command then
    lines[#lines + 1] = ("_septet_commands " .. described(words or {})):gsub(" $", "")
  end
  if kinds.file then
    lines[#lines + 1] = "_files"
  elseif #patterns == 1 then
    lines[#lines + 1] = ("_files -g '%s'"):format(patterns[1])
  elseif #patterns > 1 then
    lines[#lines + 1] = ("_files -g '(%s)'"):format(table.concat(patterns, "|"))
  end
  if kinds.folder then lines[#lines + 1] = "_files -/" end
  if kinds.name then lines[#lines + 1] = "_septet_names '*'" end
  if kinds.module then lines[#lines + 1] = "_septet_names 'septet(|.[[:lower:]]*)'" end
  if kinds.pid then lines[#lines + 1] = "_septet_processes" end
  if #lines == 0 then return " " end
  local body = table.concat(lines, "\n  ")
  if not self.names[body] then
    self.count = self.count + 1
    self.names[body] = ("_septet_value_%d"):format(self.count)
    self.lines[#self.lines + 1] = ("\n%s() {\n  %s\n}"):format(self.names[body], body)
  end
  return self.names[body]
end

local marks = { none = "", equals = "=-", optional = "=-" }

-- Returns the specification of an option.
function Kinds:option(option)
  local mark = marks[option.takes] or #option.name == 2 and "+" or "="
  local spec = (option.many and "*" or "") .. ("%s[%s]"):format(option.name .. mark,
    escaped(option.help))
  if option.takes ~= "none" then
    spec = spec .. (option.takes == "optional" and "::" or ":")
      .. escaped((option.argument or "value"):lower()) .. ":" .. self:action(option.kind)
  end
  return quoted(spec)
end

-- Returns the call of _arguments that completes the words of a place.
function Kinds:arguments(place)
  local specs = { "_arguments -S" .. (place.first and " -A '-*'" or "") }
  for _, option in ipairs(place.options) do specs[#specs + 1] = self:option(option) end
  if place.name == "" then
    specs[#specs + 1] = "'1:script:_septet_scripts'"
  else
    for i, kind in ipairs(place.takes) do
      local is_rest = i == #place.takes and not place.first
      specs[#specs + 1] = ("'%s:word:%s'"):format(is_rest and "*" or i,
        self:action(kind, i == 1 and place.words or nil))
    end
  end
  if place.first then specs[#specs + 1] = "'*::argument:_files'" end
  return table.concat(specs, " \\\n        ")
end

--- Returns the script.
---@param places septet.CompletedPlace[]
---@param model table the module septet.command.completions
---@return string
function zsh.script(places, model)
  local kinds = setmetatable({ model = model, names = {}, lines = {}, count = 0 }, Kinds)
  local lines = { head, "_septet_commands() {\n  local -a known=(" .. described(places[1].words)
    .. ' "$@")\n  _describe -t commands command known\n}' }
  local cases = {}
  for i = 2, #places do
    cases[#cases + 1] = ("    %s)\n      shift words\n      (( CURRENT-- ))\n      %s\n      ;;")
      :format(places[i].name, kinds:arguments(places[i]))
  end
  cases[#cases + 1] = ("    *)\n      %s\n      ;;"):format(kinds:arguments(places[1]))
  table.move(kinds.lines, 1, #kinds.lines, #lines + 1, lines)
  lines[#lines + 1] = "\n_septet() {\n  local command= curcontext=$curcontext\n"
    .. "  local -i _septet_is_first=$(( CURRENT == 2 ))\n"
    .. "  if (( CURRENT > 2 )); then\n    command=$words[2]\n  fi\n  case $command in\n"
    .. table.concat(cases, "\n") .. "\n  esac\n}"
  return table.concat(lines, "\n") .. "\n" .. tail
end

return zsh
