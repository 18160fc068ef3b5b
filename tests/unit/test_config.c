/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration room: flags, daemon.json, their clashes and errors in moby's words, reload, units. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/table.h"
#include "config/units.h"

static char file_path[] = "/tmp/test_config_XXXXXX";

static int make_file(void **state)
{
	int fd = mkstemp(file_path);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	/* the machine's own environment and daemon.json stay out of it */
	unsetenv("DOCKER_DRIVER");
	unsetenv("DOCKER_TLS_VERIFY");
	return 0;
}

static int drop_file(void **state)
{
	(void)state;
	return unlink(file_path);
}

static void put_file(const char *text)
{
	struct error err = ERROR_INIT;

	assert_int_equal(
	    file_write_atomic(AT_FDCWD, file_path, text, strlen(text), 0600, false, &err), 0);
}

/* Flags separated by blanks, behind --config-file FILE; the error's text, or "" */
static const char *parse(const char *flags, struct config **out)
{
	static struct error err;
	auto_strlist argv = STRLIST_INIT;
	struct config *c = NULL;

	error_clear(&err);
	strlist_add(&argv, "dockerd");
	strlist_add(&argv, "--config-file");
	strlist_add(&argv, file_path);
	strlist_split(&argv, flags, ' ');
	if (config_parse((int)argv.n, argv.v, &c, &err) == 0) {
		err.text[0] = '\0';
		if (out)
			*out = c;
		else
			config_free(c);
	}
	return err.text;
}

/* A whole command line of words separated by blanks. */
static int parse_words(const char *line, struct config **out, struct error *err)
{
	auto_strlist argv = STRLIST_INIT;

	strlist_split(&argv, line, ' ');
	return config_parse((int)argv.n, argv.v, out, err);
}

/* What follows the file's name in "unable to configure ..."; or the whole text. */
static const char *after_file(const char *text)
{
	const char *prefix = "unable to configure the Docker daemon with file ",
		   *rest = str_after(text, prefix);

	rest = rest ? str_after(rest, file_path) : NULL;
	return rest ? rest + 2 : text;
}

#define MERGED "merged configuration validation from file and command line flags failed: "
#define UNMARSHAL(what, field, type)                                                       \
	"invalid JSON: json: cannot unmarshal " what " into Go struct field Config." field \
	" of type " type
#define BOTH "the following directives are specified both as a flag and in the configuration file: "
#define UNKNOWN "the following directives don't match any configuration option: "

