/* The device program with a made-up port. The input is a list of requests, which are framed here, so
 * that they pass the checksum and reach the program:
 *
 *     control u8, type u8, length u16, payload
 *
 * The program is a shared library of its own: its variables are put back to what they were before
 * each input, as a reset would, so that an input that crashes does so again on its own. */
#define _GNU_SOURCE
#include <byteprop/link.h>
#include <byteprop/port.h>
#include <byteprop/status.h>
#include <link.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAME_SEQ = 1,   /* repeats the sequence number of the request before */
    SKIP_SEQ = 2,   /* leaves one out */
    DAMAGE = 4,     /* flips bits of the frame */
    UNFRAMED = 8,   /* the payload goes onto the wire as it is */
    CONTROL_BITS = 15,
    MAX_PAYLOAD = 1024,
    MAX_REGIONS = 8
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t input_bytes;
static uint8_t wire[2 * MAX_PAYLOAD];
static uint32_t wire_bytes, wire_at;
static uint16_t next_seq;
static uint8_t answer_buffer[4096];
static bp_receiver_t answers;
static jmp_buf finished;

static void check(int condition) {
    if (!condition) {
        abort();
    }
}

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

static void next_request(void) {
    if (input_bytes < 4) {
        longjmp(finished, 1);
    }
    const uint8_t control = input[0] & CONTROL_BITS;
    size_t n = (size_t)(input[2] | input[3] << 8);
    bp_frame_t frame = {input[1], 0, next_seq, next_seq, input + 4, 0};
    n = n < input_bytes - 4 ? n : input_bytes - 4;
    frame.payload_bytes = (uint16_t)(n < MAX_PAYLOAD ? n : MAX_PAYLOAD);
    input += 4 + frame.payload_bytes;
    input_bytes -= 4u + frame.payload_bytes;
    wire_at = 0;
    wire_bytes = 0;
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

void bp_port_reset(void) { longjmp(finished, 1); }
uint32_t bp_port_rx_overruns(void) { return 0; }
uint32_t bp_port_ticks(void) { return 0; }
uint32_t bp_port_stack_free(void) { return 1; }
uint32_t bp_port_stack_bytes(void) { return 1; }
int bp_port_stack_intact(void) { return 1; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (n_regions == 0) {
        save_variables();
    }
    restore_variables();
    input = data;
    input_bytes = size;
    wire_bytes = 0;
    wire_at = 0;
    next_seq = 1;
    bp_receiver_init(&answers, answer_buffer, sizeof answer_buffer);
    if (setjmp(finished) == 0) {
        bp_app_main();
    }
    return 0;
}
