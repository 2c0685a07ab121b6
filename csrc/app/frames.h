/* Frames from and to the port. Every frame that is sent acknowledges what was executed, so the
 * number of the request that is expected next is kept here. */
#ifndef BYTEPROP_APP_FRAMES_H
#define BYTEPROP_APP_FRAMES_H

#include <byteprop/link.h>
#include <stdint.h>

void app_frames_init(void);
/* Takes the next byte from the port, if there is one. Returns 1 when it completed a frame: *payload
 * then points to its payload, which may be written, as may the byte before it. */
int app_receive(bp_frame_t *frame, uint8_t **payload);
extern bp_receiver_t app_receiver;

/* The next sequence number that will be executed; 0 while no session is open. */
extern uint16_t app_expected;
/* aux: as in bp_frame_t. */
void app_send(uint8_t type, uint8_t aux, uint16_t seq, const uint8_t *payload, uint16_t n);

/* Requests that arrived more than once. */
extern uint32_t app_repeated;

#endif
