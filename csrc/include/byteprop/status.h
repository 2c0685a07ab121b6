/* Status codes: what the model reader, training and the link return. */
#ifndef BYTEPROP_STATUS_H
#define BYTEPROP_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, text). The order is part of the link protocol: append only. */
#define BP_STATUS_LIST(X)                                                                          \
    X(OK, "ok")                                                                                    \
    X(E_ARG, "argument out of range")                                                              \
    X(E_TRUNCATED, "model image is shorter than its header says")                                  \
    X(E_MAGIC, "not a byteprop model image")                                                       \
    X(E_VERSION, "model image has a version this library does not read")                           \
    X(E_CRC, "checksum does not match")                                                            \
    X(E_BOUNDS, "model image has an offset or a count outside the image")                          \
    X(E_ALIGN, "model image has data that is not aligned")                                         \
    X(E_OP, "model image has an op this library does not know")                                    \
    X(E_DTYPE, "model image has a data type the op does not take")                                 \
    X(E_SHAPE, "model image has shapes that do not fit the op")                                    \
    X(E_PARAM, "model image has a quantisation parameter out of range")                            \
    X(E_OVERLAP, "model image has tensors that overlap in the arena")                              \
    X(E_ARENA, "model needs more arena than there is")                                             \
    X(E_NO_MODEL, "no model is loaded")                                                            \
    X(E_STATE, "request not allowed in the current state")                                         \
    X(E_RANGE, "offset and length exceed the object")                                              \
    X(E_UNKNOWN, "unknown request or object")                                                      \
    X(E_LENGTH, "request has a wrong length")                                                      \
    X(E_SPACE, "does not fit in the memory of the board")                                          \
    X(E_UNSUPPORTED, "this firmware was built without that feature")                               \
    X(E_ORDER, "model image reads a tensor before anything wrote it")                              \
    X(E_KIND, "model image has a constant, state or scratch tensor that the op does not take")

/* As it crosses the link. */
#if defined(__GNUC__)
#define BP_STATUS_IN_A_BYTE __attribute__((packed))
#else
#define BP_STATUS_IN_A_BYTE
#endif

#define BP_STATUS_ENUM(name, text) BP_##name,
/* BP_OK, BP_E_ARG, ... */
typedef enum { BP_STATUS_LIST(BP_STATUS_ENUM) BP_STATUS_COUNT_ } BP_STATUS_IN_A_BYTE bp_status_t;
#undef BP_STATUS_ENUM

/* For functions whose status may not be ignored. */
#if defined(__GNUC__)
#define BP_MUST_CHECK __attribute__((warn_unused_result))
#else
#define BP_MUST_CHECK
#endif

/* Returns the status of a step to the caller unless it is BP_OK. */
#define BP_TRY(step)                                                                               \
    do {                                                                                           \
        const bp_status_t bp_try_status_ = (step);                                                 \
        if (bp_try_status_ != BP_OK) {                                                             \
            return bp_try_status_;                                                                 \
        }                                                                                          \
    } while (0)

/* cdef: begin */
/* Number of status codes; codes are 0 .. bp_status_count() - 1 and 0 is success. */
int bp_status_count(void);
/* "OK", "E_ARG", ...; "?" for a code that does not exist. */
const char *bp_status_name(int status);
/* One English sentence without a full stop; "?" for a code that does not exist. */
const char *bp_status_text(int status);
/* cdef: end */

#ifdef __cplusplus
}
#endif
#endif
