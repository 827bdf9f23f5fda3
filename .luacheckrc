std = "lua54"
max_line_length = 120
-- An argument that a hook or a callback is given and does not need is no mistake.
unused_args = false