/* Each line was answered so by moby 28.5 itself (--validate). */
static const struct {
	const char *file, *flags, *error;
} same_as_moby[] = {
    {"", "", ""},
    {"  \n", "", ""},
    {"null", "", ""},
    {"\xef\xbb\xbf{\"debug\":true}", "", ""},
    {"{\"foo\":1}", "", UNKNOWN "foo"},
    {"{\"foo\":1,\"bar\":2}", "", UNKNOWN "foo, bar"},
    {"{\"Debug\":true}", "", UNKNOWN "Debug"},
    {"{\"debug\":\"yes\"}", "", UNMARSHAL("string", "debug", "bool")},
    {"{\"debug\":1}", "", UNMARSHAL("number", "debug", "bool")},
    {"{\"hosts\":\"unix:///x\"}", "", UNMARSHAL("string", "hosts", "[]string")},
    {"{\"hosts\":[1]}", "",
     "invalid JSON: json: cannot unmarshal number into Config.hosts.0 of type string"},
    {"{\"log-opts\":{\"max-size\":1}}", "", UNMARSHAL("number", "log-opts.max-size", "string")},
    {"{\"log-opts\":[\"a=b\"]}", "", UNMARSHAL("array", "log-opts", "map[string]string")},
    {"{\"mtu\":\"1500\"}", "", UNMARSHAL("string", "mtu", "int")},
    {"{\"mtu\":1.5}", "", UNMARSHAL("number 1.5", "mtu", "int")},
    {"{\"features\":{\"a\":\"b\"}}", "", UNMARSHAL("string", "features.a", "bool")},
    {"{\"default-ulimits\":{\"nofile\":\"10:20\"}}", "",
     UNMARSHAL("string", "default-ulimits.nofile", "units.Ulimit")},
    {"{\"default-ulimits\":[\"nofile=1\"]}", "",
     UNMARSHAL("array", "default-ulimits", "map[string]*units.Ulimit")},
    {"{\"hosts\":[\"unix:///x\"]}", "-H tcp://1.2.3.4:5",
     BOTH "hosts: (from flag: [tcp://1.2.3.4:5], from file: [unix:///x])"},
    {"{\"debug\":true}", "-D", BOTH "debug: (from flag: true, from file: true)"},
    {"{\"log-level\":\"info\"}", "-l debug", BOTH "log-level: (from flag: debug, from file: info)"},
    {"{\"log-opts\":{\"max-size\":\"10m\"}}", "--log-opt max-size=3m",
     BOTH "log-opts: (from flag: map[max-size:3m], from file: map[max-size:10m])"},
    {"{\"proxies\":{\"http-proxy\":\"http://x\"}}", "--http-proxy y",
     BOTH "http-proxy: (from flag: y, from file: http://x)"},
    {"{\"proxies\":{\"foo\":\"http://x\"}}", "", UNKNOWN "foo"},
    {"{} x", "", "invalid JSON: invalid character 'x' after top-level value"},
    {"{}{}", "", "invalid JSON: invalid character '{' after top-level value"},
    {"[1]", "",
     "invalid JSON: json: cannot unmarshal array into Go value of type map[string]interface {}"},
    {"{\"debug\":true", "", "invalid JSON: unexpected end of JSON input"},
    {"{debug:true}", "",
     "invalid JSON: invalid character 'd' looking for beginning of object key string"},
    {"{\"a\":1,}", "",
     "invalid JSON: invalid character '}' looking for beginning of object key string"},
    {"{\"a\" 1}", "", "invalid JSON: invalid character '1' after object key"},
    {"{\"a\":01}", "", "invalid JSON: invalid character '1' after object key:value pair"},
    {"{\"a\":tru}", "", "invalid JSON: invalid character '}' in literal true (expecting 'e')"},
    {"{\"mtu\":-1}", "", MERGED "invalid default MTU: -1"},
    {"{\"max-concurrent-downloads\":-1}", "", MERGED "invalid max concurrent downloads: -1"},
    {"{\"log-level\":\"foo\"}", "", MERGED "invalid logging level: foo"},
    {"{\"log-format\":\"foo\"}", "", MERGED "invalid log format: foo"},
    {"{\"labels\":[\"foo\"]}", "", MERGED "bad attribute format: foo"},
    {"{\"labels\":[\"a=b\",\"a=c\"]}", "", "conflict labels for a=c and a=b"},
    {"{\"labels\":[\"a=b\",\"a=b\"]}", "", ""},
    {"{\"labels\":[\"com.docker.x=b\"]}", "",
     MERGED "label com.docker.x=b is not allowed: the namespaces com.docker.*, io.docker.*, and "
	    "org.dockerproject.* are "
	    "reserved for internal use"},
    {"{\"dns\":[\"foo\"]}", "", "invalid JSON: invalid IP address: foo"},
    {"{\"dns\":[\"1.1.1.1\",\"::1\"]}", "", ""},
    {"{\"dns-search\":[\"...\"]}", "", MERGED "... is not a valid domain"},
    {"{\"dns-search\":[\".\"]}", "", ""},
    {"{\"registry-mirrors\":[\"foo\"]}", "",
     MERGED
     "invalid mirror: no scheme specified for \"foo\": must use either 'https://' or 'http://'"},
    {"{\"registry-mirrors\":[\"http://foo/x?y\"]}", "",
     MERGED "invalid mirror: query or fragment at end of the URI \"http://foo/x?y\""},
    {"{\"hosts\":[\"tcp://foo:bar\"]}", "",
     MERGED "invalid bind address (tcp://foo:bar): parse \"tcp://foo:bar\": invalid port \":bar\" "
	    "after host"},
    {"{\"hosts\":[\"xyz://foo\"]}", "",
     MERGED "invalid bind address (xyz://foo): unsupported proto 'xyz'"},
    {"{\"hosts\":[\"tcp://a/x\"]}", "",
     MERGED "invalid bind address (tcp://a/x): should not contain a path element"},
    {"{\"default-gateway\":\"foo\"}", "", "invalid JSON: invalid IP address: foo"},
    {"{\"default-shm-size\":\"foo\"}", "", "invalid JSON: invalid size: 'foo'"},
    {"{\"default-shm-size\":1234}", "", "invalid JSON: invalid size: \"1234\""},
    {"{\"runtimes\":{\"runc\":{\"path\":\"x\"}}}", "", "runtime name 'runc' is reserved"},
    {"{\"runtimes\":{\"a\":{}}}", "",
     "runtime a: either a runtimeType or a path must be configured"},
    {"{\"runtimes\":{\"a\":{\"path\":\"x\",\"runtimeType\":\"y\"}}}", "",
     "runtime a: cannot configure both path and runtimeType for the same runtime"},
    {"{\"runtimes\":{\"a\":{\"runtimeType\":\"y\",\"runtimeArgs\":[\"x\"]}}}", "",
     "runtime a: args cannot be used with a runtimeType runtime"},
    {"{\"runtimes\":{\"a\":{\"path\":\"x\",\"options\":{\"q\":1}}}}", "",
     "runtime a: options cannot be used with a path runtime"},
    {"{\"runtimes\":{\"a\":{\"path\":\"x\"}},\"default-runtime\":\"A\"}", "",
     "specified default runtime 'A' does not exist"},
    {"{\"runtimes\":{\"a\":{\"path\":\"x\"}},\"default-runtime\":\"a\"}", "", ""},
    {"{\"default-runtime\":\"io.containerd.kata.v2\"}", "", ""},
    {"", "--add-runtime=a",
     "invalid argument \"a\" for \"--add-runtime\" flag: invalid runtime argument: a\nSee 'dockerd "
     "--help'."},
    {"{\"exec-opts\":[\"foo\"]}", "",
     MERGED "invalid exec-opt (foo): must be formatted 'opt=value'"},
    {"{\"exec-opts\":[\"native.foo=foo\"]}", "",
     MERGED "invalid exec-opt (native.foo=foo): unknown option: 'native.foo'"},
    {"{\"default-ipc-mode\":\"foo\"}", "",
     MERGED "default IPC mode setting (foo) is invalid; use \"shareable\" or \"private\""},
    {"{\"debug\":null,\"hosts\":null,\"features\":null}", "", ""},
    {"{\"debug\":true,\"debug\":false}", "", ""},
    {"", "--mtu=x",
     "invalid argument \"x\" for \"--mtu\" flag: strconv.ParseInt: parsing \"x\": invalid "
     "syntax\nSee 'dockerd --help'."},
    {"", "--debug=foo",
     "invalid argument \"foo\" for \"-D, --debug\" flag: strconv.ParseBool: parsing \"foo\": "
     "invalid syntax\nSee 'dockerd --help'."},
    {"", "--foo=1", "unknown flag: --foo\nSee 'dockerd --help'."},
    {"", "-Dx", "unknown shorthand flag: 'x' in -x\nSee 'dockerd --help'."},
    {"", "--mtu", "flag needs an argument: --mtu\nSee 'dockerd --help'."},
    {"", "-H", "flag needs an argument: 'H' in -H\nSee 'dockerd --help'."},
    {"", "--dns foo",
     "invalid argument \"foo\" for \"--dns\" flag: invalid string being converted to IP address: "
     "foo\nSee 'dockerd --help'."},
    {"", "--ip foo",
     "invalid argument \"foo\" for \"--ip\" flag: failed to parse IP: \"foo\"\nSee 'dockerd "
     "--help'."},
    {"", "--label foo",
     "invalid argument \"foo\" for \"--label\" flag: bad attribute format: foo\nSee 'dockerd "
     "--help'."},
    {"", "--default-ulimit nofile=20:10",
     "invalid argument \"nofile=20:10\" for \"--default-ulimit\" flag: ulimit soft limit must be "
     "less than or equal to hard "
     "limit: 20 > 10\nSee 'dockerd --help'."},
    {"", "--default-ulimit foo=1",
     "invalid argument \"foo=1\" for \"--default-ulimit\" flag: invalid ulimit type: foo\nSee "
     "'dockerd --help'."},
    {"", "--log-opt foo", ""},
    {"", "--log-level Debug", ""},
};

