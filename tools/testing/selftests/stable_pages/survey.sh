#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Verdicts of the survey, of subjects of which it is known what they must be: of each
# kind one that keeps its pages stable, and one that doesn't.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$HERE/stablefs_lib.sh"
begin_stablefs 46 survey dmsetup

readonly SUBJECTS=$WORK/subjects OWN=$WORK/own
mkdir "$SUBJECTS" "$OWN"

# subject NAME LINE...: its description, in $directory.
directory=$SUBJECTS
subject() {
	local name=$1
	shift
	printf '%s\n' "$@" >"$directory/$name.toml"
}

# filesystem NAME STRATEGY: stablefs.
# shellcheck disable=SC2016 # for the survey
filesystem() {
	subject "$1" 'title = "stablefs"' 'kind = "filesystem"' 'down = "umount $MNT"' \
		"up = 'mke2fs -q -F -t ext2 \$DISK && mount -t stablefs -o stable=$2 \$DISK \$MNT'" \
		'not_applicable = { swap = "has none" }'
}

# run_survey [ARGS]: with so many seconds for each combination. Its JSON is in $WORK/json.
seconds=0.5
run_survey() {
	survey run --subjects "$SUBJECTS" --journal "$WORK/journal" --report "$WORK/json" \
		--window 20000 --sector 512 --seconds $seconds "$@" >"$WORK/log" 2>&1 || {
		local status=$?
		cat "$WORK/log"
		return "$status"
	}
}

# A new one.
fresh() {
	rm -f "$WORK/journal"
	run_survey "$@"
}

# verdict SUBJECT WAY CAPABILITY [FIELD]
verdict() {
	python3 - "$WORK/json" "$@" <<'END'
import json, sys

path, subject, way, capability, *field = sys.argv[1:]
for cell in json.load(open(path))["cells"]:
    if (cell["subject"], cell["way"], cell["capability"]) == (subject, way, capability):
        print(cell[field[0] if field else "verdict"])
END
}

# has TEXT PATTERN
has() {
	grep -qe "$2" <<<"$1" || {
		echo "'$1' has no '$2'"
		return 1
	}
}

# own_check WAY: what confirms own-unsure without the capability isn't what does with it.
own_check() {
	local off
	off=$(verdict own-unsure "$1" off confirmed)
	has "$off" 'pi=dix' && [ "$off" != "$(verdict own-unsure "$1" on confirmed)" ]
}

load_with_fs nr_devices=0
filesystem sure wait
filesystem unsure off
# shellcheck disable=SC2016
subject stack 'title = "dm-linear"' 'kind = "stack"' 'top = "/dev/mapper/survey-test"' \
	'under = ["sure", "unsure"]' 'down = "dmsetup remove --retry survey-test"' \
	"up = '''" 'echo 0 $(blockdev --getsz $DISK) linear $DISK 0 | dmsetup create survey-test' "'''"
subject refused 'title = "no filesystem"' 'kind = "filesystem"' 'down = "true"' \
	"up = 'echo first >&2; echo it has none >&2; false'"
subject lacking 'title = "no such module"' 'kind = "filesystem"' 'up = "true"' 'down = "true"' \
	'needs = { modules = ["no_such_filesystem"] }'

check "it runs" fresh --only sure:write --only unsure --only stack-sure --only stack-unsure \
	--only refused --only lacking
for kind in '' stack-; do
	check "${kind}sure is stable" is verdict "$(verdict "${kind}sure" write on)" stable
	check "${kind}unsure is unstable" is verdict "$(verdict "${kind}unsure" write on)" unstable
	check "and that is confirmed" has "$(verdict "${kind}unsure" write on confirmed)" 'pi=dix'
	check "without the capability ${kind}sure is unstable" is verdict \
		"$(verdict "${kind}sure" write off)" unstable
	check "and confirmed by what it is with it" has \
		"$(verdict "${kind}sure" write off confirmed)" 'asks for stable pages'
done
check "what changed is the file's data" has "$(verdict unsure write on first)" "file data"
check "the stack asks for stable pages, too" grep -q '"propagates": *true' "$WORK/json"
check "since it passes that on" grep -q '"about": *"[^"]*it passes that on' "$WORK/json"
check "what can't be made is refused" is verdict "$(verdict refused write on)" refused
check "with the last line it said" is why "$(verdict refused write on why)" 'it has none'
check "what lacks something is not supported" is verdict "$(verdict lacking write on)" unsupported
check "and says what" has "$(verdict lacking write on why)" 'no module no_such_filesystem'

# What was found isn't looked for again.
lines=$(grep -c . "$WORK/journal")
check "it goes on where it was" run_survey --only sure:write
check "with nothing to do" is lines "$(grep -c . "$WORK/journal")" "$lines"

# With another directory, as SUBJECTS= has it.
directory=$OWN
filesystem own-sure snapshot
filesystem own-unsure off
check "subjects of one's own" fresh --subjects "$OWN" --only own-sure:write --only own-sure:mmap \
	--only own-unsure:write --only own-unsure:mmap
for way in write mmap; do
	check "$way: one is stable" is verdict "$(verdict own-sure $way on)" stable
	check "one isn't" is verdict "$(verdict own-unsure $way on)" unstable
	check "and that is confirmed" has "$(verdict own-unsure $way on confirmed)" 'pi=dix'
	check "without the capability both aren't" is verdicts \
		"$(verdict own-sure $way off) $(verdict own-unsure $way off)" 'unstable unstable'
	check "the one by what it is with it" has "$(verdict own-sure $way off confirmed)" \
		'asks for stable pages'
	check "the other by a check of its own" own_check "$way"
done

# What was left out is run for the contrast.
check "without the capability only" fresh --only sure:write --capability off
check "it is confirmed as well" has "$(verdict sure write off confirmed)" 'asks for stable pages'

# An application that hardly writes: no page changes, and that says nothing.
seconds=0.3
check "too few writes" fresh --only sure --capability on --app 'sleep 99'
check "aren't stable" is verdict "$(verdict sure app on)" not-applicable
check "but too few" has "$(verdict sure app on why)" 'too few writes to tell'

# An application rewrites a block that is being written back; another one has failed.
seconds=3
rewriter='exec wac --writers 8 --time 60 --no-readback --progress none file'
check "an application" fresh --only sure --only unsure --app "$rewriter"
check "is stable on what is" is verdict "$(verdict sure app on)" stable
check "and unstable on what isn't" is verdict "$(verdict unsure app on)" unstable
check "nothing of it is left" is processes "$(pgrep -x wac)" ''
check "an application that fails" fresh --only sure --app 'echo out of luck >&2; exit 3'
check "is refused, with its last line" is why "$(verdict sure app on why)" 'out of luck'

check_not "another way beside an application" fresh --only sure:mmap --app true
check_not "a subject that there isn't" fresh --only nobody

ktap_finished
