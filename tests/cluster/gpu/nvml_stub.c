/* A stand-in for NVIDIA's libnvidia-ml.so.1 with the real ABI, so that what reads GPUs through NVML is tested without one.
 *
 * Every call reads its numbers anew from a text file (written by numbers.py, which documents it): a test that replaces
 * the file changes what a running pod sees. A number that the file lacks is NVML_ERROR_NOT_SUPPORTED, never a guess.
 * Signatures, struct layouts and constants are NVIDIA's public ABI; test_nvml_stub.py compares them with nvidia-ml-py.
 *
 * Only open, read, close, getenv and string functions of libc: the library is built here and loaded in containers with
 * an older libc.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define DEFAULT_NUMBERS "/run/kube-magics-nvml/numbers"
#define MAX_DEVICES 64
#define MAX_FILE 65536
#define MAX_VALUE 1024

enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NO_PERMISSION = 4,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9,
    GPU_IS_LOST = 15,
    ARGUMENT_VERSION_MISMATCH = 25,
    UNKNOWN = 999
};

typedef struct nvmlDevice { int index; } *nvmlDevice_t;
typedef struct { unsigned gpu, memory; } nvmlUtilization_t;
typedef struct { unsigned long long total, free, used; } nvmlMemory_t;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } nvmlMemory_v2_t;
typedef struct {
    unsigned pid;
    unsigned long long usedGpuMemory;
    unsigned gpuInstanceId, computeInstanceId;
} nvmlProcessInfo_t;

#define MEMORY_V2 ((unsigned)(sizeof(nvmlMemory_v2_t) | (2u << 24)))
#define NO_INSTANCE 0xFFFFFFFFu
#define SYSTEM (-1)

static struct nvmlDevice devices[MAX_DEVICES];
static int initialized;

/* ---- the numbers file ------------------------------------------------------------------------------------------- */

