/* The device program with a made-up port, whose flash is simulated. The input is a list of
 * requests, which are framed here, so that they pass the checksum and reach the program:
 *
 *     control u8, type u8, length u16, payload
 *
 * or, when control says so, of things that happen to a board:
 *
 *     CUT    the power fails before the n-th flash operation from now on (payload: n u16)
 *     SAVED  flash holds a save whose checksums are right, made of whatever the payload says:
 *            slot u8, sequence u8, image bytes u16, configuration 16 bytes, image, state
 *     FLASH  bits of a word in flash flip (payload: slot u8, offset u16, mask u32)
 *
 * The program is a shared library of its own: its variables are put back to what they were before
 * each input, as a reset would, so that an input that crashes does so again on its own. A reset
 * within an input does the same, and flash outlives it. */
#define _GNU_SOURCE
#include <byteprop/link.h>
#include <byteprop/port.h>
#include <byteprop/status.h>
#include <link.h>
#include <setjmp.h>
#include <string.h>

#include "app/save_slots.h"
#include "fuzz_common.h"

enum {
    SAME_SEQ = 1, /* repeats the sequence number of the request before */
    SKIP_SEQ = 2, /* leaves one out */
    DAMAGE = 4,   /* flips bits of the frame */
    UNFRAMED = 8, /* the payload goes onto the wire as it is */
    CUT = 16,
    SAVED = 32,
    FLASH = 64,
    MAX_PAYLOAD = 1024,
    MAX_REGIONS = 8,
    SLOTS = 2,
    SLOT_WORDS = BP_SAVE_SLOT_BYTES / 4
};

/* What longjmp brings. */
enum { NO_MORE_INPUT = 1, RESET = 2 };

static const uint8_t *input;
static size_t input_bytes;
static uint8_t wire[2 * MAX_PAYLOAD];
static uint32_t wire_bytes, wire_at;
static uint16_t next_seq;
static uint8_t answer_buffer[4096];
static bp_receiver_t answers;
static jmp_buf stopped;
static uint32_t flash[SLOTS][SLOT_WORDS];
static uint32_t operations_left; /* until the power fails; 0: it does not */

/* --- the variables of the device program ------------------------------------------------------ */

static struct {
    uint8_t *start;
    uint8_t *saved;
    size_t n;
} regions[MAX_REGIONS];
static int n_regions;

static void add_region(uintptr_t start, uintptr_t end) {
    if (start < end) {
        check(n_regions < MAX_REGIONS);
        regions[n_regions].start = (uint8_t *)start;
        regions[n_regions].n = end - start;
        regions[n_regions].saved = malloc(end - start);
        n_regions++;
    }
}

static int find_variables(struct dl_phdr_info *info, size_t info_bytes, void *context) {
    uintptr_t fixed_start = 0, fixed_end = 0;
    (void)info_bytes;
    (void)context;
    if (strstr(info->dlpi_name, "libfuzzed_app.so") == NULL) {
        return 0;
    }
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_GNU_RELRO) { /* read-only once the program runs */
            fixed_start = info->dlpi_addr + header->p_vaddr;
            fixed_end = (fixed_start + header->p_memsz + 4095) & ~(uintptr_t)4095;
        }
    }
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        const uintptr_t start = info->dlpi_addr + header->p_vaddr;
        const uintptr_t end = start + header->p_memsz;
        if (header->p_type == PT_LOAD && (header->p_flags & PF_W) != 0) {
            add_region(start, end < fixed_start ? end : fixed_start);
            add_region(start > fixed_end ? start : fixed_end, end);
        }
    }
    return 1;
}

/* Not instrumented: between the variables lie bytes that the sanitizer forbids. */
__attribute__((no_sanitize("address", "undefined"))) static void
copy_bytes(volatile uint8_t *dst, const volatile uint8_t *src, size_t n) {
    while (n-- != 0) {
        *dst++ = *src++;
    }
}

static void save_variables(void) {
    dl_iterate_phdr(find_variables, NULL);
    check(n_regions > 0);
    for (int i = 0; i < n_regions; ++i) {
        copy_bytes(regions[i].saved, regions[i].start, regions[i].n);
    }
}

static void restore_variables(void) {
    for (int i = 0; i < n_regions; ++i) {
        copy_bytes(regions[i].start, regions[i].saved, regions[i].n);
    }
}

/* --- from input to wire ----------------------------------------------------------------------- */

static void put_wire(const uint8_t *data, uint16_t n) {
    check(n <= sizeof wire - wire_bytes);
    memcpy(wire + wire_bytes, data, n);
    wire_bytes += n;
}

/* --- what happens to a board ----------------------------------------------------------------- */

/* A save as csrc/app writes it (save_slots.h has the layout), of any content. */
static void put_save(const uint8_t *p, size_t n) {
    enum { HEAD = 4, CONFIG = 4 * APP_SLOT_CONFIG_WORDS, CRC_AT = 36, CRC_FROM = 4 };
    uint8_t bytes[BP_SAVE_SLOT_BYTES] = {0};
    if (n < HEAD + CONFIG) {
        return;
    }
    size_t image = get_u16(p + 2);
    size_t rest = n - HEAD - CONFIG;
    image = image < rest ? image : rest;
    const size_t state = rest - image;
    const size_t state_at = APP_SLOT_HEADER_BYTES + ((image + 3u) & ~(size_t)3u);
    const size_t end = state_at + ((state + 3u) & ~(size_t)3u);
    if (end > sizeof bytes) {
        return;
    }
    memcpy(bytes, "BYPS", 4);
    put_u32(bytes + 4, p[1]);
    put_u32(bytes + 8, (uint32_t)image);
    put_u32(bytes + 12, (uint32_t)state);
    memcpy(bytes + 16, p + HEAD, CONFIG);
    memcpy(bytes + APP_SLOT_HEADER_BYTES, p + HEAD + CONFIG, image);
    seal_image(bytes + APP_SLOT_HEADER_BYTES, image);
    memcpy(bytes + state_at, p + HEAD + CONFIG + image, state);
    uint32_t crc = bp_crc32(0, bytes + CRC_FROM, CRC_AT - CRC_FROM);
    crc = bp_crc32(crc, bytes + APP_SLOT_HEADER_BYTES, (uint32_t)(end - APP_SLOT_HEADER_BYTES));
    put_u32(bytes + CRC_AT, crc);
    for (size_t i = 0; i < SLOT_WORDS; ++i) {
        flash[p[0] % SLOTS][i] = get_u32(bytes + 4 * i);
    }
}

