/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which kernel settings a container may have: those that belong to a namespace of its own, and no others; anything else would set the host's. The
 * list is runc's. The native driver checks once more.
 */
#include "base/mem.h"
#include "spec/spec_int.h"

static const char *const ipc_settings[] = {
    "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
    "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"};

static bool in_list(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(ipc_settings); i++)
		if (streq(ipc_settings[i], name))
			return true;
	return str_after(name, "fs.mqueue.") != NULL;
}

int check_sysctl(const char *name, bool own_net, bool own_ipc, bool own_uts, struct error *err)
{
	bool ok = false;

	if (strchr(name, '/') || strstr(name, ".."))
		return error_set(err, ERR_INVALID, "sysctl \"%s\": write its name with single dots",
				 name);
	if (in_list(name))
		ok = own_ipc;
	else if (str_after(name, "net."))
		ok = own_net;
	else if (streq(name, "kernel.domainname"))
		ok = own_uts;
	if (ok)
		return 0;
	/* runc's words, and what moby puts before them */
	return error_set(err, ERR_INVALID,
			 "failed to create task for container: failed to create shim task: OCI "
			 "runtime create failed: runc create failed: sysctl \"%s\" %s",
			 name,
			 in_list(name)             ? "is not allowed in the hosts ipc namespace"
			 : str_after(name, "net.") ? "not allowed in host network namespace"
						   : "is not in a separate kernel namespace");
}
