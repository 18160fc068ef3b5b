/* SPDX-License-Identifier: Apache-2.0 */
/* See tar_pax.h. */
#include "tar_pax.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static int bad(const char *what, struct error *err)
{
	return error_set(err, ERR_INVALID, "archive/tar: invalid tar header: %s", what);
}

void tar_meta_free(struct tar_meta *m)
{
	str_free(&m->pax);
	str_free(&m->name);
	str_free(&m->link);
}

bool tar_meta_empty(const struct tar_meta *m)
{
	return !m->have_pax && !m->name.len && !m->link.len;
}

int tar_pax_u64(const char *p, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	if (n == 0 || n > 19)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		v = v * 10 + (uint64_t)(p[i] - '0');
	}
	*out = v;
	return 0;
}

/* One "len key=value\n" at *pos. 1, 0 at the end, -1. */
static int next_record(const struct str *s, size_t *pos, const char **key, size_t *key_len,
		       const char **val, size_t *val_len)
{
	const char *p = s->p + *pos, *sp, *eq;
	size_t left = s->len - *pos;
	uint64_t len;

	if (!left)
		return 0;
	sp = memchr(p, ' ', left);
	if (!sp || tar_pax_u64(p, (size_t)(sp - p), &len) < 0 || len > left ||
	    len < (uint64_t)(sp - p) + 3 || p[len - 1] != '\n')
		return -1;
	eq = memchr(sp + 1, '=', (size_t)(p + len - 1 - (sp + 1)));
	if (!eq || eq == sp + 1)
		return -1;
	*key = sp + 1;
	*key_len = (size_t)(eq - sp) - 1;
	*val = eq + 1;
	*val_len = (size_t)(p + len - 1 - (eq + 1));
	*pos += len;
	return 1;
}

static bool is_key(const char *key, size_t n, const char *name)
{
	return strlen(name) == n && !memcmp(key, name, n);
}

int tar_meta_add(struct tar_meta *m, char flag, const struct str *content, struct error *err)
{
	const char *key, *val, *major = "";
	size_t pos = 0, kn, vn;
	int r;

	if (flag != 'x') {
		struct str *to = flag == 'L' ? &m->name : &m->link;

		str_reset(to);
		str_add(to, str_cstr(content), strnlen(str_cstr(content), content->len));
		return 0;
	}
	str_reset(&m->pax);
	str_add(&m->pax, str_cstr(content), content->len);
	m->have_pax = true;
	m->sparse_1_0 = false;
	while ((r = next_record(&m->pax, &pos, &key, &kn, &val, &vn)) > 0)
		if (is_key(key, kn, "GNU.sparse.major")) {
			major = vn == 1 ? val : "";
			m->sparse_1_0 = *major == '1';
		}
	return r < 0 ? bad("pax record", err) : 0;
}

/* "seconds[.fraction]", may be negative: time before the epoch counts down from the next lower second. */
static int pax_time(const char *p, size_t n, int64_t *s, uint32_t *ns)
{
	bool negative = n && *p == '-';
	const char *dot;
	uint64_t v, f = 0;
	size_t digits = 0;

	p += negative;
	n -= negative;
	dot = memchr(p, '.', n);
	if (tar_pax_u64(p, dot ? (size_t)(dot - p) : n, &v) < 0 || v > INT64_MAX / 2)
		return -1;
	for (const char *c = dot ? dot + 1 : p + n; c < p + n; c++) {
		if (*c < '0' || *c > '9')
			return -1;
		if (digits < 9) {
			f = f * 10 + (uint64_t)(*c - '0');
			digits++;
		}
	}
	for (; digits < 9; digits++)
		f *= 10;
	*s = negative ? -(int64_t)v : (int64_t)v;
	*ns = (uint32_t)f;
	if (negative && f) {
		*s -= 1;
		*ns = (uint32_t)(1000000000 - f);
	}
	return 0;
}

static int pax_id(const char *p, size_t n, uint32_t *out)
{
	uint64_t v;

	if (tar_pax_u64(p, n, &v) < 0 || v >= UINT32_MAX)
		return -1;
	*out = (uint32_t)v;
	return 0;
}

static int add_xattr(struct tar_entry *e, const char *key, size_t kn, const char *val, size_t vn)
{
	/* Linux's own limits: what is beyond could not be set anyway. */
	if (kn == 0 || kn > 255 || vn > 65536 || memchr(key, 0, kn) || e->n_xattrs >= 1024)
		return -1;
	e->xattrs = xreallocarray(e->xattrs, e->n_xattrs + 1, sizeof(*e->xattrs));
	e->xattrs[e->n_xattrs].name = xstrndup(key, kn);
	e->xattrs[e->n_xattrs].value = xmalloc(vn + 1);
	memcpy(e->xattrs[e->n_xattrs].value, val, vn);
	e->xattrs[e->n_xattrs++].len = vn;
	return 0;
}

