/* SPDX-License-Identifier: MIT */
/*
 * The verdicts of `pd why`, a row for each: everything that is said of it.  To add one: its row
 * here, the step in reconcile/ that yields it, and a case in tests/cases/.
 *
 * A list to be included where VERDICT is defined, as often as something is made of it; it includes
 * nothing itself, so that reconcile/why.h, which stands below, takes the enum from it.
 *
 *   VERDICT(NAME, name, rank, flags, sentence, rule, remedies…)
 *
 * NAME      WHY_NAME of enum why_verdict.
 * name      the contract's word, in JSON.
 * rank      of several owners in the way that one step names, the lowest is told first; 0 where a
 *           step has one name only.
 * flags     enum verdict_flag (explain/words.h).
 * sentence  the first line: what happened, in words that need no knowledge of sockets.
 * rule      the kernel's rule, with the addresses that matter; at most 200 characters.  Where it
 *           depends on more than the verdict, words.c has the others.
 * remedies  what can be done, of the table in remedies.c; three of them are shown at most.
 *
 * In sentences and rules {words} are the places of template.c.  A row is laid out as it is read,
 * not as a call:
 */
/* clang-format off */

VERDICT(FREE, free, 0, IS_FREE,
	"{port} is free.",
	"{target} is free: no socket owns the port.")

VERDICT(UNKNOWN, unknown, 1, COMES_BACK,
	"{port}: {what} could not be found out from here.",
	"What the socket on {owner} is cannot be told from what was read of it.",
	&lift_obstacle, &look_at_sockets, &claim)

/* --- A: a process holds a TCP socket on the port --- */

VERDICT(LISTENER, listener, 2, COMES_BACK,
	"{port} {is} taken: {who} {listens}.",
	"A socket listens on {owner} already; two sockets share an address and port only when both "
	"set SO_REUSEPORT.",
	&resume, &stop_or_show, &claim)

VERDICT(LISTENER_WILDCARD_OVERLAP, listener_wildcard_overlap, 3, COMES_BACK,
	"{port} {is} taken: {who} {listens}. {covers}.",
	"A socket listens on {owner}, which covers every address of its family, also {target}.",
	&resume, &stop_or_show, &other_address, &claim)

VERDICT(DUAL_STACK, dual_stack, 4, COMES_BACK,
	"{port} {is} taken: {who} {listens}, {families}.",
	"The IPv6 socket that listens on {owner} is not V6ONLY, so it owns the port for IPv4, also "
	"{target}.",
	&resume, &stop_or_show, &v6only, &claim)

VERDICT(REUSEADDR_VS_LISTENER, reuseaddr_vs_listener, 0, COMES_BACK,
	"{port} {is} taken: {who} {listens}, and SO_REUSEADDR never lets two servers listen on one "
	"port.",
	"Both sides set SO_REUSEADDR, but a socket listens on {owner}: that option never lets two "
	"listeners share a port.",
	&resume, &stop_or_show, &reuseport_both, &claim)

VERDICT(REUSEPORT_MISSING_HOLDER, reuseport_missing_holder, 1, COMES_BACK,
	"{port} {is} taken: {who} {listens} without SO_REUSEPORT, so yours alone does not help.",
	"The socket on {owner} does not have SO_REUSEPORT; a port is shared only when every socket "
	"on it sets that before bind().",
	&stop_or_show, &reuseport_both, &claim)

VERDICT(REUSEPORT_MISSING_VICTIM, reuseport_missing_victim, 2, COMES_BACK,
	"{port} {is} taken: {who} {listens} and would share it, but the new server does not set "
	"SO_REUSEPORT.",
	"The socket on {owner} has SO_REUSEPORT, the asking one has not; a port is shared only "
	"when every socket sets it before bind().",
	&reuseport_both, &stop_or_show, &claim)

