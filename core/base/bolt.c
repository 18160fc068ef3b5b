/* SPDX-License-Identifier: Apache-2.0 */
/* See bolt.h. Pages: a head of 16 bytes, then elements of 16 bytes, then keys and values. All numbers are the machine's own (little-endian). */
#include "base/bolt.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC 0xED0CDAEDu
#define FORMAT_VERSION 2
#define PAGE 4096u
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

struct bucket;
struct entry {
	char *key, *value; /* owned; NUL behind each */
	size_t klen, vlen;
	struct bucket *sub; /* instead of a value */
};
struct bucket {
	struct entry *v; /* sorted by key */
	size_t n, cap;
	uint64_t sequence;
};

struct bolt {
	int fd;
	char *path;
	struct bucket root;
	uint64_t txid;
	uint64_t first, end; /* pages that the state on disk lies in */
	bool dirty;
};

/* ---- buckets in memory ------------------------------------------------------------------------------------------------------------ */

static void bucket_free(struct bucket *b)
{
	for (size_t i = 0; i < b->n; i++) {
		free(b->v[i].key);
		free(b->v[i].value);
		if (b->v[i].sub) {
			bucket_free(b->v[i].sub);
			free(b->v[i].sub);
		}
	}
	free(b->v);
	*b = (struct bucket){0};
}

