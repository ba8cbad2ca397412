# What a shell evaluates of `pd hook`, behind __pd_file and __pd_pd.  The prompt reads one line of
# that file with a builtin; only where it has changed since the last prompt, and the last command
# has failed, a process is started.  The code of that command is kept for what else the prompt
# runs.  What stands in the file is digits, or nothing is done with it; what is no file, as a FIFO
# that would hold the prompt, is not opened.
# shellcheck shell=bash disable=SC2154 # __pd_file and __pd_pd are set above
__pd_count=
__pd_prompt() {
	local code=$? count='' pid=''
	[[ -f $__pd_file ]] &&
		{ IFS=' ' read -r -n 64 count pid; } 2>/dev/null <"$__pd_file"
	if [[ -n $count && $count != "$__pd_count" ]]; then
		__pd_count=$count
		case $code:$pid in
		0:* | *:*[!0-9]* | *:) ;;
		*) "$__pd_pd" why --brief --pid "$pid" >&2 ;;
		esac
	fi
	return "$code"
}
[[ -f $__pd_file ]] && IFS=' ' read -r -n 64 __pd_count _ <"$__pd_file"
case ${PROMPT_COMMAND[*]-} in
*__pd_prompt*) ;;
*) PROMPT_COMMAND=$'__pd_prompt\n'${PROMPT_COMMAND-} ;; # of an array the first
esac
