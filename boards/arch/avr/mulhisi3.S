/* int16 times int16 and int16 times uint16, in place of libgcc's. Those have a skip over RET, which
 * QEMU 7.2 executes as an endless loop; here the skip is over a jump. Registers as gcc expects them:
 * r25:r22 = r27:r26 * r19:r18, everything else is kept. */

.section .text.mulhisi3, "ax", @progbits

.global __mulhisi3
__mulhisi3:
    rcall __usmulhisi3
    sbrs r19, 7
    rjmp 1f
    sub r24, r26
    sbc r25, r27
1:  ret

/* The first factor, r27:r26, is the signed one. */
.global __usmulhisi3
__usmulhisi3:
    call __umulhisi3
    sbrs r27, 7
    rjmp 1f
    sub r24, r18
    sbc r25, r19
1:  ret
