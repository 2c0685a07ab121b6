/* STM32G071: USART2 on PA2 and PA3 (function 1) at the internal oscillator of 16 MHz, which runs
 * after reset. RM0444 5.4.12 RCC_IOPENR, 5.4.15 RCC_APBENR1, 7.4 GPIO. */
#include "bp_board.h"
#include "bp_stm32.h"

#define RCC_IOPENR BP_REG32(0x40021034)
#define RCC_APBENR1 BP_REG32(0x4002103C)
#define GPIOA_MODER BP_REG32(0x50000000)
#define GPIOA_PUPDR BP_REG32(0x5000000C)
#define GPIOA_AFRL BP_REG32(0x50000020)

#define IOPENR_GPIOA (1u << 0)
#define APBENR1_USART2 (1u << 17)
#define PA2_PA3_MODES (0xFu << 4)
#define PA2_PA3_ALTERNATE (0xAu << 4)
#define PA2_PA3_FUNCTIONS (0xFFu << 8)
#define PA2_PA3_FUNCTION_1 (0x11u << 8)
#define PA3_PULL (3u << 6)
#define PA3_PULL_UP (1u << 6)

void bp_stm32_clock_and_pins(void) {
    RCC_IOPENR |= IOPENR_GPIOA;
    RCC_APBENR1 |= APBENR1_USART2;
    GPIOA_AFRL = (GPIOA_AFRL & ~PA2_PA3_FUNCTIONS) | PA2_PA3_FUNCTION_1;
    GPIOA_MODER = (GPIOA_MODER & ~PA2_PA3_MODES) | PA2_PA3_ALTERNATE;
    GPIOA_PUPDR = (GPIOA_PUPDR & ~PA3_PULL) | PA3_PULL_UP;
}
