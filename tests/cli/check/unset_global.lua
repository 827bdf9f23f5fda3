-- SPDX-License-Identifier: MIT
-- Planted: globals that nothing sets.
print(cout) -- 3:7 unset-global
prnt "x" -- 4:1 unset-global
return type(string)