static void test_same_as_moby(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(same_as_moby); i++) {
		put_file(same_as_moby[i].file);
		assert_string_equal(after_file(parse(same_as_moby[i].flags, NULL)),
				    same_as_moby[i].error);
	}
}

static void test_file_missing(void **state)
{
	auto_config *c = NULL;
	struct error err = ERROR_INIT;
	const char *missing = "dockerd --config-file /nonexistent/daemon.json";
	const char *directory = "dockerd --config-file=/";
	const char *null = "dockerd --config-file=/dev/null --validate";
	const char *none = "dockerd --config-file=";

	(void)state;
	assert_int_equal(parse_words(missing, &c, &err), -1);
	assert_string_equal(
	    err.text,
	    "unable to configure the Docker daemon with file /nonexistent/daemon.json: open "
	    "/nonexistent/daemon.json: no such file or directory");
	assert_int_equal(parse_words(directory, &c, &err), -1);
	assert_string_equal(
	    err.text, "unable to configure the Docker daemon with file /: read /: is a directory");
	assert_int_equal(parse_words(null, &c, &err), 0);
	assert_int_equal(config_action(c), CONFIG_VALIDATE);
	config_freep(&c);
	assert_int_equal(parse_words(none, &c, &err), 0);
	assert_null(config_file(c));
}

