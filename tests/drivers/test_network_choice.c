/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a network driver chooses itself at join is the endpoint's: told to the container and to inspect, on record, and given back to the driver when
 * the container leaves or a daemon takes it over. The driver: choosing.c. Needs root (77: skipped).
 */
#include "network_host.h"
#include "base/file.h"
#include "base/json.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char log_path[96];
static struct network_endpoint kept;

/* The driver beside the built ones. */
static void offer_driver(void)
{
	const char *build = getenv("DOCKERD_LIBEXECDIR");
	auto_free char *dir = xasprintf("%s/drivers/network", base_dir),
		       *link = xasprintf("%s/choosing.so", dir),
		       *target = xasprintf("%s/tests/drivers/.libs/choosing.so", build),
		       *path = xasprintf("%s:%s/drivers", getenv("DOCKERD_DRIVER_PATH"), base_dir);
	struct error err = ERROR_INIT;

	OK(dir_make_all(AT_FDCWD, dir, 0755, &err));
	CHECK(symlink(target, link) == 0);
	setenv("DOCKERD_DRIVER_PATH", path, 1);
	snprintf(log_path, sizeof(log_path), "%s/log", base_dir);
}

static char *calls(void)
{
	struct error err = ERROR_INIT;
	auto_str text = STR_INIT;

	file_read_at(AT_FDCWD, log_path, 65536, &text, &err);
	unlink(log_path);
	return str_steal(&text);
}

static bool called(const char *want)
{
	auto_free char *got = calls();

	if (!strcmp(got, want))
		return true;
	printf("# calls: %s# wanted: %s", got, want);
	return false;
}

static void make_it(void)
{
	auto_free char *text = xasprintf(
	    "{\"Name\":\"net\",\"Driver\":\"choosing\",\"Options\":{\"log\":\"%s\"}}", log_path);
	struct error err = ERROR_INIT;

	OK(make_network(text, &err));
}

static void connect_with(const char *const rows[], const char *ipv4, struct network_endpoint *e)
{
	auto_pairs opts = PAIRS_INIT;
	struct error err = ERROR_INIT;

	for (int i = 0; rows[i]; i++) {
		auto_free char *key = xasprintf("row%d", i);

		pairs_set(&opts, key, rows[i]);
	}
	OK(network_connect(&(struct network_join){.container_id = "c1",
						  .container_name = "c1",
						  .network = "net",
						  .netns_fd = -1,
						  .netlink_fd = -1,
						  .ipv4 = ipv4,
						  .ways = NETWORK_WAY_IPV4 | NETWORK_WAY_IPV6,
						  .driver_opts = &opts},
			   e, &err));
}

static bool shown(const char *text)
{
	struct error err = ERROR_INIT;
	auto_str out = STR_INIT;
	struct jw w = jw_to(&out);

	return network_print("net", "", NULL, &w, &err) == 0 && strstr(str_cstr(&out), text);
}

static bool on_record(const struct network_endpoint *e, const char *text)
{
	auto_free char *path = xasprintf("%s/run/network/endpoints/%s", base_dir, e->endpoint_id);
	struct error err = ERROR_INIT;
	auto_str record = STR_INIT;

	return file_read_at(AT_FDCWD, path, 4096, &record, &err) == 0 &&
	       strstr(str_cstr(&record), text);
}

