# SPDX-License-Identifier: Apache-2.0
# systemd units, an example of daemon.json, the CLI plugin that makes "docker daemon" work.
systemdunitdir = $(unitdir)
dist_systemdunit_DATA = etc/systemd/docker.socket
nodist_systemdunit_DATA = etc/systemd/docker.service
EXTRA_DIST += etc/systemd/docker.service.in
CLEANFILES += etc/systemd/docker.service
etc/systemd/docker.service: $(top_srcdir)/etc/systemd/docker.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc/systemd && $(SED) -e 's,@sbindir\@,$(sbindir),g' $(top_srcdir)/etc/systemd/docker.service.in > $@
exampledir = $(docdir)/examples
dist_example_DATA = etc/docker/daemon.json
# The example driver, with its Makefile, for those who have no source tree.
exampledriverdir = $(docdir)/examples/driver
dist_exampledriver_DATA = sdk/example/tee-file.c sdk/example/reflink.c sdk/example/Makefile
cliplugindir = $(prefix)/libexec/docker/cli-plugins
cliplugin_PROGRAMS = docker-daemon
docker_daemon_SOURCES = servers/cli/docker-daemon.c
docker_daemon_CPPFLAGS = $(AM_CPPFLAGS) -DDOCKERD='"$(sbindir)/dockerd"'
docker_daemon_LDADD =
