/* SPDX-License-Identifier: Apache-2.0 */
/* The spec room, first part: forms of Config and HostConfig, merging, defaults, mounts, ports, signals, keys. Expected texts are moby's own. */
#include "test_spec.h"

const struct spec_host test_host = {
    .memory_total = INT64_C(16) << 30,
    .cpus = 2,
    .cgroup_version = "1",
    .swap_accounting = true,
    .runtimes = (const char *const[]){"runc", "io.containerd.runc.v2", NULL},
    .default_runtime = "runc",
    .shm_size = 64 << 20,
    .log_driver = "json-file",
};

json *tree_of(const char *text)
{
	struct error err = ERROR_INIT;
	json *j = json_parse(text, strlen(text), &err);

	if (!j)
		fail_msg("%s: %s", text, err.text);
	return j;
}

json *config_of(const char *text)
{
	auto_json *in = tree_of(text);
	auto_str out = STR_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(spec_normalise_config(in, &out, &err), 0);
	return tree_of(out.p);
}

json *host_config_of(const char *text)
{
	auto_json *in = tree_of(text), *plain = NULL;
	auto_str out = STR_INIT, adapted = STR_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(spec_normalise_host_config(in, &out, &err), 0);
	plain = tree_of(out.p);
	assert_int_equal(spec_adapt_host_config(plain, &test_host, &adapted, &err), 0);
	return tree_of(adapted.p);
}

/* ---- Forms --------------------------------------------------------------------------------------------------------------------------- */

#define EMPTY_CONFIG_HEAD                                                             \
	"{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"\",\"AttachStdin\":false," \
	"\"AttachStdout\":false,\"AttachStderr\":false,"                              \
	"\"Tty\":false,\"OpenStdin\":false,\"StdinOnce\":false,"

static void test_config_defaults(void **state)
{
	auto_str out = STR_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(spec_normalise_config(NULL, &out, &err), 0);
	assert_string_equal(
	    out.p, EMPTY_CONFIG_HEAD
	    "\"Env\":null,\"Cmd\":null,\"Image\":\"\",\"Volumes\":null,\"WorkingDir\":\"\","
	    "\"Entrypoint\":null,\"OnBuild\":null,\"Labels\":null}");
}

static void test_config_full(void **state)
{
	auto_json *in = tree_of("{\"cmd\":\"one\",\"Unknown\":[1],\"Entrypoint\":[],"
				"\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{\"x\":1}},"
				"\"Labels\":{\"b\":\"<&>\",\"a\":\"1\",\"a\":\"2\"},"
				"\"StopTimeout\":0,\"StopSignal\":\"\",\"Env\":[\"A=b\"],"
				"\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Interval\":"
				"9007199254740993,\"Retries\":0},\"Shell\":[\"sh\"]}");
	auto_str out = STR_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(spec_normalise_config(in, &out, &err), 0);
	assert_string_equal(
	    out.p,
	    "{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"\",\"AttachStdin\":false,"
	    "\"AttachStdout\":false,\"AttachStderr\":false,"
	    "\"ExposedPorts\":{\"53/udp\":{},\"80/"
	    "tcp\":{}},\"Tty\":false,\"OpenStdin\":false,\"StdinOnce\":false,\"Env\":[\"A=b\"],"
	    "\"Cmd\":[\"one\"],\"Healthcheck\":{\"Test\":[\"CMD\",\"x\"],\"Interval\":"
	    "9007199254740993},\"Image\":\"\",\"Volumes\":null,"
	    "\"WorkingDir\":\"\",\"Entrypoint\":[],\"OnBuild\":null,\"Labels\":{\"a\":\"2\",\"b\":"
	    "\"\\u003c\\u0026\\u003e\"},"
	    "\"StopTimeout\":0,\"Shell\":[\"sh\"]}");
}

