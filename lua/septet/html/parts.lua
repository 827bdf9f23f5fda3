-- SPDX-License-Identifier: MIT
-- The functions of the HTML parser in C, which opens them when this file is first loaded.
return require "septet.core".html()
