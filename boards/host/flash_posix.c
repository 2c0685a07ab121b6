/* Flash in a file: the one that the environment variable BYTEPROP_DEVICE_FLASH names, else one
 * without a name, which lives as long as the process and survives its resets. Like the real thing
 * it is erased to ones, and writing only makes zeros of them. */
#define _POSIX_C_SOURCE 200809L

#include <byteprop/port.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define VARIABLE "BYTEPROP_DEVICE_FLASH"
#define ALL_BYTES (2u * (size_t)BP_SAVE_SLOT_BYTES)

static uint8_t *flash;

static void fail(const char *what) {
    perror(what);
    _exit(1);
}

/* Inherited by the program that a reset starts, as its descriptor stays open. */
static int open_nameless(void) {
    char name[32];
    FILE *file = tmpfile();
    if (file == NULL) {
        fail("byteprop-device: no temporary file");
    }
    const int fd = dup(fileno(file));
    (void)fclose(file);
    (void)snprintf(name, sizeof name, "/dev/fd/%d", fd);
    if (fd < 0 || setenv(VARIABLE, name, 1) != 0) {
        fail("byteprop-device: no temporary file");
    }
    return fd;
}

static uint8_t *bytes_at(uint8_t slot, uint32_t offset) {
    if (flash == NULL) {
        const char *name = getenv(VARIABLE);
        const int fd = name == NULL ? open_nameless() : open(name, O_RDWR | O_CREAT, 0666);
        if (fd < 0 || ftruncate(fd, (off_t)ALL_BYTES) != 0) {
            fail(VARIABLE);
        }
        void *mapped = mmap(NULL, ALL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (mapped == MAP_FAILED) {
            fail(VARIABLE);
        }
        flash = mapped;
    }
    return flash + (size_t)slot * BP_SAVE_SLOT_BYTES + offset;
}

void bp_port_flash_erase(uint8_t slot, uint32_t offset) {
    memset(bytes_at(slot, offset), 0xFF, BP_FLASH_PAGE_BYTES);
}

void bp_port_flash_write(uint8_t slot, uint32_t offset, uint32_t word) {
    const uint32_t value = bp_port_flash_read(slot, offset) & word;
    memcpy(bytes_at(slot, offset), &value, sizeof value);
}

uint32_t bp_port_flash_read(uint8_t slot, uint32_t offset) {
    uint32_t value;
    memcpy(&value, bytes_at(slot, offset), sizeof value);
    return value;
}
