# SPDX-License-Identifier: MIT
"""The modules that a script can reach: those that docs/api.md lists, and none of the folders of
lua/septet."""
import os
import re
import unittest

import harness

ROOT = harness.ROOT
LUA = os.path.join(ROOT, "lua")


def modules():
    """Returns the names of the embedded modules, from their files."""
    names = []
    for folder, _, files in os.walk(os.path.join(LUA, "septet")):
        for file in files:
            path = os.path.relpath(os.path.join(folder, file), LUA)
            names.append(path.removesuffix(".lua").replace(os.sep, "."))
    names.remove("septet.init")
    return sorted(names)


def documented():
    with open(os.path.join(ROOT, "docs", "api.md")) as file:
        contents = file.read().split("\n## ")[0]
    return sorted(set(re.findall(r"\[(septet\.\w+)\]\(#", contents)))


PUBLIC = [name for name in modules() if name.count(".") == 1]
PRIVATE = [name for name in modules() if name.count(".") > 1]


def lua_list(names):
    return "{ %s }" % ", ".join("'%s'" % name for name in names)


class Modules(harness.Case):
    def test_the_public_ones_are_the_documented_ones(self):
        self.assertEqual(PUBLIC, documented())
        self.assertGreater(len(PRIVATE), 20)

    def test_a_public_one_is_a_field_and_required(self):
        self.check(self.septet("-e", """
local septet = require 'septet'
for _, name in ipairs %s do
  local field = name:match '[^.]+$'
  if not rawequal(require(name), septet[field]) then print(name) end
end
local fields = {}
for name, value in pairs(septet) do
  fields[#fields + 1] = type(value) == 'table' and 'septet.' .. name or nil
end
table.sort(fields)
print(table.concat(fields, ' '))
""" % lua_list(PUBLIC)), out=" ".join(PUBLIC) + "\n")

    def test_a_private_one_is_not_reached(self):
        """No require, task.require, table of packages or field finds a private module, also once
        all modules are loaded."""
        self.check(self.septet("-e", """
local septet, task = require 'septet', require 'septet.task'
local private = debug.getregistry()['septet.require']
local public = {}
for _, name in ipairs %s do public[name] = true; require(name) end
for _, name in ipairs %s do
  for _, find in ipairs { require, task.require } do
    local ok, why = pcall(find, name)
    if ok or not why:find("module '" .. name .. "' not found", 1, true) then
      print(name, ok, why)
    end
  end
  for _, field in ipairs { name:match '[^.]+$', name:match '%%.(.*)', name } do
    local found, value = pcall(function() return septet[field] end)
    if found and rawequal(value, private(name)) then print(field) end
  end
end
for _, kept in ipairs { package.loaded, package.preload } do
  for name in pairs(kept) do
    if name:find '^septet%%.' and not public[name] then print(name) end
  end
end
""" % (lua_list(PUBLIC), lua_list(PRIVATE))))

    def test_a_private_one_is_not_replaced(self):
        """A script may use a private module's name in package.preload and package.loaded."""
        self.check(self.septet("-e", """
package.preload['septet.internal.args'] = function() error 'replaced' end
package.loaded['septet.task.blocks'] = 'replaced'
print(type(require 'septet.task'.timeout), require 'septet.task.blocks')
"""), out="function\treplaced\n")

    def test_they_are_read_from_a_folder(self):
        self.check(
            self.septet(
                "-e", "for _, name in ipairs %s do require(name) end" % lua_list(PUBLIC),
                env={"SEPTET_LUA_PATH": LUA},
            )
        )

    def test_one_that_is_no_lua_is_its_text(self):
        """Embedded or from the folder, it is the bytes of its file."""
        names = [name for name in PRIVATE if name.startswith("septet.trace.report.")
                 and name.endswith((".js", ".css", ".html"))]
        self.assertGreater(len(names), 3)
        for name in names:
            folder, _, ending = name.rpartition(".")
            with open(os.path.join(LUA, *folder.split(".")) + "." + ending) as file:
                text = file.read()
            for env in ({}, {"SEPTET_LUA_PATH": LUA}):
                self.check(
                    self.septet("-e", "io.write(debug.getregistry()['septet.require'] '%s')" % name,
                                env=env), out=text)


if __name__ == "__main__":
    unittest.main()
