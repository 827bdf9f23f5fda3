-- SPDX-License-Identifier: MIT
-- The words of `septet completions`.
return {
  usage = "bash|zsh|fish",
  text = [[
Prints the script that completes options, commands, values and files for a
shell. Packages install it. To have it without:

  bash   source <(septet completions bash)    in ~/.bashrc
  zsh    source <(septet completions zsh)     in ~/.zshrc, after compinit
  fish   septet completions fish | source     in ~/.config/fish/config.fish]],
  takes = { "bash|zsh|fish" },
}
