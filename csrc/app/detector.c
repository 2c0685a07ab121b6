#include "detector.h"

#if APP_CAN_DETECT

enum { NONE, OPEN, WRITTEN };

static bp_anomaly_t bp_app_detector;
static uint8_t phase;

bp_status_t app_detector_open(const uint8_t *p) {
    const bp_anomaly_config_t config = {
        .permille = app_get_u16(p),
        .votes = p[2],
        .window = p[3],
        .drift_shift = p[4],
        .drift_ratio = p[5],
        .reserved = app_get_u16(p + 6),
    };
    BP_TRY(bp_anomaly_open(&bp_app_detector, &config));
    phase = OPEN;
    return BP_OK;
}

void app_detector_drop(void) {
    phase = NONE;
}

bp_status_t app_detector(bp_anomaly_t **detector) {
    if (phase == NONE) {
        return BP_E_STATE;
    }
    if (phase == WRITTEN) {
        BP_TRY(bp_anomaly_check(&bp_app_detector));
        phase = OPEN;
    }
    *detector = &bp_app_detector;
    return BP_OK;
}

uint8_t *app_detector_bytes(void) {
    return phase == NONE ? NULL : (uint8_t *)&bp_app_detector;
}

void app_detector_written(void) {
    phase = WRITTEN;
}

uint8_t *app_detector_restored(void) {
    phase = WRITTEN;
    return (uint8_t *)&bp_app_detector;
}

#else
typedef int app_detector_is_not_there;
#endif
