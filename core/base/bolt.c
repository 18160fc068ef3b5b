/* SPDX-License-Identifier: Apache-2.0 */
/* See bolt.h; what the file holds, in memory, is in bolt_tree.c. Pages: a head of 16 bytes, then elements of 16 bytes, then keys and values. All numbers are the machine's own (little-endian). */
#include "base/bolt_int.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC 0xED0CDAEDu
#define FORMAT_VERSION 2
#define PAGE_NEW 4096u /* of files that we make */
#define PAGE_MIN 1024u /* what bbolt itself looks for, in powers of two */
#define PAGE_MAX (1024u << 14)
#define HEAD 16u
#define DEPTH_MAX 16
#define FILE_MAX (256u << 20)
#define NO_FREELIST UINT64_MAX
enum { BRANCH = 1, LEAF = 2, META = 4 };
enum { IS_BUCKET = 1 };

struct page_head {
	uint64_t id;
	uint16_t flags, count;
	uint32_t overflow;
};
struct leaf_element {
	uint32_t flags, pos, ksize, vsize;
};
struct branch_element {
	uint32_t pos, ksize;
	uint64_t page;
};
struct meta {
	uint32_t magic, version, page_size, flags;
	uint64_t root, sequence, freelist, high, txid, sum;
};

/* ---- reading ----------------------------------------------------------------------------------------------------------------------- */

struct reader {
	const char *data;
	size_t size;
	struct bolt *b;
	struct error *err;
};

static int damaged(const struct reader *r, const char *what)
{
	return error_set(r->err, ERR_INVALID, "%s is damaged: %s", r->b->path, what);
}

static int read_page(struct reader *r, const char *page, size_t room, struct bolt_bucket *to,
		     int depth);

static int read_page_no(struct reader *r, uint64_t no, struct bolt_bucket *to, int depth)
{
	struct page_head h;
	size_t len;

	if (no < 2 || no >= r->size / r->b->page)
		return damaged(r, "a page beyond its end");
	memcpy(&h, r->data + no * r->b->page, sizeof(h));
	len = ((size_t)h.overflow + 1) * r->b->page;
	if (h.id != no || len > r->size - no * r->b->page)
		return damaged(r, "a page that is not what it should be");
	if (no < r->b->first)
		r->b->first = no;
	if (no + h.overflow + 1 > r->b->end)
		r->b->end = no + h.overflow + 1;
	return read_page(r, r->data + no * r->b->page, len, to, depth);
}

static int read_leaf(struct reader *r, const char *element, size_t room, struct bolt_bucket *to,
		     int depth)
{
	struct leaf_element e;
	struct bolt_entry *new;
	uint64_t head[2]; /* of a bucket: root page (0: in place), sequence */

	memcpy(&e, element, sizeof(e));
	if (e.pos > room || e.ksize > room - e.pos || e.vsize > room - e.pos - e.ksize)
		return damaged(r, "an element beyond its page");
	new = bolt_entry(to, element + e.pos, e.ksize);
	if (!(e.flags & IS_BUCKET)) {
		free(new->value);
		new->value = xmalloc((size_t)e.vsize + 1);
		memcpy(new->value, element + e.pos + e.ksize, e.vsize);
		new->value[e.vsize] = '\0';
		new->vlen = e.vsize;
		return 0;
	}
	if (e.vsize < sizeof(head) || new->sub)
		return damaged(r, "a bucket without a head");
	memcpy(head, element + e.pos + e.ksize, sizeof(head));
	new->sub = xnew(struct bolt_bucket);
	new->sub->sequence = head[1];
	if (head[0])
		return read_page_no(r, head[0], new->sub, depth + 1);
	return read_page(r, element + e.pos + e.ksize + sizeof(head), e.vsize - sizeof(head),
			 new->sub, depth + 1);
}

static int read_page(struct reader *r, const char *page, size_t room, struct bolt_bucket *to,
		     int depth)
{
	struct page_head h;

	if (room < HEAD || depth > DEPTH_MAX)
		return damaged(r, "a page without a head, or too many levels");
	memcpy(&h, page, sizeof(h));
	if ((h.flags != LEAF && h.flags != BRANCH) || h.count > (room - HEAD) / 16)
		return damaged(r, "a page that holds no keys");
	for (unsigned int i = 0; i < h.count; i++) {
		size_t at = HEAD + i * 16u;
		struct branch_element e;

		if (h.flags == LEAF) {
			if (read_leaf(r, page + at, room - at, to, depth) < 0)
				return -1;
			continue;
		}
		memcpy(&e, page + at, sizeof(e));
		if (read_page_no(r, e.page, to, depth + 1) < 0)
			return -1;
	}
	return 0;
}

static uint64_t meta_sum(const struct meta *m)
{
	return fnv64(FNV64_START, m, offsetof(struct meta, sum));
}

