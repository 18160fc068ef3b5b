/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates, key and configuration, for mbedTLS 2.28 (Debian 12) and 3.6 (Debian 13). */
#include "tls/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/error.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if MBEDTLS_VERSION_MAJOR >= 3
#include <psa/crypto.h>
#endif

const char *identity_error(int code, char buf[128])
{
	mbedtls_strerror(code, buf, 128);
	return buf;
}

static int can_read(const char *path, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_set(err, ERR_INVALID, "open %s: %s", path,
				 errno == ENOENT ? "no such file or directory" : strerror(errno));
	close(fd);
	return 0;
}

static int read_key(struct identity *id, const char *path)
{
#if MBEDTLS_VERSION_MAJOR >= 3
	return mbedtls_pk_parse_keyfile(&id->key, path, NULL, mbedtls_ctr_drbg_random, &id->random);
#else
	return mbedtls_pk_parse_keyfile(&id->key, path, NULL);
#endif
}

static int matches(struct identity *id)
{
#if MBEDTLS_VERSION_MAJOR >= 3
	return mbedtls_pk_check_pair(&id->cert.pk, &id->key, mbedtls_ctr_drbg_random, &id->random);
#else
	return mbedtls_pk_check_pair(&id->cert.pk, &id->key);
#endif
}

/* moby: Could not load X509 key pair (cert: "C", key: "K"): REASON */
static int load_pair(struct identity *id, const struct tls_files *f, struct error *err)
{
	char text[128];
	int r = 0;

	if (can_read(f->cert, err) == 0 && can_read(f->key, err) == 0) {
		r = mbedtls_x509_crt_parse_file(&id->cert, f->cert);
		if (r)
			error_set(err, ERR_INVALID, "the certificate can't be read: %s",
				  identity_error(r, text));
		else if ((r = read_key(id, f->key)))
			error_set(err, ERR_INVALID, "the key can't be read: %s",
				  identity_error(r, text));
		else if ((r = matches(id)))
			error_set(err, ERR_INVALID, "tls: private key does not match public key");
		else
			return 0;
	}
	return error_wrap(err, "Could not load X509 key pair (cert: \"%s\", key: \"%s\")", f->cert,
			  f->key);
}

static int load_ca(struct identity *id, const struct tls_files *f, struct error *err)
{
	char text[128];
	int r;

	if (can_read(f->ca, err) < 0)
		return error_wrap(err, "could not read CA certificate \"%s\"", f->ca);
	r = mbedtls_x509_crt_parse_file(&id->ca, f->ca);
	return r ? error_set(err, ERR_INVALID,
			     "failed to append certificates from PEM file: \"%s\": %s", f->ca,
			     r > 0 ? "not all of them can be read" : identity_error(r, text))
		 : 0;
}

/* Forward secrecy and authenticated ciphers only, as moby. What TLS 1.3 has is all of that kind. */
static const int suites[] = {
#if MBEDTLS_VERSION_MAJOR >= 3
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
#endif
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0};

static int configure(struct identity *id, const struct tls_files *f)
{
	static const char *alpn[] = {"http/1.1", NULL};
	int r =
	    mbedtls_ssl_config_defaults(&id->conf, MBEDTLS_SSL_IS_SERVER,
					MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);

	if (r)
		return r;
#if MBEDTLS_VERSION_MAJOR >= 3
	mbedtls_ssl_conf_min_tls_version(&id->conf, MBEDTLS_SSL_VERSION_TLS1_2);
#else
	mbedtls_ssl_conf_min_version(&id->conf, MBEDTLS_SSL_MAJOR_VERSION_3,
				     MBEDTLS_SSL_MINOR_VERSION_3);
#endif
	mbedtls_ssl_conf_ciphersuites(&id->conf, suites);
	mbedtls_ssl_conf_rng(&id->conf, mbedtls_ctr_drbg_random, &id->random);
	mbedtls_ssl_conf_renegotiation(&id->conf, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
	mbedtls_ssl_conf_authmode(&id->conf,
				  f->ca ? MBEDTLS_SSL_VERIFY_REQUIRED : MBEDTLS_SSL_VERIFY_NONE);
	if (f->ca)
		mbedtls_ssl_conf_ca_chain(&id->conf, &id->ca, NULL);
	r = mbedtls_ssl_conf_alpn_protocols(&id->conf, alpn);
	return r ? r : mbedtls_ssl_conf_own_cert(&id->conf, &id->cert, &id->key);
}

int identity_open(struct identity *id, const struct tls_files *f, struct error *err)
{
	char text[128];
	int r;

	mbedtls_entropy_init(&id->entropy);
	mbedtls_ctr_drbg_init(&id->random);
	mbedtls_x509_crt_init(&id->ca);
	mbedtls_x509_crt_init(&id->cert);
	mbedtls_pk_init(&id->key);
	mbedtls_ssl_config_init(&id->conf);
#if MBEDTLS_VERSION_MAJOR >= 3
	if (psa_crypto_init() != PSA_SUCCESS)
		return error_set(err, ERR_SYSTEM, "psa_crypto_init failed");
#endif
	r = mbedtls_ctr_drbg_seed(&id->random, mbedtls_entropy_func, &id->entropy, NULL, 0);
	if (r)
		return error_set(err, ERR_SYSTEM, "no random numbers: %s", identity_error(r, text));
	if (load_pair(id, f, err) < 0 || (f->ca && load_ca(id, f, err) < 0))
		return -1;
	r = configure(id, f);
	return r ? error_set(err, ERR_SYSTEM, "%s", identity_error(r, text)) : 0;
}

void identity_free(struct identity *id)
{
	mbedtls_ssl_config_free(&id->conf);
	mbedtls_pk_free(&id->key);
	mbedtls_x509_crt_free(&id->cert);
	mbedtls_x509_crt_free(&id->ca);
	mbedtls_ctr_drbg_free(&id->random);
	mbedtls_entropy_free(&id->entropy);
}
