# As pd.bash, for fish.
set -g __pd_count
function __pd_prompt --on-event fish_postexec
	set -l code $status
	set -l count
	set -l pid
	test -f $__pd_file; and read -n 64 count pid <$__pd_file
	if test -n "$count"; and test "$count" != "$__pd_count"
		set -g __pd_count $count
		if test $code -ne 0; and string match -qr '^[0-9]+$' -- "$pid"
			$__pd_pd why --brief --pid $pid >&2
		end
	end
end
test -f $__pd_file; and read -g -n 64 __pd_count __pd_pid <$__pd_file