/* Where the key is, or would be. */
static size_t find(const struct bucket *b, const char *key, size_t klen, bool *there)
{
	size_t low = 0, high = b->n;

	*there = false;
	while (low < high) {
		size_t mid = (low + high) / 2;
		const struct entry *e = &b->v[mid];
		int c = memcmp(key, e->key, klen < e->klen ? klen : e->klen);

		if (c == 0)
			c = (klen > e->klen) - (klen < e->klen);
		if (c == 0) {
			*there = true;
			return mid;
		}
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static struct entry *put(struct bucket *b, const char *key, size_t klen)
{
	bool there;
	size_t at = find(b, key, klen, &there);

	if (there)
		return &b->v[at];
	if (b->n == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 16;
		b->v = xreallocarray(b->v, b->cap, sizeof(*b->v));
	}
	memmove(&b->v[at + 1], &b->v[at], (b->n - at) * sizeof(*b->v));
	b->n++;
	b->v[at] = (struct entry){.key = xstrndup(key, klen), .klen = klen};
	return &b->v[at];
}

static struct bucket *top(const struct bolt *b, const char *name)
{
	bool there;
	size_t at = find(&b->root, name, strlen(name), &there);

	return there ? b->root.v[at].sub : NULL;
}

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

static int read_page(struct reader *r, const char *page, size_t room, struct bucket *to, int depth);

static int read_page_no(struct reader *r, uint64_t no, struct bucket *to, int depth)
{
	struct page_head h;
	size_t len;

	if (no < 2 || no >= r->size / PAGE)
		return damaged(r, "a page beyond its end");
	memcpy(&h, r->data + no * PAGE, sizeof(h));
	len = ((size_t)h.overflow + 1) * PAGE;
	if (h.id != no || len > r->size - no * PAGE)
		return damaged(r, "a page that is not what it should be");
	if (no < r->b->first)
		r->b->first = no;
	if (no + h.overflow + 1 > r->b->end)
		r->b->end = no + h.overflow + 1;
	return read_page(r, r->data + no * PAGE, len, to, depth);
}

static int read_leaf(struct reader *r, const char *element, size_t room, struct bucket *to,
		     int depth)
{
	struct leaf_element e;
	struct entry *new;
	uint64_t head[2]; /* of a bucket: root page (0: in place), sequence */

	memcpy(&e, element, sizeof(e));
	if (e.pos > room || e.ksize > room - e.pos || e.vsize > room - e.pos - e.ksize)
		return damaged(r, "an element beyond its page");
	new = put(to, element + e.pos, e.ksize);
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
	new->sub = xnew(struct bucket);
	new->sub->sequence = head[1];
	if (head[0])
		return read_page_no(r, head[0], new->sub, depth + 1);
	return read_page(r, element + e.pos + e.ksize + sizeof(head), e.vsize - sizeof(head),
			 new->sub, depth + 1);
}

static int read_page(struct reader *r, const char *page, size_t room, struct bucket *to, int depth)
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

/* FNV-1a of 64 bits over all before it. */
static uint64_t meta_sum(const struct meta *m)
{
	const unsigned char *p = (const unsigned char *)m;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < offsetof(struct meta, sum); i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static int read_all(struct bolt *b, struct error *err)
{
	struct meta best = {0}, m;
	struct reader r = {.b = b, .err = err};
	auto_str text = STR_INIT;

	if (file_read_fd(b->fd, FILE_MAX, &text, err) < 0)
		return -1;
	r.data = text.p;
	r.size = text.len;
	for (size_t i = 0; i < 2 && text.len >= 2 * PAGE; i++) {
		memcpy(&m, text.p + i * PAGE + HEAD, sizeof(m));
		if (m.magic == MAGIC && m.version == FORMAT_VERSION && m.page_size == PAGE &&
		    m.sum == meta_sum(&m) && m.txid >= best.txid)
			best = m;
	}
	if (!best.magic)
		return damaged(&r, "neither of its heads is whole");
	b->txid = best.txid;
	b->first = UINT64_MAX;
	return read_page_no(&r, best.root, &b->root, 0);
}

/* ---- writing ----------------------------------------------------------------------------------------------------------------------- */

/* The bucket's page (with overflow) behind what is in out already, whose first byte is page `base`; buckets in it first. Returns its number. */
static uint64_t write_bucket(const struct bucket *b, uint64_t base, struct str *out)
{
	size_t start, data, pos;
	struct page_head h = {.flags = LEAF, .count = (uint16_t)b->n};
	auto_free uint64_t *roots = xcalloc(b->n + 1, sizeof(*roots));

	for (size_t i = 0; i < b->n; i++)
		if (b->v[i].sub)
			roots[i] = write_bucket(b->v[i].sub, base, out);
	start = out->len;
	data = HEAD + b->n * 16;
	for (size_t i = 0; i < b->n; i++)
		data += b->v[i].klen + (b->v[i].sub ? 16 : b->v[i].vlen);
	h.id = base + start / PAGE;
	h.overflow = (uint32_t)((data + PAGE - 1) / PAGE - 1);
	str_add(out, (const char *)&h, sizeof(h));
	pos = b->n * 16;
	for (size_t i = 0; i < b->n; i++) {
		const struct entry *e = &b->v[i];
		struct leaf_element l = {.flags = e->sub ? IS_BUCKET : 0,
					 .pos = (uint32_t)(pos - i * 16),
					 .ksize = (uint32_t)e->klen,
					 .vsize = e->sub ? 16 : (uint32_t)e->vlen};

		str_add(out, (const char *)&l, sizeof(l));
		pos += l.ksize + l.vsize;
	}
	for (size_t i = 0; i < b->n; i++) {
		const struct entry *e = &b->v[i];
		uint64_t head[2] = {roots[i], e->sub ? e->sub->sequence : 0};

		str_add(out, e->key, e->klen);
		if (e->sub)
			str_add(out, (const char *)head, sizeof(head));
		else
			str_add(out, e->value, e->vlen);
	}
	while (out->len % PAGE)
		str_putc(out, '\0');
	return h.id;
}

static int write_at(struct bolt *b, const void *p, size_t n, uint64_t page, struct error *err)
{
	size_t done = 0;

	while (done < n) {
		ssize_t w =
		    pwrite(b->fd, (const char *)p + done, n - done, (off_t)(page * PAGE + done));

		if (w < 0)
			return error_sys(err, errno, "write %s", b->path);
		done += (size_t)w;
	}
	if (fdatasync(b->fd) < 0)
		return error_sys(err, errno, "sync %s", b->path);
	return 0;
}

static void fill_meta(const struct bolt *b, uint64_t txid, uint64_t root, uint64_t high,
		      char page[PAGE])
{
	struct page_head h = {.id = txid % 2, .flags = META};
	struct meta m = {.magic = MAGIC,
			 .version = FORMAT_VERSION,
			 .page_size = PAGE,
			 .root = root,
			 .freelist = NO_FREELIST,
			 .high = high,
			 .txid = txid};

	(void)b;
	m.sum = meta_sum(&m);
	memset(page, 0, PAGE);
	memcpy(page, &h, sizeof(h));
	memcpy(page + HEAD, &m, sizeof(m));
}

static bool fits(const struct bucket *b)
{
	if (b->n > 65535)
		return false;
	for (size_t i = 0; i < b->n; i++)
		if (b->v[i].sub && !fits(b->v[i].sub))
			return false;
	return true;
}

int bolt_commit(struct bolt *b, struct error *err)
{
	auto_str pages = STR_INIT;
	char meta[PAGE];
	uint64_t base, root, end, high;

	if (!b->dirty)
		return 0;
	if (!fits(&b->root))
		return error_set(err, ERR_SYSTEM, "%s: too many entries", b->path);
	/* the size does not depend on the place: in front of what counts now if there is room, else behind it */
	write_bucket(&b->root, 0, &pages);
	base = 2 + pages.len / PAGE <= b->first ? 2 : b->end;
	str_reset(&pages);
	root = write_bucket(&b->root, base, &pages);
	end = base + pages.len / PAGE;
	high = end > b->end ? end : b->end;
	if (write_at(b, pages.p, pages.len, base, err) < 0)
		return -1;
	FAULT("bolt.commit.written");
	fill_meta(b, b->txid + 1, root, high, meta);
	if (write_at(b, meta, PAGE, (b->txid + 1) % 2, err) < 0)
		return -1;
	FAULT("bolt.commit.done");
	b->txid++;
	b->first = base;
	b->end = end;
	b->dirty = false;
	return 0;
}

/* A new file: two heads and an empty page; whole before it has its name. */
static void first_pages(struct bolt *b, struct str *pages)
{
	char meta[PAGE];

	for (uint64_t i = 0; i < 2; i++) {
		fill_meta(b, i, 2, 3, meta);
		str_add(pages, meta, PAGE);
	}
	write_bucket(&b->root, 2 - pages->len / PAGE, pages);
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

int bolt_open(const char *path, struct bolt **out, struct error *err)
{
	struct bolt *b = xnew(struct bolt);

	*b = (struct bolt){.fd = -1, .path = xstrdup(path)};
	if (!file_exists_at(AT_FDCWD, path) && make(b, err) < 0)
		goto fail;
	b->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (b->fd < 0) {
		error_sys(err, errno, "open %s", path);
		goto fail;
	}
	if (flock(b->fd, LOCK_EX | LOCK_NB) < 0) {
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
	bucket_free(&b->root);
	fd_close(&b->fd);
	free(b->path);
	free(b);
}

const void *bolt_get(const struct bolt *b, const char *bucket, const char *key, size_t *len)
{
	const struct bucket *in = top(b, bucket);
	bool there = false;
	size_t at = in ? find(in, key, strlen(key), &there) : 0;

	if (!there || in->v[at].sub)
		return NULL;
	*len = in->v[at].vlen;
	return in->v[at].value;
}

void bolt_keys(const struct bolt *b, const char *bucket, const char *prefix, struct strlist *out)
{
	const struct bucket *in = top(b, bucket);

	for (size_t i = 0; in && i < in->n; i++)
		if (!in->v[i].sub && strlen(in->v[i].key) == in->v[i].klen &&
		    str_after(in->v[i].key, prefix))
			strlist_add(out, in->v[i].key);
}

void bolt_put(struct bolt *b, const char *bucket, const char *key, const void *value, size_t len)
{
	struct entry *in = put(&b->root, bucket, strlen(bucket)), *e;

	if (!in->sub)
		in->sub = xnew(struct bucket);
	e = put(in->sub, key, strlen(key));
	if (e->value && e->vlen == len && !memcmp(e->value, value, len))
		return;
	free(e->value);
	e->value = xmalloc(len + 1);
	memcpy(e->value, value, len);
	e->value[len] = '\0';
	e->vlen = len;
	b->dirty = true;
}

void bolt_del(struct bolt *b, const char *bucket, const char *key)
{
	struct bucket *in = top(b, bucket);
	bool there = false;
	size_t at = in ? find(in, key, strlen(key), &there) : 0;

	if (!there)
		return;
	free(in->v[at].key);
	free(in->v[at].value);
	memmove(&in->v[at], &in->v[at + 1], (in->n - at - 1) * sizeof(*in->v));
	in->n--;
	b->dirty = true;
}