static int read_file(char *into) {
    const char *path = getenv("KUBE_MAGICS_NVML_NUMBERS");
    int file = open(path && *path ? path : DEFAULT_NUMBERS, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    size_t size = 0;
    ssize_t got;
    while (size < MAX_FILE - 1 && (got = read(file, into + size, MAX_FILE - 1 - size)) > 0) size += (size_t)got;
    close(file);
    into[size] = 0;
    return 1;
}

static unsigned long long number(const char *text) {
    unsigned long long value = 0;
    for (; *text >= '0' && *text <= '9'; text++) value = value * 10 + (unsigned)(*text - '0');
    return value;
}

/* "3 power_mw " for device 3, "system driver " for the whole. */
static void line_start(int index, const char *key, char *into) {
    char digits[12];
    int at = 0, value = index;
    if (index == SYSTEM) {
        strcpy(into, "system");
    } else {
        do digits[at++] = (char)('0' + value % 10); while (value /= 10);
        while (at) *into++ = digits[--at];
        *into = 0;
    }
    strcat(into, " ");
    strcat(into, key);
    strcat(into, " ");
}

static int find(const char *file, int index, const char *key, char *value) {
    char start[128];
    line_start(index, key, start);
    size_t length = strlen(start);
    for (const char *line = file; line && *line;) {
        const char *end = strchr(line, '\n');
        size_t size = end ? (size_t)(end - line) : strlen(line);
        if (size >= length && !strncmp(line, start, length)) {
            size_t rest = size - length < MAX_VALUE - 1 ? size - length : MAX_VALUE - 1;
            memcpy(value, line + length, rest);
            value[rest] = 0;
            return 1;
        }
        line = end ? end + 1 : 0;
    }
    return 0;
}

/* The state that a call needs before it may answer: NVML is there, the device is, and no error is set for the call. */
static int enter(char *file, int index, const char *function) {
    char value[MAX_VALUE];
    if (!initialized) return UNINITIALIZED;
    if (index < SYSTEM || index >= MAX_DEVICES) return INVALID_ARGUMENT;
    if (!read_file(file)) return UNKNOWN;
    if (index != SYSTEM) {
        if (!find(file, index, "uuid", value)) return GPU_IS_LOST;
        if (find(file, index, "error", value)) return (int)number(value);
    }
    if (find(file, index, function, value)) return (int)number(value);
    return SUCCESS;
}

static int get_number(int index, const char *function, const char *key, unsigned long long *into) {
    char file[MAX_FILE], value[MAX_VALUE];
    int error = enter(file, index, function);
    if (error) return error;
    if (!into) return INVALID_ARGUMENT;
    if (!find(file, index, key, value)) return NOT_SUPPORTED;
    *into = number(value);
    return SUCCESS;
}

static int get_unsigned(nvmlDevice_t device, const char *function, const char *key, unsigned *into) {
    unsigned long long value;
    int error = get_number(device ? device->index : MAX_DEVICES, function, key, &value);
    if (!error && !into) return INVALID_ARGUMENT;
    if (!error) *into = (unsigned)value;
    return error;
}

static int get_text(int index, const char *function, const char *key, char *into, unsigned size) {
    char file[MAX_FILE], value[MAX_VALUE];
    int error = enter(file, index, function);
    if (error) return error;
    if (!into) return INVALID_ARGUMENT;
    if (!find(file, index, key, value)) return NOT_SUPPORTED;
    if (strlen(value) >= size) return INSUFFICIENT_SIZE;
    strcpy(into, value);
    return SUCCESS;
}

/* ---- which devices this process sees ---------------------------------------------------------------------------- */

/* NVIDIA_VISIBLE_DEVICES as NVIDIA's container toolkit reads it: indices or UUIDs, "all", or "void"/"none"/empty. */
static int is_wanted(const char *file, int index) {
    char uuid[MAX_VALUE], digits[16];
    const char *wanted = getenv("NVIDIA_VISIBLE_DEVICES");
    if (!find(file, index, "uuid", uuid)) return 0;
    if (!wanted || !strcmp(wanted, "all")) return 1;
    line_start(index, "", digits);
    *strchr(digits, ' ') = 0;
    for (const char *item = wanted; *item;) {
        size_t size = strcspn(item, ",");
        if ((size == strlen(uuid) && !strncmp(item, uuid, size)) || (size == strlen(digits) && !strncmp(item, digits, size)))
            return 1;
        item += size + (item[size] == ',');
    }
    return 0;
}

/* The GPU of a MIG device; -1 of a GPU. */
static int parent_of(const char *file, int index) {
    char value[MAX_VALUE];
    return find(file, index, "parent", value) ? (int)number(value) : -1;
}

/* A GPU also where one of its MIG devices is wanted; a MIG device also where its GPU is. */
static int is_visible(const char *file, int index) {
    int parent = parent_of(file, index);
    if (parent >= 0) return is_wanted(file, index) || is_wanted(file, parent);
    if (is_wanted(file, index)) return 1;
    for (int i = 0; i < MAX_DEVICES; i++)
        if (parent_of(file, i) == index && is_wanted(file, i)) return 1;
    return 0;
}

/* MIG devices are counted with their GPU. */
static int is_visible_gpu(const char *file, int index) {
    return parent_of(file, index) < 0 && is_visible(file, index);
}

/* ---- the API ---------------------------------------------------------------------------------------------------- */

EXPORT int nvmlInitWithFlags(unsigned flags) {
    char file[MAX_FILE], value[MAX_VALUE];
    (void)flags;
    if (!read_file(file)) return DRIVER_NOT_LOADED;
    if (find(file, SYSTEM, "nvmlInit_v2", value)) return (int)number(value);
    for (int i = 0; i < MAX_DEVICES; i++) devices[i].index = i;
    __atomic_add_fetch(&initialized, 1, __ATOMIC_SEQ_CST);
    return SUCCESS;
}

EXPORT int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
EXPORT int nvmlInit(void) { return nvmlInitWithFlags(0); }

EXPORT int nvmlShutdown(void) {
    if (!initialized) return UNINITIALIZED;
    __atomic_sub_fetch(&initialized, 1, __ATOMIC_SEQ_CST);
    return SUCCESS;
}

EXPORT int nvmlDeviceGetCount_v2(unsigned *count) {
    char file[MAX_FILE];
    int error = enter(file, SYSTEM, "nvmlDeviceGetCount_v2");
    if (error) return error;
    if (!count) return INVALID_ARGUMENT;
    *count = 0;
    for (int i = 0; i < MAX_DEVICES; i++) *count += (unsigned)is_visible_gpu(file, i);
    return SUCCESS;
}

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device) {
    char file[MAX_FILE], value[MAX_VALUE];
    int error = enter(file, SYSTEM, "nvmlDeviceGetHandleByIndex_v2");
    if (error) return error;
    if (!device) return INVALID_ARGUMENT;
    for (int i = 0; i < MAX_DEVICES; i++) {
        if (!is_visible_gpu(file, i) || index--) continue;
        if (find(file, i, "error", value)) return (int)number(value);
        *device = &devices[i];
        return SUCCESS;
    }
    return INVALID_ARGUMENT;
}