VERDICT(REUSEPORT_UID, reuseport_uid, 3, COMES_BACK,
	"{port} {is} taken: {who} {listens} as user {theirs}; sharing works within one user only, "
	"and you are {yours}.",
	"Both sides set SO_REUSEPORT, but the socket on {owner} belongs to user id {their_uid} and "
	"the asking one to {your_uid}; a port is shared only within one user.",
	&one_user, &stop_or_show, &claim)

VERDICT(REUSEPORT_PROGRAM, reuseport_program, 4, COMES_BACK,
	"{port} {is} taken: {who} {listens}; a server that brings its own load-balancing program "
	"cannot join it.",
	"A socket that attached a SO_REUSEPORT program of its own before bind() cannot join the "
	"sockets that share {owner}.",
	&program_later, &stop_or_show, &claim)

VERDICT(SELF, self, 0, COMES_BACK,
	"{port} {is} taken by the asking program itself: {who} {has} it open already.",
	"The asking process owns {owner} itself, and that overlaps {target}; its own sockets count "
	"like anybody's.",
	&bind_once, &stop_or_show)

VERDICT(SAME_SERVICE, same_service, 1, COMES_BACK,
	"{port} {is} taken: another instance of the same program, {who}, {listens}.",
	"Another instance of the same program listens on {owner} already; only one of them can "
	"have the port.",
	&resume, &stop_or_show, &claim)

VERDICT(LISTENER_SHARED, listener_shared, 2, COMES_BACK,
	"{port} {is} taken: {who} hold one listening socket together; it lasts until all of them "
	"let go.",
	"Several processes hold the socket that listens on {owner}; it keeps the port until the "
	"last of them closes it.",
	&stop_or_show, &claim)

VERDICT(LISTENER_INHERITED, listener_inherited, 3, COMES_BACK,
	"{port} {is} taken: the server that opened it is gone, but {who} inherited its socket.",
	"The process that bound {owner} is gone, but a process that inherited its descriptor keeps "
	"the socket listening.",
	&stop_or_show, &cloexec, &claim)

VERDICT(FD_PASSED, fd_passed, 4, COMES_BACK,
	"{port} {is} taken: {who} {holds} the socket; another process opened it and handed it "
	"over.",
	"The socket that listens on {owner} was passed to a process that did not bind it; it keeps "
	"the port until that one closes it.",
	&stop_or_show, &claim)

VERDICT(BOUND_NOT_LISTENING, bound_not_listening, 1, COMES_BACK,
	"{port} {is} taken: {who} {has} reserved it{for} but does not listen on it (netstat and "
	"lsof do not show this).",
	"A socket is bound to {owner} without listening; the port is taken from bind() on, not "
	"from listen().",
	&resume, &stop_or_show, &claim)

VERDICT(LISTENER_SHUT_DOWN, listener_shut_down, 2, COMES_BACK,
	"{port} {is} taken: {who} stopped listening but never closed the socket (netstat and lsof "
	"do not show this).",
	"The socket on {owner} was shut down and not closed; it keeps the port until its "
	"descriptor is closed.",
	&stop_or_show, &close_in_program, &claim)

VERDICT(FAILED_CLIENT, failed_client, 3, COMES_BACK,
	"{port} {is} taken: {who} tried to connect from it, failed, and still holds it.",
	"A client asked for {owner} as its own end; its connection failed or is over, but its "
	"socket keeps the port until it is closed.",
	&stop_or_show, &close_after_connect, &claim)

VERDICT(LISTEN_CONFLICT, listen_conflict, 0, COMES_BACK,
	"{port} {is} taken: the bind worked, but {who} began to listen first.",
	"bind() may share a port by SO_REUSEADDR, but listen() looks again, and another socket "
	"listens on {owner}.",
	&stop_or_show, &reuseport_both, &claim)

VERDICT(DEVICE_OVERLAP, device_overlap, 0, COMES_BACK,
	"{port} {is} taken: {who} {listens}, on a network interface that yours includes or equals.",
	"The socket on {owner} and the asking one meet on a network device: one without a device "
	"(SO_BINDTODEVICE) meets those of every device.",
	&stop_or_show, &other_device, &claim)

