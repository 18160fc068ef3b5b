# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libevents.a
libevents_a_SOURCES = core/events/events.h core/events/events.c core/events/bus.h core/events/filter.c
