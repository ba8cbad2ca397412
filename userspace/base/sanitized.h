/* SPDX-License-Identifier: MIT */
/* SANITIZED is defined where this is built with AddressSanitizer: gcc says that by a macro, clang
 * by a feature. */
#ifndef BASE_SANITIZED_H
#define BASE_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif

#endif
