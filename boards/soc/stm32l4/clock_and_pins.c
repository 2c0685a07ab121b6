/* STM32L432: USART2 on PA2 (function 7) and PA15 (function 3), which the Nucleo's probe is wired
 * to. After reset the chip runs at 4 MHz; the internal oscillator of 16 MHz takes over. RM0394
 * 6.4.1 RCC_CR, 6.4.3 RCC_CFGR, 6.4.17 RCC_AHB2ENR, 6.4.19 RCC_APB1ENR1, 8.4 GPIO; flash needs no
 * wait state up to 16 MHz (3.3.3). */
#include "bp_board.h"
#include "bp_stm32.h"

#define RCC_CR BP_REG32(0x40021000)
#define RCC_CFGR BP_REG32(0x40021008)
#define RCC_AHB2ENR BP_REG32(0x4002104C)
#define RCC_APB1ENR1 BP_REG32(0x40021058)
#define GPIOA_MODER BP_REG32(0x48000000)
#define GPIOA_AFRL BP_REG32(0x48000020)
#define GPIOA_AFRH BP_REG32(0x48000024)

#define CR_HSION (1u << 8)
#define CR_HSIRDY (1u << 10)
#define CFGR_SW_HSI16 1u
#define CFGR_SWS_HSI16 (1u << 2)
#define CFGR_SWS (3u << 2)
#define AHB2ENR_GPIOA (1u << 0)
#define APB1ENR1_USART2 (1u << 17)
#define MODE_ALTERNATE 2u

static void set_field(volatile uint32_t *reg, uint8_t shift, uint32_t mask, uint32_t value) {
    *reg = (*reg & ~(mask << shift)) | value << shift;
}

void bp_stm32_clock_and_pins(void) {
    RCC_CR |= CR_HSION;
    while (!(RCC_CR & CR_HSIRDY)) {
    }
    RCC_CFGR = CFGR_SW_HSI16;
    while ((RCC_CFGR & CFGR_SWS) != CFGR_SWS_HSI16) {
    }
    RCC_AHB2ENR |= AHB2ENR_GPIOA;
    RCC_APB1ENR1 |= APB1ENR1_USART2;
    set_field(&GPIOA_AFRL, 4 * 2, 0xF, 7);
    set_field(&GPIOA_AFRH, 4 * (15 - 8), 0xF, 3);
    set_field(&GPIOA_MODER, 2 * 2, 3, MODE_ALTERNATE);
    /* PA15 is JTDI after reset: an alternate function already, and pulled up (8.4.1, 8.4.4). */
}