static bool whole_meta(const struct str *text, size_t at, struct meta *m)
{
	if (at > text->len || text->len - at < HEAD + sizeof(*m))
		return false;
	memcpy(m, text->p + at + HEAD, sizeof(*m));
	return m->magic == MAGIC && m->version == FORMAT_VERSION && m->page_size >= PAGE_MIN &&
	       m->page_size <= PAGE_MAX && !(m->page_size & (m->page_size - 1)) &&
	       m->sum == meta_sum(m);
}

/* The newer of the two heads that are whole. Where the second one is depends on the page size, which the first, if it is whole, says. */
static bool find_meta(const struct str *text, struct meta *best)
{
	struct meta second;

	if (whole_meta(text, 0, best)) {
		if (whole_meta(text, best->page_size, &second) &&
		    second.page_size == best->page_size && second.txid > best->txid)
			*best = second;
		return true;
	}
	for (uint32_t at = PAGE_MIN; at <= PAGE_MAX; at *= 2)
		if (whole_meta(text, at, best) && best->page_size == at)
			return true;
	return false;
}

static int read_all(struct bolt *b, struct error *err)
{
	struct meta best;
	struct reader r = {.b = b, .err = err};
	auto_str text = STR_INIT;

	if (file_read_fd(b->fd, FILE_MAX, &text, err) < 0)
		return -1;
	r.data = text.p;
	r.size = text.len;
	if (!find_meta(&text, &best))
		return damaged(&r, "neither of its heads is whole");
	b->txid = best.txid;
	b->page = best.page_size;
	b->first = UINT64_MAX;
	return read_page_no(&r, best.root, &b->root, 0);
}

/* ---- writing ----------------------------------------------------------------------------------------------------------------------- */

/* The bucket's page (with overflow) behind what is in out already, whose first byte is page `base`; buckets in it first. Returns its number. */
static uint64_t write_bucket(const struct bolt_bucket *b, uint32_t page, uint64_t base,
			     struct str *out)
{
	size_t start, data, pos;
	struct page_head h = {.flags = LEAF, .count = (uint16_t)b->n};
	auto_free uint64_t *roots = xcalloc(b->n + 1, sizeof(*roots));

	for (size_t i = 0; i < b->n; i++)
		if (b->v[i].sub)
			roots[i] = write_bucket(b->v[i].sub, page, base, out);
	start = out->len;
	data = HEAD + b->n * 16;
	for (size_t i = 0; i < b->n; i++)
		data += b->v[i].klen + (b->v[i].sub ? 16 : b->v[i].vlen);
	h.id = base + start / page;
	h.overflow = (uint32_t)((data + page - 1) / page - 1);
	str_add(out, (const char *)&h, sizeof(h));
	pos = b->n * 16;
	for (size_t i = 0; i < b->n; i++) {
		const struct bolt_entry *e = &b->v[i];
		struct leaf_element l = {.flags = e->sub ? IS_BUCKET : 0,
					 .pos = (uint32_t)(pos - i * 16),
					 .ksize = (uint32_t)e->klen,
					 .vsize = e->sub ? 16 : (uint32_t)e->vlen};

		str_add(out, (const char *)&l, sizeof(l));
		pos += l.ksize + l.vsize;
	}
	for (size_t i = 0; i < b->n; i++) {
		const struct bolt_entry *e = &b->v[i];
		uint64_t head[2] = {roots[i], e->sub ? e->sub->sequence : 0};

		str_add(out, e->key, e->klen);
		if (e->sub)
			str_add(out, (const char *)head, sizeof(head));
		else
			str_add(out, e->value, e->vlen);
	}
	while (out->len % page)
		str_putc(out, '\0');
	return h.id;
}

static int write_at(struct bolt *b, const void *p, size_t n, uint64_t page, struct error *err)
{
	size_t done = 0;

	while (done < n) {
		ssize_t w =
		    pwrite(b->fd, (const char *)p + done, n - done, (off_t)(page * b->page + done));

		if (w < 0)
			return error_sys(err, errno, "write %s", b->path);
		done += (size_t)w;
	}
	if (fdatasync(b->fd) < 0)
		return error_sys(err, errno, "sync %s", b->path);
	return 0;
}

static void add_meta(const struct bolt *b, uint64_t txid, uint64_t root, uint64_t high,
		     struct str *out)
{
	struct page_head h = {.id = txid % 2, .flags = META};
	struct meta m = {.magic = MAGIC,
			 .version = FORMAT_VERSION,
			 .page_size = b->page,
			 .root = root,
			 .freelist = NO_FREELIST,
			 .high = high,
			 .txid = txid};

	m.sum = meta_sum(&m);
	str_add(out, (const char *)&h, sizeof(h));
	str_add(out, (const char *)&m, sizeof(m));
	while (out->len % b->page)
		str_putc(out, '\0');
}

static bool fits(const struct bolt_bucket *b)
{
	if (b->n > 65535)
		return false;
	for (size_t i = 0; i < b->n; i++)
		if (b->v[i].sub && !fits(b->v[i].sub))
			return false;
	return true;
}

