# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += libauthz.a
libauthz_a_SOURCES = core/authz/authz.c core/authz/authz.h core/authz/ambiguous.c core/authz/ambiguous.h core/authz/remote.c core/authz/remote.h
