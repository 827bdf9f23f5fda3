-- SPDX-License-Identifier: MIT
-- What `luarocks make` builds and installs: the module for a stock lua5.4, with the library in it.
rockspec_format = "3.0"
package = "septet"
version = "scm-0"
source = {
  url = "git+file://.", -- of no use to `luarocks make`, which builds the folder that it is called in
}
description = {
  summary = "Lua functions as tasks, over timers and HTTP requests",
  detailed = [[
While one task waits for a timer, an HTTP request or another task, the others run. The functions
need no marks such as "async" and "await".]],
  license = "MIT",
  labels = { "async", "http", "concurrency" },
}
dependencies = { "lua >= 5.4, < 5.5" }
build = {
  type = "command",
  build_command = "cmake -S . -B build/rock -DSEPTET_MODULE_LIBRARY=static -DSEPTET_MODULE_DIR=."
    .. " -DSEPTET_CLI=OFF -DSEPTET_TESTS=OFF -DSEPTET_EXAMPLES=OFF -DSEPTET_BENCH=OFF"
    .. " && cmake --build build/rock --target septet_module",
  install_command = 'cmake --install build/rock --component module --prefix "$(LIBDIR)"',
}