/* Returns 0 when what comes next in the input is a request. */
static int happens(uint8_t control, const uint8_t *p, size_t n) {
    if (control & CUT) {
        operations_left = n < 2 ? 0 : get_u16(p);
    } else if (control & SAVED) {
        put_save(p, n);
    } else if (control & FLASH) {
        if (n >= 7) {
            flash[p[0] % SLOTS][get_u16(p + 1) % SLOT_WORDS] ^= get_u32(p + 3);
        }
    } else {
        return 0;
    }
    return 1;
}

static void frame_request(uint8_t control, uint8_t type, const uint8_t *payload, size_t n) {
    bp_frame_t frame = {type, 0, next_seq, next_seq, payload, (uint16_t)n};
    frame.seq = (uint16_t)(frame.seq + ((control & SKIP_SEQ) ? 1 : 0));
    frame.seq = (uint16_t)(frame.seq - ((control & SAME_SEQ) ? 1 : 0));
    if (control & UNFRAMED) {
        put_wire(frame.payload, frame.payload_bytes);
    } else {
        bp_frame_send(&frame, put_wire);
    }
    if ((control & DAMAGE) != 0 && wire_bytes != 0) {
        wire[frame.payload_bytes % wire_bytes] ^= 0x15;
    }
}

static void next_request(void) {
    if (input_bytes < 4) {
        longjmp(stopped, NO_MORE_INPUT);
    }
    const uint8_t control = input[0];
    const uint8_t type = input[1];
    const uint8_t *payload = input + 4;
    size_t n = get_u16(input + 2);
    n = n < input_bytes - 4 ? n : input_bytes - 4;
    if ((control & SAVED) == 0 && n > MAX_PAYLOAD) {
        n = MAX_PAYLOAD;
    }
    input += 4 + n;
    input_bytes -= 4 + n;
    wire_at = 0;
    wire_bytes = 0;
    if (!happens(control, payload, n)) {
        frame_request(control, type, payload, n < MAX_PAYLOAD ? n : MAX_PAYLOAD);
    }
}

/* --- the port --------------------------------------------------------------------------------- */

void bp_port_init(void) {}

int bp_port_rx(void) {
    if (wire_at == wire_bytes) {
        next_request();
        return -1;
    }
    return wire[wire_at++];
}

/* Every frame of the board must be whole, and none may tell of a fault. */
void bp_port_tx(const uint8_t *data, uint16_t n) {
    bp_frame_t frame;
    for (uint16_t i = 0; i < n; ++i) {
        if (bp_receiver_feed(&answers, &frame, data[i])) {
            check(frame.type != BP_MSG_FAULT);
            if ((frame.type & 0xF0) != 0xF0) {
                check(frame.type & BP_MSG_ANSWER);
                check(frame.payload_bytes > 0 && frame.payload[0] < bp_status_count());
                next_seq = frame.ack;
            }
        }
    }
    check(answers.bad_frames == 0);
}

void bp_port_reset(void) {
    longjmp(stopped, RESET);
}

uint32_t bp_port_rx_overruns(void) {
    return 0;
}

uint32_t bp_port_ticks(void) {
    return 0;
}

uint32_t bp_port_stack_free(void) {
    return 1;
}

uint32_t bp_port_stack_bytes(void) {
    return 1;
}

int bp_port_stack_intact(void) {
    return 1;
}

static uint32_t *flash_word(uint8_t slot, uint32_t offset) {
    check(slot < SLOTS && offset % 4 == 0 && offset < BP_SAVE_SLOT_BYTES);
    return &flash[slot][offset / 4];
}

static void count_operation(void) {
    if (operations_left != 0 && --operations_left == 0) {
        longjmp(stopped, RESET);
    }
}

void bp_port_flash_erase(uint8_t slot, uint32_t offset) {
    check(offset % BP_FLASH_PAGE_BYTES == 0);
    uint32_t *page = flash_word(slot, offset);
    count_operation();
    memset(page, 0xFF, BP_FLASH_PAGE_BYTES);
}

void bp_port_flash_write(uint8_t slot, uint32_t offset, uint32_t word) {
    uint32_t *where = flash_word(slot, offset);
    check(*where == 0xFFFFFFFFu);
    count_operation();
    *where = word;
}

uint32_t bp_port_flash_read(uint8_t slot, uint32_t offset) {
    return *flash_word(slot, offset);
}

/* From power-on to the next reset or the input's end. */
static int run_board(void) {
    restore_variables();
    wire_bytes = 0;
    wire_at = 0;
    next_seq = 1;
    operations_left = 0;
    bp_receiver_init(&answers, answer_buffer, sizeof answer_buffer);
    const int why = setjmp(stopped);
    if (why == 0) {
        bp_app_main();
    }
    return why;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (n_regions == 0) {
        save_variables();
    }
    memset(flash, 0xFF, sizeof flash);
    input = data;
    input_bytes = size;
    while (run_board() == RESET) {
    }
    return 0;
}
