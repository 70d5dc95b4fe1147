# Completions of ess-callbacks for bash. Load them with: eval "$(ess-callbacks completions bash)"
_ess_callbacks() {
    local reply
    COMPREPLY=()
    # The whole line: bash splits words at `:` and `=`, which addresses contain.
    while IFS= read -r reply; do
        COMPREPLY+=("$reply")
    done < <(_ESS_CALLBACKS_COMPLETE=bash command ess-callbacks "$COMP_WORDBREAKS" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
# Without a candidate, bash completes the names of files.
complete -o bashdefault -o default -F _ess_callbacks ess-callbacks
