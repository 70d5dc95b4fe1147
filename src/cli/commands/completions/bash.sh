# Completions of ess-callbacks for bash. Load them with: eval "$(ess-callbacks completions bash)"
_ess_callbacks() {
    local reply
    COMPREPLY=()
    # The line as it stands: bash's own words are cut at `:` and `=`, of which addresses are full.
    while IFS= read -r reply; do
        COMPREPLY+=("$reply")
    done < <(_ESS_CALLBACKS_COMPLETE=bash command ess-callbacks "$COMP_WORDBREAKS" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
# Without a candidate of its own, the names of files.
complete -o bashdefault -o default -F _ess_callbacks ess-callbacks
