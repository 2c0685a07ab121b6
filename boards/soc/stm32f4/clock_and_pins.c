/* STM32F405, F407, F446: the internal oscillator of 16 MHz runs after reset. BP_STM32_USART is 1
 * (PA9, PA10) or 2 (PA2, PA3). RM0390 (F446) 6.3.10 RCC_AHB1ENR, 6.3.13 RCC_APB1ENR, 6.3.14
 * RCC_APB2ENR, 7.4 GPIO; alternate function 7: data sheet, "Alternate function". */
#include "bp_board.h"
#include "bp_stm32.h"

#define RCC_AHB1ENR BP_REG32(0x40023830)
#define RCC_APB1ENR BP_REG32(0x40023840)
#define RCC_APB2ENR BP_REG32(0x40023844)
#define GPIOA_MODER BP_REG32(0x40020000)
#define GPIOA_PUPDR BP_REG32(0x4002000C)
#define GPIOA_AFR(pin) BP_REG32(0x40020020 + 4 * ((pin) / 8))

#define AHB1ENR_GPIOA (1u << 0)
#define APB1ENR_USART2 (1u << 17)
#define APB2ENR_USART1 (1u << 4)
#define MODE_ALTERNATE 2u
#define PULL_UP 1u
#define USART_FUNCTION 7u

#if BP_STM32_USART == 1
#define TX_PIN 9
#define RX_PIN 10
#else
#define TX_PIN 2
#define RX_PIN 3
#endif

static void give_pin(uint8_t pin) {
    const uint8_t nibble = (uint8_t)(4 * (pin % 8));
    GPIOA_AFR(pin) = (GPIOA_AFR(pin) & ~(0xFu << nibble)) | USART_FUNCTION << nibble;
    GPIOA_MODER = (GPIOA_MODER & ~(3u << 2 * pin)) | MODE_ALTERNATE << 2 * pin;
}

void bp_stm32_clock_and_pins(void) {
    RCC_AHB1ENR |= AHB1ENR_GPIOA;
#if BP_STM32_USART == 1
    RCC_APB2ENR |= APB2ENR_USART1;
#else
    RCC_APB1ENR |= APB1ENR_USART2;
#endif
    give_pin(TX_PIN);
    give_pin(RX_PIN);
    /* An open line must not look like a start bit. */
    GPIOA_PUPDR = (GPIOA_PUPDR & ~(3u << 2 * RX_PIN)) | PULL_UP << 2 * RX_PIN;
}
