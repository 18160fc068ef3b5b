/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocol between the daemon and dockerd-unpack (see msg.h). The daemon starts `dockerd-unpack unpack` or `dockerd-unpack pack` with one end
 * of a SOCK_SEQPACKET pair as descriptor 3, sends HELLO, then any number of requests, one at a time, and closes its end when it is done. The
 * program gets descriptors only; it opens no path of the host.
 *
 * As `view-unpack` or `view-pack` it works in a container's files instead (docker cp): VIEW for the root and each volume, then ENTER, and only
 * then, as the other with its rights given up, STAT, EXTRACT and PACK, which name a PATH in the view where others pass DIR.
 *
 * `unpack` has no CAP_SYS_ADMIN: what needs it (extended attributes trusted.* and security.*) it asks the daemon to set, by descriptor,
 * with UNPACK_MARK messages that come before the reply.
 */
#ifndef PROTO_UNPACK_H
#define PROTO_UNPACK_H

#define UNPACK_PROTO_MIN 1
#define UNPACK_PROTO_MAX 1
#define UNPACK_SOCKET_FD 3

enum {
	/* Archive -> directory. STREAM, DIR, [SPLIT: file that gets tar-split.json.gz], WHITEOUTS, FLAGS, limits. */
	UNPACK_EXTRACT = 16,
	/* Directory + tar-split.json.gz -> the very archive. DIR, SPLIT, OUT; only SPLIT: its size. Needs `pack`. */
	UNPACK_ASSEMBLE = 17,
	/* Directory -> new archive. DIR, OUT, [PARENT: compare with it], WHITEOUTS (of DIR), FLAGS, [PATH, NAME]. Needs `pack`. */
	UNPACK_PACK = 18,
	/* TREE: a detached tree, at PATH ("": the root, which comes first), READ_ONLY. Only before ENTER. */
	UNPACK_VIEW = 19,
	UNPACK_ENTER = 20,
	/* PATH -> MODE, SIZE, MTIME, LINK. */
	UNPACK_STAT = 21,
	/* From the program, no reply: set XATTR to VALUE on TARGET. */
	UNPACK_MARK = 24,
};

enum {
	TAG_UNPACK_STREAM = 16, /* fd: archive, plain or gzip */
	TAG_UNPACK_DIR = 17,    /* fd: directory */
	TAG_UNPACK_SPLIT = 18,  /* fd */
	TAG_UNPACK_OUT = 19,    /* fd */
	TAG_UNPACK_PARENT = 20, /* fd: directory */
	TAG_UNPACK_WHITEOUTS =
	    21,                /* u32: DOCKERD_WHITEOUT_*; AUFS: .wh. names are ordinary names */
	TAG_UNPACK_FLAGS = 22, /* u32: UNPACK_FLAG_* */
	TAG_UNPACK_MAX_BYTES = 23,   /* u64: fail beyond this many bytes of archive; 0: no limit */
	TAG_UNPACK_MAX_ENTRIES = 24, /* u64: likewise, entries */
	TAG_UNPACK_PATH = 25,        /* string: pack only this part of DIR */
	TAG_UNPACK_NAME = 26,        /* string: name that PATH has in the archive (docker cp) */
	TAG_UNPACK_TARGET = 27,      /* fd, MARK (may be O_PATH) */
	TAG_UNPACK_XATTR = 28,       /* string, MARK */
	TAG_UNPACK_VALUE = 29,       /* bytes, MARK */

	TAG_UNPACK_TREE = 30,        /* fd, VIEW */
	TAG_UNPACK_IDMAP = 40,       /* struct idmap: archives have the container's ids, directories the host's */
	TAG_UNPACK_OWNER = 31,       /* u64, uid << 32 | gid: all that is extracted becomes theirs */
	TAG_UNPACK_COUNTER =
	    48, /* fd, ASSEMBLE: first eight bytes: number of bytes of the archive written so far */

	TAG_UNPACK_DIGEST = 32,   /* OK: "sha256:..." of the uncompressed archive (diffID) */
	TAG_UNPACK_TAR_SIZE = 33, /* OK: u64, its bytes */
	TAG_UNPACK_SIZE = 34,     /* OK: u64, bytes of the files in it */
	TAG_UNPACK_ENTRIES = 35,  /* OK: u64 */
	TAG_UNPACK_MODE = 36,     /* STAT: u32, st_mode */
	TAG_UNPACK_MTIME = 37,    /* STAT: u64, ns since the epoch */
	TAG_UNPACK_READ_ONLY = 39, /* VIEW: u32, 1 */
	TAG_UNPACK_LINK = 38,     /* STAT: string, where a symlink leads in the end */
};

#define UNPACK_FLAG_FILES_ONLY \
	1u /* spool of an outer archive: files, directories and symlinks, no owners, modes 0600/0700 */
#define UNPACK_FLAG_KEEP_DIRS 2u /* a directory is not replaced by something else (docker cp) */
#define UNPACK_FLAG_SYNC 4u      /* sync the file system before the reply */
#define UNPACK_FLAG_IN_USE 8u /* docker cp: the directory itself stays as it is */
#define UNPACK_FLAG_SHARED 32u /* containers may be at work on what is just made */
#define UNPACK_FLAG_GZIP \
	16u /* ASSEMBLE: OUT gets it compressed; digest and size are of the archive */

#endif
