#compdef pd
# SPDX-License-Identifier: MIT
_pd() {
	local -a lines rows
	local line value about

	lines=("${(@f)$("${(Q)words[1]/#\~/$HOME}" completion zsh -- "${(@Q)words[2,CURRENT - 1]}" \
		"${PREFIX//[\"\'\\]/}" 2>/dev/null)}")
	if [[ $lines[1] == '-- '* ]]; then # behind it stands another program's line
		shift ${lines[1]#-- } words
		((CURRENT -= ${lines[1]#-- }))
		_normal
		return
	fi
	for line in $lines; do
		value=${line%%$'\t'*} about=${line#*$'\t'}
		rows+=("${value//:/\\:}${about:+:$about}")
	done
	_describe -t values pd rows
}
if [[ $funcstack[1] == _pd ]]; then _pd "$@"; else compdef _pd pd; fi
