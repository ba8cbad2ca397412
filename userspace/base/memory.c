/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static int let_go_of_code(struct dl_phdr_info *object, size_t size, void *user_data)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &object->dlpi_phdr[i];
		uintptr_t begin = object->dlpi_addr + p->p_vaddr, end = begin + p->p_memsz;

		/* what may be written, or was by the linker, is nowhere else */
		if (p->p_type == PT_LOAD && !(p->p_flags & PF_W))
			madvise((void *)(begin & ~(page - 1)), end - (begin & ~(page - 1)),
				MADV_DONTNEED);
	}
	return 0;
}

void memory_let_go_of_code(void)
{
	dl_iterate_phdr(let_go_of_code, NULL);
}
