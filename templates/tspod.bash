# Completion of tspod for bash. The words come from tspod itself.
_tspod() {
  local cur words cword line paths found=()
  if declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref -n =: cur words cword
  else
    words=("${COMP_WORDS[@]}") cword=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]}
  fi
  while IFS= read -r line; do
    case $line in
      :*) paths=${line#:} ;;
      *) found+=("${line%%$'\t'*}") ;;
    esac
  done < <("${words[0]/#\~/$HOME}" __complete -- "${words[@]:1:cword}" 2>/dev/null)
  # bash replaces only what comes after a character that breaks words.
  if [[ $cur == *=* && $COMP_WORDBREAKS == *=* ]]; then
    found=("${found[@]#"${cur%%=*}="}")
    cur=${cur#*=}
  fi
  COMPREPLY=("${found[@]}")
  if [[ -n $paths ]]; then
    compopt -o filenames 2>/dev/null
    if [[ $paths == directories ]]; then
      mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$cur")
    else
      mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")
    fi
  fi
  if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "$cur"; fi
}
complete -F _tspod tspod