static void test_values(void **state)
{
	auto_config *c = NULL;
	const struct strlist *hosts;

	(void)state;
	put_file(
	    "{\"bip\":\"10.1.0.1/"
	    "16\",\"icc\":false,\"log-opts\":{\"max-size\":\"10m\"},\"default-shm-size\":\"1g\","
	    "\"default-ulimits\":{\"nofile\":{\"Name\":\"nofile\",\"Hard\":64000,\"Soft\":64000}},"
	    "\"proxies\":{\"no-proxy\":\"a,b\"},\"graph\":\"/g\"}");
	assert_string_equal(
	    parse("-D -Hunix:///a -H=tcp://:1 --host unix:///b --mtu=1400 --dns 1.1.1.1,::1 -s vfs "
		  "--storage-opt a=b=c --raw-logs=false",
		  &c),
	    "");
	assert_int_equal(config_action(c), CONFIG_RUN);
	assert_true(config_bool(c, "debug"));
	assert_false(config_bool(c, "icc"));
	assert_true(config_is_set(c, "icc"));
	assert_true(config_bool(c, "iptables"));
	assert_false(config_is_set(c, "iptables"));
	assert_int_equal(config_int(c, "mtu"), 1400);
	assert_int_equal(config_int(c, "default-shm-size"), 1 << 30);
	assert_string_equal(config_str(c, "data-root"), "/g");
	assert_string_equal(config_str(c, "storage-driver"), "vfs");
	assert_string_equal(config_str(c, "proxies.no-proxy"), "a,b");
	assert_string_equal(config_str(c, "exec-driver"), DEFAULT_EXEC_DRIVER);
	hosts = config_list(c, "hosts");
	assert_int_equal(hosts->n, 3);
	assert_string_equal(hosts->v[1], "tcp://:1");
	assert_int_equal(config_list(c, "dns")->n, 2);
	assert_string_equal(config_list(c, "storage-opts")->v[0], "a=b=c");
	assert_string_equal(pairs_get(config_map(c, "log-opts"), "max-size"), "10m");
	assert_int_equal(
	    json_get_i64(json_get(config_json(c, "default-ulimits"), "nofile"), "Hard", 0), 64000);
	assert_string_equal(config_file(c), file_path);
}

static void test_structured_flags(void **state)
{
	auto_config *c = NULL;
	const json *u;

	(void)state;
	put_file("");
	assert_string_equal(parse("--default-ulimit nofile=1:2 --default-ulimit core=-1 --feature "
				  "x --feature y=false",
				  &c),
			    "");
	u = config_json(c, "default-ulimits");
	assert_int_equal(json_count(u), 2);
	assert_int_equal(json_get_i64(json_get(u, "nofile"), "Hard", 0), 2);
	assert_int_equal(json_get_i64(json_get(u, "core"), "Soft", 0), -1);
	assert_true(json_get_bool(config_json(c, "features"), "x", false));
	assert_false(json_get_bool(config_json(c, "features"), "y", true));
}