/* Texts of the real thing; those it words without "Go struct field" are left out. */
static void test_type_errors(void **state)
{
	static const struct {
		const char *in, *text;
	} rows[] = {
	    {"{\"Image\":1}", "number into Go struct field .Image of type string"},
	    {"{\"Cmd\":3}", "number into Go value of type string"},
	    {"{\"Tty\":\"x\"}", "string into Go struct field .Tty of type bool"},
	    {"{\"Labels\":[]}", "array into Go struct field .Labels of type map[string]string"},
	    {"{\"Labels\":{\"a\":1}}", "number into Go struct field .Labels.a of type string"},
	    {"{\"ExposedPorts\":[\"80\"]}",
	     "array into Go struct field .ExposedPorts of type nat.PortSet"},
	    {"{\"ExposedPorts\":{\"80/tcp\":3}}",
	     "number into Go struct field .ExposedPorts.80~1tcp of type struct {}"},
	    {"{\"Env\":{\"a\":\"b\"}}", "object into Go struct field .Env of type []string"},
	    {"{\"Healthcheck\":{\"Interval\":\"1s\"}}",
	     "string into Go struct field .Healthcheck.Interval of type time.Duration"},
	    {"[]", "array into Go value of type container.CreateRequest"},
	    {"{\"HostConfig\":{\"Memory\":\"x\"}}",
	     "string into Go struct field .HostConfig.Memory of type int64"},
	    {"{\"HostConfig\":{\"Memory\":1.5}}",
	     "number 1.5 into Go struct field .HostConfig.Memory of type int64"},
	    {"{\"HostConfig\":{\"Memory\":99999999999999999999}}",
	     "number 99999999999999999999 into Go struct field .HostConfig.Memory of type int64"},
	    {"{\"HostConfig\":{\"CapAdd\":[1]}}", "array into Go value of type string"},
	    {"{\"HostConfig\":{\"BlkioWeight\":-1}}",
	     "number -1 into Go struct field .HostConfig.BlkioWeight of type uint16"},
	    {"{\"HostConfig\":[]}",
	     "array into Go struct field .HostConfig of type container.HostConfig"},
	    {"{\"HostConfig\":{\"Mounts\":[{\"Type\":1}]}}",
	     "number into Go struct field .HostConfig.Mounts.0.Type of type mount.Type"},
	    {"{\"HostConfig\":{\"Ulimits\":[{\"Soft\":\"3\"}]}}",
	     "string into Go struct field .HostConfig.Ulimits.0.Soft of type int64"},
	    {"{\"HostConfig\":{\"RestartPolicy\":{\"MaximumRetryCount\":\"3\"}}}",
	     "string into Go struct field .HostConfig.RestartPolicy.MaximumRetryCount of type int"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_json *in = tree_of(rows[i].in);
		auto_str out = STR_INIT;
		struct error err = ERROR_INIT;
		char text[256];
		int r = spec_normalise_config(in, &out, &err);

		if (r == 0) {
			str_reset(&out);
			r = spec_normalise_host_config(json_get(in, "HostConfig"), &out, &err);
		}
		assert_int_equal(r, -1);
		assert_int_equal(out.len, 0); /* nothing half-printed */
		snprintf(text, sizeof(text), "invalid JSON: json: cannot unmarshal %s",
			 rows[i].text);
		assert_string_equal(err.text, text);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

static void test_host_config_defaults(void **state)
{
	auto_json *h = host_config_of("{}");
	auto_str out = STR_INIT;

	(void)state;
	json_print(h, &out);
	assert_string_equal(out.p,
			    "{\"Binds\":null,\"ContainerIDFile\":\"\",\"LogConfig\":{\"Type\":"
			    "\"json-file\",\"Config\":{}},\"NetworkMode\":\"bridge\","
			    "\"PortBindings\":null,\"RestartPolicy\":{\"Name\":\"no\","
			    "\"MaximumRetryCount\":0},\"AutoRemove\":false,\"VolumeDriver\":\"\","
			    "\"VolumesFrom\":null,\"ConsoleSize\":[0,0],\"CapAdd\":null,"
			    "\"CapDrop\":null,\"CgroupnsMode\":\"host\",\"Dns\":null,"
			    "\"DnsOptions\":null,\"DnsSearch\":null,\"ExtraHosts\":null,"
			    "\"GroupAdd\":null,\"IpcMode\":\"private\",\"Cgroup\":\"\","
			    "\"Links\":null,\"OomScoreAdj\":0,\"PidMode\":\"\",\"Privileged\":"
			    "false,\"PublishAllPorts\":false,\"ReadonlyRootfs\":false,"
			    "\"SecurityOpt\":null,\"UTSMode\":\"\",\"UsernsMode\":\"\",\"ShmSize\":"
			    "67108864,\"Runtime\":\"runc\",\"Isolation\":\"\","
			    "\"CpuShares\":0,\"Memory\":0,\"NanoCpus\":0,\"CgroupParent\":\"\","
			    "\"BlkioWeight\":0,\"BlkioWeightDevice\":null,"
			    "\"BlkioDeviceReadBps\":null,\"BlkioDeviceWriteBps\":null,"
			    "\"BlkioDeviceReadIOps\":null,\"BlkioDeviceWriteIOps\":null,"
			    "\"CpuPeriod\":0,\"CpuQuota\":0,\"CpuRealtimePeriod\":0,"
			    "\"CpuRealtimeRuntime\":0,\"CpusetCpus\":\"\",\"CpusetMems\":\"\","
			    "\"Devices\":null,\"DeviceCgroupRules\":null,\"DeviceRequests\":null,"
			    "\"MemoryReservation\":0,\"MemorySwap\":0,"
			    "\"MemorySwappiness\":null,\"OomKillDisable\":false,\"PidsLimit\":null,"
			    "\"Ulimits\":null,\"CpuCount\":0,\"CpuPercent\":0,"
			    "\"IOMaximumIOps\":0,\"IOMaximumBandwidth\":0,\"MaskedPaths\":[\"/proc/"
			    "asound\",\"/proc/acpi\",\"/proc/interrupts\","
			    "\"/proc/kcore\",\"/proc/keys\",\"/proc/latency_stats\",\"/proc/"
			    "timer_list\",\"/proc/timer_stats\",\"/proc/sched_debug\","
			    "\"/proc/scsi\",\"/sys/firmware\",\"/sys/devices/virtual/"
			    "powercap\"],\"ReadonlyPaths\":[\"/proc/bus\",\"/proc/fs\","
			    "\"/proc/irq\",\"/proc/sys\",\"/proc/sysrq-trigger\"]}");
}

static void test_adapt(void **state)
{
	auto_json *h =
	    host_config_of("{\"Memory\":67108864,\"PidsLimit\":-1,\"Privileged\":true,\"Init\":"
			   "false,\"MaskedPaths\":null,"
			   "\"RestartPolicy\":{\"Name\":\"always\"},\"NetworkMode\":\"default\"}");
	auto_json *unmasked = host_config_of("{\"MaskedPaths\":[],\"ReadonlyPaths\":[]}");
	auto_str out = STR_INIT;

	(void)state;
	assert_int_equal(json_get_i64(h, "MemorySwap", 0), 134217728);
	assert_int_equal(json_type(json_get(h, "PidsLimit")), JSON_NULL);
	assert_int_equal(json_type(json_get(h, "MaskedPaths")), JSON_NULL);
	assert_string_equal(json_get_str(json_get(h, "RestartPolicy"), "Name", ""), "always");
	assert_string_equal(json_get_str(h, "NetworkMode", ""), "bridge");
	assert_int_equal(json_type(json_get(h, "Init")),
			 JSON_BOOL); /* false is said, not omitted */
	json_print(json_get(h, "SecurityOpt"), &out);
	assert_string_equal(out.p, "[\"label=disable\"]");
	assert_int_equal(json_type(json_get(unmasked, "MaskedPaths")),
			 JSON_ARRAY); /* systempaths=unconfined, as clients send it */
	assert_int_equal(json_count(json_get(unmasked, "MaskedPaths")), 0);
}

static void test_endpoint(void **state)
{
	auto_json *in =
	    tree_of("{\"Aliases\":[\"x\"],\"IPAMConfig\":{\"IPv4Address\":\"10.0.0.2\"}}");
	auto_str out = STR_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(spec_normalise_endpoint(in, &out, &err), 0);
	assert_string_equal(
	    out.p,
	    "{\"IPAMConfig\":{\"IPv4Address\":\"10.0.0.2\"},\"Links\":null,\"Aliases\":[\"x\"],"
	    "\"MacAddress\":\"\","
	    "\"DriverOpts\":null,\"GwPriority\":0,\"NetworkID\":\"\",\"EndpointID\":\"\","
	    "\"Gateway\":\"\","
	    "\"IPAddress\":\"\",\"IPPrefixLen\":0,\"IPv6Gateway\":\"\",\"GlobalIPv6Address\":\"\","
	    "\"GlobalIPv6PrefixLen\":0,\"DNSNames\":null}");
}

/* ---- Merging ------------------------------------------------------------------------------------------------------------------------- */

#define IMAGE                                                                                      \
	"{\"Cmd\":[\"c\"],\"Entrypoint\":[\"e\"],\"Env\":[\"A=img\",\"B=img\"],\"ExposedPorts\":{" \
	"\"99/tcp\":{}},\"Labels\":null,"                                                          \
	"\"OnBuild\":[\"RUN "                                                                      \
	"x\"],\"User\":\"5\",\"Volumes\":{\"/iv\":{}},\"WorkingDir\":\"/w\",\"StopSignal\":\"9\"," \
	"\"Healthcheck\":{\"Test\":[\"CMD\",\"t\"],\"Interval\":1000000}}"

static void merged(const char *config, struct str *out)
{
	auto_json *c = config_of(config), *image = tree_of(IMAGE);
	struct error err = ERROR_INIT;

	assert_int_equal(spec_merge_image(c, image, out, &err), 0);
}

static void test_merge(void **state)
{
	auto_str out = STR_INIT;

	(void)state;
	merged("{\"Env\":[\"C=1\",\"A=2\"],\"Volumes\":{\"/x\":{}},\"ExposedPorts\":{\"5/"
	       "udp\":{}},\"Healthcheck\":{\"Retries\":3}}",
	       &out);
	assert_string_equal(out.p,
			    "{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"5\",\"AttachStdin\":"
			    "false,\"AttachStdout\":false,\"AttachStderr\":false,"
			    "\"ExposedPorts\":{\"5/udp\":{},\"99/"
			    "tcp\":{}},\"Tty\":false,\"OpenStdin\":false,\"StdinOnce\":false,"
			    "\"Env\":[\"C=1\",\"A=2\",\"B=img\"],\"Cmd\":[\"c\"],\"Healthcheck\":{"
			    "\"Test\":[\"CMD\",\"t\"],\"Interval\":1000000,"
			    "\"Retries\":3},\"Image\":\"\",\"Volumes\":{\"/iv\":{},\"/"
			    "x\":{}},\"WorkingDir\":\"/w\",\"Entrypoint\":[\"e\"],"
			    "\"OnBuild\":null,\"Labels\":{},\"StopSignal\":\"9\"}");
}

static void test_merge_commands(void **state)
{
	static const struct {
		const char *config, *cmd, *entrypoint;
	} rows[] = {
	    {"{}", "[\"c\"]", "[\"e\"]"},
	    {"{\"Cmd\":[\"x\"]}", "[\"x\"]", "[\"e\"]"},
	    {"{\"Entrypoint\":[\"z\"]}", "null", "[\"z\"]"},
	    {"{\"Entrypoint\":[]}", "[\"c\"]", "[]"},
	    {"{\"Entrypoint\":[\"\"],\"Cmd\":[\"x\"]}", "[\"x\"]", "null"},
	};
	auto_json *none = config_of("{\"Entrypoint\":[\"\"]}"), *image = tree_of(IMAGE);
	auto_str refused = STR_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str out = STR_INIT, cmd = STR_INIT, entrypoint = STR_INIT;
		auto_json *got = NULL;

		merged(rows[i].config, &out);
		got = tree_of(out.p);
		json_print(json_get(got, "Cmd"), &cmd);
		json_print(json_get(got, "Entrypoint"), &entrypoint);
		assert_string_equal(cmd.p, rows[i].cmd);
		assert_string_equal(entrypoint.p, rows[i].entrypoint);
	}
	assert_int_equal(spec_merge_image(none, image, &refused, &err), -1);
	assert_string_equal(err.text, "no command specified");
}

/* ---- Mounts, ports ------------------------------------------------------------------------------------------------------------------- */

static void test_mounts(void **state)
{
	auto_json *c = tree_of("{\"Volumes\":{\"/anon\":{},\"rel\":{},\"/v1\":{}}}");
	auto_json *h =
	    tree_of("{\"Binds\":[\"/host/./x/:/b1//y/\",\"/h:/b2:ro,rslave\",\"vol1:/"
		    "v1:nocopy\",\"/only\"],"
		    "\"Tmpfs\":{\"/t\":\"size=1m\"},\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/"
		    "t1\",\"ReadOnly\":true,"
		    "\"TmpfsOptions\":{\"SizeBytes\":1048576,\"Mode\":448}},{\"Type\":\"volume\","
		    "\"Source\":\"v2\",\"Target\":\"/m\","
		    "\"VolumeOptions\":{\"NoCopy\":true,\"Subpath\":\"a/b\"}}]}");
	struct spec_mounts m;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(spec_parse_mounts(c, h, &m, &err), 0);
	assert_int_equal(m.n, 9);
	assert_string_equal(m.v[0].source, "/host/x");
	assert_string_equal(m.v[0].destination, "/b1/y");
	assert_string_equal(m.v[0].propagation, "rprivate");
	assert_true(m.v[0].create_source);
	assert_true(m.v[1].read_only);
	assert_string_equal(m.v[1].propagation, "rslave");
	assert_int_equal(m.v[2].type, SPEC_MOUNT_VOLUME);
	assert_string_equal(m.v[2].name, "vol1");
	assert_true(m.v[2].no_copy);
	assert_null(m.v[3].name); /* "/only": anonymous */
	assert_string_equal(m.v[4].tmpfs_options, "ro,mode=700,size=1m");
	assert_string_equal(m.v[5].subpath, "a/b");
	assert_string_equal(m.v[6].tmpfs_options, "size=1m");
	assert_string_equal(m.v[7].destination, "/anon");
	assert_true(m.v[7].from_image);
	assert_string_equal(m.v[8].destination,
			    "/rel"); /* and not /v1, where something is mounted */
	spec_mounts_free(&m);
}

static void test_tmpfs_options(void **state)
{
	auto_strlist out = STRLIST_INIT, none = STRLIST_INIT;
	auto_free char *text = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(tmpfs_merge("exec,size=1m,mode=700,size=2m", &out, &err), 0);
	text = strlist_join(&out, ",");
	assert_string_equal(text, "nosuid,nodev,rprivate,exec,mode=700,size=2m");
	assert_int_equal(tmpfs_merge("foo", &none, &err), -1);
	assert_string_equal(err.text, "invalid tmpfs option \"foo\"");
}

static void test_ports(void **state)
{
	auto_json *c = tree_of(
	    "{\"ExposedPorts\":{\"7000-7002/udp\":{},\"80\":{},\"443/tcp\":{},\"53/udp\":{}}}");
	auto_json *h = tree_of("{\"PortBindings\":{\"80/"
			       "tcp\":[{\"HostPort\":\"8080\"},{\"HostIp\":\"::1\",\"HostPort\":"
			       "\"9000-9010\"}],"
			       "\"53/udp\":[],\"81/tcp\":[{\"HostPort\":\"8081\"}],\"53/"
			       "tcp\":[]}}"); /* the last two are not exposed */
	struct spec_ports p;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(spec_parse_ports(c, h, &p, &err), 0);
	assert_int_equal(p.n, 7);
	assert_int_equal(p.v[0].container_port, 53);
	assert_false(p.v[0].published);
	assert_int_equal(p.v[1].container_port, 80);
	assert_int_equal(p.v[1].host_start, 8080);
	assert_string_equal(p.v[2].host_ip, "::1");
	assert_int_equal(p.v[2].host_end, 9010);
	assert_int_equal(p.v[3].container_port, 443);
	assert_false(p.v[3].published);
	assert_int_equal(p.v[6].container_port, 7002);
	spec_ports_free(&p);
}

static void test_publish_all(void **state)
{
	auto_json *c = tree_of("{\"ExposedPorts\":{\"65535/sctp\":{}}}"),
		  *h = tree_of("{\"PublishAllPorts\":true}");
	struct spec_ports p;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(spec_parse_ports(c, h, &p, &err), 0);
	assert_int_equal(p.n, 1);
	assert_true(p.v[0].published);
	assert_string_equal(p.v[0].proto, "sctp");
	assert_int_equal(p.v[0].host_start, 0);
	spec_ports_free(&p);
}

/* ---- Small things ---------------------------------------------------------------------------------------------------------------------- */

static void test_signals(void **state)
{
	static const struct {
		const char *name;
		int number;
	} rows[] = {{"SIGTERM", 15},    {"term", 15},     {"9", 9},       {"RTMIN+3", 37},
		    {"SIGRTMAX-1", 63}, {"rtmin", 34},    {"64", 64},     {"0", -1},
		    {"65", -1},         {"-1", -1},       {"", -1},       {"SIG", -1},
		    {"FOO", -1},        {"RTMIN+16", -1}, {"RTMIN+", -1}, {"SIGSIGTERM", -1},
		    {"RTMAX-0", -1},    {"15x", -1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(spec_signal(rows[i].name), rows[i].number);
}

static void test_detach_keys(void **state)
{
	static const char *const wrong[] = {"ctrl-P", "ctrl-", "foo", "a,,b", "ctrl-1", "ctrl-aa"};
	auto_str keys = STR_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(spec_detach_keys("ctrl-p,ctrl-q,a,ctrl-@,ctrl-_,DEL,ctrl-[", &keys, &err),
			 0);
	assert_int_equal(keys.len, 7);
	assert_memory_equal(keys.p,
			    "\x10\x11"
			    "a\0\x1f\x7f\x1b",
			    7);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(spec_detach_keys(wrong[i], &keys, &err), -1);
}

static void test_names(void **state)
{
	(void)state;
	assert_true(spec_name_ok("a_B.c-9"));
	assert_false(spec_name_ok("a"));
	assert_false(spec_name_ok("-ab"));
	assert_false(spec_name_ok("a/b"));
	assert_false(spec_name_ok(""));
	assert_false(spec_name_ok("a\xc3\xa4"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_config_defaults),
	    cmocka_unit_test(test_config_full),
	    cmocka_unit_test(test_type_errors),
	    cmocka_unit_test(test_host_config_defaults),
	    cmocka_unit_test(test_adapt),
	    cmocka_unit_test(test_endpoint),
	    cmocka_unit_test(test_merge),
	    cmocka_unit_test(test_merge_commands),
	    cmocka_unit_test(test_mounts),
	    cmocka_unit_test(test_tmpfs_options),
	    cmocka_unit_test(test_ports),
	    cmocka_unit_test(test_publish_all),
	    cmocka_unit_test(test_signals),
	    cmocka_unit_test(test_detach_keys),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_acceptances),
	    cmocka_unit_test(test_versions),
	    cmocka_unit_test(test_host_of_cgroup_v2),
	    cmocka_unit_test(test_users),
	    cmocka_unit_test(test_users_no_escape),
	    cmocka_unit_test(test_oci_plain),
	    cmocka_unit_test(test_oci_full),
	    cmocka_unit_test(test_oci_privileged),
	    cmocka_unit_test(test_oci_namespaces),
	    cmocka_unit_test(test_oci_user_namespace),
	    cmocka_unit_test(test_exec_process),
	    cmocka_unit_test(test_resources),
	    cmocka_unit_test(test_seccomp),
	    cmocka_unit_test(test_seccomp_other_machines),
	    cmocka_unit_test(test_caps),
	};

	return cmocka_run_group_tests_name("spec", tests, NULL, NULL);
}
