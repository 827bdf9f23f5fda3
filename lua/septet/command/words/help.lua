-- SPDX-License-Identifier: MIT
-- The words of `septet help`.
return {
  usage = "[COMMAND]",
  text = "Prints what a command does and which options it takes.",
  words = {
    { "options", "all the options of septet itself, also those that --help leaves out" },
  },
  options = {
    { "--json", "print the options of septet and of all commands as JSON, for programs" },
  },
  takes = { "command" },
}
