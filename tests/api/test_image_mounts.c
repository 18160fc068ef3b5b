/* SPDX-License-Identifier: Apache-2.0 */
/* Images mounted into containers: what may be asked, with moby's words, and that the files are there. Over restarts: tests/system/49-image-mounts. */
#include <stdio.h>
#include <stdlib.h>

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

static const char *body_of(const char *cmd, const char *mount)
{
	return fmt("{\"Image\":\"guest\",\"Cmd\":[%s],\"HostConfig\":{\"Mounts\":[{%s}]}}", cmd,
		   mount);
}

/* ---- What is asked ------------------------------------------------------------------------------------------------------------------ */

static void refused(void)
{
	static const struct {
		const char *what, *mount, *words;
		int status;
	} bad[] = {
	    {"no source", "\"Type\":\"image\",\"Target\":\"/xx\"", "field Source must not be empty",
	     400},
	    {"no target", "\"Type\":\"image\",\"Source\":\"guest\"",
	     "field Target must not be empty", 400},
	    {"an unknown image", "\"Type\":\"image\",\"Source\":\"nope\",\"Target\":\"/xx\"",
	     "No such image: nope:latest", 404},
	    {"a subpath that leads out",
	     "\"Type\":\"image\",\"Source\":\"guest\",\"Target\":\"/xx\",\"ImageOptions\":{"
	     "\"Subpath\":\"../x\"}",
	     "subpath must be a relative path within the volume", 400},
	    {"options of another type",
	     "\"Type\":\"image\",\"Source\":\"guest\",\"Target\":\"/xx\",\"TmpfsOptions\":{}",
	     "TmpfsOptions must not be specified on mount type \\\"image\\\"", 400},
	    {"its options for another type",
	     "\"Type\":\"tmpfs\",\"Target\":\"/xx\",\"ImageOptions\":{}",
	     "field ImageOptions must not be specified", 400},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		expect(bad[i].what, "POST", "/v1.51/containers/create?name=bad",
		       body_of("\"/guest\"", bad[i].mount), bad[i].status, bad[i].words);
	expect("an older API", "POST", "/v1.47/containers/create?name=bad",
	       body_of("\"/guest\"", "\"Type\":\"image\",\"Source\":\"guest\",\"Target\":\"/xx\""),
	       400, "needs API v1.48 or newer");
	expect("nothing of them is left", "GET", "/v1.51/containers/json?all=1", NULL, 200, "[]");
}

/* ---- What is there ------------------------------------------------------------------------------------------------------------------ */

/* Makes one, with moby's warning, runs it to its end. */
static void runs(const char *what, const char *cmd, const char *options, int code)
{
	expect(fmt("%s: made, with a warning", what), "POST", "/v1.51/containers/create?name=box",
	       body_of(cmd, fmt("\"Type\":\"image\",\"Source\":\"guest\",\"Target\":\"/xx\"%s",
				options)),
	       201, "\"Warnings\":[\"Image mount is an experimental feature\"]");
	expect("started", "POST", "/v1.51/containers/box/start", NULL, 204, "");
	expect(what, "POST", "/v1.51/containers/box/wait", NULL, 200,
	       fmt("\"StatusCode\":%d}", code));
}

static void drop(void)
{
	expect("removed", "DELETE", "/v1.51/containers/box", NULL, 204, "");
}

static void mounted(void)
{
	runs("the image's program runs", "\"/xx/guest\",\"exit\",\"7\"", "", 7);
	expect("inspect", "GET", "/v1.51/containers/box/json", NULL, 200,
	       "\"Mounts\":[{\"Type\":\"image\",\"Name\":\"guest\",");
	expect("it is read-only there", "GET", "/v1.51/containers/box/json", NULL, 200,
	       "\"Destination\":\"/xx\",\"Mode\":\"\",\"RW\":false,");
	expect("a file of it", "GET", "/v1.51/containers/box/archive?path=/xx/guest", NULL, 200,
	       "");
	expect("one that it has not", "GET", "/v1.51/containers/box/archive?path=/xx/nope", NULL,
	       404, "Could not find the file /xx/nope in container box");
	drop();
	runs("nothing can be made in it", "\"/guest\",\"follow\",\"/xx/fifo\"", "", 1);
	drop();
	runs("a file of it, as a file", "\"/xx\",\"exit\",\"5\"",
	     ",\"ImageOptions\":{\"Subpath\":\"guest\"}", 5);
	drop();
	expect("a subpath that is not there", "POST", "/v1.51/containers/create?name=box",
	       body_of("\"/guest\"", "\"Type\":\"image\",\"Source\":\"guest\",\"Target\":\"/xx\","
				     "\"ImageOptions\":{\"Subpath\":\"nope\"}"),
	       201, "");
	expect("is found at the start", "POST", "/v1.51/containers/box/start", NULL, 404,
	       "/nope: no such file or directory");
	drop();
}

static int test(void)
{
	pid_t pid = daemon_start(false, NULL);

	ok(pid > 0 && daemon_image() == 0, "daemon and image");
	if (!box_failed) {
		refused();
		mounted();
	}
	ok(daemon_end(pid, 15) == 0, "daemon ends cleanly");
	if (box_failed)
		daemon_log_show();
	return box_failed != 0;
}

int main(void)
{
	return box_run(test);
}