EXPORT int nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device) {
    char file[MAX_FILE], value[MAX_VALUE];
    int error = enter(file, SYSTEM, "nvmlDeviceGetHandleByUUID");
    if (error) return error;
    if (!uuid || !device) return INVALID_ARGUMENT;
    for (int i = 0; i < MAX_DEVICES; i++) {
        if (!is_visible(file, i) || !find(file, i, "uuid", value) || strcmp(value, uuid)) continue;
        if (find(file, i, "error", value)) return (int)number(value);
        *device = &devices[i];
        return SUCCESS;
    }
    return NOT_FOUND;
}

EXPORT int nvmlDeviceGetIndex(nvmlDevice_t device, unsigned *index) {
    char file[MAX_FILE];
    int error = enter(file, device ? device->index : MAX_DEVICES, "nvmlDeviceGetIndex");
    if (error) return error;
    if (!index) return INVALID_ARGUMENT;
    *index = 0;
    for (int i = 0; i < device->index; i++) *index += (unsigned)is_visible_gpu(file, i);
    return SUCCESS;
}

EXPORT int nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned size) {
    return get_text(device ? device->index : MAX_DEVICES, "nvmlDeviceGetUUID", "uuid", uuid, size);
}

EXPORT int nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned size) {
    return get_text(device ? device->index : MAX_DEVICES, "nvmlDeviceGetName", "name", name, size);
}

EXPORT int nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned *minor) {
    return get_unsigned(device, "nvmlDeviceGetMinorNumber", "minor", minor);
}

EXPORT int nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *rates) {
    nvmlUtilization_t found;
    int error = get_unsigned(device, "nvmlDeviceGetUtilizationRates", "utilisation", &found.gpu);
    if (!error) error = get_unsigned(device, "nvmlDeviceGetUtilizationRates", "memory_utilisation", &found.memory);
    if (!error && !rates) return INVALID_ARGUMENT;
    if (!error) *rates = found;
    return error;
}

static int memory(nvmlDevice_t device, const char *function, nvmlMemory_v2_t *into) {
    int index = device ? device->index : MAX_DEVICES;
    int error = get_number(index, function, "memory_total", &into->total);
    if (!error) error = get_number(index, function, "memory_used", &into->used);
    if (!error) error = get_number(index, function, "memory_reserved", &into->reserved);
    return error;
}

/* Version 1 counts what the driver keeps for itself as used, version 2 apart. */
EXPORT int nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *info) {
    nvmlMemory_v2_t found;
    int error = memory(device, "nvmlDeviceGetMemoryInfo", &found);
    if (error) return error;
    if (!info) return INVALID_ARGUMENT;
    info->total = found.total;
    info->used = found.used + found.reserved;
    info->free = found.total - info->used;
    return SUCCESS;
}

EXPORT int nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *info) {
    nvmlMemory_v2_t found;
    int error = memory(device, "nvmlDeviceGetMemoryInfo_v2", &found);
    if (error) return error;
    if (!info) return INVALID_ARGUMENT;
    if (info->version != MEMORY_V2) return ARGUMENT_VERSION_MISMATCH;
    info->total = found.total;
    info->reserved = found.reserved;
    info->used = found.used;
    info->free = found.total - found.used - found.reserved;
    return SUCCESS;
}

EXPORT int nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned *milliwatts) {
    return get_unsigned(device, "nvmlDeviceGetPowerUsage", "power_mw", milliwatts);
}

EXPORT int nvmlDeviceGetTemperature(nvmlDevice_t device, unsigned sensor, unsigned *celsius) {
    if (sensor != 0) return INVALID_ARGUMENT;
    return get_unsigned(device, "nvmlDeviceGetTemperature", "temperature", celsius);
}

