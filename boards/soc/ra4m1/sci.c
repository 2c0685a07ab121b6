/* Renesas RA4M1 behind Arduino's boot loader: SCI2 on P302 (board sends) and P301 (board receives),
 * CPU and SCI at half of the 48 MHz oscillator (HOCO). RA4M1 User's Manual (R01UH0887), chapters
 * "Clock Generation Circuit", "Register Write Protection", "I/O Ports", "Interrupt Controller Unit"
 * and "Serial Communications Interface". Addresses and bits are those of Renesas' R7FA4M1AB.svd and
 * bsp_elc.h. That HOCO has 48 MHz is set by the boot loader's option bytes: Arduino's core relies on
 * it too (its bsp_clock_cfg.h). */
#include <byteprop/port.h>

#include "bp_board.h"

#define REG8(address) (*(volatile uint8_t *)(uintptr_t)(address))
#define REG16(address) (*(volatile uint16_t *)(uintptr_t)(address))

#define SCKDIVCR BP_REG32(0x4001E020)
#define SCKSCR REG8(0x4001E026)
#define HOCOCR REG8(0x4001E036)
#define OSCSF REG8(0x4001E03C)
#define OPCCR REG8(0x4001E0A0)
#define PRCR REG16(0x4001E3FE)
#define ALL_CLOCKS_HALVED 0x11041111u /* bits 16 to 18 as the manual wants them */
#define FROM_HOCO 0u
#define HOCO_RUNS 0u
#define HOCO_STABLE 1u
#define HIGH_SPEED 0u
#define IN_TRANSITION (1u << 4)
#define CLOCKS_AND_POWER_OPEN 0xA503u
#define PROTECTED 0xA500u

#define MSTPCRB BP_REG32(0x40047000)
#define MSTP_SCI2 (1u << 29)

#define PWPR REG8(0x40040D03)
#define PWPR_OPEN_1 0u
#define PWPR_OPEN_2 (1u << 6)
#define PWPR_PROTECTED (1u << 7)
#define P301PFS BP_REG32(0x400408C4)
#define P302PFS BP_REG32(0x400408C8)
#define PFS_SCI (4u << 24 | 1u << 16)
#define PFS_PULL_UP (1u << 4)

#define ICU_LINK(irq) BP_REG32(0x40006300 + 4 * (irq))
#define LINK_ASKED (1u << 16)
#define EVENT_SCI2_RXI 163u
#define EVENT_SCI2_ERI 166u
#define NVIC_ISER BP_REG32(0xE000E100)
#define NVIC_ICER BP_REG32(0xE000E180)

#define SMR REG8(BP_UART_BASE + 0x0)
#define BRR REG8(BP_UART_BASE + 0x1)
#define SCR REG8(BP_UART_BASE + 0x2)
#define TDR REG8(BP_UART_BASE + 0x3)
#define SSR REG8(BP_UART_BASE + 0x4)
#define RDR REG8(BP_UART_BASE + 0x5)
#define SEMR REG8(BP_UART_BASE + 0x7)
#define SMR_8N1 0u
#define SEMR_16_CLOCKS_PER_BIT (1u << 6)
#define SCR_OFF 0u
#define SCR_RX_TX_RXI (1u << 6 | 1u << 5 | 1u << 4)
#define SSR_TX_EMPTY (1u << 7)
#define SSR_TX_END (1u << 2)
#define SSR_RX_FULL (1u << 6)
#define SSR_ERRORS (7u << 3)

static void start_clock(void) {
    PRCR = CLOCKS_AND_POWER_OPEN;
    OPCCR = HIGH_SPEED;
    while (OPCCR & IN_TRANSITION) {
    }
    HOCOCR = HOCO_RUNS;
    while (!(OSCSF & HOCO_STABLE)) {
    }
    SCKDIVCR = ALL_CLOCKS_HALVED;
    SCKSCR = FROM_HOCO;
    PRCR = PROTECTED;
}

static void give_pins_to_sci(void) {
    PWPR = PWPR_OPEN_1;
    PWPR = PWPR_OPEN_2;
    P301PFS = PFS_SCI | PFS_PULL_UP;
    P302PFS = PFS_SCI;
    PWPR = PWPR_OPEN_1;
    PWPR = PWPR_PROTECTED;
}

/* The boot loader leaves its interrupts on, whose handlers are not in our vector table. */
static void link_interrupts(void) {
    NVIC_ICER = 0xFFFFFFFF;
    ICU_LINK(BP_UART_IRQ) = EVENT_SCI2_RXI;
    ICU_LINK(BP_UART_ERROR_IRQ) = EVENT_SCI2_ERI;
    NVIC_ISER = 1u << BP_UART_ERROR_IRQ;
}

void bp_soc_init(void) {
    start_clock();
    MSTPCRB &= ~MSTP_SCI2;
    SCR = SCR_OFF; /* while it is set up */
    SMR = SMR_8N1;
    SEMR = SEMR_16_CLOCKS_PER_BIT;
    BRR = (uint8_t)((BP_CLOCK_HZ + 8 * BP_BAUD) / (16 * BP_BAUD) - 1);
    give_pins_to_sci();
    link_interrupts();
    SCR = SCR_RX_TX_RXI;
}

/* Also of errors: after an overrun nothing is received until its flag is cleared. */
void bp_soc_irq(void) {
    ICU_LINK(BP_UART_IRQ) &= ~LINK_ASKED;
    ICU_LINK(BP_UART_ERROR_IRQ) &= ~LINK_ASKED;
    while (SSR & SSR_RX_FULL) {
        bp_ring_put(RDR);
    }
    SSR &= (uint8_t)~SSR_ERRORS;
}

void bp_port_tx(const uint8_t *data, uint16_t n) {
    while (n--) {
        while (!(SSR & SSR_TX_EMPTY)) {
        }
        TDR = *data++;
    }
}

void bp_soc_drain(void) {
    while (!(SSR & SSR_TX_END)) {
    }
}