VERDICT(MPTCP_LISTENER, mptcp_listener, 5, COMES_BACK,
	"{port} {is} taken: {who} {listens} (with Multipath TCP).",
	"A Multipath TCP socket listens on {owner}; its port is a TCP port, taken for plain TCP as "
	"well.",
	&resume, &stop_or_show, &claim)

/* --- B: no descriptor points to it, or its process cannot let go --- */

VERDICT(THREAD_PRIVATE_FDS, thread_private_fds, 1, COMES_BACK,
	"{port} {is} taken: a single thread of {who} {holds} it, in a descriptor table of its own.",
	"A thread with a descriptor table of its own holds {owner}; the list of its process's "
	"descriptors does not show it.",
	&stop_or_show, &claim)

VERDICT(ZOMBIE_LEADER, zombie_leader, 2, COMES_BACK,
	"{port} {is} taken: {who} looks dead (its main thread ended), but its other threads still "
	"run and hold it.",
	"The main thread of the process that holds {owner} has exited, its other threads live on "
	"and keep the socket.",
	&stop_or_show, &claim)

VERDICT(IO_URING_FILE, io_uring_file, 3, COMES_BACK,
	"{port} {is} taken: {who} {has} it registered with io_uring, although it closed the "
	"descriptor.",
	"The socket on {owner} is registered with an io_uring instance, which keeps it open "
	"without a descriptor.",
	&stop_or_show, &claim)

VERDICT(IO_URING_REQUEST, io_uring_request, 4, COMES_BACK,
	"{port} {is} taken: a pending io_uring request of {who} {holds} it.",
	"A pending io_uring request holds the socket on {owner}, which keeps it open without a "
	"descriptor.",
	&stop_or_show, &claim)

VERDICT(IO_URING_TEARDOWN, io_uring_teardown, 1, COMES_BACK,
	"{port} {is} taken for a moment: the kernel is still cleaning up after a server that used "
	"io_uring.",
	"The process that held {owner} has ended, and the kernel is still closing what it had; "
	"that takes some milliseconds.",
	&wait_moment)

VERDICT(IN_FLIGHT, in_flight, 5, COMES_BACK,
	"{port} {is} taken: its socket was sent to another process, which has not received it yet.",
	"The socket on {owner} is inside a message between two processes that nobody has received; "
	"it keeps the port until somebody does.",
	&receive, &stop, &claim)

VERDICT(MMAP_PINNED, mmap_pinned, 6, COMES_BACK,
	"{port} {is} taken: {who} closed it but has its memory still mapped.",
	"A process has the socket on {owner} mapped into its memory; that keeps it open after its "
	"descriptor is closed.",
	&stop_or_show, &claim)

VERDICT(SYSCALL_PINNED, syscall_pinned, 7, COMES_BACK,
	"{port} {is} taken: {who} closed it while one of its threads was still waiting for a "
	"connection.",
	"A thread is blocked in a call on {owner} whose descriptor is closed; the socket lives "
	"until that call returns.",
	&wake, &stop, &claim)

VERDICT(CLOSING_LINGER, closing_linger, 0, COMES_BACK,
	"{port} {is} taken: {who} {is} closing it and waits for the other side to read what is "
	"left.",
	"close() of a connection of {owner} waits for its last data to be taken (SO_LINGER); until "
	"then it keeps the port.",
	&close_connection, &wait_peer, &claim)

VERDICT(HOLDER_STOPPED, holder_stopped, 1, COMES_BACK | SAYS_STATE,
	"{port} {is} taken: {who} {is} stopped (as by Ctrl-Z), so it answers nobody.",
	"The process that holds {owner} is stopped (Ctrl-Z or SIGSTOP); it keeps its sockets and "
	"cannot close them.",
	&resume, &stop_or_show, &claim)

