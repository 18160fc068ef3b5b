/* SPDX-License-Identifier: Apache-2.0 */
/* Which symbols a shared object exports, read from its section headers (elf(5)). The file is not trusted: every offset is checked. */
#include "kit.h"
#include "base/cleanup.h"
#include "base/file.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>

static bool added_by_tools(const char *name)
{
	static const char *const exact[] = {"_init", "_fini",         "__bss_start", "_edata",
					    "_end",  "__bss_start__", "__bss_end__", "__end__"};
	static const char *const prefix[] = {"__asan_", "__odr_asan",   "__tsan_", "__ubsan_",
					     "__gcov_", "__sanitizer_", "__sancov"};

	for (size_t i = 0; i < ARRAY_LEN(exact); i++)
		if (streq(name, exact[i]))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(prefix); i++)
		if (str_after(name, prefix[i]))
			return true;
	return false;
}

static bool inside(const struct str *file, uint64_t offset, uint64_t size)
{
	return offset <= file->len && size <= file->len - offset;
}

static int read_symbols(const struct str *file, const ElfW(Shdr) * table, const ElfW(Shdr) * names,
			struct strlist *out)
{
	const char *strings = file->p + names->sh_offset;
	size_t n = table->sh_size / sizeof(ElfW(Sym));

	if (!names->sh_size || strings[names->sh_size - 1])
		return -1;
	for (size_t i = 0; i < n; i++) {
		ElfW(Sym) sym;

		memcpy(&sym, file->p + table->sh_offset + i * sizeof(sym), sizeof(sym));
		if (sym.st_shndx == SHN_UNDEF || (sym.st_info >> 4) == STB_LOCAL || !sym.st_name ||
		    sym.st_name >= names->sh_size)
			continue;
		if (!added_by_tools(strings + sym.st_name))
			strlist_add(out, strings + sym.st_name);
	}
	return 0;
}

int elf_exports(const char *path, struct strlist *out, struct error *err)
{
	auto_str file = STR_INIT;
	ElfW(Ehdr) head;

	if (file_read_at(AT_FDCWD, path, 1 << 28, &file, err) < 0)
		return -1;
	if (file.len < sizeof(head))
		return error_set(err, ERR_INVALID, "%s is no shared object", path);
	memcpy(&head, file.p, sizeof(head));
	if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_type != ET_DYN ||
	    head.e_shentsize != sizeof(ElfW(Shdr)) ||
	    !inside(&file, head.e_shoff, (uint64_t)head.e_shnum * sizeof(ElfW(Shdr))))
		return error_set(err, ERR_INVALID, "%s is no shared object", path);
	for (unsigned int i = 0; i < head.e_shnum; i++) {
		ElfW(Shdr) s, names;

		memcpy(&s, file.p + head.e_shoff + i * sizeof(s), sizeof(s));
		if (s.sh_type != SHT_DYNSYM)
			continue;
		if (s.sh_link >= head.e_shnum || !inside(&file, s.sh_offset, s.sh_size))
			break;
		memcpy(&names, file.p + head.e_shoff + s.sh_link * sizeof(names), sizeof(names));
		if (!inside(&file, names.sh_offset, names.sh_size))
			break;
		if (read_symbols(&file, &s, &names, out) == 0)
			return 0;
	}
	return error_set(err, ERR_INVALID, "%s has no readable dynamic symbol table", path);
}
