std = "lua54"
max_line_length = 120
-- An argument that a hook or a callback is given and does not need is no mistake.
unused_args = false
ignore = {
  "512", -- a loop that runs once: `for x in iterator do ... break end` takes the first
}

-- Mistakes that `septet check` has to find.
exclude_files = { "tests/cli/check" }

-- Definitions for editors: functions without a body, of classes that nothing reads.
files["meta"] = { ignore = { "211", "241" } }
files["lua"] = { max_line_length = 100 }

-- What tests/support/before.lua gives to the specs; it alone sets them.
files["tests"] = {
  ignore = { "211/ok" }, -- what pcall says first, where only the error matters
  read_globals = {
    "describe", "it", "equal", "raises", "raises_error", "misuse", "line", "in_order", "many", "MODE", "turns", "gate",
    "with_ticker", "without_slow", "SUPPORT", "before_all", "after_all", "expect",
  },
}

-- What tests/support/script_words.c and prelude.lua give to the scripts of the tests in C, which keep
-- in globals what the tests look at.
files["tests/support/prelude.lua"] = {
  globals = { "core", "kind", "try", "closer", "completions", "block" },
}
for _, folder in ipairs { "core", "op" } do
  files["tests/" .. folder] = {
    allow_defined = true,
    ignore = { "131" }, -- a global that only the test looks at
    read_globals = {
      "core", "kind", "try", "closer", "completions", "block", "fake", "done", "log", "raw_resume", "raw_yield", "in_c",
      "thread_of", "depth", "deep", "until_what",
    },
  }
end
-- What a test in C sets before its script runs; scripts leave results in globals of their own.
files["tests/api"] = {
  allow_defined = true,
  ignore = { "131" },
  read_globals = { "origin", "call_all", "fake", "fifo", "finalized", "run_loop", "close_handles" },
}
files["tests/faults/test_growth.lua"] = { read_globals = { "origin", "live" } }
for _, name in ipairs { "frames", "signals", "stop", "test_coroutine", "torture" } do
  files["tests/faults/" .. name .. ".lua"] = {
    allow_defined = true,
    ignore = { "131" },
    read_globals = {
      "origin", "port", "tls", "ca", "codes", "signals", "enough", "tcp", "udp", "full", "folder",
    },
  }
end