VERDICT(HOLDER_TRACED, holder_traced, 2, COMES_BACK | SAYS_STATE | NEEDS_TRACER,
	"{port} {is} taken: {who} {is} held by a debugger{tracer}, so it answers nobody.",
	"A debugger has stopped the process that holds {owner}; it keeps its sockets and cannot "
	"close them.",
	&detach, &claim)

VERDICT(HOLDER_FROZEN, holder_frozen, 3, COMES_BACK | SAYS_STATE,
	"{port} {is} taken: {who} {is} frozen (a paused container, perhaps), so it answers nobody "
	"and cannot end.",
	"The process that holds {owner} is frozen with its cgroup (a paused container); it keeps "
	"its sockets and cannot close them.",
	&thaw, &stop_or_show, &claim)

VERDICT(HOLDER_UNINTERRUPTIBLE, holder_uninterruptible, 4, COMES_BACK | SAYS_STATE,
	"{port} {is} taken: {who} {is} stuck waiting for a disk or another device, and cannot end "
	"before that answers.",
	"The process that holds {owner} waits inside the kernel and cannot be interrupted; it "
	"keeps its sockets until it returns.",
	&wait_device, &claim)

VERDICT(HOLDER_EXITING, holder_exiting, 5, COMES_BACK | SAYS_STATE,
	"{port} {is} taken for a moment: {who} {is} about to end.",
	"The process that holds {owner} is ending; its sockets are closed late in that, after a "
	"core dump if there is one.",
	&wait_end)

VERDICT(HOLDER_HIDDEN, holder_hidden, 2, COMES_BACK | SAYS_STATE,
	"{port} {is} taken: {who} {has} it.",
	"The socket on {owner} is held by a process that cannot be seen from here: another user's, "
	"or in another PID namespace.",
	&show_hidden, &claim)

/* --- C: connections --- */

VERDICT(CONN_OF_CLOSED_LISTENER, conn_of_closed_listener, 1, 0,
	"{port} {is} taken: nobody listens on it any more, but {connections} of the old server "
	"remained open ({who}).",
	"A connection accepted on {owner} outlives its listener and keeps the port, unless both "
	"the old and the new server set SO_REUSEADDR.",
	&close_connection, &reuseaddr_both, &claim)

VERDICT(CONN_CLOSE_WAIT, conn_close_wait, 2, 0,
	"{port} {is} taken: {who} {has} not closed {connections} that the other side hung up.",
	"The peer has closed a connection of {owner}, its holder has not; until it does, the "
	"connection keeps the port.",
	&close_connection, &fix_leak, &claim)

VERDICT(CHILD_OF_DEAD_PARENT, child_of_dead_parent, 3, 0,
	"{port} {is} taken: the server is gone, but its child {who} goes on with {connections}.",
	"The server is gone, but a process that it started still has a connection of {owner}, "
	"which keeps the port.",
	&close_connection, &stop_child, &reuseaddr_both)

VERDICT(ORPHAN_FIN_WAIT1, orphan_fin_wait1, 1, 0,
	"{port} {is} taken: no process {holds} it, but data of a server that ended waits to be "
	"read by the other side.",
	"A closed connection of {owner} still has data that its peer does not take (FIN_WAIT1); it "
	"keeps the port until the kernel gives up.",
	&close_connection, &wait_peer, &reuseaddr_both)

VERDICT(ORPHAN_FIN_WAIT2, orphan_fin_wait2, 2, 0,
	"{port} {is} taken for {wait}: no process {holds} it, the other side has not hung up on a "
	"server that ended.",
	"A closed connection of {owner} waits for its peer to close as well (FIN_WAIT2); it keeps "
	"the port until then, or a timeout.",
	&wait_timer, &close_connection, &reuseaddr_both)

