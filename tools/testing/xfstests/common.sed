# SPDX-License-Identifier: GPL-2.0
# Applied to the copy of common/ in the guest: what xfstests knows of ext2 holds for
# stablefs too, since that is what is on disk, except:

# it refuses swap files, as any filesystem may whose name isn't ext;
/^_require_scratch_swapfile()/,/^}/ b
# it has no options acl and user_xattr, both are always on;
/^_common_mount_opts()/,/^}/ b
# its times have the range of the inode's size;
/^_filesystem_timestamp_range()/,/^}/ {
	s/^\([[:space:]]*\)ext3|ext4)/\1stablefs|ext3|ext4)/
	b
}
# it knows of holes.
/^_fstyp_has_non_default_seek_data_hole()/,/^}/ {
	s/^\([[:space:]]*\)btrfs|/\1stablefs|btrfs|/
	b
}

s/^\([[:space:]]*\)ext2\([|)]\)/\1stablefs|ext2\2/
s/\[\[ "$FSTYP" =~ ext\[234\]\$ \]\]/[[ "$FSTYP" =~ (ext[234]|stablefs)$ ]]/
s/\[\[ "$FSTYP" == ext\[234\] \]\]/[[ "$FSTYP" == ext[234] || "$FSTYP" == stablefs ]]/
