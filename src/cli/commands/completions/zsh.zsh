#compdef ess-callbacks
# Completions of ess-callbacks for zsh. Load them with: eval "$(ess-callbacks completions zsh)"
# or save them as `_ess-callbacks` in a folder of $fpath.
_ess_callbacks() {
    local line
    local -a values shown
    while IFS= read -r line; do
        values+=("${line%%$'\t'*}")
        shown+=("${line/$'\t'/  -- }")
    done < <(_ESS_CALLBACKS_COMPLETE=zsh command ess-callbacks "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)
    if (( ${#values} == 0 )); then
        _files
    elif (( ${#values} == 1 )) && [[ $values[1] == *[=/] ]]; then
        compadd -S '' -- "${values[@]}"
    else
        compadd -l -d shown -- "${values[@]}"
    fi
}
if [[ $funcstack[1] == _ess[-_]callbacks ]]; then
    _ess_callbacks "$@"
elif (( $+functions[compdef] )); then
    compdef _ess_callbacks ess-callbacks
else
    autoload -Uz compinit && compinit && compdef _ess_callbacks ess-callbacks
fi
