# Makes lib/base/num_table.c: python3 tests/tools/pow5.py > lib/base/num_table.c
print("""/*
 * Powers of five, normalised to 128 bits and truncated: entry q - DP_POW_MIN is 5^q as hi and lo, with the top bit set.
 * Printing and parsing of doubles both multiply by them (num_double.c).  Made by tests/tools/pow5.py; all
 * numbers are facts of arithmetic, and t_num checks a sample against exact division.
 */
#include "num_table.h"

const uint64_t dp_pow5[DP_POW_MAX - DP_POW_MIN + 1][2] = {""")
row=[]
for q in range(-342,325):
    if q>=0:
        x=5**q; b=x.bit_length()
        t = x<<(128-b) if b<=128 else x>>(b-128)
    else:
        p=5**-q; z=p.bit_length()
        # 2^n/p normalised: want floor in [2^127,2^128)
        n=127+z
        t=(1<<n)//p
        if t.bit_length()<128: t=(1<<(n+1))//p
        if t.bit_length()>128: t=(1<<(n-1))//p
    assert t.bit_length()==128
    print("    {0x%016xu, 0x%016xu}," % (t>>64, t&(2**64-1)))
print("};")
