# As pd.bash, for zsh.
typeset -g __pd_count=
__pd_prompt() {
	local code=$? count= pid=
	[[ -f $__pd_file ]] && { IFS=' ' read -r count pid <$__pd_file } 2>/dev/null
	if [[ -n $count && $count != $__pd_count ]]; then
		__pd_count=$count
		case $code:$pid in
		(0:* | *:*[^0-9]* | *:) ;;
		(*) "$__pd_pd" why --brief --pid $pid >&2 ;;
		esac
	fi
	return $code
}
[[ -f $__pd_file ]] && IFS=' ' read -r __pd_count _ <$__pd_file
autoload -Uz add-zsh-hook && add-zsh-hook precmd __pd_prompt
