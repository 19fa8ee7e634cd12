/** A thread that scans: takes a job, gives the answer to the client itself, takes the next. */

import type { Pointer } from "bun:ffi";
import { fstatSync } from "node:fs";
import { closeDescriptor } from "../os/libc.ts";
import { NumberReader } from "../os/pipes.ts";
import { sendAnswer } from "../os/stream-calls.ts";
import { answerText } from "./conversation.ts";
import { milliseconds } from "./door.ts";
import { type Job, JobTable } from "./jobs.ts";
import { loadLibrary } from "./library.ts";
import { scanText } from "./scan-text.ts";
import { Scanner } from "./scanner.ts";
import { TemporaryDirectory } from "./temporary-directory.ts";

/** What the thread is started with. */
export interface ScanThreadOrder {
  readonly number: number;
  readonly jobs: SharedArrayBuffer;
  /** Descriptor by which jobs come. */
  readonly jobPipe: number;
  /** struct cl_engine * */
  readonly engine: number;
  readonly scanOptions: readonly number[];
  readonly temporaryDirectory: string;
}

/** To the main thread: the temporary directory is unusable, for this reason, or usable again (null). */
export interface ScanThreadEvent {
  readonly kind: "temporary";
  readonly problem: string | null;
}

/** Does not return. */
export function runScanThread(order: ScanThreadOrder, tell: (event: ScanThreadEvent) => void): void {
  const jobs = new JobTable(order.jobs);
  const pipe = new NumberReader(order.jobPipe);
  const scanFile = fileScanner(order, tell);
  for (;;) {
    const place = pipe.next();
    const job = jobs.job(place);
    if (jobs.begin(place, milliseconds())) {
      const text = `${prefixOf(job)}: ${scanFile(job.file)}`;
      if (jobs.claimAnswer(place)) {
        // A client that does not take it is gone, and its connexion ends.
        sendAnswer(job.connexion, Buffer.from(answerText(job.number, text, job.lineFeed), "latin1"));
      }
    }
    closeDescriptor(job.file);
    jobs.finish(place);
  }
}

function prefixOf(job: Job): string {
  return job.byDescriptor ? `fd[${job.file}]` : "stream";
}

/**
 * Scans a file into clamd's words. Nothing is OK unless the temporary directory could be used before and after.
 */
export function fileScanner(
  order: Omit<ScanThreadOrder, "jobs" | "jobPipe">,
  tell: (event: ScanThreadEvent) => void,
): (file: number) => string {
  const scanner = new Scanner(loadLibrary(), order.engine as Pointer, order.scanOptions);
  const temporary = new TemporaryDirectory(order.temporaryDirectory);
  let told: string | null = null;
  const problem = (size: number): string | null => {
    const found = temporary.problem(size);
    // Each failure is told: another thread may have seen that all is well meanwhile.
    if (found !== null || told !== null) tell({ kind: "temporary", problem: found });
    told = found;
    return found;
  };
  return (file) => {
    const { size, regular } = sizeOf(file);
    if (!regular) return "Not a regular file ERROR";
    if (problem(size) !== null) return "Can't create temporary file ERROR";
    const text = scanText(scanner.scan(file, size));
    return text === "OK" && problem(size) !== null ? "Can't write to temporary file ERROR" : text;
  };
}

function sizeOf(file: number): { size: number; regular: boolean } {
  const found = fstatSync(file);
  return { size: found.size, regular: found.isFile() };
}