static void test_classic(void **state)
{
	auto_config *c = NULL;
	struct error err = ERROR_INIT;
	const char *argv = "dockerd daemon --config-file= -g /classic -e native --graph=/later --";
	const char *word = "dockerd run";
	const char *help = "dockerd --help words --debug";
	const char *version = "dockerd -vD";

	(void)state;
	assert_int_equal(parse_words(argv, &c, &err), 0);
	assert_string_equal(config_str(c, "data-root"), "/later");
	config_freep(&c);
	assert_int_equal(parse_words(word, &c, &err), -1);
	assert_string_equal(err.text, "\"dockerd\" accepts no arguments.\nSee 'dockerd --help'.");
	assert_int_equal(parse_words(help, &c, &err), 0);
	assert_int_equal(config_action(c), CONFIG_HELP);
	config_freep(&c);
	assert_int_equal(parse_words(version, &c, &err), 0);
	assert_int_equal(config_action(c), CONFIG_VERSION);
}

/* moby: tlsverify given at all turns TLS on; --tls alone verifies. */
static void test_tls(void **state)
{
	static const struct {
		const char *flags, *file;
		bool tls, verify;
	} cases[] = {{"", "", false, false},
		     {"--tls", "", true, true},
		     {"--tls=false", "", false, false},
		     {"--tlsverify", "", true, true},
		     {"--tlsverify=false", "", true, false},
		     {"--tls=false --tlsverify", "", true, true},
		     {"", "{\"tlsverify\":false}", true, false},
		     {"", "{\"tls\":true}", true, true},
		     {"--tls", "{\"tlsverify\":false}", true, false}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_config *c = NULL;

		put_file(cases[i].file);
		assert_string_equal(parse(cases[i].flags, &c), "");
		assert_int_equal(config_tls(c), cases[i].tls);
		assert_int_equal(config_tls_verify(c), cases[i].verify);
	}
	auto_config *c = NULL;

	put_file("");
	setenv("DOCKER_TLS_VERIFY", "1", 1);
	assert_string_equal(parse("", &c), "");
	unsetenv("DOCKER_TLS_VERIFY");
	assert_true(config_tls(c) && config_tls_verify(c));
}

static void test_states(void **state)
{
	auto_config *c = NULL;

	(void)state;
	put_file("");
	assert_non_null(
	    strstr(parse("--selinux-enabled", NULL), "not supported yet: --selinux-enabled: "));
	assert_string_equal(parse("--tls=false --selinux-enabled=false --ipv6=0", NULL), "");
	put_file("{\"cluster-store\":\"etcd://x\"}");
	assert_non_null(strstr(parse("", NULL), "not supported yet: cluster-store: "));
	put_file("{\"userns-remap\":\"\",\"runtimes\":{},\"default-address-pools\":[]}");
	assert_string_equal(parse("", NULL), "");
	put_file("{\"features\":{\"containerd-snapshotter\":true}}");
	assert_non_null(
	    strstr(parse("", NULL), "not supported yet: feature containerd-snapshotter"));
	put_file("");
	assert_non_null(
	    strstr(parse("--exec-opt native.cgroupdriver=systemd", NULL), "not supported yet"));
	assert_string_equal(
	    parse("--containerd=/run/containerd/containerd.sock --cri-containerd", &c), "");
	assert_int_equal(config_notes(c)->n, 2);
	assert_non_null(strstr(config_notes(c)->v[0], "--containerd means nothing here"));
	assert_non_null(strstr(parse("--icc=false --iptables=false", NULL),
			       "ICC=false uses iptables to function"));
	assert_string_equal(parse("-b br0 --bip 10.0.0.1/24", NULL),
			    ""); /* docs/compat-choices.md */
}

static void test_environment(void **state)
{
	auto_config *c = NULL;

	(void)state;
	put_file("{\"storage-driver\":\"overlay2\"}");
	setenv("DOCKER_DRIVER", "vfs", 1);
	setenv("DOCKER_TMPDIR", "/mnt/tmp", 1);
	assert_string_equal(parse("", &c), "");
	assert_string_equal(config_str(c, "storage-driver"), "vfs");
	assert_string_equal(config_tmpdir(c), "/mnt/tmp");
	assert_false(config_ramdisk(c));
	unsetenv("DOCKER_DRIVER");
	unsetenv("DOCKER_TMPDIR");
}

