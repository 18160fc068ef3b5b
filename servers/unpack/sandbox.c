/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See sandbox.h. The filter is an allow-list written out as BPF: everything else fails with ENOSYS. No sockets, no exec, no mount, no ptrace;
 * open(2) only by what an already open directory reaches or what root may read, and there is no way to send it anywhere.
 */
#include "sandbox.h"
#include "ahead.h"
#include "closer.h"
#include "hasher.h"

#include "base/mem.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#endif

/* The runtimes of sanitizers need more calls than an archive does. */
#ifdef WITH_SANITIZERS
#define FILTERED false
#else
#define FILTERED true
#endif

static const int allowed[] = {
    SYS_read,
    SYS_write,
    SYS_pread64,
    SYS_pwrite64,
    SYS_readv,
    SYS_writev,
    SYS_lseek,
    SYS_close,
    SYS_openat,
    SYS_openat2,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_fstatfs,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_fchdir,
    SYS_getcwd,
    SYS_mkdirat,
    SYS_mknodat,
    SYS_unlinkat,
    SYS_symlinkat,
    SYS_linkat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_fchown,
    SYS_fchownat,
    SYS_utimensat,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_copy_file_range,
    SYS_sendfile,
    SYS_splice,
    SYS_fsync,
    SYS_fdatasync,
    SYS_syncfs,
#ifdef SYS_sync_file_range
    SYS_sync_file_range,
#endif
    SYS_faccessat,
    SYS_fcntl,
    SYS_dup,
    SYS_fsetxattr,
    SYS_lsetxattr,
    SYS_fgetxattr,
    SYS_lgetxattr,
    SYS_flistxattr,
    SYS_llistxattr,
    SYS_sendmsg,
    SYS_recvmsg,
    SYS_sendto,
    SYS_recvfrom,
    SYS_ppoll,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_brk,
    SYS_futex,
    SYS_getrandom,
    SYS_clock_gettime,
    SYS_umask,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_getpid,
    SYS_gettid,
    SYS_tgkill,
    SYS_exit,
    SYS_exit_group,
    SYS_kill,
#ifdef SYS_poll
    SYS_poll,
#endif
#ifdef SYS_open
    SYS_open,
#endif
#ifdef SYS_mknod
    SYS_mknod,
#endif
};

static int drop_capabilities(bool pack, struct error *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
	struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};
	uint32_t keep = 1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER |
			1u << CAP_FSETID | 1u << CAP_MKNOD | 1u << CAP_SETFCAP;

	if (syscall(SYS_capget, &head, data) < 0)
		return error_sys(err, errno, "read capabilities");
	if (pack)
		keep |= 1u << CAP_SYS_ADMIN;
	keep &= data[0].permitted;
	data[0].effective = data[0].permitted = keep;
	data[0].inheritable = 0;
	data[1] = (struct __user_cap_data_struct){0, 0, 0};
	return syscall(SYS_capset, &head, data) < 0 ? error_sys(err, errno, "drop capabilities")
						    : 0;
}

static int install_filter(struct error *err)
{
#ifdef OUR_ARCH
	struct sock_filter code[ARRAY_LEN(allowed) + 8];
	struct sock_fprog program = {.filter = code};
	unsigned short n = 0, total = (unsigned short)(ARRAY_LEN(allowed) + 5);

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, arch));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, nr));
	/* total counts: 4 above, one jump each, deny, allow. Offsets are relative to the next instruction. */
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++, n++)
		code[n] =
		    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)allowed[i],
						 (unsigned char)(total - 1 - n), 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = n;
	/* For the hasher's thread as well. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
		return error_sys(err, errno, "install the system call filter");
#else
	(void)err; /* an architecture that we don't know the numbers of: capabilities alone */
#endif
	return 0;
}

int sandbox_enter(bool pack, struct error *err)
{
	/* An image made for it could raise privileges by no exec of ours, but nothing may. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_sys(err, errno, "set no_new_privs");
	if (drop_capabilities(pack, err) < 0)
		return -1;
	/* After its rights are gone, before it could make no thread any more. */
	if (hasher_start(err) < 0 || (!pack && (closer_start(err) < 0 || ahead_start(err) < 0)))
		return -1;
	return FILTERED ? install_filter(err) : 0;
}
