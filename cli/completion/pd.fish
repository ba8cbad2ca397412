# SPDX-License-Identifier: MIT
function __pd_complete
	set -l words (commandline -opc)
	set -l last (commandline -ct | string replace -ra '["\'\\\\]' '')
	set -l lines (command pd completion fish -- $words[2..] "$last" 2>/dev/null)

	if string match -q -- '-- *' "$lines[1]" # behind it stands another program's line
		set -l skip (string sub -s 4 -- $lines[1])
		set -l rest (string escape -- $words[(math $skip + 1)..])
		complete -C (string join ' ' -- $rest (commandline -ct))
	else
		string join \n -- $lines
	end
end
complete -c pd -f -a '(__pd_complete)'
