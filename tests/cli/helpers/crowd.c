/* SPDX-License-Identifier: MIT */
/*
 * crowd SEED STEPS FIRST_PORT PORTS: processes that open, bind, listen on, hand on and close
 * sockets in any order, fork and execute programs in the midst of it, end by themselves or by a
 * signal, and have names that nobody should print.  "ready" when all is quiet: what they hold then,
 * they hold until stdin is closed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS	  4
#define SOCKETS	  12 /* of one worker */
#define HEIRS_MAX 8  /* of one worker, that stay to the end */
#define PAUSE_US  1500
#define HOLD	  "hold"

static const char *const names[] = { "\x1b[31mEVIL",  "a)b (c) R 1",	"new\nline",
				     "\xff\xfe\xc3(", "\"},{\"",	"",
				     "MainThread",    "fifteen-bytes-x" };

static uint64_t state;
static int first_port, ports;
static int rest_fd; /* ends when everybody may */
static int mail[2]; /* descriptors on their way to anybody */
static int sockets[SOCKETS];
static int heirs;

/* splitmix64 */
static unsigned below(unsigned n)
{
	uint64_t z = (state += 0x9E3779B97F4A7C15ULL);

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
	return (unsigned)((z ^ (z >> 31)) % n);
}

static void rest(void)
{
	char byte;

	while (read(rest_fd, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

static void rename_itself(void)
{
	prctl(PR_SET_NAME, names[below(sizeof(names) / sizeof(names[0]))]);
}

/* --- sockets --- */

static void bind_somewhere(int fd, int family)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	struct sockaddr_in four = { .sin_family = AF_INET };
	uint16_t port = below(4) ? (uint16_t)(first_port + (int)below((unsigned)ports)) : 0;

	six.sin6_port = four.sin_port = htons(port);
	if (below(2)) {
		four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		six.sin6_addr = in6addr_loopback;
	}
	if (family == AF_INET)
		bind(fd, (struct sockaddr *)&four, sizeof(four));
	else
		bind(fd, (struct sockaddr *)&six, sizeof(six));
}

static int open_socket(void)
{
	int family = below(2) ? AF_INET : AF_INET6, kind = below(3) ? SOCK_STREAM : SOCK_DGRAM;
	int fd = socket(family, kind | (below(4) ? 0 : SOCK_CLOEXEC), 0), on = 1;

	if (fd < 0)
		return fd;
	if (below(2))
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!below(4))
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (family == AF_INET6 && below(2))
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (below(8))
		bind_somewhere(fd, family);
	if (below(4))
		listen(fd, 4);
	return fd;
}

static void close_socket(int i)
{
	if (sockets[i] >= 0)
		close(sockets[i]);
	sockets[i] = -1;
}

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr aligned;
};

static struct msghdr message_of(union control *control, struct iovec *data)
{
	return (struct msghdr){ .msg_iov = data,
				.msg_iovlen = 1,
				.msg_control = control->bytes,
				.msg_controllen = sizeof(control->bytes) };
}

static void send_socket(int fd)
{
	union control control = { .aligned = { .cmsg_level = SOL_SOCKET,
					       .cmsg_type = SCM_RIGHTS,
					       .cmsg_len = CMSG_LEN(sizeof(int)) } };
	char byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr message = message_of(&control, &data);

	memcpy(CMSG_DATA(&control.aligned), &fd, sizeof(fd));
	sendmsg(mail[0], &message, MSG_DONTWAIT);
}

/* -1 when there is none. */
static int receive_socket(void)
{
	union control control;
	char byte;
	struct iovec data = { &byte, 1 };
	struct msghdr message = message_of(&control, &data);
	int fd = -1;

	if (recvmsg(mail[1], &message, MSG_DONTWAIT) > 0 && message.msg_controllen)
		memcpy(&fd, CMSG_DATA(&control.aligned), sizeof(fd));
	return fd;
}

/* --- processes --- */

static void execute(void)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", rest_fd);
	execl("/proc/self/exe", "\x1b]0;crowd\x07", HOLD, number, (char *)NULL);
	_exit(1);
}

/* What a child does with what it has inherited; it ends before long, or stays. */
static void live(int stays)
{
	for (int i = 0; i < SOCKETS; i++)
		if (!below(3))
			close_socket(i);
	if (below(2))
		rename_itself();
	if (!below(3))
		setsid();
	usleep(below(PAUSE_US));
	if (stays && below(2))
		execute();
	if (stays)
		rest();
	if (!below(4))
		kill(getpid(), SIGKILL);
	_exit((int)below(2));
}

static void fork_child(void)
{
	int stays = heirs < HEIRS_MAX && !below(4);
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, 0);
		/* a grandchild, whose parent ends at once */
		if (!below(4) && fork() > 0)
			_exit(0);
		live(stays);
	}
	heirs += child > 0 && stays;
}

static void step(void)
{
	int i = (int)below(SOCKETS), fd;

	switch (below(12)) {
	case 0:
	case 1:
	case 2:
	case 3:
		close_socket(i);
		sockets[i] = open_socket();
		break;
	case 4:
	case 5:
		close_socket(i);
		break;
	case 6:
		fork_child();
		break;
	case 7:
		if (sockets[i] >= 0)
			send_socket(sockets[i]);
		break;
	case 8:
		fd = receive_socket();
		if (fd >= 0) {
			close_socket(i);
			sockets[i] = fd;
		}
		break;
	case 9:
		fd = sockets[i] >= 0 ? dup(sockets[i]) : -1;
		i = (int)below(SOCKETS);
		close_socket(i);
		sockets[i] = fd;
		break;
	case 10:
		if (sockets[i] >= 0 && !below(4))
			shutdown(sockets[i], SHUT_RDWR);
		else if (sockets[i] >= 0)
			listen(sockets[i], 4);
		break;
	default:
		rename_itself();
		usleep(below(PAUSE_US));
	}
}

static void work(unsigned steps, int done)
{
	signal(SIGCHLD, SIG_IGN); /* children are nobody's zombies */
	for (unsigned i = 0; i < steps; i++)
		step();
	if (write(done, "", 1) != 1)
		_exit(1);
	close(done);
	/* half of them leave what they had to others */
	if (below(2))
		_exit(0);
	rest();
}

/* Those that end do so before "ready", and nothing is on its way any more. */
static void wait_for_quiet(int done)
{
	char byte;
	int fd;

	for (int n = 0; n < WORKERS;)
		n += read(done, &byte, 1) == 1;
	while ((fd = receive_socket()) >= 0)
		close(fd);
	close(mail[0]);
	close(mail[1]);
}

int main(int argc, char **argv)
{
	int done[2], end[2];

	if (argc == 3 && !strcmp(argv[1], HOLD)) {
		rest_fd = atoi(argv[2]);
		rest();
	}
	if (argc != 5 || pipe(done) || pipe(end) || socketpair(AF_UNIX, SOCK_DGRAM, 0, mail))
		return 2;
	state = strtoull(argv[1], NULL, 10);
	first_port = atoi(argv[3]);
	ports = atoi(argv[4]);
	rest_fd = end[0];
	memset(sockets, -1, sizeof(sockets));
	for (int i = 0; i < WORKERS; i++) {
		state += (uint64_t)i;
		if (fork() == 0) {
			close(end[1]);
			close(done[0]);
			work((unsigned)atoi(argv[2]), done[1]);
		}
	}
	close(done[1]);
	wait_for_quiet(done[0]);
	puts("ready");
	fflush(stdout);
	rest_fd = STDIN_FILENO;
	rest();
}
