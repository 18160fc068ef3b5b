/* SPDX-License-Identifier: Apache-2.0 */
/* See quota.h. */
#include "base/quota.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/quota.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PRJQUOTA
#define PRJQUOTA 2
#endif
#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif
#define COMMAND(c) QCMD((unsigned int)(c), PRJQUOTA)
#define TRIES 100000 /* ids that somebody else may use */

/*
 * Kernels before 5.14 want the block device by a path: a node in `home`, which stays there for the next call, and under the name that moby gives its
 * own, so that there is one whichever of us was first.
 */
#define DEVICE "backingFsBlockDev"

static int make_device(int home)
{
	struct stat st, node;

	if (fstat(home, &st) < 0)
		return -1;
	if (fstatat(home, DEVICE, &node, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISBLK(node.st_mode) && node.st_rdev == st.st_dev)
			return 0;
		unlinkat(home, DEVICE, 0); /* of a time when the disk had another number */
	}
	return mknodat(home, DEVICE, S_IFBLK | 0600, st.st_dev) < 0 && errno != EEXIST ? -1 : 0;
}

static int by_device(int home, unsigned int command, uint32_t id, void *arg)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/" DEVICE, home);
	return make_device(home) < 0 ? -1 : (int)syscall(SYS_quotactl, command, path, id, arg);
}

static int control(int home, unsigned int command, uint32_t id, void *arg)
{
	int r = (int)syscall(SYS_quotactl_fd, home, command, id, arg);

	return r < 0 && errno == ENOSYS ? by_device(home, command, id, arg) : r;
}

bool quota_supported(int dirfd)
{
	struct fs_quota_stat st = {0};

	return control(dirfd, COMMAND(Q_XGETQSTAT), 0, &st) == 0 &&
	       st.qs_flags & FS_QUOTA_PDQ_ENFD && st.qs_flags & FS_QUOTA_PDQ_ACCT;
}

uint32_t quota_project(int dirfd)
{
	struct fsxattr x = {0};

	return ioctl(dirfd, FS_IOC_FSGETXATTR, &x) == 0 ? x.fsx_projid : 0;
}

static int set_project(int dirfd, uint32_t project)
{
	struct fsxattr x = {0};

	if (ioctl(dirfd, FS_IOC_FSGETXATTR, &x) < 0)
		return -1;
	x.fsx_projid = project;
	x.fsx_xflags |= FS_XFLAG_PROJINHERIT;
	return ioctl(dirfd, FS_IOC_FSSETXATTR, &x);
}

static int set_limit(int home, uint32_t project, uint64_t bytes)
{
	struct fs_disk_quota d = {.d_version = FS_DQUOT_VERSION,
				  .d_id = project,
				  .d_flags = FS_PROJ_QUOTA,
				  .d_fieldmask = FS_DQ_BHARD | FS_DQ_BSOFT,
				  .d_blk_hardlimit = bytes / 512,
				  .d_blk_softlimit = bytes / 512};

	return control(home, COMMAND(Q_XSETQLIM), project, &d);
}

/* Nothing is counted for it, nothing limited. */
static bool is_free(int home, uint32_t project)
{
	struct fs_disk_quota d = {0};

	if (control(home, COMMAND(Q_XGETQUOTA), project, &d) < 0)
		return errno == ENOENT || errno == ESRCH;
	return !d.d_bcount && !d.d_icount && !d.d_blk_hardlimit && !d.d_ino_hardlimit;
}

int quota_limit(int home, int dirfd, uint32_t floor, uint64_t bytes, struct error *err)
{
	uint32_t project = quota_project(dirfd), above = quota_project(home);

	if (!project || project == above) {
		project = floor > above ? floor : above;
		for (int i = 0; i < TRIES && !is_free(home, ++project); i++)
			;
		/* the limit first: a tree that carries the id is never without it */
		if (set_limit(home, project, bytes) < 0)
			return error_sys(err, errno, "failed to set quota limit for projid %u",
					 project);
		return quota_join(dirfd, project, err);
	}
	if (set_limit(home, project, bytes) < 0)
		return error_sys(err, errno, "failed to set quota limit for projid %u", project);
	return 0;
}

int quota_join(int dirfd, uint32_t project, struct error *err)
{
	if (quota_project(dirfd) == project || set_project(dirfd, project) == 0)
		return 0;
	return error_sys(err, errno, "failed to set projid %u", project);
}

void quota_release(int home, uint32_t project)
{
	if (project && project != quota_project(home))
		set_limit(home, project, 0);
}