VERDICT(ORPHAN_LAST_ACK, orphan_last_ack, 3, 0,
	"{port} {is} taken: no process {holds} it, the last packet of a closed connection waits to "
	"be confirmed.",
	"A closed connection of {owner} waits for its peer's last acknowledgement (LAST_ACK); it "
	"keeps the port until that, or a timeout.",
	&close_connection, &wait_peer, &reuseaddr_both)

VERDICT(ORPHAN_CLOSING, orphan_closing, 4, 0,
	"{port} {is} taken: no process {holds} it, both sides of a connection hung up at once and "
	"wait for each other.",
	"Both ends closed a connection of {owner} at once, and its data is not acknowledged "
	"(CLOSING); it keeps the port until that.",
	&close_connection, &wait_peer, &reuseaddr_both)

VERDICT(TIME_WAIT, time_wait, 5, 0,
	"{port} {is} taken for {wait}: no process {holds} it, connections of a server that stopped "
	"are being closed (TIME_WAIT).",
	"A closed connection of {owner} is in TIME_WAIT; until that ends, only a server that sets "
	"SO_REUSEADDR gets the port, if the old one set it too.",
	&wait_timer, &reuseaddr_both, &close_time_wait)

VERDICT(TIME_WAIT_REUSE_ONE_SIDED, time_wait_reuse_one_sided, 6, 0,
	"{port} {is} taken for {wait}: the old server did not set SO_REUSEADDR, so yours helps "
	"only from the next restart on.",
	"A connection of {owner} in TIME_WAIT came from a server without SO_REUSEADDR; the new "
	"server's alone does not help, from the next restart on it does.",
	&wait_timer, &close_time_wait, &reuseaddr_next)

VERDICT(CONN_REUSE_ONE_SIDED, conn_reuse_one_sided, 4, 0,
	"{port} {is} taken: {connections} of the old server remained open ({who}), and it did not "
	"set SO_REUSEADDR, so yours cannot help this time.",
	"A connection of {owner} came from a server without SO_REUSEADDR; the new server's alone "
	"does not help, both sides need it.",
	&close_connection, &reuseaddr_next, &claim)

VERDICT(OUTGOING_CONNECTION, outgoing_connection, 5, NEEDS_RESERVED,
	"{port} {is} taken: an outgoing connection of {who}{peer} uses it as its own port.",
	"An outgoing connection uses {owner} as its own end; such connections get any port from "
	"{first} to {last}.",
	&close_connection, &reserve, &claim)

VERDICT(OUTGOING_CONNECTING, outgoing_connecting, 6, NEEDS_RESERVED,
	"{port} {is} taken: {who} {is} just trying to connect{peer} and uses it as its own port.",
	"A connection that is being made uses {owner} as its own end, and keeps the port while it "
	"tries and after.",
	&wait_connect, &reserve, &claim)

VERDICT(OUTGOING_TIME_WAIT, outgoing_time_wait, 0, NEEDS_RESERVED,
	"{port} {is} taken for {wait}: no process {holds} it, an outgoing connection{peer} that "
	"used it as its own port is being closed (TIME_WAIT).",
	"A closed outgoing connection has {owner} as its own end until its TIME_WAIT is over; such "
	"connections get any port from {first} to {last}.",
	&wait_timer, &close_time_wait, &reserve)

/* --- D: UDP and the kernel --- */

VERDICT(UDP_BOUND, udp_bound, 5, COMES_BACK,
	"{port} {is} taken: {who} {has} it open{for}.",
	"A UDP socket is bound to {owner}; UDP has no listen(), the bind alone takes the port "
	"unless both sides set SO_REUSEADDR.",
	&resume, &stop_or_show, &claim)

VERDICT(UDP_CONNECTED, udp_connected, 6, 0,
	"{port} {is} taken: {who} {has} it open{for}, connected{peer}.",
	"A connected UDP socket has {owner} as its own end; to bind(), its peer makes no "
	"difference.",
	&resume, &stop_or_show, &claim)

