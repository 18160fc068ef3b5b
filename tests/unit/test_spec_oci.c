/* SPDX-License-Identifier: Apache-2.0 */
/* The spec room, last part: users of a root, the OCI text beside moby's, seccomp. */
#include "test_spec.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"

#define ID "4494fdbb4097dd08cfa9465798acb8af30edaab0ff20f4aca081e56528c60a31"

/* ---- A root of our own --------------------------------------------------------------------------------------------------------------- */

struct root {
	char path[64];
	int fd;
};

static void write_file(int dirfd, const char *name, const char *text)
{
	struct error err = ERROR_INIT;

	assert_int_equal(file_write_atomic(dirfd, name, text, strlen(text), 0644, false, &err), 0);
}

static struct root root_new(void)
{
	struct root r = {.path = "/tmp/test-spec-XXXXXX"};

	assert_non_null(mkdtemp(r.path));
	r.fd = open(r.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(r.fd >= 0);
	assert_int_equal(mkdirat(r.fd, "etc", 0755), 0);
	write_file(r.fd, "etc/passwd",
		   "# comment\n\nroot:x:0:0:root:/root:/bin/sh\n"
		   "evil:x:99999999999:0::/:\nbad:x:1x:2::/:\nneg:x:-1:-1::/:\nshort:x:3\n"
		   "web:x:33:34:web:/var/www:/bin/sh\r\n  "
		   "app:x:1000:1000::/home/app:\n77:x:78:79::/seven:\n");
	write_file(r.fd, "etc/group",
		   "root:x:0:\nweb:x:34:\nextra:x:50:app,web\nmore:x:51:web,,x\nhuge:x:4294967296:"
		   "web\nbig:x:2147483647:\n");
	return r;
}

static void root_free(struct root *r)
{
	struct error err = ERROR_INIT;

	close(r->fd);
	assert_int_equal(dir_remove_all(AT_FDCWD, r->path, &err), 0);
}

/* "uid:gid:home:groups" or the error */
static void expect_user(const struct root *r, const char *user, const char *add,
			const char *expected)
{
	auto_json *groups = tree_of(add);
	auto_str got = STR_INIT;
	struct spec_user u;
	struct error err = ERROR_INIT;

	if (spec_user_find(r->fd, user, groups, &u, &err) < 0) {
		assert_string_equal(err.text, expected);
		return;
	}
	str_printf(&got, "%u:%u:%s:", u.uid, u.gid, u.home);
	for (size_t i = 0; i < u.extra_count; i++)
		str_printf(&got, "%s%u", i ? "," : "", u.extra[i]);
	spec_user_free(&u);
	assert_string_equal(got.p, expected);
}

void test_users(void **state)
{
	struct root r = root_new();

	(void)state;
	expect_user(&r, "", "null", "0:0:/root:0");
	expect_user(&r, "web", "null", "33:34:/var/www:34,50,51");
	expect_user(&r, "33", "null", "33:34:/var/www:34,50,51");
	expect_user(&r, "web:root", "null", "33:0:/var/www:0");
	expect_user(&r, "web:77", "[\"extra\",\"5\",\"5\"]", "33:77:/var/www:77,50,5");
	expect_user(&r, "app", "null", "1000:1000:/home/app:1000,50");
	expect_user(&r, "4242", "null", "4242:0:/:0");
	expect_user(&r, "77", "null",
		    "78:79:/seven:79"); /* a name that looks like a number goes before the number */
	expect_user(&r, "2147483647:big", "null", "2147483647:2147483647:/:2147483647");
	expect_user(&r, "foo", "null",
		    "unable to find user foo: no matching entries in passwd file");
	expect_user(&r, "evil", "null",
		    "unable to find user evil: no matching entries in passwd file");
	expect_user(&r, "bad", "null",
		    "unable to find user bad: no matching entries in passwd file");
	expect_user(&r, "web:nope", "null",
		    "unable to find group nope: no matching entries in group file");
	expect_user(&r, "web", "[\"huge\"]",
		    "unable to find group huge: no matching entries in group file");
	expect_user(&r, "2147483648", "null", "uids and gids must be in range 0-2147483647");
	expect_user(&r, "-1", "null", "uids and gids must be in range 0-2147483647");
	expect_user(
	    &r, "99999999999999999999999", "null",
	    "unable to find user 99999999999999999999999: no matching entries in passwd file");
	root_free(&r);
}

/* Links in a root lead nowhere outside; what is no regular file isn't opened. */
void test_users_no_escape(void **state)
{
	struct root r = root_new(), outside = root_new();
	char target[128];

	(void)state;
	write_file(outside.fd, "etc/passwd", "thief:x:0:0::/:\n");
	assert_int_equal(unlinkat(r.fd, "etc/passwd", 0), 0);
	snprintf(target, sizeof(target), "%s/etc/passwd", outside.path);
	assert_int_equal(symlinkat(target, r.fd, "etc/passwd"), 0);
	expect_user(&r, "thief", "null",
		    "unable to find user thief: no matching entries in passwd file");
	assert_int_equal(unlinkat(r.fd, "etc/passwd", 0), 0);
	snprintf(target, sizeof(target), "../../../../../..%s/etc/passwd", outside.path);
	assert_int_equal(symlinkat(target, r.fd, "etc/passwd"), 0);
	expect_user(&r, "thief", "null",
		    "unable to find user thief: no matching entries in passwd file");
	assert_int_equal(unlinkat(r.fd, "etc/passwd", 0), 0);
	assert_int_equal(symlinkat("/lib/users", r.fd, "etc/passwd"),
			 0); /* an absolute link within the root is followed there */
	assert_int_equal(mkdirat(r.fd, "lib", 0755), 0);
	write_file(r.fd, "lib/users", "inner:x:7:8::/in:\n");
	expect_user(&r, "inner", "null", "7:8:/in:8");
	assert_int_equal(unlinkat(r.fd, "lib/users", 0), 0);
	assert_int_equal(mkfifoat(r.fd, "lib/users", 0666), 0); /* would block for ever */
	expect_user(&r, "5", "null", "5:0:/:0");
	root_free(&r);
	root_free(&outside);
}

/* ---- OCI ------------------------------------------------------------------------------------------------------------------------------ */

static const struct spec_host *built_on = &test_host;

static void build(const char *config, const char *host_config, const char *init,
		  struct spec_output *out)
{
	struct root r = root_new();
	auto_json *c = config_of(config), *h = host_config_of(host_config);
	auto_strlist args = STRLIST_INIT;
	struct spec_mounts mounts;
	struct error err = ERROR_INIT;
	struct spec_input in = {.id = ID,
				.config = c,
				.host_config = h,
				.path = "sleep",
				.args = &args,
				.rootfs_fd = r.fd,
				.mounts = &mounts,
				.resolv_conf_path = "/c/resolv.conf",
				.hostname_path = "/c/hostname",
				.hosts_path = "/c/hosts",
				.init_path = init,
				.host = built_on};