static void body_rows(void *arg)
{
	static const char *const both[] = {
	    "address=192.0.2.5/24",  "address=2001:db8::5/64",
	    "gateway=192.0.2.1",     "gateway=2001:db8::1",
	    "address=192.0.2.99/24", "route=198.51.100.0/24 via 192.0.2.9",
	    "info.answer=42",        NULL};
	static const char *const none[] = {"address=nonsense", "gateway=", "gateway=nonsense",
					   NULL};
	struct network_endpoint e = {0};
	struct error err = ERROR_INIT;

	(void)arg;
	offer_driver();
	make_it();
	connect_with(both, NULL, &e);
	CHECK(!strcmp(e.ipv4, "192.0.2.5") && e.prefix4 == 24 && !strcmp(e.gateway4, "192.0.2.1"));
	CHECK(!strcmp(e.ipv6, "2001:db8::5") && e.prefix6 == 64 &&
	      !strcmp(e.gateway6, "2001:db8::1"));
	CHECK(shown("\"IPv4Address\":\"192.0.2.5/24\",\"IPv6Address\":\"2001:db8::5/64\""));
	CHECK(on_record(&e, "\n192.0.2.5/24\n2001:db8::5/64\n"));
	CHECK(called("join\n")); /* it was given none */
	OK(network_disconnect("c1", &e, &err));
	CHECK(called("leave 192.0.2.5/24 2001:db8::5/64\n"));
	CHECK(!on_record(&e, "192"));
	network_endpoint_free(&e);
	connect_with(none, NULL, &e);
	CHECK(!*e.ipv4 && !*e.ipv6 && !*e.gateway4);
	OK(network_disconnect("c1", &e, &err));
	network_endpoint_free(&e);
	CHECK(called("join\nleave\n"));
	/* what the user wants, it is told */
	connect_with(none, "192.0.2.7", &e);
	OK(network_disconnect("c1", &e, &err));
	network_endpoint_free(&e);
	CHECK(called("join 192.0.2.7/32\nleave 192.0.2.7/32\n"));
	network_shutdown();
}

static void part_rows(void)
{
	wipe();
	CHECK(in_daemon(config(), body_rows, NULL) == 0);
}

static int endpoint_file;

static void body_first(void *arg)
{
	static const char *const both[] = {"address=192.0.2.5/24", "address=2001:db8::5/64", NULL};

	(void)arg;
	offer_driver();
	make_it();
	connect_with(both, NULL, &kept);
	CHECK(write(endpoint_file, &kept, sizeof(kept)) == sizeof(kept));
	network_shutdown();
}

/* The next daemon: one container is claimed, and what nobody claims is taken away. */
static void body_second(void *arg)
{
	struct error err = ERROR_INIT;
	auto_strlist names = STRLIST_INIT;

	(void)arg;
	OK(network_adopt("c1", "c1", &kept, NETWORK_WAY_IPV4 | NETWORK_WAY_IPV6, &names, NULL, 0, -1, &err));
	network_sweep(NULL);
	CHECK(shown("\"IPv4Address\":\"192.0.2.5/24\",\"IPv6Address\":\"2001:db8::5/64\""));
	network_shutdown();
}

static void body_third(void *arg)
{
	(void)arg;
	network_sweep(NULL);
	CHECK(!on_record(&kept, "192"));
	network_shutdown();
}

static void part_restart(void)
{
	int fds[2];

	wipe();
	CHECK(pipe(fds) == 0);
	endpoint_file = fds[1];
	CHECK(in_daemon(config(), body_first, NULL) == 0);
	CHECK(read(fds[0], &kept, sizeof(kept)) == sizeof(kept));
	kept.ports = NULL;
	close(fds[0]);
	close(fds[1]);
	{
		auto_free char *path =
		    xasprintf("%s:%s/drivers", getenv("DOCKERD_DRIVER_PATH"), base_dir);

		setenv("DOCKERD_DRIVER_PATH", path, 1);
		snprintf(log_path, sizeof(log_path), "%s/log", base_dir);
	}
	CHECK(called("join\n"));
	CHECK(in_daemon(config(), body_second, NULL) == 0);
	CHECK(called("adopt 192.0.2.5/24 2001:db8::5/64\n"));
	CHECK(in_daemon(config(), body_third, NULL) == 0);
	CHECK(called("leave 192.0.2.5/24 2001:db8::5/64\n"));
}

static void tests(void)
{
	run("addresses and next hops of the driver's choice", part_rows);
	run("after a restart", part_restart);
}

int main(void)
{
	return host_main(tests);
}