/* GNU.sparse.map (0.1): "offset,len,offset,len". */
static int sparse_list(struct tar_entry *e, const char *val, size_t n, struct error *err)
{
	uint64_t v[2];
	int which = 0;

	e->sparse = true;
	while (n) {
		const char *comma = memchr(val, ',', n);
		size_t len = comma ? (size_t)(comma - val) : n;

		if (tar_pax_u64(val, len, &v[which++]) < 0)
			return bad("sparse map", err);
		if (which == 2 && tar_sparse_add(e, v[0], v[1], err) < 0)
			return -1;
		which %= 2;
		val += len + (comma != NULL);
		n -= len + (comma != NULL);
	}
	return which ? bad("sparse map", err) : 0;
}

static int apply_record(struct tar_entry *e, uint64_t *stored, uint64_t *offset, uint64_t *real,
			const char *key, size_t kn, const char *val, size_t vn, struct error *err)
{
	static const char xattr[] = "SCHILY.xattr.";
	int r = 0;
	uint64_t v;

	if (!vn && strncmp(key, xattr, sizeof(xattr) - 1) != 0)
		return 0; /* an empty value means: as the plain header says */
	if (is_key(key, kn, "path") || is_key(key, kn, "GNU.sparse.name")) {
		str_reset(&e->name);
		str_add(&e->name, val, vn);
	} else if (is_key(key, kn, "linkpath")) {
		str_reset(&e->linkname);
		str_add(&e->linkname, val, vn);
	} else if (is_key(key, kn, "size")) {
		r = tar_pax_u64(val, vn, stored);
		if (!e->sparse)
			e->size = *stored;
	} else if (is_key(key, kn, "uid")) {
		r = pax_id(val, vn, &e->uid);
	} else if (is_key(key, kn, "gid")) {
		r = pax_id(val, vn, &e->gid);
	} else if (is_key(key, kn, "mtime")) {
		r = pax_time(val, vn, &e->mtime_s, &e->mtime_ns);
	} else if (is_key(key, kn, "GNU.sparse.size") || is_key(key, kn, "GNU.sparse.realsize")) {
		r = tar_pax_u64(val, vn, real);
		e->sparse = true;
	} else if (is_key(key, kn, "GNU.sparse.map")) {
		return sparse_list(e, val, vn, err);
	} else if (is_key(key, kn, "GNU.sparse.offset")) {
		r = tar_pax_u64(val, vn, offset);
	} else if (is_key(key, kn, "GNU.sparse.numbytes")) {
		r = tar_pax_u64(val, vn, &v);
		e->sparse = true;
		if (!r && tar_sparse_add(e, *offset, v, err) < 0)
			return -1;
	} else if (kn > sizeof(xattr) - 1 && !memcmp(key, xattr, sizeof(xattr) - 1)) {
		r = add_xattr(e, key + sizeof(xattr) - 1, kn - (sizeof(xattr) - 1), val, vn);
	}
	return r < 0 ? bad("pax record", err) : 0;
}

int tar_meta_apply(const struct tar_meta *m, struct tar_entry *e, uint64_t *stored,
		   struct error *err)
{
	const char *key, *val;
	uint64_t offset = 0, real = UINT64_MAX;
	size_t pos = 0, kn, vn;

	if (m->name.len) {
		str_reset(&e->name);
		str_add(&e->name, m->name.p, m->name.len);
	}
	if (m->link.len) {
		str_reset(&e->linkname);
		str_add(&e->linkname, m->link.p, m->link.len);
	}
	while (m->have_pax && next_record(&m->pax, &pos, &key, &kn, &val, &vn) > 0)
		if (apply_record(e, stored, &offset, &real, key, kn, val, vn, err) < 0)
			return -1;
	if (real != UINT64_MAX)
		e->size = real;
	return 0;
}

int tar_sparse_add(struct tar_entry *e, uint64_t offset, uint64_t len, struct error *err)
{
	if (e->n_pieces >= TAR_SPARSE_MAX)
		return bad("too many pieces of a sparse file", err);
	if ((e->n_pieces & (e->n_pieces + 1)) == 0) /* grow at 0, 1, 3, 7, ... */
		e->pieces = xreallocarray(e->pieces, e->n_pieces * 2 + 2, sizeof(*e->pieces));
	e->pieces[e->n_pieces++] = (struct tar_piece){offset, len};
	return 0;
}

int tar_sparse_check(const struct tar_entry *e, struct error *err)
{
	uint64_t at = 0, sum = 0;

	for (size_t i = 0; i < e->n_pieces; i++) {
		const struct tar_piece *p = &e->pieces[i];

		if (p->offset < at || p->offset > e->size || p->len > e->size - p->offset)
			return bad("sparse map", err);
		at = p->offset + p->len;
		sum += p->len;
	}
	return sum == e->data_left ? 0 : bad("sparse map does not fit the content", err);
}