	strlist_add(&args, "1000");
	assert_int_equal(spec_parse_mounts(c, h, &mounts, &err), 0);
	for (size_t i = 0; i < mounts.n; i++)
		if (mounts.v[i].type == SPEC_MOUNT_VOLUME)
			mounts.v[i].source = xasprintf("/vol%s", mounts.v[i].destination);
	*out = (struct spec_output){0};
	if (spec_build(&in, out, &err) < 0)
		fail_msg("%s", err.text);
	spec_mounts_free(&mounts);
	root_free(&r);
}

static void expect(const json *tree, const char *member, const char *text)
{
	auto_str got = STR_INIT;

	json_print(json_get(tree, member), &got);
	assert_string_equal(got.p, text);
}

#define CAPS                                                                                     \
	"[\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\",\"CAP_FSETID\",\"CAP_FOWNER\",\"CAP_MKNOD\",\"CAP_" \
	"NET_RAW\",\"CAP_SETGID\",\"CAP_SETUID\","                                               \
	"\"CAP_SETFCAP\",\"CAP_SETPCAP\",\"CAP_NET_BIND_SERVICE\",\"CAP_SYS_CHROOT\",\"CAP_"     \
	"KILL\",\"CAP_AUDIT_WRITE\"]"
#define KERNEL_MOUNTS                                                                            \
	"{\"destination\":\"/"                                                                   \
	"proc\",\"type\":\"proc\",\"source\":\"proc\",\"options\":[\"nosuid\",\"noexec\","       \
	"\"nodev\"]},"                                                                           \
	"{\"destination\":\"/"                                                                   \
	"dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\",\"strictatime\"," \
	"\"mode=755\","                                                                          \
	"\"size=65536k\"]},{\"destination\":\"/dev/"                                             \
	"pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":[\"nosuid\",\"noexec\","    \
	"\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]},{\"destination\":\"/"       \
	"sys\",\"type\":\"sysfs\",\"source\":\"sysfs\","                                         \
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"ro\"]},{\"destination\":\"/sys/fs/"      \
	"cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\","                                    \
	"\"options\":[\"ro\",\"nosuid\",\"noexec\",\"nodev\"]},{\"destination\":\"/dev/"         \
	"mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\","                                    \
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},{\"destination\":\"/dev/"                \
	"shm\",\"type\":\"tmpfs\",\"source\":\"shm\",\"options\":["                              \
	"\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\",\"size=67108864\"]},"

/* moby's text of a container without options; but for HOME, which its runtime adds, and device rules it gives twice. */
void test_oci_plain(void **state)
{
	struct spec_output o;
	static const char expected[] =
	    "{\"ociVersion\":\"1.2.1\",\"process\":{\"user\":{\"uid\":0,\"gid\":0,"
	    "\"additionalGids\":[0]},\"args\":[\"sleep\",\"1000\"],"
	    "\"env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/"
	    "bin\",\"HOSTNAME=4494fdbb4097\",\"HOME=/root\"],"
	    "\"cwd\":\"/\",\"capabilities\":{\"bounding\":" CAPS ",\"effective\":" CAPS
	    ",\"permitted\":" CAPS "},\"oomScoreAdj\":0},"
	    "\"root\":{\"path\":\"rootfs\"},\"hostname\":\"4494fdbb4097\",\"mounts\":"
	    "[" KERNEL_MOUNTS
	    "{\"destination\":\"/etc/resolv.conf\",\"type\":\"bind\",\"source\":\"/c/"
	    "resolv.conf\",\"options\":[\"rbind\",\"rprivate\"]},"
	    "{\"destination\":\"/etc/hostname\",\"type\":\"bind\",\"source\":\"/c/"
	    "hostname\",\"options\":[\"rbind\",\"rprivate\"]},"
	    "{\"destination\":\"/etc/hosts\",\"type\":\"bind\",\"source\":\"/c/"
	    "hosts\",\"options\":[\"rbind\",\"rprivate\"]}],"
	    "\"linux\":{\"sysctl\":{\"net.ipv4.ip_unprivileged_port_start\":\"0\",\"net.ipv4.ping_"
	    "group_range\":\"0 2147483647\"},"
	    "\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"},{\"allow\":true,"
	    "\"type\":\"c\",\"major\":1,\"minor\":5,"
	    "\"access\":\"rwm\"},{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":"
	    "\"rwm\"},{\"allow\":true,\"type\":\"c\","
	    "\"major\":1,\"minor\":9,\"access\":\"rwm\"},{\"allow\":true,\"type\":\"c\",\"major\":"
	    "1,\"minor\":8,\"access\":\"rwm\"},"
	    "{\"allow\":true,\"type\":\"c\",\"major\":5,\"minor\":0,\"access\":\"rwm\"},{\"allow\":"
	    "true,\"type\":\"c\",\"major\":5,\"minor\":1,"
	    "\"access\":\"rwm\"},{\"allow\":false,\"type\":\"c\",\"major\":10,\"minor\":229,"
	    "\"access\":\"rwm\"}],"
	    "\"memory\":{\"disableOOMKiller\":false},\"blockIO\":{}},\"cgroupsPath\":\"/docker/" ID
	    "\","
	    "\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"network\"},{\"type\":\"uts\"},{"
	    "\"type\":\"pid\"},{\"type\":\"ipc\"}],"
	    "\"maskedPaths\":[\"/proc/asound\",\"/proc/acpi\",\"/proc/interrupts\",\"/proc/"
	    "kcore\",\"/proc/keys\",\"/proc/latency_stats\","
	    "\"/proc/timer_list\",\"/proc/timer_stats\",\"/proc/sched_debug\",\"/proc/scsi\",\"/"
	    "sys/firmware\","
	    "\"/sys/devices/virtual/powercap\"],\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/"
	    "proc/irq\",\"/proc/sys\","
	    "\"/proc/sysrq-trigger\"]}}";

	(void)state;
	build("{\"Hostname\":\"4494fdbb4097\"}", "{}", NULL, &o);
	assert_string_equal(o.oci.p, expected);
	assert_int_equal(strlen(o.seccomp_digest), 64);
	spec_output_free(&o);
}

void test_oci_full(void **state)
{
	struct spec_output o;
	auto_json *t = NULL;
	const json *p;

	(void)state;
	build("{\"Tty\":true,\"User\":\"web\",\"Env\":[\"A=b\",\"PATH=/x:/bin\",\"NOEQ\",\"HOME=/"
	      "h\"],\"WorkingDir\":\"/tmp/\",\"Hostname\":\"hh\","
	      "\"Domainname\":\"dom.x\",\"Volumes\":{\"/anon\":{}}}",
	      "{\"Init\":true,\"GroupAdd\":[\"5\"],\"SecurityOpt\":[\"no-new-privileges\"],"
	      "\"ReadonlyRootfs\":true,"
	      "\"Sysctls\":{\"net.ipv4.ip_forward\":\"1\"},\"Ulimits\":[{\"Name\":\"core\","
	      "\"Soft\":-1,\"Hard\":-1}],\"OomScoreAdj\":5,"
	      "\"Tmpfs\":{\"/deep/"
	      "tt\":\"size=1m\"},\"Annotations\":{\"a\":\"b\"},\"ConsoleSize\":[24,80],\"Binds\":["
	      "\"/tmp:/b:rslave\"]}",
	      "/usr/bin/docker-init", &o);
	t = tree_of(o.oci.p);
	p = json_get(t, "process");
	expect(p, "terminal", "true");
	expect(p, "consoleSize", "{\"height\":24,\"width\":80}");
	expect(p, "user", "{\"uid\":33,\"gid\":34,\"additionalGids\":[34,50,51,5]}");
	expect(p, "args", "[\"/sbin/docker-init\",\"--\",\"sleep\",\"1000\"]");
	expect(p, "env", "[\"PATH=/x:/bin\",\"HOSTNAME=hh\",\"TERM=xterm\",\"A=b\",\"HOME=/h\"]");
	expect(p, "cwd", "\"/tmp\"");
	expect(p, "rlimits",
	       "[{\"type\":\"RLIMIT_CORE\",\"hard\":18446744073709551615,\"soft\":"
	       "18446744073709551615}]");
	expect(p, "noNewPrivileges", "true");
	expect(p, "oomScoreAdj", "5");
	expect(t, "root", "{\"path\":\"rootfs\",\"readonly\":true}");
	expect(t, "annotations", "{\"a\":\"b\"}");
	expect(json_get(t, "linux"), "rootfsPropagation", "\"rslave\"");
	expect(json_get(t, "linux"), "sysctl",
	       "{\"kernel.domainname\":\"dom.x\",\"net.ipv4.ip_forward\":\"1\",\"net.ipv4.ip_"
	       "unprivileged_port_start\":\"0\","
	       "\"net.ipv4.ping_group_range\":\"0 2147483647\"}");
	assert_non_null(strstr(
	    o.oci.p, "{\"destination\":\"/sbin/docker-init\",\"type\":\"bind\",\"source\":\"/usr/"
		     "bin/docker-init\","
		     "\"options\":[\"bind\",\"ro\"]},{\"destination\":\"/"
		     "b\",\"type\":\"bind\",\"source\":\"/tmp\","
		     "\"options\":[\"rbind\",\"rslave\"]},{\"destination\":\"/"
		     "anon\",\"type\":\"bind\",\"source\":\"/vol/anon\","
		     "\"options\":[\"rbind\"]},{\"destination\":\"/deep/"
		     "tt\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
		     "\"options\":[\"noexec\",\"nosuid\",\"nodev\",\"rprivate\",\"size=1m\"]},"
		     "{\"destination\":\"/etc/resolv.conf\""));
	spec_output_free(&o);
}

void test_oci_privileged(void **state)
{
	struct spec_output o;
	auto_json *t = NULL;
	const json *l;

	(void)state;
	build("{}", "{\"Privileged\":true}", NULL, &o);
	t = tree_of(o.oci.p);
	l = json_get(t, "linux");
	assert_int_equal(o.seccomp.len, 0);
	assert_null(json_get(l, "maskedPaths"));
	assert_null(json_get(l, "readonlyPaths"));
	expect(json_get(l, "resources"), "devices",
	       "[{\"allow\":false,\"access\":\"rwm\"},{\"allow\":true,\"access\":\"rwm\"}]");
	assert_non_null(strstr(
	    o.oci.p,
	    "\"path\":\"/dev/null\",\"type\":\"c\",\"major\":1,\"minor\":3,\"fileMode\":438,"));
	assert_null(strstr(o.oci.p, "\"path\":\"/dev/pts/"));
	assert_non_null(
	    strstr(o.oci.p, "\"source\":\"sysfs\",\"options\":[\"nosuid\",\"noexec\",\"nodev\"]"));
	assert_non_null(
	    strstr(o.oci.p, "\"source\":\"cgroup\",\"options\":[\"nosuid\",\"noexec\",\"nodev\"]"));
	spec_output_free(&o);
}

void test_oci_namespaces(void **state)
{
	struct spec_output o;
	auto_json *host = NULL, *none = NULL;

	(void)state;
	build("{\"Hostname\":\"vm\"}",
	      "{\"NetworkMode\":\"host\",\"PidMode\":\"host\",\"IpcMode\":\"host\",\"UTSMode\":"
	      "\"host\",\"Init\":true}",
	      "/init", &o);
	host = tree_of(o.oci.p);
	expect(json_get(host, "linux"), "namespaces", "[{\"type\":\"mount\"}]");
	assert_null(json_get(host, "hostname"));
	assert_null(json_get(json_get(host, "linux"), "sysctl"));
	expect(json_get(host, "process"), "args",
	       "[\"sleep\",\"1000\"]"); /* no init in the host's pid namespace */
	assert_non_null(strstr(
	    o.oci.p, "{\"destination\":\"/dev/shm\",\"type\":\"bind\",\"source\":\"/dev/shm\","
		     "\"options\":[\"rbind\",\"rprivate\"]}"));
	spec_output_free(&o);
	build("{}",
	      "{\"NetworkMode\":\"none\",\"IpcMode\":\"none\",\"CgroupnsMode\":\"private\","
	      "\"CgroupParent\":\"../../foo\","
	      "\"SecurityOpt\":[\"seccomp=unconfined\"]}",
	      NULL, &o);
	none = tree_of(o.oci.p);
	expect(json_get(none, "linux"), "namespaces",
	       "[{\"type\":\"mount\"},{\"type\":\"network\"},{\"type\":\"uts\"},{\"type\":\"pid\"},"
	       "{\"type\":\"ipc\"},{\"type\":\"cgroup\"}]");
	expect(json_get(none, "linux"), "cgroupsPath", "\"/foo/" ID "\"");
	assert_null(strstr(o.oci.p, "/dev/shm"));
	assert_int_equal(o.seccomp.len, 0);
	spec_output_free(&o);
}

static const struct idmap two_ranges = {
    .n_uids = 2,
    .n_gids = 1,
    .uids = {{0, 100000, 1000}, {1000, 300000, 64536}},
    .gids = {{0, 400000, 65536}},
};

void test_oci_user_namespace(void **state)
{
	static const char *const refused[][2] = {
	    {"{\"Privileged\":true}",
	     "privileged mode is incompatible with user namespaces.  You must run the container in "
	     "the host namespace when running privileged mode"},
	    {"{\"NetworkMode\":\"host\"}",
	     "cannot share the host's network namespace when user namespaces are enabled"},
	    {"{\"PidMode\":\"host\"}",
	     "cannot share the host PID namespace when user namespaces are enabled"},
	    {"{\"SecurityOpt\":[\"writable-cgroups=true\"]}",
	     "option WritableCgroups conflicts with user namespaces and rootless mode"}};
	struct spec_host host = test_host;
	auto_json *own = NULL, *hosts = NULL, *c = config_of("{}");
	struct spec_output o;

	(void)state;
	host.ids = &two_ranges;
	built_on = &host;
	build("{}", "{}", NULL, &o);
	own = tree_of(o.oci.p);
	expect(json_first(json_get(json_get(own, "linux"), "namespaces")), "type", "\"user\"");
	expect(json_get(own, "linux"), "uidMappings",
	       "[{\"containerID\":0,\"hostID\":100000,\"size\":1000},"
	       "{\"containerID\":1000,\"hostID\":300000,\"size\":64536}]");
	expect(json_get(own, "linux"), "gidMappings",
	       "[{\"containerID\":0,\"hostID\":400000,\"size\":65536}]");
	expect(
	    json_get(own, "linux"), "sysctl",
	    "{\"net.ipv4.ip_unprivileged_port_start\":\"0\"}"); /* groups of ping: not all are mapped */
	spec_output_free(&o);
	build("{}", "{\"UsernsMode\":\"host\",\"Privileged\":true}", NULL, &o);
	hosts = tree_of(o.oci.p);
	assert_null(json_get(json_get(hosts, "linux"), "uidMappings"));
	assert_null(strstr(o.oci.p, "\"user\",\"path\""));
	assert_null(strstr(o.oci.p, "{\"type\":\"user\"}"));
	spec_output_free(&o);
	built_on = &test_host;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		auto_json *h = tree_of(refused[i][0]);
		struct error err = ERROR_INIT;

		assert_int_equal(spec_validate(c, h, &host, NULL, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_string_equal(err.text, refused[i][1]);
		json_set_str(h, "UsernsMode", "host");
		assert_int_equal(spec_validate(c, h, &host, NULL, &err), 0);
	}
}

void test_exec_process(void **state)
{
	struct root r = root_new();
	auto_json
	    *c = config_of(
		"{\"Hostname\":\"h\",\"User\":\"web\",\"Env\":[\"A=1\"],\"WorkingDir\":\"/w\"}"),
	    *h = host_config_of("{}");
	auto_strlist cmd = STRLIST_INIT, env = STRLIST_INIT;
	auto_str out = STR_INIT;
	auto_json *p = NULL;
	struct error err = ERROR_INIT;
	struct spec_input in = {
	    .id = ID, .config = c, .host_config = h, .rootfs_fd = r.fd, .host = &test_host};
	struct spec_exec e = {
	    .cmd = &cmd, .env = &env, .user = "app", .working_dir = "", .tty = true};

	(void)state;
	strlist_add(&cmd, "ls");
	strlist_add(&env, "A=2");
	strlist_add(&env, "B=3");
	assert_int_equal(spec_build_exec(&in, &e, &out, &err), 0);
	p = tree_of(out.p);
	expect(p, "terminal", "true");
	expect(p, "user", "{\"uid\":1000,\"gid\":1000,\"additionalGids\":[1000,50]}");
	expect(p, "args", "[\"ls\"]");
	expect(p, "env",
	       "[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/"
	       "bin\",\"HOSTNAME=h\",\"TERM=xterm\",\"A=2\",\"B=3\","
	       "\"HOME=/home/app\"]");
	expect(p, "cwd", "\"/w\"");
	root_free(&r);
}

void test_resources(void **state)
{
	auto_json *h = host_config_of(
	    "{\"Memory\":67108864,\"MemoryReservation\":33554432,\"CpuShares\":512,\"NanoCpus\":"
	    "500000000,"
	    "\"PidsLimit\":50,\"MemorySwappiness\":10,\"CpusetCpus\":\"0\",\"CpusetMems\":\"0\","
	    "\"OomKillDisable\":true,"
	    "\"BlkioDeviceReadBps\":[{\"Path\":\"/dev/null\",\"Rate\":18446744073709551615}]}");
	auto_str out = STR_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(spec_build_resources(h, &test_host, &out, &err), 0);
	assert_string_equal(out.p, "{\"memory\":{\"limit\":67108864,\"reservation\":33554432,"
				   "\"swap\":134217728,\"swappiness\":10,"
				   "\"disableOOMKiller\":true},\"cpu\":{\"shares\":512,\"quota\":"
				   "50000,\"period\":100000,\"cpus\":\"0\","
				   "\"mems\":\"0\"},\"pids\":{\"limit\":50},\"blockIO\":{"
				   "\"throttleReadBpsDevice\":[{\"major\":1,\"minor\":3,"
				   "\"rate\":18446744073709551615}]}}");
}

/* ---- Seccomp, capabilities ------------------------------------------------------------------------------------------------------------ */

static json *resolved(const char *add, char digest[65])
{
	auto_json *h = tree_of(add);
	auto_strlist caps = STRLIST_INIT;
	auto_str out = STR_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(caps_resolve(h, false, &caps, &err), 0);
	assert_int_equal(seccomp_resolve(NULL, &caps, &out, digest, &err), 0);
	return tree_of(out.p);
}

static bool allows(const json *filter, const char *call)
{
	for (json *r = json_first(json_get(filter, "syscalls")); r; r = json_next(r))
		for (json *n = json_first(json_get(r, "names")); n; n = json_next(n))
			if (streq(json_str(n, ""), call) &&
			    streq(json_get_str(r, "action", ""), "SCMP_ACT_ALLOW"))
				return true;
	return false;
}

void test_seccomp(void **state)
{
	char plain_digest[65], admin_digest[65], again[65];
	auto_json *plain = resolved("{}", plain_digest),
		  *admin = resolved("{\"CapAdd\":[\"SYS_ADMIN\"]}", admin_digest);
	auto_json *cached = resolved("{\"CapDrop\":[]}", again);

	(void)state;
#if defined(__x86_64__)
	assert_int_equal(json_count(json_get(plain, "syscalls")),
			 13); /* as moby resolves it here */
	assert_int_equal(json_count(json_get(admin, "syscalls")), 12);
	expect(plain, "architectures",
	       "[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\"]");
#endif
	expect(plain, "defaultAction", "\"SCMP_ACT_ERRNO\"");
	assert_false(allows(plain, "keyctl"));
	assert_false(allows(plain, "mount"));
	assert_false(allows(plain, "clone3")); /* listed, but with ENOSYS */
	assert_true(allows(plain, "read"));
	assert_true(allows(admin, "mount"));
	assert_true(allows(admin, "clone3"));
	assert_false(allows(admin, "keyctl"));
	assert_string_equal(plain_digest, again);
	assert_int_equal(json_count(json_get(cached, "syscalls")),
			 json_count(json_get(plain, "syscalls")));
	assert_string_not_equal(plain_digest, admin_digest);
}

void test_seccomp_other_machines(void **state)
{
	auto_json *profile =
	    tree_of("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"archMap\":[{\"architecture\":\"SCMP_"
		    "ARCH_AARCH64\",\"subArchitectures\":[\"SCMP_ARCH_ARM\"]}],"
		    "\"syscalls\":[{\"name\":\"a\",\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{"
		    "\"index\":1,\"value\":4294967295,\"valueTwo\":2,\"op\":\"X\"}]},"
		    "{\"names\":[\"b\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":"
		    "\"5.10\"}},"
		    "{\"names\":[\"c\"],\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"arches\":["
		    "\"arm64\"]}},"
		    "{\"names\":[\"d\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":["
		    "\"CAP_BPF\"]}}]}");
	auto_json *twice =
	    tree_of("{\"defaultAction\":\"A\",\"architectures\":[\"x\"],\"archMap\":[{}]}");
	auto_strlist caps = STRLIST_INIT;
	auto_str out = STR_INIT, bad = STR_INIT;
	struct error err = ERROR_INIT;
	char digest[65];

	(void)state;
	assert_int_equal(seccomp_resolve_for(profile, &caps, "arm64", 5, 9, &out, &err), 0);
	assert_string_equal(
	    out.p,
	    "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_AARCH64\",\"SCMP_"
	    "ARCH_ARM\"],"
	    "\"syscalls\":[{\"names\":[\"a\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":1,"
	    "\"value\":4294967295,\"valueTwo\":2,\"op\":\"X\"}]}]}");
	str_reset(&out);
	assert_int_equal(seccomp_resolve_for(profile, &caps, "arm64", 6, 0, &out, &err), 0);
	assert_non_null(strstr(out.p, "\"b\""));
	assert_int_equal(seccomp_resolve_for(twice, &caps, "amd64", 6, 0, &bad, &err), -1);
	assert_string_equal(err.text, "both 'architectures' and 'archMap' are specified in the "
				      "seccomp profile, use either 'architectures' or "
				      "'archMap'");
	assert_int_equal(seccomp_resolve("{", &caps, &bad, digest, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

void test_caps(void **state)
{
	auto_json *h = tree_of("{\"CapAdd\":[\"net_admin\"],\"CapDrop\":[\"ALL\"]}"),
		  *more = tree_of("{\"CapAdd\":[\"CHOWN\",\"cap_sys_time\"],"
				  "\"CapDrop\":[\"KILL\"]}");
	auto_strlist one = STRLIST_INIT, many = STRLIST_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(caps_resolve(h, false, &one, &err), 0);
	assert_int_equal(one.n, 1);
	assert_string_equal(one.v[0], "CAP_NET_ADMIN");
	assert_int_equal(caps_mask(&one), UINT64_C(1) << 12);
	assert_int_equal(caps_resolve(more, false, &many, &err), 0);
	assert_int_equal(many.n, 14); /* 14 - KILL + SYS_TIME; CHOWN is there already */
	assert_false(strlist_has(&many, "CAP_KILL"));
}
