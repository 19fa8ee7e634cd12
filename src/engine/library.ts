/** libclamav, loaded at run time from the host. Every binding stands with its C prototype (clamav.h of 1.4). */
import { ptr as addressOf, CString, dlopen, FFIType, linkSymbols, type Pointer } from "bun:ffi";

const { ptr, i32, i64, u32, u64, cstring } = FFIType;

const PROTOTYPES = {
  // cl_error_t cl_init(unsigned int initoptions);
  cl_init: { args: [u32], returns: i32 },
  // struct cl_engine *cl_engine_new(void);
  cl_engine_new: { args: [], returns: ptr },
  // cl_error_t cl_engine_free(struct cl_engine *engine);
  cl_engine_free: { args: [ptr], returns: i32 },
  // cl_error_t cl_engine_set_num(struct cl_engine *engine, enum cl_engine_field field, long long num);
  cl_engine_set_num: { args: [ptr, i32, i64], returns: i32 },
  // long long cl_engine_get_num(const struct cl_engine *engine, enum cl_engine_field field, int *err);
  cl_engine_get_num: { args: [ptr, i32, ptr], returns: i64 },
  // cl_error_t cl_engine_set_str(struct cl_engine *engine, enum cl_engine_field field, const char *str);
  cl_engine_set_str: { args: [ptr, i32, ptr], returns: i32 },
  // cl_error_t cl_load(const char *path, struct cl_engine *engine, unsigned int *signo, unsigned int dboptions);
  cl_load: { args: [ptr, ptr, ptr, u32], returns: i32 },
  // cl_error_t cl_engine_compile(struct cl_engine *engine);
  cl_engine_compile: { args: [ptr], returns: i32 },
  // cl_error_t cl_scandesc(int desc, const char *filename, const char **virname, unsigned long int *scanned,
  //   const struct cl_engine *engine, struct cl_scan_options *scanoptions);
  cl_scandesc: { args: [i32, ptr, ptr, ptr, ptr, ptr], returns: i32 },
  // cl_error_t cl_scanmap_callback(cl_fmap_t *map, const char *filename, const char **virname,
  //   unsigned long int *scanned, const struct cl_engine *engine, struct cl_scan_options *scanoptions, void *context);
  cl_scanmap_callback: { args: [ptr, ptr, ptr, ptr, ptr, ptr, ptr], returns: i32 },
  // cl_fmap_t *cl_fmap_open_memory(const void *start, size_t len);
  cl_fmap_open_memory: { args: [ptr, u64], returns: ptr },
  // void cl_fmap_close(cl_fmap_t *);
  cl_fmap_close: { args: [ptr], returns: FFIType.void },
  // cl_error_t cl_statinidir(const char *dirname, struct cl_stat *dbstat);
  cl_statinidir: { args: [ptr, ptr], returns: i32 },
  // int cl_statchkdir(const struct cl_stat *dbstat);
  cl_statchkdir: { args: [ptr], returns: i32 },
  // cl_error_t cl_statfree(struct cl_stat *dbstat);
  cl_statfree: { args: [ptr], returns: i32 },
  // cl_error_t cl_cvdgetage(const char *path, time_t *age_seconds);
  cl_cvdgetage: { args: [ptr, ptr], returns: i32 },
  // const char *cl_retver(void);
  cl_retver: { args: [], returns: cstring },
  // const char *cl_strerror(cl_error_t clerror);
  cl_strerror: { args: [i32], returns: cstring },
  // void cl_debug(void);
  cl_debug: { args: [], returns: FFIType.void },
} as const;

const { symbols: libc } = dlopen("libc.so.6", {
  // int mallopt(int param, int value);
  mallopt: { args: [i32, i32], returns: i32 },
  // void *dlopen(const char *filename, int flags);
  dlopen: { args: [ptr, i32], returns: ptr },
  // void *dlsym(void *handle, const char *symbol);
  dlsym: { args: [ptr, ptr], returns: ptr },
  // char *dlerror(void);
  dlerror: { args: [], returns: ptr },
});

/** The functions of libclamav. */
export type Library = ReturnType<typeof bind>["symbols"];

/**
 * The names under which Linux systems have libclamav, best first: 12 is that of 1.0 to 1.5. Older ones have other
 * structures; 9 to 11 (0.102 to 0.105) have the same `cl_scan_options`.
 */
const NAMES = ["libclamav.so.12", "libclamav.so.13", "libclamav.so.11", "libclamav.so.9", "libclamav.so"];

/** libclamav cannot be used. */
export class EngineError extends Error {
  readonly code: "NO_LIBRARY" | "NO_DATABASE" | "LOAD_FAILED" | "NO_TEMPORARY_DIRECTORY" | "LIBCLAMAV";

  constructor(code: EngineError["code"], message: string) {
    super(message);
    this.name = "EngineError";
    this.code = code;
  }

  /** Whether nothing but another database or library can help; else another attempt may do better. */
  get judged(): boolean {
    return this.code === "NO_LIBRARY" || this.code === "NO_DATABASE";
  }
}

type Prototypes = typeof PROTOTYPES;
type Linked = { [Name in keyof Prototypes]: Prototypes[Name] & { readonly ptr: Pointer } };

const RTLD_NOW = 2;

/** Not by the runtime's own function: that also looks in the current directory, where anybody may have put a file. */
function bind(name: string) {
  const file = cString(name);
  const handle = libc.dlopen(addressOf(file), RTLD_NOW);
  if (typeof handle !== "number") throw new Error(loaderError());
  const linked = Object.entries(PROTOTYPES).map(([symbol, prototype]) => {
    const text = cString(symbol);
    const address = libc.dlsym(handle, addressOf(text));
    if (typeof address !== "number") throw new Error(loaderError());
    return [symbol, { ...prototype, ptr: address }];
  });
  return linkSymbols(Object.fromEntries(linked) as Linked);
}

function loaderError(): string {
  const text = libc.dlerror();
  return typeof text === "number" ? new CString(text).toString() : "no reason is known";
}

/**
 * Loads libclamav; a second call, in another thread or in a jail, finds what is loaded.
 * @throws EngineError `NO_LIBRARY` telling what to install
 */
export function loadLibrary(names: readonly string[] = NAMES): Library {
  const reasons: string[] = [];
  for (const name of names) {
    try {
      return bind(name).symbols;
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  // The first name is the one that should have been there: what keeps it away is worth knowing.
  const reason = reasons[0] ?? "no name is known";
  throw new EngineError(
    "NO_LIBRARY",
    `libclamav cannot be loaded: ${reason}; install it (Debian: libclamav12, Fedora: clamav-lib), or give --external and run clamd`,
  );
}

/** M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h. */
const TRIM_THRESHOLD = -1;
const MMAP_THRESHOLD = -3;
const KEPT = 32 * 1024 * 1024;

/**
 * The allocator keeps what a scan has used for the next one. libclamav takes the same large blocks for every file;
 * given back each time, they cost more system time than a small mail takes to scan.
 */
export function keepScanMemory(): void {
  libc.mallopt(MMAP_THRESHOLD, KEPT);
  libc.mallopt(TRIM_THRESHOLD, 2 * KEPT);
}

/** A C string, to be kept alive as long as it is used. */
export function cString(text: string): Uint8Array {
  return Buffer.from(`${text}\0`);
}
