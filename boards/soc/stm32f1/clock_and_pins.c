/* STM32F100, F103: USART1 on PA9 and PA10 at the internal oscillator of 8 MHz, which runs after
 * reset. RM0041 (F100) 6.3.7 RCC_APB2ENR, 7.2.2 GPIOx_CRH; RM0008 (F103) 7.3.7, 9.2.2. */
#include "bp_board.h"
#include "bp_stm32.h"

#define RCC_APB2ENR BP_REG32(0x40021018)
#define GPIOA_CRH BP_REG32(0x40010804)
#define GPIOA_ODR BP_REG32(0x4001080C)

#define APB2ENR_AFIO (1u << 0)
#define APB2ENR_GPIOA (1u << 2)
#define APB2ENR_USART1 (1u << 14)
/* Four bits per pin from PA8 on. */
#define PA9_SHIFT 4
#define PA10_SHIFT 8
#define ALTERNATE_OUTPUT_50MHZ 0xBu
#define INPUT_PULLED 0x8u
#define PA10 (1u << 10)

void bp_stm32_clock_and_pins(void) {
    RCC_APB2ENR |= APB2ENR_AFIO | APB2ENR_GPIOA | APB2ENR_USART1;
    GPIOA_CRH = (GPIOA_CRH & ~(0xFFu << PA9_SHIFT)) | ALTERNATE_OUTPUT_50MHZ << PA9_SHIFT |
                INPUT_PULLED << PA10_SHIFT;
    GPIOA_ODR |= PA10; /* pulled up: an open line must not look like a start bit */
}
