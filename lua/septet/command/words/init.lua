-- SPDX-License-Identifier: MIT
-- The words of `septet init`.
return {
  usage = "[FOLDER]",
  text = [[
Writes the beginnings of a project into a folder, by default this one: a script
that runs at once, a module of it, a test, and the settings that let an editor
with lua-language-server know the functions of Septet. The folder is made if it
does not exist. A file that exists is left as it is.]],
  takes = { "folder" },
}
