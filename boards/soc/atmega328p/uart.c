/* USART0 of the ATmega48/88/168/328 family, which has no other, and of the ATmega640/1280/2560. */
#include <byteprop/port.h>

#include "bp_arch.h"
#include "bp_board.h"

#if defined(USART0_RX_vect)
#define RECEIVED_VECTOR USART0_RX_vect
#else
#define RECEIVED_VECTOR USART_RX_vect
#endif

/* Double speed: the divider is 8, so the error of the usual rates is smaller. */
#define UBRR_VALUE ((BP_CLOCK_HZ + 4UL * BP_BAUD) / (8UL * BP_BAUD) - 1UL)

void bp_soc_init(void) {
    UBRR0 = (uint16_t)UBRR_VALUE;
    UCSR0A = (uint8_t)(1u << U2X0);
    UCSR0C = (uint8_t)((1u << UCSZ01) | (1u << UCSZ00));
    UCSR0B = (uint8_t)((1u << RXCIE0) | (1u << RXEN0) | (1u << TXEN0));
}

void bp_soc_irq(void) {
    bp_ring_put(UDR0);
}

ISR(RECEIVED_VECTOR) {
    bp_soc_irq();
}

void bp_port_tx(const uint8_t *data, uint16_t n) {
    while (n--) {
        while (!(UCSR0A & (1u << UDRE0))) {
        }
        UDR0 = *data++;
    }
}