VERDICT(UDP_EPHEMERAL, udp_ephemeral, 7, NEEDS_RESERVED,
	"{port} {is} taken: {who} was given it by chance, for packets that it sends.",
	"The kernel gave {owner} to a UDP socket that asked for no port; it keeps it until it is "
	"closed.",
	&stop_or_show, &reserve, &claim)

VERDICT(KERNEL_SOCKET, kernel_socket, 0, 0,
	"{port} {is} taken by the kernel itself (a VXLAN or tunnel device, NFS, …), not by a "
	"process.",
	"The kernel itself owns {owner} (for a tunnel, a file system or the like); no process "
	"holds that socket.",
	&find_tunnel, &stop_kernel_service, &claim)

/* --- E: nothing in the table; the errno comes from elsewhere --- */

VERDICT(EPHEMERAL_EXHAUSTED, ephemeral_exhausted, 0, 0,
	"No port is left: all of {range}, from which the system chooses, are in use.",
	"Without a port of its own a socket gets one from {first} to {last}, and none of them was "
	"left for this address.",
	&widen_range, &list_connections)

VERDICT(PORT_REWRITTEN_BY_BPF, port_rewritten_by_bpf, 0, BY_PROGRAM,
	"{port} was not what was bound: a BPF program of the process's cgroup made {given} of it, "
	"and {taken}.",
	"A BPF program on the caller's cgroup sent the bind of {request} to {target}, which the "
	"kernel refused with {errno}.",
	&list_rewriting_programs, &stop)

VERDICT(PROTECTED, protected, 0, 0,
	"{port} {is} protected: {claim} has claimed it, and only what runs as that may bind it.",
	"pd refuses {target} to every process that is not of a run of {claim}; nobody else gets the "
	"port between the claim and its release.",
	&run_claim, &unprotect, &release)

VERDICT(FAKED_BY_CGROUP_BPF, faked_by_cgroup_bpf, 0, BY_PROGRAM,
	"{port} is free, and was refused all the same ({errno}): a BPF program of the process's "
	"cgroup answered.",
	"No socket was in the way of {target}: a BPF program on the caller's cgroup answered "
	"{errno} itself.",
	&list_cgroup_programs)

VERDICT(INTERCEPTED_BY_SECCOMP, intercepted_by_seccomp, 0, 0,
	"{port} {is} refused by a sandbox: a seccomp filter answered the {call} with {errno} "
	"before the kernel looked at it.",
	"A seccomp filter of the caller answered {errno}; the kernel never looked at {target}.",
	&seccomp_filter)

VERDICT(DENIED_BY_CGROUP_BPF, denied_by_cgroup_bpf, 0, BY_PROGRAM,
	"{port} {is} forbidden: a BPF program of the process's cgroup refuses the {call} "
	"({errno}).",
	"A BPF program on the caller's cgroup does not let it bind {target}.",
	&list_cgroup_programs, &claim)

VERDICT(DENIED_BY_CGROUP_POST_BIND, denied_by_cgroup_post_bind, 0, BY_PROGRAM,
	"{port} {is} forbidden: a BPF program of the process's cgroup took it back after the "
	"{call} ({errno}).",
	"A BPF program on the caller's cgroup took {target} away again after it was bound.",
	&list_cgroup_programs, &claim)

VERDICT(DENIED_BY_LANDLOCK, denied_by_landlock, 0, 0,
	"{port} {is} forbidden: the process is in a Landlock sandbox that does not allow this "
	"port.",
	"The caller's Landlock sandbox does not allow it to bind {target}.",
	&landlock_rule)

VERDICT(DENIED_BY_LSM, denied_by_lsm, 0, 0,
	"{port} {is} forbidden by a security module (SELinux, AppArmor, a Landlock sandbox or the "
	"like).",
	"A security module of the kernel (SELinux, AppArmor, Landlock or another) does not allow "
	"the caller to bind {target}.",
	&find_denial, &allow_in_selinux, &claim)

