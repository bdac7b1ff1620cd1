/* each.h - M(0) M(1) ... for a constant number of tokens: kernels name every accumulator, because
 * compilers keep named variables in registers and arrays in memory. */
#ifndef DEVICE_CPU_PANEL_EACH_H
#define DEVICE_CPU_PANEL_EACH_H

#define EACH_1(M)  M(0)
#define EACH_2(M)  M(0) M(1)
#define EACH_3(M)  M(0) M(1) M(2)
#define EACH_4(M)  M(0) M(1) M(2) M(3)
#define EACH_5(M)  M(0) M(1) M(2) M(3) M(4)
#define EACH_6(M)  M(0) M(1) M(2) M(3) M(4) M(5)
#define EACH_8(M)  M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
#define EACH_12(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)

#define EACH_16(M) EACH_12(M) M(12) M(13) M(14) M(15)

#define EACH_24(M) EACH_16(M) M(16) M(17) M(18) M(19) M(20) M(21) M(22) M(23)

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)

#endif
