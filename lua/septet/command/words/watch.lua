-- SPDX-License-Identifier: MIT
-- The words of `septet watch`.
return {
  usage = "[options] SCRIPT [args]",
  text = [[
Runs a script, and runs it again when it or a Lua file that it loaded changes.
What still runs is cancelled first. A script that has ended, or does not
compile, is run again after the next change. Ctrl-C ends it all.]],
  options = {
    { "--also=PATH", "watch this file, all files in this folder, or the files that match a pattern "
      .. "such as 'pages/*.html', too", kind = "file", many = true },
    { "--grace=SECONDS", "how long the script may take to end when it is cancelled, before it is "
      .. "killed; 5", kind = "seconds" },
  },
  passes = true,
  first = true,
  takes = { "lua" },
  notes = [[
The options of septet itself are those of the script:
septet watch --trace x.lua]],
}
