/* Timer 1 at the CPU's clock, extended from 16 to 32 bits. */
#include <byteprop/port.h>

#include "bp_arch.h"
#include "bp_board.h"

static volatile uint16_t timer1_overflows;

void bp_ticks_init(void) {
    TCCR1A = 0;
    TCCR1B = (uint8_t)(1u << CS10);
    TIMSK1 = (uint8_t)(1u << TOIE1);
}

ISR(TIMER1_OVF_vect) {
    timer1_overflows = timer1_overflows + 1;
}

uint32_t bp_port_ticks(void) {
    static uint32_t latest;
    uint32_t now;
    bp_arch_irq_off();
    now = TCNT1;
    /* Overflowed, and the handler has not run yet. */
    if ((TIFR1 & (1u << TOV1)) && now < 0x8000u) {
        now += 0x10000u;
    }
    now += (uint32_t)timer1_overflows << 16;
    /* An emulated timer may wrap a while before its flag rises; time does not run backwards. */
    if ((int32_t)(now - latest) < 0) {
        now += 0x10000u;
    }
    latest = now;
    bp_arch_irq_on();
    return now;
}
