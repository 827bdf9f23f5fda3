/* SPDX-License-Identifier: MIT */
/* cmocka, behind the headers that it needs. */
#ifndef SPT_TESTS_CMOCKA_H
#define SPT_TESTS_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
