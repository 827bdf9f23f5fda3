-- SPDX-License-Identifier: MIT
-- The words of `septet check`.
return {
  usage = "[options] PATH...",
  text = [[
Looks for mistakes in Lua files without running them. A folder stands for the
files *.lua in it, "-" for standard input. Prints a line for each mistake:
FILE:LINE:COLUMN: warning: MESSAGE [RULE]. The guide describes the rules.]],
  options = {
    { "--only=RULES", "ask these rules only; their names are separated by commas", many = true },
    { "--except=RULES", "ask all rules but these", many = true },
    { "--globals=NAMES", "what the program around the scripts gives to them", many = true },
    { "--skip=PATH", "leave out a folder, or a file in one", kind = "file", many = true },
    { "--rules", "print the names of the rules and end" },
    { "--json", "print each mistake as a line of JSON" },
  },
  takes = { "lua" },
  notes = [[
A comment "-- check: ignore RULE" silences a rule in its line, or in the next
line if it stands alone; "-- check: allow RULE" does so in the whole file.
"-- check: globals NAME, NAME" is --globals for a file.
Exit status: 0 nothing was found, 1 something was, 2 bad usage, or a file
cannot be read.]],
}
