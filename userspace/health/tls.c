/* SPDX-License-Identifier: MIT */
/*
 * TLS for checks.  OpenSSL costs 2.5 MB once it works, so its context is made at the first check
 * that needs it.  No certificate store is read and nothing is verified: asked is whether a service
 * of this machine lives, not whether it is who it says.
 */
#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "health/internal.h"

static int make_context(struct health *h)
{
	if (h->tls)
		return 0;
	/* The machine's openssl.cnf is for programs that guard something. */
	if (!OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL))
		return -ENOMEM;
	h->tls = SSL_CTX_new(TLS_client_method());
	if (!h->tls)
		return -ENOMEM;
	SSL_CTX_set_verify(h->tls, SSL_VERIFY_NONE, NULL);
	/* Short keys and old versions are no illness. */
	SSL_CTX_set_security_level(h->tls, 0);
	SSL_CTX_set_min_proto_version(h->tls, 0);
	SSL_CTX_set_session_cache_mode(h->tls, SSL_SESS_CACHE_OFF);
	return 0;
}

int health_tls_socket_new(struct health *h, const char *host, struct bufferevent **ret)
{
	SSL *ssl;
	int r = make_context(h);

	if (r)
		return r;
	ssl = SSL_new(h->tls);
	if (!ssl)
		return -ENOMEM;
	/* RFC 6066: an address is no server name */
	if (strcmp(host, "localhost") == 0)
		SSL_set_tlsext_host_name(ssl, host);
	/* frees ssl with itself, and when it fails */
	*ret = bufferevent_openssl_socket_new(h->loop, -1, ssl, BUFFEREVENT_SSL_CONNECTING,
					      BEV_OPT_CLOSE_ON_FREE);
	if (!*ret)
		return -ENOMEM;
	/* Many servers close the connection without TLS's own goodbye. */
	bufferevent_openssl_set_allow_dirty_shutdown(*ret, 1);
	return 0;
}

bool health_tls_fault(struct bufferevent *socket, char *ret, size_t size)
{
	unsigned long code;

	while ((code = bufferevent_get_openssl_error(socket))) {
		const char *reason = ERR_reason_error_string(code);

		if (ERR_GET_LIB(code) != ERR_LIB_SSL || !reason)
			continue;
		snprintf(ret, size, "%s", reason);
		return true;
	}
	return false;
}

void health_tls_free(struct health *h)
{
	SSL_CTX_free(h->tls);
	h->tls = NULL;
}
