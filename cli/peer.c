/* SPDX-License-Identifier: MIT */
#include "cli/peer.h"

#include <sys/socket.h>

#include "base/cleanup.h"
#include "cli/client.h"

bool peer_find(struct peer *ret)
{
	_cleanup_close_ int fd = client_connect(ret->socket, sizeof(ret->socket));
	socklen_t size = sizeof(struct ucred);
	struct ucred who;

	/* Of a Unix socket, the kernel keeps who called listen(). */
	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
		return false;
	ret->pid = who.pid;
	ret->uid = who.uid;
	return true;
}
