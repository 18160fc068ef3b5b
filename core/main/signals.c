/* SPDX-License-Identifier: Apache-2.0 */
/* The main thread's life: signals. Threads block them all; nothing runs in a handler. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "main/daemon.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static sigset_t handled;

void signals_block(void)
{
	sigemptyset(&handled);
	sigaddset(&handled, SIGTERM);
	sigaddset(&handled, SIGINT);
	sigaddset(&handled, SIGQUIT);
	sigaddset(&handled, SIGHUP);
	sigaddset(&handled, SIGUSR1);
	sigprocmask(SIG_BLOCK, &handled, NULL);
}

static void read_line(const char *dir, const char *name, struct str *out)
{
	auto_free char *path = xasprintf("/proc/self/task/%s/%s", dir, name);
	struct error err = ERROR_INIT;

	if (file_read_at(AT_FDCWD, path, 4096, out, &err) < 0)
		str_puts(out, "?");
	if (out->len && out->p[out->len - 1] == '\n')
		out->p[--out->len] = '\0';
}

/* What moby does with goroutines: who is there, and where it waits. */
static void dump_threads(void)
{
	auto_dir DIR *d = opendir("/proc/self/task");
	struct dirent *e;

	log_info("=== BEGIN thread dump ===");
	while (d && (e = readdir(d))) {
		auto_str name = STR_INIT, where = STR_INIT, call = STR_INIT;

		if (*e->d_name == '.')
			continue;
		read_line(e->d_name, "comm", &name);
		read_line(e->d_name, "wchan", &where);
		read_line(e->d_name, "syscall", &call);
		log_info("thread", "tid", e->d_name, "name", str_cstr(&name), "waits_in",
			 str_cstr(&where), "syscall", str_cstr(&call));
	}
	log_info("=== END thread dump ===");
}

void signals_loop(void (*reload)(void))
{
	for (;;) {
		int signo = sigwaitinfo(&handled, NULL);

		if (signo == SIGHUP)
			reload();
		else if (signo == SIGUSR1)
			dump_threads();
		else if (signo > 0)
			return;
	}
}
