/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What is done again and again until it says that it is done.  By bpf_loop(), whose body is
 * verified once; the object for kernels without it (HELPERS_OF_5_10) has a loop that the verifier
 * follows turn by turn, and hence fewer turns.
 */
#ifndef BPF_REPEAT_H
#define BPF_REPEAT_H

#ifdef HELPERS_OF_5_10

#define TURNS(most, fewer) (fewer)

/* How many turns there were, with the one in which step(turn, context) was not 0. */
#define REPEAT(turns, step, context)                                          \
	({                                                                    \
		__u32 turn_ = 0;                                              \
		_Pragma("clang loop unroll(disable)") while (turn_ < (turns)) \
		{                                                             \
			if (step(turn_++, context))                           \
				break;                                        \
		}                                                             \
		turn_;                                                        \
	})

/* The verifier takes no pointer in a global function: it looks at it at each call. */
#define GLOBAL static __noinline

#else

#define TURNS(most, fewer)	     (most)
#define REPEAT(turns, step, context) bpf_loop(turns, step, context, 0)
#define GLOBAL			     __noinline

#endif

#endif
