/*
 * Calls that dp's code may not make: unbounded copies, calls that depend on locale, time zone or hidden static
 * state, and shells.  Force-included into every file that the Makefile compiles; the system's headers come first, so only our calls break.
 */
#ifndef DP_BANNED_H
#define DP_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DP_BANNED(name) dp_banned_call_##name

#undef strcpy
#define strcpy(a, b) DP_BANNED(strcpy)
#undef strcat
#define strcat(a, b) DP_BANNED(strcat)
#undef strncpy
#define strncpy(a, b, n) DP_BANNED(strncpy)
#undef strncat
#define strncat(a, b, n) DP_BANNED(strncat)
#undef strtok
#define strtok(a, b) DP_BANNED(strtok)
#undef sprintf
#define sprintf(...) DP_BANNED(sprintf)
#undef vsprintf
#define vsprintf(...) DP_BANNED(vsprintf)
#undef gets
#define gets(a) DP_BANNED(gets)
#undef atoi
#define atoi(a) DP_BANNED(atoi)
#undef atol
#define atol(a) DP_BANNED(atol)
#undef atof
#define atof(a) DP_BANNED(atof)
#undef gmtime
#define gmtime(a) DP_BANNED(gmtime)
#undef localtime
#define localtime(a) DP_BANNED(localtime)
#undef localtime_r
#define localtime_r(a, b) DP_BANNED(localtime_r)
#undef ctime
#define ctime(a) DP_BANNED(ctime)
#undef asctime
#define asctime(a) DP_BANNED(asctime)
#undef mktime
#define mktime(a) DP_BANNED(mktime)
#undef setlocale
#define setlocale(a, b) DP_BANNED(setlocale)
#undef tmpnam
#define tmpnam(a) DP_BANNED(tmpnam)
#undef mktemp
#define mktemp(a) DP_BANNED(mktemp)
#undef system
#define system(a) DP_BANNED(system)
#undef popen
#define popen(a, b) DP_BANNED(popen)
#undef rand
#define rand() DP_BANNED(rand)
#undef srand
#define srand(a) DP_BANNED(srand)

#endif
