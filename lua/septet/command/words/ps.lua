-- SPDX-License-Identifier: MIT
-- The words of `septet ps`, which is in C (src/cli/ps.c).
return {
  usage = "[--json] [-a] PID",
  text = "Prints what each task of a running septet of this user waits for, and where.",
  options = {
    { "-a", "a line for each task, also of those that wait alike" },
    { "--json", "an array of objects, one for each task" },
  },
  takes = { "pid" },
}
