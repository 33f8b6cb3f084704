#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Disks in configfs: they come and go with power and with their directory, say what is
# wrong with what they are told, and leave nothing behind, whoever does what at once.

. "$(dirname "$(readlink -f "$0")")/lib.sh"
begin 57 python3

load nr_devices=0
check "no disk is made if none is asked for" test ! -e "$DEV"
check "mkdir" mkdir "$CONFIG/a"
check "power is off at first" is power "$(cat "$CONFIG/a/power")" 0
check "there is no disk yet" test ! -e /dev/a
features() {
	is features "$(tr , '\n' <"$CONFIG/features" | sort)" \
		"$(find "$CONFIG/a" -type f -printf '%f\n' | sort)"
}
check "features lists the attributes" features
check_not "nr_devices is the module's alone" grep -q nr_devices "$CONFIG/features"
defaults() {
	local name param
	for name in blocksize:block_size size:size_mb window_us:window_us pi:pi seed:seed; do
		param=/sys/module/dif_blk/parameters/${name#*:}
		is "$name" "$(cat "$CONFIG/a/${name%:*}")" "$(cat "$param")" || return
	done
}
check "attributes begin as the module's parameters are" defaults

# wrong NAME VALUE ALLOWED
wrong() {
	local before
	before=$(cat "$CONFIG/a/$1")
	log_mark
	check "$1=$2: EINVAL" is errno "$(errno set_to "$1" "$2")" EINVAL
	check "$1=$2: one line says what is allowed" \
		log_has "dif_blk: a: $1=$2 is not valid: must be $3\$"
	check "$1=$2: it is what it was" is "$1" "$(cat "$CONFIG/a/$1")" "$before"
}
wrong size 0 'a number from 1 to 16777216'
wrong blocksize 8192 '512 or 1024 or 2048 or 4096'
wrong pi dix2 'none or dif or dix'
wrong window_us '' 'a number from 0 to 10000000'
wrong power yes '0 or 1'

# conflict LINE NAME VALUE...: which don't go together.
conflict() {
	local line=$1
	shift
	set_to "$@"
	log_mark
	check "$*: EINVAL" is errno "$(errno set_to power 1)" EINVAL
	check "$*: one line says why" log_has "dif_blk: a: $line"
}
conflict 'pi_interval=4096 is not valid with blocks of 512 bytes: must be at most a block' \
	blocksize 512 pi_interval 4096
conflict 'metadata_size=8 is not valid with pi_offset=0: must hold a tuple of 16 bytes from there' \
	pi_interval block guard crc64 metadata_size 8
conflict 'metadata_size=16 is not valid with pi_offset=9: must hold a tuple of 8 bytes from there' \
	guard crc metadata_size 16 pi_offset 9
conflict 'pi_type=0 is not valid with pi=dif: must be a number from 1 to 3' \
	metadata_size 0 pi_offset 0 pi_type 0
check "what was refused left no disk" test ! -e /dev/a

set_to pi_type 1 size 32 blocksize 4096
check "power on" set_to power 1
check "the disk is as large as it should be" is size "$(blockdev --getsize64 /dev/a)" $((32 << 20))
check "its blocks are, too" is blocksize "$(blockdev --getss /dev/a)" 4096
log_mark
check "size: EBUSY while it is there" is errno "$(errno set_to size 64)" EBUSY
check "one line says why" log_has "dif_blk: a: size can't change while power is 1\$"
ANY="window_us samples completion_us read_us write_us flush_us jitter_us mbps read_mbps write_mbps
	on_violation keep_copy"
# settled: what each attribute says to its own value, and to one that is not allowed.
settled() {
	local file name expected
	for file in "$CONFIG"/a/*; do
		name=${file##*/}
		[ "$name" != power ] || continue
		expected=EBUSY
		# shellcheck disable=SC2086 # words
		! printf '%s\n' $ANY | grep -qx "$name" || expected=0
		is "$name" "$(errno set_to "$name" "$(cat "$file")")" $expected || return
	done
}
check "those that may change do, the others say EBUSY" settled
check "window_us may change" set_to window_us 100
check "power on twice does nothing" set_to power 1
check "it can be written to" dd if=/dev/urandom of=/dev/a bs=1M count=8 oflag=direct status=none
check_not "the module stays while there is a directory" modprobe --remove dif_blk
check "power off" set_to power 0
check "the disk has gone" test ! -e /dev/a

long=$(printf '%032d' 0)
check "32 bytes are too long for a name" is errno "$(errno mkdir "$CONFIG/$long")" ENAMETOOLONG
check "31 are not" mkdir "$CONFIG/${long#0}"
check "a name that is taken: EEXIST" is errno "$(errno mkdir "$CONFIG/a")" EEXIST

# Somebody else's disk, not in this directory.
mkdir "$CONFIG/vda"
log_mark
check "a disk that another driver has: EEXIST" is errno \
	"$(errno eval "echo 1 >$CONFIG/vda/power")" EEXIST
check "one line says why" log_has 'dif_blk: vda: another driver has a disk of that name$'
check "it is as it was" is power "$(cat "$CONFIG/vda/power")" 0
check "and can be removed" rmdir "$CONFIG/vda"

# Somebody has it open, and it goes.
set_to power 1 window_us 0
exec 3<>/dev/a
check "a disk that is open can be removed" rmdir "$CONFIG/a"
write_to_it() {
	dd if=/dev/zero bs=4k count=1 status=none >&3
}
check_not "who has it open is told" write_to_it
exec 3<&-

# Everything at once, by eight.
abuse() {
	local pids=()
	for _ in {1..8}; do
		for ((i = 0; i < 60 / SHORTEN; i++)); do
			name=x$((RANDOM % 3))
			case $((RANDOM % 6)) in
			0)	mkdir "$CONFIG/$name" && echo mkdir ;;
			1)	rmdir "$CONFIG/$name" && echo rmdir ;;
			2)	echo 1 >"$CONFIG/$name/power" && echo on ;;
			3)	echo 0 >"$CONFIG/$name/power" && echo off ;;
			4)	echo $((RANDOM % 64)) >"$CONFIG/$name/size" && echo size ;;
			5)	dd if=/dev/zero of="/dev/$name" bs=64k count=4 oflag=direct conv=nocreat &&
					echo write ;;
			esac
		done 2>/dev/null >>"$WORK/done" &
		pids+=($!)
	done
	wait "${pids[@]}"
	for name in x0 x1 x2; do
		[ ! -d "$CONFIG/$name" ] || rmdir "$CONFIG/$name" || return
		[ ! -e "/dev/$name" ] || return
	done
}
check "eight that make, power and remove at random" abuse
# On a slow machine a disk is rarely there for long enough to be written to.
all_done() {
	local i
	for ((i = 0; i < 10; i++)); do
		sort "$WORK/done" | uniq -c
		! is "what succeeded" "$(sort -u "$WORK/done" | xargs)" 'mkdir off on rmdir size write' ||
			return 0
		abuse || return
	done
	return 1
}
check "all of which succeeded at times" all_done

cycles=$((2000 / SHORTEN))
cycle() {
	local i
	for ((i = 0; i < $1; i++)); do
		mkdir "$CONFIG/c" && echo 1 >"$CONFIG/c/power" && rmdir "$CONFIG/c" || return
	done
}
cycle 20
before=$(free_kb)
check "$cycles are made and removed" cycle $cycles
check "memory is back" memory_back "$before" $((32 << 10))
rmdir "$CONFIG/${long#0}"
check "the module goes when they have" unload
ktap_finished