static int commit(struct bolt *b, struct error *err)
{
	auto_str pages = STR_INIT, meta = STR_INIT, spoilt = STR_INIT;
	uint64_t base, root, end, high;
	struct error ignored = ERROR_INIT;

	if (!fits(&b->root))
		return error_set(err, ERR_SYSTEM, "%s: too many entries", b->path);
	/* the size does not depend on the place: in front of what counts now if there is room, else behind it */
	write_bucket(&b->root, b->page, 0, &pages);
	base = 2 + pages.len / b->page <= b->first ? 2 : b->end;
	str_reset(&pages);
	root = write_bucket(&b->root, b->page, base, &pages);
	end = base + pages.len / b->page;
	high = end > b->end ? end : b->end;
	if (write_at(b, pages.p, pages.len, base, err) < 0)
		return -1;
	FAULT("bolt.commit.written");
	add_meta(b, b->txid + 1, root, high, &meta);
	if (write_at(b, meta.p, meta.len, (b->txid + 1) % 2, err) < 0 ||
	    FAULT_ERR("bolt.commit.head", err) < 0) {
		/* it may be there all the same, and what failed would count after a restart: the other head is the one that holds */
		while (spoilt.len < b->page)
			str_putc(&spoilt, '\0');
		if (write_at(b, spoilt.p, spoilt.len, (b->txid + 1) % 2, &ignored) < 0)
			log_error("a change that failed may be on disk", "file", b->path, "error",
				  ignored.text);
		return -1;
	}
	FAULT("bolt.commit.done");
	b->txid++;
	b->first = base;
	b->end = end;
	return 0;
}

int bolt_commit(struct bolt *b, struct error *err)
{
	int r;

	if (!b->n_undo)
		return 0;
	r = commit(b, err);
	if (r < 0)
		bolt_undo(b);
	bolt_undo_forget(b);
	return r;
}

/* A new file: two heads and an empty page; whole before it has its name. */
static void first_pages(const struct bolt *b, struct str *pages)
{
	for (uint64_t i = 0; i < 2; i++)
		add_meta(b, i, 2, 3, pages);
	write_bucket(&b->root, b->page, 2 - pages->len / b->page, pages);
}

/* As bbolt does with an empty file; the lock is held. */
static int fill_empty(struct bolt *b, struct error *err)
{
	auto_str pages = STR_INIT;
	struct stat st;

	if (fstat(b->fd, &st) < 0)
		return error_sys(err, errno, "stat %s", b->path);
	if (st.st_size)
		return 0;
	first_pages(b, &pages);
	if (pwrite(b->fd, pages.p, pages.len, 0) != (ssize_t)pages.len || fsync(b->fd) < 0)
		return error_sys(err, errno, "write %s", b->path);
	return 0;
}

static int make(struct bolt *b, struct error *err)
{
	auto_str pages = STR_INIT;

	first_pages(b, &pages);
	return file_write_atomic(AT_FDCWD, b->path, pages.p, pages.len, 0600, true, err);
}

/* ---- the file ----------------------------------------------------------------------------------------------------------------------- */

static void *wait_for_lock(void *fd)
{
	flock((int)(intptr_t)fd, LOCK_EX);
	return NULL;
}

/*
 * A daemon that was killed may have left a child between its execve and the closing of what is close-on-exec: it holds the lock for a moment. moby waits a
 * second, too. There is no flock(2) with a time limit, hence the thread; in vain, it stays until the process ends, which it does then.
 */
static int lock_soon(int fd)
{
	struct error ignored;
	struct timespec until;
	pthread_t t;

	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK ||
	    thread_start_joinable("lock", wait_for_lock, (void *)(intptr_t)fd, &t, &ignored) < 0)
		return -1;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 1;
	if (pthread_timedjoin_np(t, NULL, &until) == 0)
		return flock(fd, LOCK_EX | LOCK_NB);
	pthread_detach(t);
	return -1;
}

int bolt_open(const char *path, struct bolt **out, struct error *err)
{
	struct bolt *b = xnew(struct bolt);

	*b = (struct bolt){.fd = -1, .path = xstrdup(path), .page = PAGE_NEW};
	if (!file_exists_at(AT_FDCWD, path) && make(b, err) < 0)
		goto fail;
	b->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (b->fd < 0) {
		error_sys(err, errno, "open %s", path);
		goto fail;
	}
	if (lock_soon(b->fd) < 0) {
		error_set(err, ERR_CONFLICT, "%s is in use by another daemon", path);
		goto fail;
	}
	if (fill_empty(b, err) < 0 || read_all(b, err) < 0)
		goto fail;
	*out = b;
	return 0;
fail:
	bolt_close(b);
	return -1;
}

void bolt_close(struct bolt *b)
{
	if (!b)
		return;
	bolt_undo_forget(b);
	free(b->undo);
	bolt_bucket_free(&b->root);
	fd_close(&b->fd);
	free(b->path);
	free(b);
}
