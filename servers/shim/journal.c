/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal: a head and records of fixed size in the run directory (a tmpfs: it survives kill -9, not the power switch). Nothing of
 * it is kept in memory: replay to a subscriber reads the file, so a live event and an old one take the same way.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/procstat.h"
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int journal_create(struct shim *s, struct error *err)
{
	struct shim_journal_head head = {.magic = SHIM_JOURNAL_MAGIC,
					 .version = 1,
					 .shim_pid = getpid(),
					 .shim_start_time = proc_start_time(getpid())};

	s->journal = openat(s->dir, SHIM_JOURNAL, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (s->journal < 0)
		return error_sys(err, errno, "create journal");
	if (write(s->journal, &head, sizeof(head)) != sizeof(head))
		return error_sys(err, errno, "write journal");
	return 0;
}

#define KEEP 512 /* records: far more than the exec sessions that can end while nobody listens */
#define PAGE 4096

static off_t record_offset(uint64_t seq)
{
	return (off_t)(sizeof(struct shim_journal_head) + (seq - 1) * sizeof(struct shim_record));
}

/*
 * A container with health checks writes two records each time, for months: pages of old ones are given back. The first page (created,
 * started) and the last KEEP records stay. Their place reads as zeros, which no reader takes for a record.
 */
static void forget_old(struct shim *s)
{
	off_t keep_from;

	if (s->last_seq % 32 || s->last_seq <= KEEP)
		return;
	keep_from = record_offset(s->last_seq - KEEP) / PAGE * PAGE;
	if (keep_from > PAGE)
		fallocate(s->journal, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE,
			  keep_from - PAGE);
}

void journal_pump(struct shim *s, struct client *c)
{
	while (c->seen < s->last_seq && !c->closed) {
		struct shim_record r;
		struct error err;
		auto_msg m = {0};

		if (pread(s->journal, &r, sizeof(r), record_offset(c->seen + 1)) != sizeof(r))
			return;
		if (!r.seq) { /* forgotten */
			c->seen++;
			continue;
		}
		msg_init(&m, SHIM_EVENT);
		msg_put(&m, TAG_RECORD, &r, sizeof(r));
		if (msg_send(c->fd, &m, &err) < 0) {
			/* A full socket: poll tells when there is room again. */
			if (err.sys != EAGAIN)
				c->closed = true;
			return;
		}
		c->seen++;
	}
}

void journal_add(struct shim *s, enum shim_event_type type, const struct proc *p, int exit_code,
		 int64_t time)
{
	struct shim_record r = {.type = type,
				.seq = s->last_seq + 1,
				.time = time ? time : clock_wall_ns(),
				.exit_code = exit_code,
				.oom = s->oom_kills > 0};

	if (p) {
		r.pid = p->pid;
		r.start_time = p->start_time;
		snprintf(r.exec_id, sizeof(r.exec_id), "%s", p->exec_id);
	}
	r.checksum = shim_checksum(&r);
	FAULT("shim.journal.before");
	if (pwrite(s->journal, &r, sizeof(r), record_offset(r.seq)) != sizeof(r)) {
		/* A full tmpfs. Nothing may be told that is not recorded; an exit that can't be told ends the shim: found dead. */
		s->done = s->done || type == SHIM_EVENT_EXIT;
		return;
	}
	s->last_seq = r.seq;
	forget_old(s);
	FAULT("shim.journal.after");
	for (struct client *c = s->clients; c; c = c->next)
		if (c->subscribed)
			journal_pump(s, c);
}
