/* SPDX-License-Identifier: Apache-2.0 */
/* Statuses and words of what containers may ask for; moby's own, compared by hand and in tests/compat. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lib/box.h"

static void expect(const char *what, const char *method, const char *uri, const char *body,
		   int status, const char *words)
{
	auto_reply r = {0};
	bool good;

	request(method, uri, body, &r);
	good = r.status == status && strstr(str_cstr(&r.body), words);
	ok(good, "%s: %d", what, status);
	if (!good)
		note("got %d %s, expected %s", r.status, str_cstr(&r.body), words);
}

/* A create request of the test image with this HostConfig. */
static void create(const char *what, const char *name, const char *host_config, int status,
		   const char *words)
{
	expect(what, "POST", fmt("/v1.51/containers/create?name=%s", name),
	       fmt("{\"Image\":\"guest\",\"Cmd\":[\"/guest\",\"pause\"],\"HostConfig\":{%s}}",
		   host_config),
	       status, words);
}

static void start(const char *what, const char *name, int status, const char *words)
{
	expect(what, "POST", fmt("/v1.51/containers/%s/start", name), NULL, status, words);
}

static void drop(const char *name)
{
	int s = status_of("DELETE", fmt("/v1.51/containers/%s?force=1&v=1", name), NULL);

	if (s != 204)
		note("delete %s: %d", name, s);
}

/* ---- Namespaces of others ----------------------------------------------------------------------------------------------------------- */

static void sharing(void)
{
	create("IpcMode that is none", "xx", "\"IpcMode\":\"foo\"", 400, "invalid IPC mode: foo");
	create("IpcMode of nobody", "xx", "\"IpcMode\":\"container:nope\"", 400,
	       "No such container: nope");
	create("PidMode of nobody", "xx", "\"PidMode\":\"container:nope\"", 400,
	       "No such container: nope");
	create("IpcMode without a name", "xx", "\"IpcMode\":\"container:\"", 201, "Id");
	start("start of it", "xx", 400,
	      "failed to join IPC namespace: invalid name or ID supplied: \\\"\\\"");
	drop("xx");
	create("NetworkMode of nobody", "xx", "\"NetworkMode\":\"container:nope\"", 201, "Id");
	start("start of it", "xx", 500,
	      "joining network namespace of container: No such container: nope");
	drop("xx");

	create("a private one", "own", "\"IpcMode\":\"private\"", 201, "Id");
	create("a shareable one", "shared", "\"IpcMode\":\"shareable\"", 201, "Id");
	create("that joins the private one", "xx", "\"IpcMode\":\"container:own\"", 201, "Id");
	start("the other one does not run", "xx", 409, " is not running");
	start("now it does", "own", 204, "");
	start("but does not share", "xx", 400,
	      "non-shareable IPC (hint: use IpcMode:shareable for the donor container)");
	drop("xx");
	create("that joins the shareable one by name", "xx",
	       "\"IpcMode\":\"container:shared\",\"PidMode\":\"container:shared\"", 201, "Id");
	expect("its id is kept", "GET", "/v1.51/containers/xx/json", NULL, 200,
	       "\"IpcMode\":\"container:");
	start("the other one does not run", "xx", 409, "failed to join IPC namespace: container ");
	start("now it does", "shared", 204, "");
	start("and shares", "xx", 204, "");
	create("that shares what is shared", "yy", "\"IpcMode\":\"container:xx\"", 201, "Id");
	start("works as well", "yy", 204, "");
	drop("yy");
	drop("xx");
	create("that joins a process namespace", "xx", "\"PidMode\":\"container:shared\"", 201,
	       "Id");
	status_of("POST", "/v1.51/containers/shared/kill", NULL);
	status_of("POST", "/v1.51/containers/shared/wait", NULL);
	start("of one that has ended", "xx", 500, "failed to join PID namespace: container ");
	drop("xx");
	create("that joins a network", "xx", "\"NetworkMode\":\"container:shared\"", 201, "Id");
	start("of one that has ended", "xx", 409,
	      "cannot join network namespace of a non running container: container shared is "
	      "exited");
	drop("xx");
	drop("own");
	drop("shared");
}

