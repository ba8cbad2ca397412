/* SPDX-License-Identifier: MIT */
/*
 * TLS for checks.  OpenSSL costs a megabyte of memory and two milliseconds of every start for being
 * linked, and 2.5 MB once it works, so it is loaded at the first check that needs it, which few
 * machines ever see.  No certificate store is read and nothing is verified: asked is whether a
 * service of this machine lives, not whether it is who it says.
 */
#include <dlfcn.h>
#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "health/internal.h"

/*
 * The name under which libevent 2.1, whose headers this is compiled with, is installed since 2.1.7.
 * It brings the OpenSSL that it was built with, so that is found through it and not by name.
 */
#define LIBRARY "libevent_openssl-2.1.so.7"

/* What is used of it, filled once; for the life of the process, as OpenSSL cannot be unloaded. */
static struct {
	typeof(bufferevent_get_openssl_error) *get_error;
	typeof(bufferevent_openssl_set_allow_dirty_shutdown) *allow_dirty_shutdown;
	typeof(bufferevent_openssl_socket_new) *socket_new;
	typeof(ERR_reason_error_string) *reason;
	typeof(OPENSSL_init_ssl) *init;
	typeof(SSL_CTX_ctrl) *context_control;
	typeof(SSL_CTX_free) *context_free;
	typeof(SSL_CTX_new) *context_new;
	typeof(SSL_CTX_set_security_level) *set_security_level;
	typeof(SSL_CTX_set_verify) *set_verify;
	typeof(SSL_ctrl) *control;
	typeof(SSL_new) *new;
	typeof(TLS_client_method) *client_method;
} tls;

static const struct {
	const char *name;
	void *function;
} symbols[] = {
	{ "bufferevent_get_openssl_error", &tls.get_error },
	{ "bufferevent_openssl_set_allow_dirty_shutdown", &tls.allow_dirty_shutdown },
	{ "bufferevent_openssl_socket_new", &tls.socket_new },
	{ "ERR_reason_error_string", &tls.reason },
	{ "OPENSSL_init_ssl", &tls.init },
	{ "SSL_CTX_ctrl", &tls.context_control },
	{ "SSL_CTX_free", &tls.context_free },
	{ "SSL_CTX_new", &tls.context_new },
	{ "SSL_CTX_set_security_level", &tls.set_security_level },
	{ "SSL_CTX_set_verify", &tls.set_verify },
	{ "SSL_ctrl", &tls.control },
	{ "SSL_new", &tls.new },
	{ "TLS_client_method", &tls.client_method },
};
_Static_assert(ARRAY_SIZE(symbols) * sizeof(void *) == sizeof(tls), "every function has a name");

static int load(void)
{
	static bool loaded;
	void *library;

	if (loaded)
		return 0;
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return -ELIBACC;
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		void *function = dlsym(library, symbols[i].name);

		if (!function)
			return -ELIBBAD;
		/* POSIX has the two kinds of pointers of one size; C knows no cast between them */
		memcpy(symbols[i].function, &function, sizeof(function));
	}
	loaded = true;
	return 0;
}

static int make_context(struct health *h)
{
	int r = h->tls ? 0 : load();

	if (h->tls || r)
		return r;
	/* The machine's openssl.cnf is for programs that guard something. */
	if (!tls.init(OPENSSL_INIT_NO_LOAD_CONFIG, NULL))
		return -ENOMEM;
	h->tls = tls.context_new(tls.client_method());
	if (!h->tls)
		return -ENOMEM;
	tls.set_verify(h->tls, SSL_VERIFY_NONE, NULL);
	/* Short keys and old versions are no illness. */
	tls.set_security_level(h->tls, 0);
	tls.context_control(h->tls, SSL_CTRL_SET_MIN_PROTO_VERSION, 0, NULL);
	tls.context_control(h->tls, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, NULL);
	return 0;
}

int health_tls_socket_new(struct health *h, const char *host, struct bufferevent **ret)
{
	SSL *ssl;
	int r = make_context(h);

	if (r)
		return r;
	ssl = tls.new(h->tls);
	if (!ssl)
		return -ENOMEM;
	/* RFC 6066: an address is no server name */
	if (strcmp(host, "localhost") == 0)
		tls.control(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
			    (void *)host);
	/* frees ssl with itself, and when it fails */
	*ret = tls.socket_new(h->loop, -1, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
	if (!*ret)
		return -ENOMEM;
	/* Many servers close the connection without TLS's own goodbye. */
	tls.allow_dirty_shutdown(*ret, 1);
	return 0;
}

bool health_tls_fault(struct bufferevent *socket, char *ret, size_t size)
{
	unsigned long code;

	while (tls.get_error && (code = tls.get_error(socket))) {
		const char *reason = tls.reason(code);

		if (ERR_GET_LIB(code) != ERR_LIB_SSL || !reason)
			continue;
		snprintf(ret, size, "%s", reason);
		return true;
	}
	return false;
}

void health_tls_free(struct health *h)
{
	if (h->tls)
		tls.context_free(h->tls);
	h->tls = NULL;
}
