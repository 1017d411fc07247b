#compdef tspod
# Completion of tspod for zsh. The words come from tspod itself.
_tspod() {
  local line paths
  local -a found
  for line in "${(@f)$(${(Q)words[1]} __complete -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      :*) paths=${line#:} ;;
      ?*) found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
    esac
  done
  [[ ${#found} -gt 0 ]] && _describe -t words word found
  case $paths in
    files) _files ;;
    directories) _files -/ ;;
  esac
}
if [[ $funcstack[1] == _tspod ]]; then _tspod "$@"; else compdef _tspod tspod; fi
