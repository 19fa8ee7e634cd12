/** One compiled virus database in memory, for all the threads of a process. */
import { type Pointer, ptr } from "bun:ffi";
import type { EngineSettings } from "../config/engine-settings.ts";
import { cString, EngineError, type Library } from "./library.ts";

/** enum cl_engine_field, as far as settings do not name them. */
const FIELD = { PUA_CATEGORIES: 6, DB_VERSION: 8, DB_TIME: 9, TMPDIR: 13, CACHE_SIZE: 24 } as const;
const DAY = 86_400;

/** A loaded database. */
export interface Database {
  /** struct cl_engine * */
  readonly engine: Pointer;
  readonly signatures: number;
  /** As clamd's VERSION: `ClamAV 1.4.6/27000/Sun Nov 22 09:00:00 2026`. */
  readonly version: string;
}

/**
 * Loads and compiles the database of a directory. Takes a minute and a gigabyte for the real one.
 * @param temporary directory for what loading unpacks
 * @throws EngineError `NO_DATABASE` when it is bad, `LOAD_FAILED` when it may be good (no memory, a full disk) or
 *   `LIBCLAMAV`, with libclamav's reason
 */
export function loadDatabase(library: Library, settings: EngineSettings, temporary: string): Database {
  const { databaseDirectory: directory } = settings;
  const engine = library.cl_engine_new();
  if (typeof engine !== "number") throw new EngineError("LIBCLAMAV", "libclamav has no memory for an engine");
  setTemporaryDirectory(library, engine, temporary);
  setOptions(library, engine, settings);
  checkAge(library, settings);
  const path = cString(directory);
  const count = new Uint32Array(1);
  const loaded = library.cl_load(ptr(path), engine, ptr(count), settings.databaseOptions);
  if (loaded !== 0) throw notLoaded(library, directory, loaded);
  const signatures = count[0] ?? 0;
  if (signatures === 0) throw noDatabase(directory, "it has no signatures");
  const compiled = library.cl_engine_compile(engine);
  if (compiled !== 0) throw notLoaded(library, directory, compiled);
  return { engine, signatures, version: versionOf(library, engine) };
}

/** Where scans put what they unpack; as the process sees it from then on. @throws EngineError */
export function setTemporaryDirectory(library: Library, engine: Pointer, directory: string): void {
  setText(library, engine, FIELD.TMPDIR, directory);
}

function setText(library: Library, engine: Pointer, field: number, text: string): void {
  // libclamav makes its own copy.
  const bytes = cString(text);
  demand(library, `option ${field}`, library.cl_engine_set_str(engine, field, ptr(bytes)));
}

function setOptions(library: Library, engine: Pointer, settings: EngineSettings): void {
  // Before 1.2 there was no CACHE_SIZE, and what follows it had lower numbers. Its default is 65,536; the field that
  // was there before is a switch.
  const withCacheSize = library.cl_engine_get_num(engine, FIELD.CACHE_SIZE, null) > 1n;
  for (const [field, value] of settings.numbers) {
    if (field === FIELD.CACHE_SIZE && !withCacheSize) continue;
    const place = field > FIELD.CACHE_SIZE && !withCacheSize ? field - 1 : field;
    demand(library, `option ${field}`, library.cl_engine_set_num(engine, place, BigInt(value)));
  }
  if (settings.puaCategories !== null) setText(library, engine, FIELD.PUA_CATEGORIES, settings.puaCategories);
}

function checkAge(library: Library, settings: EngineSettings): void {
  const { databaseDirectory: directory, oldestDatabase: days } = settings;
  if (days === null || days === 0) return;
  const path = cString(directory);
  const age = new BigInt64Array(1);
  const status = library.cl_cvdgetage(ptr(path), ptr(age));
  if (status !== 0) throw notLoaded(library, directory, status);
  if (Number(age[0] ?? 0n) > days * DAY) {
    throw noDatabase(directory, `it is older than ${days} days (FailIfCvdOlderThan)`);
  }
}

function versionOf(library: Library, engine: Pointer): string {
  const name = `ClamAV ${String(library.cl_retver())}`;
  const version = Number(library.cl_engine_get_num(engine, FIELD.DB_VERSION, null));
  if (version === 0) return name;
  const time = Number(library.cl_engine_get_num(engine, FIELD.DB_TIME, null));
  return `${name}/${version}/${dateText(new Date(time * 1000))}`;
}

/** A date in the local time zone, as ctime(3) writes it: `Sun Nov  2 09:00:00 2026`. */
export function dateText(date: Date): string {
  const [weekday, month, , year, time] = date.toString().split(" ");
  return `${weekday} ${month} ${String(date.getDate()).padStart(2)} ${time} ${year}`;
}

/** libclamav's words for a status. */
export function errorText(library: Library, status: number): string {
  return String(library.cl_strerror(status));
}

function demand(library: Library, what: string, status: number): void {
  if (status !== 0)
    throw new EngineError("LIBCLAMAV", `libclamav refuses ${what}: ${errorText(library, status)}`);
}

/** CL_EMALFDB, CL_ECVD and CL_EVERIFY of clamav.h: the files themselves are bad. */
const BAD_FILES: ReadonlySet<number> = new Set([4, 5, 6]);

function notLoaded(library: Library, directory: string, status: number): EngineError {
  const code = BAD_FILES.has(status) ? "NO_DATABASE" : "LOAD_FAILED";
  return noDatabase(directory, errorText(library, status), code);
}

function noDatabase(
  directory: string,
  reason: string,
  code: EngineError["code"] = "NO_DATABASE",
): EngineError {
  return new EngineError(
    code,
    `the virus database in ${directory} cannot be loaded: ${reason}; install freshclam and run it, or set DatabaseDirectory`,
  );
}