EXPORT int nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *current, unsigned *pending) {
    int error = get_unsigned(device, "nvmlDeviceGetMigMode", "mig", current);
    if (!error && !pending) return INVALID_ARGUMENT;
    if (!error) *pending = *current;
    return error;
}

EXPORT int nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned *count) {
    return get_unsigned(device, "nvmlDeviceGetMaxMigDeviceCount", "max_mig", count);
}

EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned index, nvmlDevice_t *instance) {
    char file[MAX_FILE];
    int error = enter(file, device ? device->index : MAX_DEVICES, "nvmlDeviceGetMigDeviceHandleByIndex");
    if (error) return error;
    if (!instance) return INVALID_ARGUMENT;
    for (int i = 0; i < MAX_DEVICES; i++) {
        if (parent_of(file, i) != device->index || !is_visible(file, i) || index--) continue;
        *instance = &devices[i];
        return SUCCESS;
    }
    return NOT_FOUND;
}

EXPORT int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t instance, nvmlDevice_t *device) {
    char file[MAX_FILE];
    int error = enter(file, instance ? instance->index : MAX_DEVICES, "nvmlDeviceGetDeviceHandleFromMigDeviceHandle");
    if (error) return error;
    int parent = parent_of(file, instance->index);
    if (!device || parent < 0) return INVALID_ARGUMENT;
    *device = &devices[parent];
    return SUCCESS;
}

EXPORT int nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned *is_instance) {
    char file[MAX_FILE];
    int error = enter(file, device ? device->index : MAX_DEVICES, "nvmlDeviceIsMigDeviceHandle");
    if (error) return error;
    if (!is_instance) return INVALID_ARGUMENT;
    *is_instance = parent_of(file, device->index) >= 0;
    return SUCCESS;
}

/* "PID:BYTES PID:BYTES". With too little room: the count needed, as the real one does. */
EXPORT int nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *count, nvmlProcessInfo_t *processes) {
    char file[MAX_FILE], value[MAX_VALUE] = "";
    int index = device ? device->index : MAX_DEVICES;
    int error = enter(file, index, "nvmlDeviceGetComputeRunningProcesses_v3");
    if (error) return error;
    if (!count) return INVALID_ARGUMENT;
    find(file, index, "processes", value);
    unsigned room = processes ? *count : 0, found = 0;
    for (const char *item = value; *item;) {
        const char *colon = strchr(item, ':');
        if (!colon) break;
        if (found < room)
            processes[found] = (nvmlProcessInfo_t){(unsigned)number(item), number(colon + 1), NO_INSTANCE, NO_INSTANCE};
        found++;
        item = strchr(colon, ' ');
        if (!item) break;
        item++;
    }
    *count = found;
    return found > room ? INSUFFICIENT_SIZE : SUCCESS;
}

EXPORT int nvmlSystemGetDriverVersion(char *version, unsigned size) {
    return get_text(SYSTEM, "nvmlSystemGetDriverVersion", "driver", version, size);
}

EXPORT int nvmlSystemGetCudaDriverVersion_v2(int *version) {
    unsigned long long value;
    int error = get_number(SYSTEM, "nvmlSystemGetCudaDriverVersion_v2", "cuda", &value);
    if (!error && !version) return INVALID_ARGUMENT;
    if (!error) *version = (int)value;
    return error;
}

EXPORT int nvmlSystemGetCudaDriverVersion(int *version) { return nvmlSystemGetCudaDriverVersion_v2(version); }

EXPORT const char *nvmlErrorString(int result) {
    switch (result) {
    case SUCCESS: return "Success";
    case UNINITIALIZED: return "Uninitialized";
    case INVALID_ARGUMENT: return "Invalid Argument";
    case NOT_SUPPORTED: return "Not Supported";
    case NO_PERMISSION: return "Insufficient Permissions";
    case NOT_FOUND: return "Not Found";
    case INSUFFICIENT_SIZE: return "Insufficient Size";
    case DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case GPU_IS_LOST: return "GPU is lost";
    case ARGUMENT_VERSION_MISMATCH: return "Argument Version Mismatch";
    default: return "Unknown Error";
    }
}