static void test_reload(void **state)
{
	auto_config *c = NULL, *next = NULL, *last = NULL;
	auto_strlist changed = STRLIST_INIT, again = STRLIST_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	put_file("{\"labels\":[\"a=b\"],\"max-concurrent-uploads\":9,\"log-opts\":{\"a\":\"b\"},"
		 "\"shutdown-timeout\":3}");
	assert_string_equal(parse("--mtu 1400", &c), "");
	put_file("{\"labels\":[\"a=c\"],\"debug\":true,\"log-opts\":{\"a\":\"c\"},\"bridge\":"
		 "\"other\"}");
	next = config_reload(c, &changed, &err);
	assert_non_null(next);
	assert_string_equal(config_list(next, "labels")->v[0], "a=c");
	assert_true(config_bool(next, "debug"));
	assert_string_equal(pairs_get(config_map(next, "log-opts"), "a"), "b"); /* not reloadable */
	assert_string_equal(config_str(next, "bridge"), "");
	assert_int_equal(config_int(next, "mtu"), 1400);
	assert_int_equal(config_int(next, "max-concurrent-uploads"),
			 5); /* gone from the file: its default */
	assert_int_equal(config_int(next, "shutdown-timeout"), 3); /* gone from the file: stays */
	assert_int_equal(changed.n, 3);
	assert_true(strlist_has(&changed, "debug") && strlist_has(&changed, "labels") &&
		    strlist_has(&changed, "max-concurrent-uploads"));
	put_file("{\"debug\":}");
	last = config_reload(next, &again, &err);
	assert_null(last);
	assert_non_null(strstr(err.text, "invalid character '}' looking for beginning of value"));
	assert_int_equal(again.n, 0);
}

/* Every row makes sense: sorted, its default parses, it can be found by each spelling, and it has its words. */
static void test_table(void **state)
{
	const char *last = "";

	(void)state;
	for (size_t i = 0; i < option_count; i++) {
		const struct option *o = &option_table[i];

		assert_non_null(o->help);
		assert_true(o->state == OPT_WORKS || o->why);
		assert_int_equal(option_by_key(option_key(o)), i);
		if (o->type == OPT_JSON)
			assert_non_null(o->gotype);
		if (!o->flag)
			continue;
		assert_true(strcmp(last, o->flag) < 0);
		last = o->flag;
		assert_int_equal(option_by_flag(o->flag, strlen(o->flag)), i);
		if (o->letter)
			assert_int_equal(option_by_letter(o->letter), i);
		if (o->type == OPT_JSON)
			assert_non_null(o->flag_json);
	}
	assert_int_equal(option_by_letter('g'), option_by_flag("data-root", 9));
	assert_int_equal(option_by_flag("graph", 5), option_by_flag("data-root", 9));
	assert_int_equal(option_by_flag("gra", 3), -1);
}

/* Lines of moby's own --help. */
static void test_help(void **state)
{
	static const char *const lines[] = {
	    "\nUsage:\tdockerd [OPTIONS]\n\nA self-sufficient runtime for "
	    "containers.\n\nOptions:\n      --add-runtime runtime       "
	    "            Register an additional OCI\n                                              "
	    "compatible runtime (default "
	    "[])\n",
	    "\n  -D, --debug                                 Enable debug mode\n",
	    "\n      --config-file string                    Daemon configuration file\n           "
	    "                               "
	    "    (default\n                                              "
	    "\"/etc/docker/daemon.json\")\n",
	    "\n      --default-shm-size bytes                Default shm size for\n                "
	    "                              "
	    "containers (default 64MiB)\n",
	    "\n      --userland-proxy                        Use userland proxy for\n              "
	    "                                "
	    "loopback traffic (default true)\n",
	    "\n  -v, --version                               Print version information\n           "
	    "                               "
	    "    and quit\n",
	};
	auto_free char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	struct error err = ERROR_INIT;

	(void)state;
	config_help(f);
	fflush(f);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		assert_non_null(strstr(text, lines[i]));
	assert_int_equal(config_dump_options("flags", f, &err), 0);
	assert_int_equal(config_dump_options("keys", f, &err), 0);
	assert_int_equal(config_dump_options("states", f, &err), 0);
	fclose(f);
	assert_non_null(strstr(text, ".It Cm default-shm-size Pq string\n"));
	assert_non_null(strstr(text, "| `--rootless` | `rootless` | not yet | "));
	assert_int_equal(config_dump_options("nonsense", stdout, &err), -1);
}

