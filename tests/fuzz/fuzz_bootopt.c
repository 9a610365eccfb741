/* Fuzz target: boot options, device paths and load options. */
/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>
#include "boot/uefi/bootopt.h"
#include "boot/uefi/devpath.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_path(const void *path, size_t size)
{
	uint16_t text[32];
	uint8_t out[256];
	struct devpath_partition partition;
	size_t disk = devpath_disk_size(path);
	if (disk + DEVPATH_END_SIZE > size || devpath_first_size(path) > size ||
	    !devpath_starts_with(path, path, disk))
		abort();
	devpath_kind(path);
	devpath_names_file(path);
	if (devpath_partition(path, &partition) && partition.signature_type == 2 &&
	    !devpath_partition_same(&partition, &partition))
		abort();
	int n = devpath_file_text(path, text, 32);
	if (n >= 32 || (n >= 0 && text[n] != 0))
		abort();
	size_t made = devpath_make_file(path, disk, "\\a", out, sizeof(out));
	if (made != 0 && devpath_size(out, made) != made)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bootopt option;
	if (size == 0)
		return 0;
	uint8_t what = *data++;
	size--;
	switch (what % 3) {
	case 0:
		if (bootopt_parse(data, size, &option) == 0)
			use_path(option.path, option.path_size);
		break;
	case 1: {
		size_t n = devpath_size(data, size);
		if (n > size)
			abort();
		if (n != 0)
			use_path(data, n);
		break;
	}
	default: {
		char out[64];
		int r = bootopt_words(data, size, (what & 64) != 0, out, 1 + what % 54);
		if (strlen(out) > what % 54u || (r != 0 && out[0] != '\0'))
			abort();
		break;
	}
	}
	return 0;
}
