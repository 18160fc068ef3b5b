# SPDX-License-Identifier: Apache-2.0
systemdunitdir = $(prefix)/lib/systemd/system
dist_systemdunit_DATA = etc/systemd/docker.socket
nodist_systemdunit_DATA = etc/systemd/docker.service
EXTRA_DIST += etc/systemd/docker.service.in
CLEANFILES += etc/systemd/docker.service
etc/systemd/docker.service: $(top_srcdir)/etc/systemd/docker.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc/systemd && $(SED) -e 's,@sbindir\@,$(sbindir),g' $(top_srcdir)/etc/systemd/docker.service.in > $@
