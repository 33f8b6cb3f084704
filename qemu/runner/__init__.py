# SPDX-License-Identifier: GPL-2.0
"""The VM runner: one subject per file.

main      what happens in which order, and the exit status
options   the command line
paths     where the environment's artefacts are
accel     KVM or TCG
stage     modules and files as the guest gets them
machine   QEMU's command line and its process
channels  bytes between the guest and the terminal
klog      what in a kernel log is a failure
"""
