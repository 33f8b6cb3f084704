/* SPDX-License-Identifier: GPL-2.0 */
/* A prototype beside each helper keeps -Wmissing-prototypes content. */
#ifndef STORAGE_HELPERS_H
#define STORAGE_HELPERS_H

#define STORAGE_HELPER(ret, name, ...)	\
	ret name(__VA_ARGS__);		\
	ret name(__VA_ARGS__)

#endif
