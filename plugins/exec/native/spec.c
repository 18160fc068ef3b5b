/* SPDX-License-Identifier: Apache-2.0 */
/* The OCI runtime spec (config.json) as structs. Unknown members are ignored, as the specification demands. */
#include "native.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

static const struct {
	const char *name;
	int flag;
} namespaces[] = {{"pid", CLONE_NEWPID},      {"network", CLONE_NEWNET}, {"mount", CLONE_NEWNS},
		  {"ipc", CLONE_NEWIPC},      {"uts", CLONE_NEWUTS},     {"user", CLONE_NEWUSER},
		  {"cgroup", CLONE_NEWCGROUP}};

static int parse_namespaces(struct spec *s, const json *list, struct error *err)
{
	for (json *n = json_first(list); n; n = json_next(n)) {
		const char *type = json_get_str(n, "type", ""), *path = json_get_str(n, "path", "");
		int flag = 0;

		for (size_t i = 0; i < sizeof(namespaces) / sizeof(*namespaces); i++)
			if (streq(type, namespaces[i].name))
				flag = namespaces[i].flag;
		if (!flag)
			return error_set(err, ERR_INVALID, "namespace of unknown type '%s'", type);
		if (!*path)
			s->unshare |= (uint64_t)flag;
		else if (s->n_joins < MAX_NAMESPACES)
			s->joins[s->n_joins++] = (struct join){.flag = flag, .path = path};
	}
	if (!(s->unshare & CLONE_NEWNS))
		return error_set(
		    err, ERR_INVALID,
		    "a container without a mount namespace of its own is not supported");
	return 0;
}

unsigned long propagation_parse(const char *name)
{
	static const struct {
		const char *name;
		unsigned long flags;
	} kinds[] = {{"private", MS_PRIVATE},       {"rprivate", MS_PRIVATE | MS_REC},
		     {"slave", MS_SLAVE},           {"rslave", MS_SLAVE | MS_REC},
		     {"shared", MS_SHARED},         {"rshared", MS_SHARED | MS_REC},
		     {"unbindable", MS_UNBINDABLE}, {"runbindable", MS_UNBINDABLE | MS_REC}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (streq(name, kinds[i].name))
			return kinds[i].flags;
	return 0;
}

int spec_parse(struct spec *s, const char *text, size_t len, struct error *err)
{
	json *l;

	s->doc = json_parse(text, len, err);
	if (!s->doc)
		return error_wrap(err, "container spec");
	l = json_get(s->doc, "linux");
	s->hostname = json_get_str(s->doc, "hostname", "");
	s->domainname = json_get_str(s->doc, "domainname", "");
	s->readonly_root = json_get_bool(json_get(s->doc, "root"), "readonly", false);
	s->cgroup = json_get_str(l, "cgroupsPath", "");
	s->mount_label = json_get_str(l, "mountLabel", "");
	s->root_propagation = propagation_parse(json_get_str(l, "rootfsPropagation", ""));
	s->mounts = json_get(s->doc, "mounts");
	s->devices = json_get(l, "devices");
	s->resources = json_get(l, "resources");
	s->sysctl = json_get(l, "sysctl");
	s->masked = json_get(l, "maskedPaths");
	s->readonly = json_get(l, "readonlyPaths");
	s->uid_map = json_get(l, "uidMappings");
	s->gid_map = json_get(l, "gidMappings");
	if (parse_namespaces(s, json_get(l, "namespaces"), err) < 0)
		return -1;
	return process_parse(&s->process, json_get(s->doc, "process"), err);
}

void spec_free(struct spec *s)
{
	process_free(&s->process);
	json_free(s->doc);
	s->doc = NULL;
}
