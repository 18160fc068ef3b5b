/* SPDX-License-Identifier: Apache-2.0 */
/* See ahead.h. `lock` guards the table; a file's digest is written by the thread before `done`, and constant afterwards. */
#include "ahead.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 128
#define WORTH_IT (256 * 1024) /* bytes */
#define READ_SIZE (256 * 1024)

struct file {
	dev_t dev;
	ino_t ino;
	int fd; /* -1: hashed */
	bool done;
	int failed; /* errno */
	char digest[72];
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool running;
	struct file v[FILES_MAX];
	size_t n, next;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* 0 or errno. */
static int hash(int fd, char out[72])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	unsigned char md[EVP_MAX_MD_SIZE], *buf = xmalloc(READ_SIZE);
	unsigned int len = 0;
	ssize_t n = -1;
	off_t at = 0;
	int failed = 0;

	if (!c || EVP_DigestInit_ex(c, EVP_sha256(), NULL) != 1)
		failed = ENOMEM;
	while (!failed && (n = pread(fd, buf, READ_SIZE, at)) != 0) {
		if (n < 0 && errno != EINTR)
			failed = errno;
		if (n > 0) {
			EVP_DigestUpdate(c, buf, (size_t)n);
			at += n;
		}
	}
	if (!failed) {
		EVP_DigestFinal_ex(c, md, &len);
		memcpy(out, "sha256:", 7);
		hex_encode(md, len, out + 7);
	}
	EVP_MD_CTX_free(c);
	free(buf);
	return failed;
}

static void *run(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&table.lock);
	table.running = true;
	pthread_cond_broadcast(&table.changed);
	for (;;) {
		struct file *f;

		while (table.next == table.n)
			pthread_cond_wait(&table.changed, &table.lock);
		f = &table.v[table.next++];
		pthread_mutex_unlock(&table.lock);
		f->failed = hash(f->fd, f->digest);
		close(f->fd);
		pthread_mutex_lock(&table.lock);
		f->fd = -1;
		f->done = true;
		pthread_cond_broadcast(&table.changed);
	}
	return NULL;
}

int ahead_start(struct error *err)
{
	if (thread_start("ahead", run, NULL, err) < 0)
		return -1;
	/* It must be past all that the filter would not let it do. */
	LOCK_SCOPE(&table.lock);
	while (!table.running)
		pthread_cond_wait(&table.changed, &table.lock);
	return 0;
}

static bool compressed(int fd)
{
	unsigned char m[4];

	return pread(fd, m, 4, 0) != 4 || (m[0] == 0x1f && m[1] == 0x8b) ||
	       !memcmp(m, "\x28\xb5\x2f\xfd", 4);
}

void ahead_add(int fd)
{
	struct stat st;
	LOCK_SCOPE(&table.lock);

	if (!table.running || table.n == FILES_MAX || fstat(fd, &st) < 0 || st.st_size < WORTH_IT ||
	    compressed(fd))
		return;
	table.v[table.n] =
	    (struct file){.dev = st.st_dev, .ino = st.st_ino, .fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)};
	if (table.v[table.n].fd < 0)
		return;
	table.n++;
	pthread_cond_broadcast(&table.changed);
}

static struct file *find_locked(int fd)
{
	struct stat st;

	if (!table.n || fstat(fd, &st) < 0)
		return NULL;
	for (size_t i = 0; i < table.n; i++)
		if (table.v[i].dev == st.st_dev && table.v[i].ino == st.st_ino)
			return &table.v[i];
	return NULL;
}

bool ahead_has(int fd)
{
	LOCK_SCOPE(&table.lock);
	return find_locked(fd) != NULL;
}

int ahead_digest(int fd, char out[72], struct error *err)
{
	struct file *f;
	LOCK_SCOPE(&table.lock);

	f = find_locked(fd);
	if (!f)
		return error_set(err, ERR_SYSTEM, "no digest of this file is being made");
	while (!f->done)
		pthread_cond_wait(&table.changed, &table.lock);
	if (f->failed)
		return error_sys(err, f->failed, "read archive");
	memcpy(out, f->digest, sizeof(f->digest));
	return 0;
}
