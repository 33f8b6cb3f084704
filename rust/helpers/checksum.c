// SPDX-License-Identifier: GPL-2.0
#include <linux/crc64.h>
#include <net/checksum.h>

#include "helpers.h"

STORAGE_HELPER(u64, storage_crc64_nvme, u64 crc, const void *data, size_t len)
{
	return crc64_nvme(crc, data, len);
}

STORAGE_HELPER(u32, storage_csum_partial, const void *data, int len, u32 sum)
{
	return (__force u32)csum_partial(data, len, (__force __wsum)sum);
}

STORAGE_HELPER(u16, storage_csum_fold, u32 sum)
{
	return (__force u16)csum_fold((__force __wsum)sum);
}