VERDICT(PRIVILEGED_PORT, privileged_port, 0, NEEDS_PROGRAM,
	"{port} {is} for privileged programs: below {start}, user {yours} needs a permission that "
	"the program does not have.",
	"Ports below {start} are only for programs with the capability CAP_NET_BIND_SERVICE, and "
	"the caller of {target} does not have it.",
	&allow_program, &open_low_ports, &claim)

VERDICT(PRIVILEGED_PORT_USERNS, privileged_port_userns, 0, 0,
	"{port} {is} for privileged programs: being root inside a container or user namespace does "
	"not count here.",
	"Ports below {start} need CAP_NET_BIND_SERVICE in the user namespace that owns this "
	"network; root of another one may not bind {target}.",
	&open_low_ports_in_host, &own_network, &claim)

VERDICT(NONLOCAL_ADDRESS, nonlocal_address, 0, 0,
	"{asked} {is} not an address of this machine, so no port of it can be bound ({that}).",
	"The address of {target} belongs to no network device here; only local addresses can be "
	"bound.",
	&list_addresses, &start_later)

VERDICT(V6_TENTATIVE, v6_tentative, 0, 0,
	"{asked} {is} not ready: the system still checks that nobody else has this address "
	"({that}).",
	"The address of {target} is tentative: the kernel still asks the network whether somebody "
	"else has it (duplicate address detection).",
	&wait_dad)

VERDICT(V6_DADFAILED, v6_dadfailed, 0, 0,
	"{asked} cannot be used: another machine of the network has the same address ({that}).",
	"The address of {target} is in use by another machine (duplicate address detection "
	"failed), so it cannot be bound.",
	&change_address, &list_addresses, &start_later)

VERDICT(IPV6_DISABLED, ipv6_disabled, 0, 0,
	"IPv6 {is} switched off here, so {asked} cannot be bound ({that}).",
	"IPv6 is switched off here (disable_ipv6), so no device has the address of {target}.",
	&enable_ipv6, &use_ipv4)

VERDICT(V6_LINK_DOWN, v6_link_down, 0, 0,
	"{asked} {is} not there: a network interface is down, and those lose their IPv6 addresses "
	"({that}).",
	"The network device with the address of {target} is down; IPv6 addresses go away with "
	"their link.",
	&find_link, &link_up)

VERDICT(LINKLOCAL_NO_SCOPE, linklocal_no_scope, 0, 0,
	"{asked} {is} incomplete: an address that starts with fe80 needs an interface, as in %eth0 "
	"({that}).",
	"{target} is a link-local address, which exists on every link; bind() needs the interface, "
	"too.",
	&add_scope)

VERDICT(BAD_SCOPE, bad_scope, 0, 0,
	"The network interface that was asked for does not exist ({that} of {asked}).",
	"The interface that the bind of {target} names (scope id or SO_BINDTODEVICE) does not "
	"exist.",
	&right_scope)

VERDICT(V6ONLY_MAPPED, v6only_mapped, 0, 0,
	"{asked} {is} an IPv4 address written as IPv6, and the socket is for IPv6 only ({that}).",
	"{target} is an IPv4 address in IPv6 form, and a socket with IPV6_V6ONLY takes none of "
	"those.",
	&ipv4_socket)

VERDICT(ALREADY_BOUND, already_bound, 0, 0,
	"{port}: the program bound the same socket twice.",
	"The caller's socket has a port already, and bind() works only once on a socket.",
	&bind_new_socket)

VERDICT(OTHER_NETNS, other_netns, 0, IS_FREE,
	"{port} is free here; {who} has it in another network namespace (a container, perhaps).",
	"{target} is free here: the port is in use in another network namespace, and namespaces do "
	"not share ports.",
	&enter_namespace)

VERDICT(GONE, gone, 0, IS_FREE,
	"{port} was taken a moment ago and is free now.",
	"{target} was refused a moment ago, but what was in the way is gone: the same call would "
	"succeed now.",
	&retry)
