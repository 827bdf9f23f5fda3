# SPDX-License-Identifier: MIT
"""septet.core, the C functions below the modules: no script reaches it, and no value crashes it."""
import os
import unittest

import harness

SWEEP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "core_sweep.lua")
NAMES = """
for name, value in pairs(debug.getregistry()["septet.core"]) do
  if type(value) == "function" then print(name) end
end
"""


class Core(harness.Case):
    def test_no_script_reaches_it(self):
        """H-6: no require, table of packages or field of a module gives a script septet.core or a
        metatable in it"""
        self.check(self.septet("-e", """
local core = debug.getregistry()['septet.core']
local secret = { [core] = 'core', [core.error_meta] = 'error_meta', [core.task_meta] = 'task_meta',
  [core.scope_meta] = 'scope_meta', [core.scope_methods] = 'scope_methods' }
local modules = { package = package, loaded = package.loaded, preload = package.preload }
for name in pairs(package.preload) do
  if name:find '^septet' then modules[name] = require(name) end
end
print(pcall(require, 'septet.core') or pcall(require 'septet.task'.require, 'septet.core'))
local seen = {}
local function look(value, path)
  if secret[value] then print(path, secret[value]) end
  if type(value) ~= 'table' or seen[value] then return end
  seen[value] = true
  for key, inner in pairs(value) do look(inner, path .. '.' .. tostring(key)) end
  look(getmetatable(value), path .. '<')
end
for name, module in pairs(modules) do look(module, name) end
"""), out="false\n")

    def test_raise_takes_tracebacks_alone(self):
        """H-6: a light userdata, a table or a coroutine is no traceback"""
        self.check(self.septet("-e", """
local core, json = debug.getregistry()['septet.core'], require 'septet.json'
local task = require 'septet.task'
for _, value in ipairs {
  json.null, {}, { {} }, 1, true, print, io.stdout, coroutine.create(print), task.current(),
} do
  for _, name in ipairs { 'raise', 'source' } do
    for _, label in ipairs { 'label', false } do
      local ok, err = pcall(task.timeout, 1, core[name], 0.5, value, label or nil)
      if ok or not task.is(err, 'Usage') then print(name, value, ok, err) end
    end
  end
  if pcall(core.traceback, value) then print('traceback', value) end
end
"""))

    def test_any_value(self):
        """H-6: no function of septet.core crashes, with any kind of value in up to four
        positions"""
        names = self.septet("-e", NAMES).out.split()
        self.assertIn("raise", names)
        for name in names:
            with self.subTest(name=name):
                done = self.septet("--virtual-time", SWEEP, name)
                self.assertEqual(done.status, 0, done.err[-2000:])


if __name__ == "__main__":
    unittest.main()
