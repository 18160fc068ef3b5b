# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libconfig.a
libconfig_a_SOURCES = \
	core/config/check.c core/config/check.h core/config/config.c core/config/config.h core/config/file.c core/config/flags.c \
	core/config/help.c core/config/option.c core/config/syntax.c core/config/table.c core/config/table.h core/config/units.c core/config/units.h \
	core/config/value.c core/config/value.h
