# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Readline replaces what stands behind the last of COMP_WORDBREAKS, of which ':' is one, but all
# behind a quote: the candidates, which are whole words, lose their beginning up to there.
_pd() {
	local line=${COMP_LINE:0:COMP_POINT} IFS=$' \t\n' words raw last breaks cut='' value _ i

	# shellcheck disable=SC2162 # a blank behind a backslash is of its word
	read -d '' -a words <<<"$line"
	[[ $line != *[[:blank:]] ]] || words+=('')
	raw=${words[${#words[@]} - 1]}
	words=("${words[@]//[\"\'\\]/}")
	last=${words[${#words[@]} - 1]}
	breaks=${COMP_WORDBREAKS//[^:@=]/}
	[[ -z $breaks || $raw == [\"\']* ]] || cut=${last%"${last##*["$breaks"]}"}
	COMPREPLY=()
	while IFS=$'\t' read -r value _; do
		if [[ $value == '-- '* ]]; then # behind it stands another program's line
			for ((i = 1; i < COMP_CWORD; i++)); do
				[[ ${COMP_WORDS[i]} != -- ]] || break
			done
			if declare -F _command_offset >/dev/null; then
				_command_offset $((i + 1))
			elif ((COMP_CWORD == i + 1)); then
				mapfile -t COMPREPLY < <(compgen -c -- "$last")
			else
				compopt -o default
			fi
			return
		fi
		COMPREPLY+=("${value#"$cut"}")
	done < <("${1/#\~/$HOME}" completion bash -- "${words[@]:1}" 2>/dev/null)
}
complete -F _pd pd