/* ---- Links --------------------------------------------------------------------------------------------------------------------------- */

static void links(void)
{
	static const struct {
		const char *links, *words;
		int status;
	} bad[] = {
	    {"nope:x", "could not get container for nope: No such container: nope", 400},
	    {":x", "could not get container for : invalid name or ID supplied: \\\"\\\"", 400},
	    {"", "empty string specified for links", 500},
	    {"a:b:c", "bad format for links: a:b:c", 500},
	    {"hosted:x", "conflicting options: host type networking can't be used with links", 400},
	};

	create("a container of the host's network", "hosted", "\"NetworkMode\":\"host\"", 201,
	       "Id");
	create("a container", "old", "\"NetworkMode\":\"bridge\"", 201, "Id");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		create(fmt("link '%s'", bad[i].links), "xx",
		       fmt("\"Links\":[\"%s\"]", bad[i].links), bad[i].status, bad[i].words);
	create("links, one of them twice", "xx",
	       "\"Links\":[\"old:al\",\"old:al\",\"old:\",\"/old:/zz/yy\"]", 201, "Id");
	expect("the links", "GET", "/v1.51/containers/xx/json", NULL, 200,
	       "\"Links\":[\"/old:/xx/al\",\"/old:/xx/yy\"]");
	expect("by the link's name", "GET", "/v1.51/containers/xx/al/json", NULL, 200,
	       "\"Name\":\"/old\"");
	expect("all names", "GET", "/v1.51/containers/json?all=1", NULL, 200,
	       "\"Names\":[\"/old\",\"/xx/al\",\"/xx/yy\"]");
	start("of one with links", "xx", 500,
	      "Cannot link to a non running container: /old AS /xx/al");
	expect("rename takes the links along", "POST", "/v1.51/containers/xx/rename?name=zz", NULL,
	       204, "");
	expect("the old name is free", "GET", "/v1.51/containers/xx/al/json", NULL, 404,
	       "No such container: xx/al");
	expect("so is a link's", "DELETE", "/v1.51/containers/zz/al?link=1", NULL, 204, "");
	expect("but not twice", "DELETE", "/v1.51/containers/zz/al?link=1", NULL, 404,
	       "No such container: zz/al");
	expect("nor a container's own", "DELETE", "/v1.51/containers/zz?link=1", NULL, 500,
	       "Conflict, cannot remove the default link name of the container");
	expect("the rest", "GET", "/v1.51/containers/zz/json", NULL, 200,
	       "\"Links\":[\"/old:/zz/yy\"]");
	drop("old");
	expect("links end with what they lead to", "GET", "/v1.51/containers/zz/json", NULL, 200,
	       "\"Links\":null");
	drop("zz");
	drop("hosted");
}

/* ---- Subpaths of volumes ------------------------------------------------------------------------------------------------------------- */

static void subpaths(void)
{
	create("a subpath that leads out", "xx",
	       "\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"vol\",\"Target\":\"/vv\",\"VolumeOptions\":{"
	       "\"Subpath\":\"../x\"}}]",
	       400, "subpath must be a relative path within the volume");
	create("a subpath that is not there", "xx",
	       "\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"vol\",\"Target\":\"/vv\",\"VolumeOptions\":{"
	       "\"Subpath\":\"nope\"}}]",
	       201, "Id");
	start("of it", "xx", 404, "/nope: no such file or directory");
	drop("xx");
}

static int test(void)
{
	pid_t pid = daemon_start(false, NULL);

	ok(pid > 0 && daemon_image() == 0, "daemon and image");
	if (box_failed) {
		daemon_log_show();
		return 1;
	}
	sharing();
	links();
	subpaths();
	ok(daemon_end(pid, 15) == 0, "daemon ends cleanly");
	if (box_failed)
		daemon_log_show();
	return box_failed != 0;
}

int main(void)
{
	return box_run(test);
}