static void test_dump(void **state)
{
	auto_config *c = NULL;
	auto_str out = STR_INIT;
	auto_json *j = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	put_file("{\"features\":{\"a\":true}}");
	assert_string_equal(parse("--http-proxy http://p", &c), "");
	config_dump(c, &out);
	j = json_parse(out.p, out.len, &err);
	assert_non_null(j);
	assert_string_equal(json_get_str(j, "data-root", ""), "/var/lib/docker");
	assert_string_equal(json_get_str(json_get(j, "proxies"), "http-proxy", ""), "http://p");
	assert_true(json_get_bool(json_get(j, "features"), "a", false));
	assert_int_equal(json_get_i64(j, "mtu", 0), 1500);
}

static void test_units(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} sizes[] = {
	    {"0", 0},          {"32", 32},          {"32b", 32},          {"1k", 1024},
	    {"64M", 64 << 20}, {"1.5g", 3LL << 29}, {"10 MiB", 10 << 20}, {"2tb", 2LL << 40},
	    {"1PB", 1LL << 50}};
	static const char *const bad[] = {"",     "m",      "-1",  "1x",
					  "1 0m", "1.2.3m", "1mm", "99999999999g"};
	struct error err = ERROR_INIT;
	unsigned char addr[16];
	unsigned int bits;
	int64_t v;
	int family;
	char text[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		assert_int_equal(size_parse(sizes[i].text, &v, &err), 0);
		assert_int_equal(v, sizes[i].bytes);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(size_parse(bad[i], &v, &err), -1);
	size_format(64 << 20, text);
	assert_string_equal(text, "64MiB");
	assert_int_equal(cidr_parse("172.17.0.1/16", &family, addr, &bits, &err), 0);
	assert_true(family == AF_INET && bits == 16 && addr[0] == 172);
	assert_int_equal(cidr_parse("fd00::/64", &family, addr, &bits, &err), 0);
	assert_int_equal(family, AF_INET6);
	assert_int_equal(cidr_parse("172.17.0.1/33", &family, addr, &bits, &err), -1);
	assert_int_equal(cidr_parse("172.17.0.1", &family, addr, &bits, &err), -1);
	assert_string_equal(err.text, "invalid CIDR address: 172.17.0.1");
}

static void test_hosts(void **state)
{
	static const char *const hosts[][2] = {
	    {"", "unix:///var/run/docker.sock"},
	    {"unix://", "unix:///var/run/docker.sock"},
	    {" unix:///x ", "unix:///x"},
	    {"tcp://", "tcp://localhost:2375"},
	    {"tcp://:1", "tcp://localhost:1"},
	    {"foo", "tcp://foo:2375"},
	    {"0.0.0.0:5", "tcp://0.0.0.0:5"},
	    {"tcp://[::1]:5", "tcp://[::1]:5"},
	    {"fd://", "fd://"},
	    {"fd://docker.socket", "fd://docker.socket"},
	};
	static const char *const bad[] = {"tcp://a:b",    "tcp://a/b",  "/x",       "npipe://x",
					  "unix://a://b", "tcp://[::1", "tcp://a?b"};
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		auto_free char *h = host_parse(hosts[i][0], &err);

		assert_non_null(h);
		assert_string_equal(h, hosts[i][1]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_null(host_parse(bad[i], &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_same_as_moby), cmocka_unit_test(test_file_missing),
	    cmocka_unit_test(test_values),       cmocka_unit_test(test_structured_flags),
	    cmocka_unit_test(test_classic),      cmocka_unit_test(test_tls),
	    cmocka_unit_test(test_states),       cmocka_unit_test(test_environment),
	    cmocka_unit_test(test_reload),       cmocka_unit_test(test_table),
	    cmocka_unit_test(test_help),         cmocka_unit_test(test_dump),
	    cmocka_unit_test(test_units),        cmocka_unit_test(test_hosts),
	};

	return cmocka_run_group_tests(tests, make_file, drop_file);
}
