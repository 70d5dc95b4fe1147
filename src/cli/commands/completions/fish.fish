# Completions of ess-callbacks for fish. Load them with: ess-callbacks completions fish | source
# or save them as ~/.config/fish/completions/ess-callbacks.fish
function __ess_callbacks
    set -lx _ESS_CALLBACKS_COMPLETE fish
    command ess-callbacks (commandline -opc) (commandline -ct) 2>/dev/null
end
complete -c ess-callbacks -f -a '(__ess_callbacks)'
