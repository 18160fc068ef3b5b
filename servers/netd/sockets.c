/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `dockerd-netd --sockets WHAT`: a process that enters the namespace behind descriptor 4, makes sockets there, sends them through descriptor 3,
 * and ends. So neither the daemon nor the DNS ever enters one. "netlink": a NETLINK_ROUTE socket. "dns": those of the embedded DNS at
 * 127.0.0.11, at ports of the kernel's choice, to which port 53 is redirected as moby does it: port 53 stays free for the container's own
 * servers. "dns-again": the same where there are redirections already. "sysctl NAME=VALUE ...": no socket, but kernel parameters of the namespace,
 * "net/ipv4/conf/eth0/log_martians=1".
 */
#include "dns.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "proto/netd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { REPLY_FD = 3, NETNS_FD = 4 };

static int bind_at(int type, uint16_t port, uint16_t *got, struct error *err)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	auto_close fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(a);

	a.sin_addr.s_addr = htonl(0x7f00000b);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 64) < 0) ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		return error_sys(err, errno, "socket at 127.0.0.11");
	*got = ntohs(a.sin_port);
	return steal_fd(&fd);
}

/* First place in PATH, as programs are looked for by the daemon. */
static char *find_restore(void)
{
	static const char *const dirs[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					   "/usr/bin",        "/sbin",          "/bin"};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		auto_free char *path = path_join(dirs[i], "iptables-restore");

		if (access(path, X_OK) == 0)
			return steal_ptr(&path);
	}
	return NULL;
}

static int restore(const char *program, const char *rules)
{
	const char *argv[] = {"iptables-restore", "--noflush", "--wait", NULL};
	struct error err = ERROR_INIT;
	auto_close text = memfd_create("rules", MFD_CLOEXEC);
	int fds[3] = {text, -1, -1}, status;
	struct spawn s = {.path = program, .argv = argv, .fds = fds, .n_fds = 3};
	pid_t pid;

	if (text < 0 || fd_write_all(text, rules, strlen(rules)) < 0 ||
	    lseek(text, 0, SEEK_SET) < 0)
		return -1;
	pid = spawn_program(&s, &err);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* Moby's chains and rules. */
static int redirect(uint16_t udp, uint16_t tcp, bool again)
{
	auto_free char *program = find_restore();
	auto_str rules = STR_INIT;

	if (!program)
		return -1;
	str_puts(&rules, "*nat\n:DOCKER_OUTPUT - [0:0]\n:DOCKER_POSTROUTING - [0:0]\n");
	if (!again)
		str_puts(&rules, "-A OUTPUT -d 127.0.0.11/32 -j DOCKER_OUTPUT\n"
				 "-A POSTROUTING -d 127.0.0.11/32 -j DOCKER_POSTROUTING\n");
	str_printf(&rules,
		   "-A DOCKER_OUTPUT -d 127.0.0.11/32 -p tcp -m tcp --dport 53 -j DNAT "
		   "--to-destination 127.0.0.11:%u\n"
		   "-A DOCKER_OUTPUT -d 127.0.0.11/32 -p udp -m udp --dport 53 -j DNAT "
		   "--to-destination 127.0.0.11:%u\n"
		   "-A DOCKER_POSTROUTING -s 127.0.0.11/32 -p tcp -m tcp --sport %u -j SNAT "
		   "--to-source :53\n"
		   "-A DOCKER_POSTROUTING -s 127.0.0.11/32 -p udp -m udp --sport %u -j SNAT "
		   "--to-source :53\nCOMMIT\n",
		   tcp, udp, tcp, udp);
	return restore(program, str_cstr(&rules));
}

static int make_dns(struct msg *m, bool again, struct error *err)
{
	uint16_t udp_port, tcp_port;
	auto_close udp = bind_at(SOCK_DGRAM, 0, &udp_port, err);
	auto_close tcp = udp < 0 ? -1 : bind_at(SOCK_STREAM, 0, &tcp_port, err);

	if (tcp < 0)
		return -1;
	if (redirect(udp_port, tcp_port, again) < 0) {
		/* no packet filter: then port 53 itself */
		fd_close(&udp);
		fd_close(&tcp);
		udp = bind_at(SOCK_DGRAM, 53, &udp_port, err);
		tcp = udp < 0 ? -1 : bind_at(SOCK_STREAM, 53, &tcp_port, err);
		if (tcp < 0)
			return error_wrap(err, "neither a redirection by iptables nor port 53");
	}
	return msg_put_fd(m, NETD_UDP, udp) < 0 || msg_put_fd(m, NETD_TCP, tcp) < 0
		   ? error_sys(err, errno, "descriptors of the DNS")
		   : 0;
}

static int make_netlink(struct msg *m, struct error *err)
{
	auto_close fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	return fd < 0 || msg_put_fd(m, NETD_UDP, fd) < 0 ? error_sys(err, errno, "netlink socket")
							 : 0;
}

static int set_sysctl(const char *text, struct error *err)
{
	const char *value = strchr(text, '=');
	auto_free char *path = xasprintf("/proc/sys/%.*s", value ? (int)(value - text) : 0, text);
	auto_close fd = -1;

	if (!value || strstr(path, "/../") || !str_after(text, "net/"))
		return error_set(err, ERR_INVALID, "'%s' is no sysctl", text);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return error_set(err, ERR_SYSTEM, "%s is not a sysctl file", path);
	if (fd < 0 || write(fd, value + 1, strlen(value + 1)) < 0)
		return error_sys(err, errno, "unable to write to '%s': write %s", path, path);
	return 0;
}

static int set_sysctls(char *const *list, struct error *err)
{
	for (; *list; list++)
		if (set_sysctl(*list, err) < 0)
			return -1;
	return 0;
}

int sockets_main(const char *what, char *const *args)
{
	struct error err = ERROR_INIT;
	auto_msg m = {0};
	int r;

	msg_init(&m, MSG_OK);
	if (setns(NETNS_FD, CLONE_NEWNET) < 0)
		r = error_sys(&err, errno, "enter the network namespace");
	else if (streq(what, "sysctl"))
		r = set_sysctls(args, &err);
	else
		r = streq(what, "netlink") ? make_netlink(&m, &err)
					   : make_dns(&m, streq(what, "dns-again"), &err);
	if (r < 0) {
		struct error ignored = ERROR_INIT;

		return msg_reply_error(REPLY_FD, 1, &err, &ignored) < 0;
	}
	return msg_send(REPLY_FD, &m, &err) < 0;
}
