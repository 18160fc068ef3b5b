# SPDX-License-Identifier: Apache-2.0
# dockerd(8) and daemon.json(5): the lists of options come from the option table. The results are committed, so that a build needs no
# dockerd that runs; "make manual" renews them after a change of the table.
dist_man_MANS += man/dockerd.8 man/daemon.json.5
EXTRA_DIST += man/dockerd.8.in man/daemon.json.5.in
manual: dockerd
	./dockerd --dump-options flags >man.options && sed -e '/@OPTIONS@/{r man.options' -e 'd}' $(srcdir)/man/dockerd.8.in >$(srcdir)/man/dockerd.8
	./dockerd --dump-options keys >man.options && sed -e '/@OPTIONS@/{r man.options' -e 'd}' $(srcdir)/man/daemon.json.5.in >$(srcdir)/man/daemon.json.5
	rm -f man.options
.PHONY: manual
dist_man_MANS += man/dockerd-driver.3 man/dockerd-driver-test.1
